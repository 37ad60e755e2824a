//! More memory than was agreed, by every way that the bound on data does not see.

use std::fs::File;

use super::{
    Attempt,
    Control::{Depends, Succeeds},
    Stage, Stopped,
    calls::{at, call, put, text},
    files::done,
    not,
};

/// How much of what is taken is really touched, in bytes: the control takes no more than that from anybody.
const TOUCHED: usize = 4096;
/// Address space whose page tables alone are more than any worker's memory.
const SPARSE_BYTES: usize = 16 << 40;

pub(super) const ALL: &[Attempt] = &[
    Attempt { name: "take_more_memory", control: Succeeds, act: |stage| take(stage, libc::MAP_PRIVATE) },
    Attempt { name: "take_shared_memory", control: Succeeds, act: |stage| take(stage, libc::MAP_SHARED) },
    Attempt {
        name: "take_memory_as_stack",
        control: Succeeds,
        act: |stage| take(stage, libc::MAP_PRIVATE | libc::MAP_GROWSDOWN),
    },
    Attempt { name: "take_memory_made_writable_later", control: Succeeds, act: later },
    Attempt { name: "take_memory_for_page_tables", control: Succeeds, act: |_| sparse() },
    Attempt { name: "take_memory_by_brk", control: Succeeds, act: brk },
    Attempt { name: "take_memory_by_growing", control: Succeeds, act: grow },
    Attempt { name: "take_memory_as_a_file", control: Succeeds, act: memfd },
    Attempt {
        name: "take_memory_as_a_secret_file",
        control: Depends,
        act: |_| done(call(libc::SYS_memfd_secret, &[0])),
    },
    Attempt { name: "take_memory_by_zero", control: Succeeds, act: zero },
    Attempt { name: "pin_memory", control: Succeeds, act: pin },
    Attempt { name: "raise_the_limit", control: Succeeds, act: raise },
];

/// More than may be had.
fn too_much(stage: &Stage) -> usize {
    stage.memory_max as usize + (64 << 20)
}

fn map(length: usize, protection: i32, flags: i32, file: usize) -> std::io::Result<usize> {
    let flags = flags | libc::MAP_NORESERVE;
    call(libc::SYS_mmap, &[0, length, protection as usize, flags as usize, file, 0])
}

fn take(stage: &Stage, flags: i32) -> Result<String, Stopped> {
    let write = libc::PROT_READ | libc::PROT_WRITE;
    let memory = map(too_much(stage), write, flags | libc::MAP_ANONYMOUS, usize::MAX)?;
    put(memory + too_much(stage) - TOUCHED, &[1; TOUCHED]);
    Ok("taken".into())
}

fn later(stage: &Stage) -> Result<String, Stopped> {
    let memory = map(too_much(stage), libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, usize::MAX)?;
    let write = libc::PROT_READ | libc::PROT_WRITE;
    done(call(libc::SYS_mprotect, &[memory, too_much(stage), write as usize]))
}

fn sparse() -> Result<String, Stopped> {
    done(map(SPARSE_BYTES, libc::PROT_READ, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, usize::MAX))
}

fn brk(stage: &Stage) -> Result<String, Stopped> {
    let now = call(libc::SYS_brk, &[0])?;
    let wanted = now + too_much(stage);
    if call(libc::SYS_brk, &[wanted])? >= wanted { Ok("taken".into()) } else { Err(not("it stayed as it was")) }
}

fn grow(stage: &Stage) -> Result<String, Stopped> {
    let write = libc::PROT_READ | libc::PROT_WRITE;
    let memory = map(TOUCHED, write, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, usize::MAX)?;
    done(call(libc::SYS_mremap, &[memory, TOUCHED, too_much(stage), libc::MREMAP_MAYMOVE as usize, 0]))
}

fn memfd(stage: &Stage) -> Result<String, Stopped> {
    let file = call(libc::SYS_memfd_create, &[text(c"hoard"), 0])?;
    done(call(libc::SYS_ftruncate, &[file, too_much(stage)]))
}

fn zero(stage: &Stage) -> Result<String, Stopped> {
    let file = File::options().read(true).write(true).open("/dev/zero")?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
    done(map(too_much(stage), libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, number))
}

fn pin(_: &Stage) -> Result<String, Stopped> {
    let page = vec![1_u8; TOUCHED];
    done(call(libc::SYS_mlock, &[at(page.as_slice()), TOUCHED]))
}

fn raise(stage: &Stage) -> Result<String, Stopped> {
    let more = [too_much(stage) as u64; 2];
    done(call(libc::SYS_prlimit64, &[0, libc::RLIMIT_DATA as usize, at(&more), 0]))
}
