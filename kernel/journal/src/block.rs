//! Page-aligned memory for one write.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

const PAGE_BYTES: usize = 4096;

#[derive(Clone, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C, align(4096))]
struct Page([u8; PAGE_BYTES]);

/// Bytes of one write, aligned to a page; taken once at start and reused.
#[derive(Default)]
pub(crate) struct Block(Vec<Page>);

impl Block {
    /// Returns a zeroed block of `bytes`, a multiple of 4096.
    pub fn new(bytes: usize) -> Block {
        assert!(bytes > 0 && bytes.is_multiple_of(PAGE_BYTES), "block of {bytes} bytes");
        Block(vec![Page([0; PAGE_BYTES]); bytes / PAGE_BYTES])
    }

    /// Returns the bytes.
    pub fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns the bytes, writable.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        self.0.as_mut_bytes()
    }
}
