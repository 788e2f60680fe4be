//! An allocator that counts, so that "no allocation on the hot path" is measured, not believed.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// Wraps an allocator and counts the allocations of each thread.
pub struct Counting<A>(pub A);

/// Returns how often the calling thread has allocated (or grown a block) so far. Always 0 unless
/// [`Counting`] is the program's global allocator.
pub fn thread_allocations() -> u64 {
    ALLOCATIONS.try_with(Cell::get).unwrap_or(0)
}

fn count() {
    // `try_with` fails only while the thread is being torn down; then nobody asks any more.
    let _ = ALLOCATIONS.try_with(|n| n.set(n.get() + 1));
}

// SAFETY: every call is passed on unchanged to the wrapped allocator, whose own guarantees hold;
// the counter is a thread-local `Cell` without a destructor, so it never allocates itself.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: `ptr` came from the wrapped allocator with this layout.
        unsafe { self.0.dealloc(ptr, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promises about `layout` are passed on.
        unsafe { self.0.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count();
        // SAFETY: `ptr` came from the wrapped allocator with this layout.
        unsafe { self.0.realloc(ptr, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;

    #[global_allocator]
    static ALLOC: Counting<System> = Counting(System);

    #[test]
    fn counts_this_thread_only() {
        let before = thread_allocations();
        let v = std::hint::black_box(vec![1u8; 100]);
        assert_eq!(thread_allocations() - before, 1);
        drop(v);
        let between = thread_allocations();
        std::thread::scope(|s| {
            let inner = s.spawn(|| {
                let before = thread_allocations();
                let v: Vec<_> = (0..10).map(|i| std::hint::black_box(Box::new(i))).collect();
                drop(v);
                thread_allocations() - before
            });
            assert!(inner.join().is_ok_and(|n| n >= 10));
        });
        // Spawning allocates here, but not the ten boxes of the other thread.
        assert!(thread_allocations() - between < 10);
    }
}
