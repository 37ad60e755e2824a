//! The allocator of every target: it counts, and ends the process where a parser allocates what its input only claims.
#![expect(
    unsafe_code,
    reason = "an allocator is unsafe by its trait; this one only counts before it asks the system's"
)]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    process,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

/// What any input may cost, in bytes: read buffers, and the MiB that serde believes each list that has only begun.
const BASE_BYTES: usize = 4 << 20;
/// What each byte of an input may cost beyond that, in bytes: a JSON value with its table is the dearest.
const BYTES_PER_BYTE: usize = 256;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static LIMIT: AtomicUsize = AtomicUsize::new(usize::MAX);
/// Whether more than the limit is what the worker's own allocator refuses, and no broken promise.
static ENDS: AtomicBool = AtomicBool::new(false);

/// Exit status of a target whose input took what a worker is refused: whoever started it starts it again.
const EXIT_REFUSED: i32 = 71;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn grow(bytes: usize) {
    let live = LIVE.fetch_add(bytes, Relaxed).saturating_add(bytes);
    let limit = LIMIT.load(Relaxed);
    if live > limit && !std::thread::panicking() {
        // So that the report itself may allocate.
        LIMIT.store(usize::MAX, Relaxed);
        if ENDS.load(Relaxed) {
            eprintln!("refused: a worker would end here, as it is told to");
            // SAFETY: it ends the process; nothing that it leaves undone is needed.
            unsafe { libc::_exit(EXIT_REFUSED) };
        }
        eprintln!("{bytes} bytes more would be {} over the bound for this input", live - limit);
        process::abort();
    }
}

fn shrink(bytes: usize) {
    LIVE.fetch_sub(bytes, Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        shrink(layout.size());
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        grow(new_size);
        shrink(layout.size());
        unsafe { System.realloc(place, layout, new_size) }
    }
}

/// Runs `judge`, and aborts if it ever holds more memory at once than an input of `input_bytes` bytes may cost.
pub fn bounded<T>(input_bytes: usize, judge: impl FnOnce() -> T) -> T {
    bounded_beyond(BASE_BYTES, input_bytes, judge)
}

/// Runs `judge` where a worker is given `bytes` and ends if it is refused more: the process ends like that worker.
pub fn ending_beyond<T>(bytes: usize, judge: impl FnOnce() -> T) -> T {
    ENDS.store(true, Relaxed);
    let judged = bounded_beyond(bytes, 0, judge);
    ENDS.store(false, Relaxed);
    judged
}

/// The same, where any input may cost `base_bytes`.
pub fn bounded_beyond<T>(base_bytes: usize, input_bytes: usize, judge: impl FnOnce() -> T) -> T {
    let budget = base_bytes + input_bytes * BYTES_PER_BYTE;
    LIMIT.store(LIVE.load(Relaxed) + budget, Relaxed);
    let judged = judge();
    LIMIT.store(usize::MAX, Relaxed);
    judged
}
