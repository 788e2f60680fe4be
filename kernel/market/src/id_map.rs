//! Order id to arena index: open addressing with linear probing, fixed capacity, deletion by
//! backward shift (Knuth, TAOCP vol. 3, 6.4, algorithm R), so no tombstones pile up in a day.

/// Slots in use before the first growth.
const SLOTS_AT_START: usize = 1 << 12;

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Upper half of the id's hash: its upper bits are the home slot, whatever the slots in use.
    tag: u32,
    /// Arena index plus one; zero is an empty slot.
    index1: u32,
}

/// Where an id stands, until the next insertion or removal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot {
    at: u32,
    /// What is stored for the id.
    pub(crate) index: u32,
}

const EMPTY: Entry = Entry { tag: 0, index1: 0 };

/// The map. It is never more than a quarter full, so probe runs stay short. Ids themselves stand in
/// the arena: eight bytes a slot, and a look at the arena where tags agree.
///
/// All slots are there from the start, but only as many are in use as the orders need: a book of
/// thousands of orders stays in the second-level cache whatever it has room for. Each doubling
/// moves every entry once, some nanoseconds an order, and is never undone.
#[derive(Clone, Debug)]
pub(crate) struct IdMap {
    entries: Box<[Entry]>,
    /// Room for the entries while they move.
    moving: Box<[Entry]>,
    /// Slots in use, less one.
    mask: usize,
    shift: u32,
    len: usize,
}

impl IdMap {
    /// Largest `count_max`: a home slot must be told by 32 bits.
    pub(crate) const COUNT_MAX: usize = 1 << 30;

    /// Returns a map for at most `count_max` ids, [`IdMap::COUNT_MAX`] or fewer.
    pub(crate) fn new(count_max: usize) -> IdMap {
        IdMap::starting_with(count_max, SLOTS_AT_START)
    }

    fn starting_with(count_max: usize, slots_at_start: usize) -> IdMap {
        let count_max = count_max.clamp(1, IdMap::COUNT_MAX);
        let slots = (count_max * 4).next_power_of_two().max(4);
        let used = slots.min(slots_at_start);
        IdMap {
            entries: vec![EMPTY; slots].into_boxed_slice(),
            moving: vec![EMPTY; slots / 8].into_boxed_slice(),
            mask: used - 1,
            shift: 32 - used.trailing_zeros(),
            len: 0,
        }
    }

