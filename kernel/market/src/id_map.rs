//! Order id to arena index: open addressing with linear probing, fixed capacity, deletion by
//! backward shift (Knuth, TAOCP vol. 3, 6.4, algorithm R), so no tombstones pile up in a day.

#[derive(Clone, Copy, Debug)]
struct Entry {
    id: u64,
    /// Arena index plus one; zero is an empty slot.
    index1: u32,
}

const EMPTY: Entry = Entry { id: 0, index1: 0 };

/// The map. It is never more than half full, so probe runs stay short.
#[derive(Clone, Debug)]
pub(crate) struct IdMap {
    entries: Box<[Entry]>,
    mask: usize,
    shift: u32,
    len: usize,
}

impl IdMap {
    /// Returns a map for at most `count_max` ids.
    pub(crate) fn new(count_max: usize) -> IdMap {
        let slots = (count_max.max(1) * 2).next_power_of_two().max(4);
        IdMap {
            entries: vec![EMPTY; slots].into_boxed_slice(),
            mask: slots - 1,
            shift: 64 - slots.trailing_zeros(),
            len: 0,
        }
    }

    /// Fibonacci hashing; the fold lets ids that differ only in high bits part ways too.
    #[inline]
    fn home(&self, id: u64) -> usize {
        ((id ^ (id >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    #[inline]
    fn slot(&self, id: u64) -> Option<usize> {
        let mut i = self.home(id);
        loop {
            let entry = &self.entries[i];
            if entry.index1 == 0 {
                return None;
            }
            if entry.id == id {
                return Some(i);
            }
            i = (i + 1) & self.mask;
        }
    }

    /// Returns the index stored for `id`.
    #[inline]
    pub(crate) fn get(&self, id: u64) -> Option<u32> {
        self.slot(id).map(|i| self.entries[i].index1 - 1)
    }

    /// Adds an id that is not there.
    pub(crate) fn insert(&mut self, id: u64, index: u32) {
        assert!(self.len * 2 < self.entries.len(), "id map holds more ids than it was made for");
        let mut i = self.home(id);
        while self.entries[i].index1 != 0 {
            debug_assert!(self.entries[i].id != id);
            i = (i + 1) & self.mask;
        }
        self.entries[i] = Entry { id, index1: index + 1 };
        self.len += 1;
    }

    /// Removes an id and returns what was stored for it.
    pub(crate) fn remove(&mut self, id: u64) -> Option<u32> {
        let mut hole = self.slot(id)?;
        let index = self.entries[hole].index1 - 1;
        let mut i = hole;
        loop {
            i = (i + 1) & self.mask;
            if self.entries[i].index1 == 0 {
                break;
            }
            // An entry may move into the hole unless that lies before its home slot.
            let probe = i.wrapping_sub(self.home(self.entries[i].id)) & self.mask;
            if probe >= i.wrapping_sub(hole) & self.mask {
                self.entries[hole] = self.entries[i];
                hole = i;
            }
        }
        self.entries[hole] = EMPTY;
        self.len -= 1;
        Some(index)
    }

    /// Empties the map.
    pub(crate) fn clear(&mut self) {
        if self.len > 0 {
            self.entries.fill(EMPTY);
            self.len = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn equals_a_tree_map(
            ops in prop::collection::vec((any::<bool>(), 0u64..40, 0u64..3), 0..400),
        ) {
            let mut map = IdMap::new(64);
            let mut naive = BTreeMap::new();
            for (n, (add, low, high)) in ops.into_iter().enumerate() {
                let id = low | high << 40;
                if !add {
                    prop_assert_eq!(map.remove(id), naive.remove(&id));
                } else if naive.len() < 64 && !naive.contains_key(&id) {
                    map.insert(id, n as u32);
                    naive.insert(id, n as u32);
                }
                for low in 0..40 {
                    for high in 0..3 {
                        let id = low | high << 40;
                        prop_assert_eq!(map.get(id), naive.get(&id).copied());
                    }
                }
            }
        }
    }
}
