//! Decoders of what stands in a page: steps (`DELTA_BINARY_PACKED`) and numbers of dictionary
//! entries (`RLE_DICTIONARY`). Both give whole groups of eight values, or parts of runs.

use super::unpack::{GROUP, Value, WIDTH_MAX, entries, steps};
use parquet::errors::ParquetError;

pub(super) fn damaged(what: &str) -> ParquetError {
    ParquetError::General(what.to_string())
}

/// Reads a number of seven bits a byte, least first.
fn varint(bytes: &[u8], at: &mut usize) -> Result<u64, ParquetError> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.get(*at).ok_or_else(|| damaged("a page ends within a number"))?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(damaged("a number of more than 64 bits"))
}

/// The same with the sign in the lowest bit.
fn zigzag(bytes: &[u8], at: &mut usize) -> Result<i64, ParquetError> {
    let value = varint(bytes, at)?;
    Ok((value >> 1) as i64 ^ -((value & 1) as i64))
}

/// Takes the bytes of `count` packed numbers, of which `wanted` are needed: what follows those may
/// be missing at the end of a page.
fn packed<'a>(
    bytes: &'a [u8],
    at: &mut usize,
    width: usize,
    count: usize,
    wanted: usize,
) -> Result<&'a [u8], ParquetError> {
    let rest = bytes.get(*at..).unwrap_or_default();
    if (count.min(wanted) * width).div_ceil(8) > rest.len() {
        return Err(damaged("a page ends within its values"));
    }
    *at += count * width / 8;
    Ok(rest)
}

/// A page of steps from value to value.
#[derive(Default)]
pub(super) struct Steps {
    at: usize,
    first: Option<i64>,
    last: i64,
    /// Values of a miniblock, and how many of the present one are left.
    mini_len: usize,
    mini_left: usize,
    /// Miniblocks of a block, and the present one.
    mini_count: usize,
    mini: usize,
    widths_at: usize,
    least: i64,
}

impl Steps {
    /// Reads the page's header. `count` values are wanted of it.
    pub(super) fn new(bytes: &[u8], count: usize) -> Result<Steps, ParquetError> {
        let mut at = 0;
        let size = |value| usize::try_from(value).map_err(|_| damaged("an impossible block size"));
        let block = size(varint(bytes, &mut at)?)?;
        let mini_count = size(varint(bytes, &mut at)?)?;
        let values = varint(bytes, &mut at)?;
        let first = zigzag(bytes, &mut at)?;
        let mini_len = block.checked_div(mini_count).unwrap_or(0);
        let even = block.is_multiple_of(128) && mini_len.is_multiple_of(32);
        if mini_len == 0 || !even || mini_len * mini_count != block {
            return Err(damaged("an impossible block size"));
        }
        if values < count as u64 {
            return Err(damaged("a page with too few values"));
        }
        Ok(Steps {
            at,
            first: Some(first),
            mini_len,
            mini_count,
            mini: mini_count,
            ..Steps::default()
        })
    }

    /// Fills the beginning of `out`, as long as it has room for eight values; returns how many.
    /// `left` values are wanted yet of the page.
    pub(super) fn read<T: Value>(
        &mut self,
        bytes: &[u8],
        out: &mut [T],
        left: usize,
    ) -> Result<usize, ParquetError> {
        if let (Some(first), Some(out)) = (self.first, out.first_mut()) {
            self.first = None;
            self.last = first;
            *out = T::of_bits(first);
            return Ok(1);
        }
        let mut done = 0;
        while done < out.len() {
            if self.mini_left == 0 {
                self.next_mini(bytes)?;
            }
            let count = (out.len() - done).min(self.mini_left) / GROUP * GROUP;
            if count == 0 {
                break;
            }
            let width = usize::from(bytes.get(self.widths_at + self.mini).copied().unwrap_or(0));
            if width > T::BYTE_COUNT * 8 || width > WIDTH_MAX {
                return Err(damaged("a step of too many bits"));
            }
            let found = packed(bytes, &mut self.at, width, count, left.saturating_sub(done))?;
            let out = &mut out[done..done + count];
            self.last = steps(width, found, out, self.least, self.last);
            self.mini_left -= count;
            done += count;
        }
        Ok(done)
    }

    fn next_mini(&mut self, bytes: &[u8]) -> Result<(), ParquetError> {
        self.mini += 1;
        if self.mini >= self.mini_count {
            self.least = zigzag(bytes, &mut self.at)?;
            self.widths_at = self.at;
            self.mini = 0;
            let end = self.at.checked_add(self.mini_count).filter(|end| *end <= bytes.len());
            self.at = end.ok_or_else(|| damaged("a page ends within a block's widths"))?;
        }
        self.mini_left = self.mini_len;
        Ok(())
    }
}

/// A page of numbers of dictionary entries.
#[derive(Default)]
pub(super) struct Entries {
    at: usize,
    width: usize,
    /// Values left of the present run: of equal ones, or of packed ones.
    equal_left: usize,
    packed_left: usize,
    /// The equal one's number.
    equal: usize,
}

impl Entries {
    /// Reads the page's header.
    pub(super) fn new(bytes: &[u8]) -> Result<Entries, ParquetError> {
        let width = *bytes.first().ok_or_else(|| damaged("an empty page"))?;
        if width > 32 {
            return Err(damaged("a dictionary number of too many bits"));
        }
        Ok(Entries { at: 1, width: usize::from(width), ..Entries::default() })
    }

