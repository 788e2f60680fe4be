//! Which executions were already counted: a bounded memory of execution ids.

use ijk_core::ExecId;

const BUCKET_COUNT: usize = 2_048;
const WAY_COUNT: usize = 8;

/// Remembers at least the last eight ids of each of 2048 buckets: an id is forgotten only after
/// eight newer ones fell into its bucket, in the mean after 16,384 fills. 128 KiB, no allocation
/// after construction.
#[derive(Clone, Debug)]
pub struct ExecIds {
    ids: Vec<[u64; WAY_COUNT]>,
    next: Vec<u8>,
}

impl Default for ExecIds {
    fn default() -> Self {
        ExecIds { ids: vec![[0; WAY_COUNT]; BUCKET_COUNT], next: vec![0; BUCKET_COUNT] }
    }
}

impl ExecIds {
    fn bucket(id: ExecId) -> usize {
        // Fibonacci hashing: the high bits of the product are well mixed.
        (id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 53) as usize
    }

    /// Returns whether `id` was inserted and not forgotten.
    pub fn contains(&self, id: ExecId) -> bool {
        self.ids[Self::bucket(id)].contains(&id.0)
    }

    /// Inserts `id`, which must not be zero; returns false where it is there already.
    pub fn insert(&mut self, id: ExecId) -> bool {
        assert!(id.0 != 0, "zero marks an empty place");
        let b = Self::bucket(id);
        if self.ids[b].contains(&id.0) {
            return false;
        }
        let way = &mut self.next[b];
        self.ids[b][usize::from(*way)] = id.0;
        *way = (*way + 1) % WAY_COUNT as u8;
        true
    }
}

const _: () = assert!(BUCKET_COUNT == 1 << (64 - 53));

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn repeats_are_found_and_nothing_else() {
        let mut ids = ExecIds::default();
        let mut naive = HashSet::new();
        let mut x = 1u64;
        for i in 0..20_000u64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // A narrow range, so that repeats come.
            let id = 1 + (x >> 33) % 6_000;
            assert_eq!(ids.insert(ExecId(id)), naive.insert(id), "step {i}");
        }
    }
}