    /// Fibonacci hashing; the fold lets ids that differ only in high bits part ways too.
    #[inline]
    fn tag(id: u64) -> u32 {
        ((id ^ (id >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }

    #[inline]
    fn home(&self, tag: u32) -> usize {
        (tag >> self.shift) as usize
    }

    #[inline]
    fn slot(&self, id: u64, is: impl Fn(u32) -> bool) -> Option<usize> {
        let tag = IdMap::tag(id);
        let mut i = self.home(tag);
        loop {
            let entry = &self.entries[i];
            if entry.index1 == 0 {
                return None;
            }
            if entry.tag == tag && is(entry.index1 - 1) {
                return Some(i);
            }
            i = (i + 1) & self.mask;
        }
    }

    /// Returns where `id` stands; `is` tells whether the order at an index has this id.
    #[inline]
    pub(crate) fn get(&self, id: u64, is: impl Fn(u32) -> bool) -> Option<Slot> {
        self.slot(id, is).map(|i| Slot { at: i as u32, index: self.entries[i].index1 - 1 })
    }

    /// Adds an id that is not there.
    pub(crate) fn insert(&mut self, id: u64, index: u32) {
        assert!(self.len * 4 < self.entries.len(), "id map holds more ids than it was made for");
        if self.len * 4 > self.mask {
            self.grow();
        }
        self.put(Entry { tag: IdMap::tag(id), index1: index + 1 });
        self.len += 1;
    }

    fn put(&mut self, entry: Entry) {
        let mut i = self.home(entry.tag);
        while self.entries[i].index1 != 0 {
            i = (i + 1) & self.mask;
        }
        self.entries[i] = entry;
    }

    #[cold]
    fn grow(&mut self) {
        let mut count = 0;
        for entry in &mut self.entries[..=self.mask] {
            if entry.index1 != 0 {
                self.moving[count] = std::mem::replace(entry, EMPTY);
                count += 1;
            }
        }
        self.mask = self.mask * 2 + 1;
        self.shift -= 1;
        for i in 0..count {
            self.put(self.moving[i]);
        }
    }

    /// Removes `id`, which is stored with `index`.
    pub(crate) fn remove(&mut self, id: u64, index: u32) {
        if let Some(at) = self.slot(id, |found| found == index) {
            self.vacate(at);
        }
    }

    /// Removes what stands at `slot`.
    #[inline]
    pub(crate) fn remove_at(&mut self, slot: Slot) {
        self.vacate(slot.at as usize);
    }

    fn vacate(&mut self, mut hole: usize) {
        let mut i = hole;
        loop {
            i = (i + 1) & self.mask;
            if self.entries[i].index1 == 0 {
                break;
            }
            // An entry may move into the hole unless that lies before its home slot.
            let probe = i.wrapping_sub(self.home(self.entries[i].tag)) & self.mask;
            if probe >= i.wrapping_sub(hole) & self.mask {
                self.entries[hole] = self.entries[i];
                hole = i;
            }
        }
        self.entries[hole] = EMPTY;
        self.len -= 1;
    }

    /// Empties the map.
    pub(crate) fn clear(&mut self) {
        if self.len > 0 {
            self.entries[..=self.mask].fill(EMPTY);
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
        /// Sixteen slots at first, so that the map grows twice on its way to 64 ids.
        #[test]
        fn equals_a_tree_map(
            ops in prop::collection::vec((0u8..3, 0u64..40, 0u64..3), 0..400),
        ) {
            let mut map = IdMap::starting_with(64, 16);
            let mut naive = BTreeMap::new();
            let mut ids = Vec::new(); // what an arena knows: the id at each index
            for (op, low, high) in ops {
                let id = low | high << 40;
                let index = ids.len() as u32;
                if op == 0 {
                    match (naive.remove(&id), map.get(id, |index| ids[index as usize] == id)) {
                        // Both ways of removing.
                        (Some(stored), Some(_)) if high == 0 => map.remove(id, stored),
                        (Some(stored), Some(slot)) => {
                            prop_assert_eq!(slot.index, stored);
                            map.remove_at(slot);
                        }
                        (None, None) => map.remove(id, index),
                        (stored, found) => prop_assert!(false, "{:?} {:?}", stored, found),
                    }
                } else if naive.len() < 64 && !naive.contains_key(&id) {
                    map.insert(id, index);
                    naive.insert(id, index);
                    ids.push(id);
                }
                for low in 0..40 {
                    for high in 0..3 {
                        let id = low | high << 40;
                        let found = map.get(id, |index| ids[index as usize] == id);
                        prop_assert_eq!(found.map(|s| s.index), naive.get(&id).copied());
                    }
                }
            }
        }
    }

    /// Ids of one hash: only the arena tells them apart.
    #[test]
    fn equal_tags_are_told_apart() {
        let twins: [u64; 2] = [0x3773_3d00_3773_3d00, 0x2951_c0e1_b066_b3dc];
        assert_eq!(IdMap::tag(twins[0]), IdMap::tag(twins[1]));
        let mut map = IdMap::new(8);
        (0..2).for_each(|i| map.insert(twins[i as usize], i));
        for (i, twin) in (0u32..).zip(twins) {
            let found = map.get(twin, |index| twins[index as usize] == twin);
            assert_eq!(found.map(|s| s.index), Some(i));
        }
        map.remove(twins[0], 0);
        map.remove(twins[0], 0);
        assert!(map.get(twins[0], |index| twins[index as usize] == twins[0]).is_none());
        let found = map.get(twins[1], |index| twins[index as usize] == twins[1]);
        assert_eq!(found.map(|s| s.index), Some(1));
    }
}
