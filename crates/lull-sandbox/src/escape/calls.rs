//! Raw system calls, and code in data. The only unsafe code of the attempts: it exists to do what must not be done.
#![expect(unsafe_code, reason = "an attempt to get out keeps to no interface")]

use std::{ffi::CStr, io};

/// Makes any system call. What the arguments point to must be as the call expects it.
pub(super) fn call(number: libc::c_long, arguments: &[usize]) -> io::Result<usize> {
    let a = |place: usize| arguments.get(place).copied().unwrap_or(0);
    // SAFETY: the attempts pass numbers, or addresses of what lives through the call and is as large as they say. That
    // the process may be harmed is what they are for; each runs in a process of its own.
    let result = unsafe { libc::syscall(number, a(0), a(1), a(2), a(3), a(4), a(5)) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result as usize) }
}

/// The address of a value, for [`call`].
pub(super) fn at<T: ?Sized>(value: &T) -> usize {
    (&raw const *value).cast::<u8>().expose_provenance()
}

/// The address of a value that the call changes.
pub(super) fn at_mut<T: ?Sized>(value: &mut T) -> usize {
    (&raw mut *value).cast::<u8>().expose_provenance()
}

/// The address of a text.
pub(super) fn text(text: &CStr) -> usize {
    text.as_ptr().expose_provenance()
}

/// Copies bytes to an address of this process.
pub(super) fn put(address: usize, bytes: &[u8]) {
    // SAFETY: the address is of a mapping that the attempt has just made, as large and writable.
    unsafe {
        std::ptr::copy_nonoverlapping(bytes.as_ptr(), std::ptr::with_exposed_provenance_mut(address), bytes.len())
    };
}

/// Bytes at an address of this process.
pub(super) fn get(address: usize, length: usize) -> Vec<u8> {
    // SAFETY: the address is of a mapping that the attempt has just made, as large and readable.
    unsafe { std::slice::from_raw_parts(std::ptr::with_exposed_provenance(address), length) }.to_vec()
}

/// Runs what lies at an address as a function.
pub(super) fn jump(address: usize) -> u32 {
    let code = std::ptr::with_exposed_provenance::<()>(address);
    // SAFETY: the attempt has put a function of this shape there.
    let function = unsafe { std::mem::transmute::<*const (), extern "C" fn() -> u32>(code) };
    function()
}

/// `getpid` by the door for 32-bit programs, which has numbers of its own.
#[cfg(target_arch = "x86_64")]
pub(super) fn by_the_old_door() -> i32 {
    let result: i32;
    // SAFETY: the call takes nothing and changes nothing; the registers that the kernel clears are named.
    unsafe {
        std::arch::asm!("int 0x80", inlateout("eax") 20 => result, out("r8") _, out("r9") _, out("r10") _, out("r11") _);
    }
    result
}
