//! Memory in huge pages: with pages of 4 KiB, a pass over a model's parameters waits for a new page's address every few hundred
//! operations, and a fresh buffer costs more page faults than arithmetic.

use std::alloc::{GlobalAlloc, Layout, System};

/// The system's allocator, but large allocations begin at a multiple of 2 MiB and ask for pages of that size. For a
/// program's `#[global_allocator]`.
#[derive(Debug, Clone, Copy)]
pub struct HugePages;

const PAGE: usize = 2 << 20;

/// The same size on a page boundary, if it fills a page.
fn aligned(layout: Layout) -> Layout {
    if layout.size() < PAGE { layout } else { layout.align_to(PAGE).unwrap_or(layout) }
}

// SAFETY: all work is the system allocator's; a layout is aligned in the same way when memory comes and when it goes, and an
// alignment of more than is asked for is allowed; `advise` changes no content.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        advise(unsafe { System.alloc(aligned(layout)) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < PAGE {
            // SAFETY: the caller's promise.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: the caller's promise; zeros are written after the advice, so that they go into the pages that come of it.
        unsafe {
            let memory = self.alloc(layout);
            if !memory.is_null() {
                memory.write_bytes(0, layout.size());
            }
            memory
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if layout.size() < PAGE && new_size < PAGE {
            // SAFETY: the caller's promise.
            return unsafe { System.realloc(memory, layout, new_size) };
        }
        // SAFETY: the caller's promise: `new_size` is allowed with that alignment, and `memory` holds `layout.size()` bytes.
        unsafe {
            let new = self.alloc(Layout::from_size_align_unchecked(new_size, layout.align()));
            if !new.is_null() {
                new.copy_from_nonoverlapping(memory, layout.size().min(new_size));
                self.dealloc(memory, layout);
            }
            new
        }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, aligned(layout)) }
    }
}

/// Asks the system for huge pages in an allocation that fills some.
#[inline]
fn advise(memory: *mut u8, size: usize) -> *mut u8 {
    #[cfg(target_os = "linux")]
    if size >= PAGE && !memory.is_null() {
        use rustix::mm::{Advice, madvise};
        // SAFETY: the pages lie inside the allocation; this advice changes how they are backed, not what they hold. A
        // system without huge pages refuses, which is as good.
        let _ = unsafe { madvise(memory.cast(), size / PAGE * PAGE, Advice::LinuxHugepage) };
    }
    memory
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_and_sizes_are_the_systems() {
        for size in [1, 4096, PAGE - 1, PAGE, 3 * PAGE + 5] {
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: a layout of more than no bytes; reads and writes are inside of it; freed with the size it has.
            unsafe {
                let memory = HugePages.alloc_zeroed(layout);
                assert!(!memory.is_null());
                assert!((0..size).step_by(511).all(|i| *memory.add(i) == 0));
                *memory.add(size - 1) = 7;
                let memory = HugePages.realloc(memory, layout, size + PAGE);
                assert_eq!(*memory.add(size - 1), 7);
                HugePages.dealloc(memory, Layout::from_size_align(size + PAGE, 8).unwrap());
            }
        }
    }
}