    /// As [`Steps::read`].
    pub(super) fn read<T: Value>(
        &mut self,
        bytes: &[u8],
        table: &[T],
        out: &mut [T],
        left: usize,
    ) -> Result<usize, ParquetError> {
        let unknown = || damaged("a number outside of the dictionary");
        let mut done = 0;
        while done < out.len() {
            while self.equal_left == 0 && self.packed_left == 0 {
                self.next_run(bytes)?;
            }
            let room = out.len() - done;
            let count = if self.equal_left > 0 {
                let count = self.equal_left.min(room);
                let value = table.get(self.equal).ok_or_else(unknown)?;
                out[done..done + count].fill(*value);
                self.equal_left -= count;
                count
            } else {
                let count = self.packed_left.min(room) / GROUP * GROUP;
                let found =
                    packed(bytes, &mut self.at, self.width, count, left.saturating_sub(done))?;
                let known = entries(self.width, found, table, &mut out[done..done + count]);
                if known < count.min(left.saturating_sub(done)) {
                    return Err(unknown());
                }
                self.packed_left -= count;
                count
            };
            if count == 0 {
                break;
            }
            done += count;
        }
        Ok(done)
    }

    fn next_run(&mut self, bytes: &[u8]) -> Result<(), ParquetError> {
        let header = varint(bytes, &mut self.at)?;
        let count = usize::try_from(header >> 1).map_err(|_| damaged("a run without end"))?;
        if header & 1 == 1 {
            let count = count.checked_mul(GROUP);
            self.packed_left = count.ok_or_else(|| damaged("a run without end"))?;
            return Ok(());
        }
        self.equal_left = count;
        let end = self.at + self.width.div_ceil(8);
        let number = bytes.get(self.at..end).ok_or_else(|| damaged("a page ends within a run"))?;
        self.equal = number.iter().rev().fold(0, |all, byte| all << 8 | usize::from(*byte));
        self.at = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(mut value: u64, bytes: &mut Vec<u8>) {
        while value >= 0x80 {
            bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
    }

    /// Reads a page in pieces of these sizes, as a column does; returns what came.
    fn pieces(
        count: usize,
        sizes: &[usize],
        mut read: impl FnMut(&mut [i64], usize) -> Result<usize, ParquetError>,
    ) -> Result<Vec<i64>, ParquetError> {
        let mut all = Vec::new();
        let mut sizes = sizes.iter().cycle();
        while all.len() < count {
            let left = count - all.len();
            let mut out = vec![0; left.min(*sizes.next().unwrap_or(&8))];
            let mut found = read(&mut out, left)?;
            if found == 0 {
                assert!(out.len() < GROUP, "nothing into room for {}", out.len());
                out = vec![0; GROUP];
                found = read(&mut out, left)?;
                assert!(found > 0);
            }
            all.extend(&out[..found.min(left)]);
        }
        Ok(all)
    }

    /// Headers that may be sound, before bytes that are anything.
    fn page() -> impl Strategy<Value = Vec<u8>> {
        let size = prop_oneof![Just(128u64), Just(256), Just(32), Just(4), Just(0), any::<u64>()];
        let header = (any::<bool>(), size.clone(), size, any::<u64>());
        (header, prop::collection::vec(prop_oneof![0..40u8, any::<u8>()], 0..400)).prop_map(
            |((with, block, minis, values), rest)| {
                let mut bytes = Vec::new();
                if with {
                    [block, minis, values].into_iter().for_each(|n| number(n, &mut bytes));
                }
                bytes.extend(rest);
                bytes
            },
        )
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        /// No bytes lead further than to an error.
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in page(), count in 1..600usize,
            table in prop::collection::vec(any::<i64>(), 0..40),
            sizes in prop::collection::vec(1..200usize, 1..5),
        ) {
            if let Ok(mut steps) = Steps::new(&bytes, count) {
                let found = pieces(count, &sizes, |out, left| steps.read(&bytes, out, left));
                prop_assert!(found.is_err() || found.is_ok_and(|found| found.len() == count));
            }
            if let Ok(mut page) = Entries::new(&bytes) {
                let read = |out: &mut [i64], left| page.read(&bytes, &table, out, left);
                if let Ok(found) = pieces(count, &sizes, read) {
                    prop_assert!(found.iter().all(|value| table.contains(value)));
                }
            }
        }

        /// Runs of equal and of packed numbers, read in pieces of any size.
        #[test]
        fn runs_come_back(
            runs in prop::collection::vec((any::<bool>(), 1..20usize, 0..16u64), 1..12),
            sizes in prop::collection::vec(1..100usize, 1..5), cut in 0..8usize,
        ) {
            let table: Vec<i64> = (100..116).collect();
            let (mut bytes, mut wanted) = (vec![4], Vec::new());
            for (equal, count, value) in runs {
                if equal {
                    number((count as u64) << 1, &mut bytes);
                    bytes.push(value as u8);
                    wanted.extend(vec![100 + value as i64; count]);
                } else {
                    number((count as u64) << 1 | 1, &mut bytes);
                    let end = 8 * count as u64;
                    let values: Vec<u64> = (0..end).map(|i| (i * 7 + value) % 16).collect();
                    bytes.extend(values.chunks(2).map(|pair| (pair[0] | pair[1] << 4) as u8));
                    wanted.extend(values.iter().map(|value| 100 + *value as i64));
                }
            }
            // The last numbers may be too many.
            wanted.truncate(wanted.len().saturating_sub(cut).max(1));
            let mut page = Entries::new(&bytes).map_err(|e| TestCaseError::fail(e.to_string()))?;
            let read = |out: &mut [i64], left| page.read(&bytes, &table, out, left);
            let found = pieces(wanted.len(), &sizes, read);
            prop_assert_eq!(found.map_err(|e| TestCaseError::fail(e.to_string()))?, wanted);
        }
    }
}
