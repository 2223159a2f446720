//! Where the program's memory comes from: the C library's allocator, or one that is faster and keeps more.

use mimalloc::MiMalloc;
use std::{
    alloc::{GlobalAlloc, Layout, System},
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether [`hurry`] was called.
static HURRIED: AtomicBool = AtomicBool::new(false);

/// From now on memory is mimalloc's. Reading ten thousand files is a third faster with it: most of that is small pieces
/// that two parsers take and give back on all cores. An agent, which runs for months, does better with less memory.
///
/// For a command that does much and ends, before it starts a thread: later it changes nothing.
pub fn hurry() {
    // With a second thread it would not be certain that all see the same, so then everything stays as it is.
    if is_single_threaded() {
        HURRIED.store(true, Ordering::Relaxed);
    }
}

fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
}

/// Has the C library take memory from as many parts of the heap as there are processors, or two, instead of many times as
/// many: in each of them, what stays keeps pages from being given back. What the environment says of it goes before.
///
/// For a program that runs for long, before it starts a thread: later it changes nothing.
pub fn keep_together() {
    #[cfg(target_env = "gnu")]
    if is_single_threaded()
        && ["MALLOC_ARENA_MAX", "GLIBC_TUNABLES"].iter().all(|name| std::env::var_os(name).is_none())
    {
        let processors = std::thread::available_parallelism().map_or(2, |count| count.get().max(2));
        // SAFETY: sets a number that other threads would read, of which there are none.
        unsafe {
            nix::libc::mallopt(nix::libc::M_ARENA_MAX, i32::try_from(processors).unwrap_or(i32::MAX));
        }
    }
}

/// Gives back to the system what is free, and was kept for what may come.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the C library locks what it works on, and touches only what is free.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}

/// The program's allocator.
pub struct Memory;

// SAFETY: each block is given back to the allocator that it came from, or not at all. Until `hurry` all are the C library's;
// afterwards those that are not in mimalloc's heap still are, and are left alone. Threads that are started later see that
// `hurry` was called, and the caller of `hurry` sees it itself.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are passed on.
        unsafe { if hurried() { MiMalloc.alloc(layout) } else { System.alloc(layout) } }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { if hurried() { MiMalloc.alloc_zeroed(layout) } else { System.alloc_zeroed(layout) } }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above, and the block goes to where it came from.
        unsafe {
            if !hurried() {
                System.dealloc(block, layout);
            } else if is_quick(block) {
                MiMalloc.dealloc(block, layout);
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above. A block that must stay where it is is copied, as far as old and new one go.
        unsafe {
            if !hurried() {
                return System.realloc(block, layout, size);
            }
            if is_quick(block) {
                return MiMalloc.realloc(block, layout, size);
            }
            let new = MiMalloc.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(size));
            }
            new
        }
    }
}

fn hurried() -> bool {
    HURRIED.load(Ordering::Relaxed)
}

/// Whether a block is mimalloc's.
fn is_quick(block: *const u8) -> bool {
    // SAFETY: the address is only looked up, never followed.
    unsafe { libmimalloc_sys::mi_is_in_heap_region(block.cast()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is unsafe here is that a block could be given back to the wrong allocator.
    #[test]
    fn blocks_of_both_allocators_are_told_apart() {
        let layout = Layout::from_size_align(100, 8).expect("a layout");
        // SAFETY: the blocks are written to within their size, and given back to where they came from.
        unsafe {
            let (slow, quick) = (System.alloc(layout), MiMalloc.alloc(layout));
            assert!(!is_quick(slow) && is_quick(quick));
            System.dealloc(slow, layout);
            MiMalloc.dealloc(quick, layout);
        }
        assert!(!is_quick(std::ptr::null()) && !is_quick((&raw const HURRIED).cast()));
    }
}
