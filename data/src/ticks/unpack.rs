//! Unpacks numbers of a fixed count of bits, as Parquet packs them: least bit first, eight
//! numbers in as many bytes as each has bits. One loop a width, so that all shifts are constants.

/// A value of a column.
pub(super) trait Value: Copy + Default {
    /// Bytes of a plain value.
    const BYTE_COUNT: usize;
    /// Returns the value with these low bits.
    fn of_bits(bits: i64) -> Self;
    /// Reads plain values, little endian: as many as `out` has room for and `bytes` holds.
    fn read_plain(bytes: &[u8], out: &mut [Self]);
}

impl Value for i64 {
    const BYTE_COUNT: usize = 8;
    #[inline(always)]
    fn of_bits(bits: i64) -> i64 {
        bits
    }
    fn read_plain(bytes: &[u8], out: &mut [i64]) {
        let (values, _) = bytes.as_chunks();
        out.iter_mut().zip(values).for_each(|(out, value)| *out = i64::from_le_bytes(*value));
    }
}

impl Value for i32 {
    const BYTE_COUNT: usize = 4;
    #[inline(always)]
    fn of_bits(bits: i64) -> i32 {
        bits as i32
    }
    fn read_plain(bytes: &[u8], out: &mut [i32]) {
        let (values, _) = bytes.as_chunks();
        out.iter_mut().zip(values).for_each(|(out, value)| *out = i32::from_le_bytes(*value));
    }
}

/// Numbers unpacked at a time.
pub(super) const GROUP: usize = 8;
/// Widest number, bits.
pub(super) const WIDTH_MAX: usize = 64;

/// Unpacks eight numbers of `W` bits. `bytes` holds at least `W + 8`.
#[inline(always)]
fn group<const W: usize>(bytes: &[u8]) -> [u64; GROUP] {
    let mask = if W == WIDTH_MAX { u64::MAX } else { (1 << W) - 1 };
    std::array::from_fn(|i| {
        let (at, shift) = (i * W / 8, i * W % 8);
        let word = bytes[at..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        let high = if shift + W > 64 { u64::from(bytes[at + 8]) << (64 - shift) } else { 0 };
        (word >> shift | high) & mask
    })
}

/// Unpacks groups one after the other; bytes beyond the end of `bytes` are zero.
#[inline(always)]
fn each_group<const W: usize>(
    bytes: &[u8],
    count: usize,
    mut found: impl FnMut(usize, [u64; GROUP]),
) {
    for at in 0..count {
        let start = at * W;
        // Whole words are read, up to eight bytes further than the group.
        let end;
        let group_bytes = match bytes.get(start..start + W + 8) {
            Some(bytes) => bytes,
            None => {
                end = padded(bytes, start, W);
                &end[..W + 8]
            }
        };
        found(at, group::<W>(group_bytes));
    }
}

/// Returns a group's bytes with zeros behind them.
#[cold]
fn padded(bytes: &[u8], start: usize, length: usize) -> [u8; WIDTH_MAX + 8] {
    let mut found = [0; WIDTH_MAX + 8];
    let rest = bytes.get(start..).unwrap_or_default();
    found.iter_mut().zip(rest).take(length).for_each(|(found, byte)| *found = *byte);
    found
}

/// Calls a function with the width as its constant.
macro_rules! by_width {
    ($width:expr, $function:ident, $arguments:tt, [$($w:literal)*]) => {
        match $width {
            $($w => $function::<T, $w> $arguments,)*
            _ => $function::<T, 64> $arguments,
        }
    };
    ($width:expr, $function:ident, $arguments:tt) => {
        by_width!($width, $function, $arguments, [
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31
            32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
            60 61 62 63
        ])
    };
}

/// Sums up steps of `width` bits, each above `least`, from `last` on. Fills `out`, a whole number
/// of groups; returns the last value.
pub(super) fn steps<T: Value>(
    width: usize,
    bytes: &[u8],
    out: &mut [T],
    least: i64,
    last: i64,
) -> i64 {
    by_width!(width, steps_of, (bytes, out, least, last))
}

fn steps_of<T: Value, const W: usize>(
    bytes: &[u8],
    out: &mut [T],
    least: i64,
    mut last: i64,
) -> i64 {
    if W == 0 {
        for out in out {
            last = last.wrapping_add(least);
            *out = T::of_bits(last);
        }
        return last;
    }
    let (out, _) = out.as_chunks_mut::<GROUP>();
    each_group::<W>(bytes, out.len(), |at, steps| {
        for (out, step) in out[at].iter_mut().zip(steps) {
            last = last.wrapping_add((step as i64).wrapping_add(least));
            *out = T::of_bits(last);
        }
    });
    last
}

/// Looks up numbers of `width` bits in a table. Fills `out`, a whole number of groups; returns
/// how many values precede the first whose number is not in the table.
pub(super) fn entries<T: Value>(width: usize, bytes: &[u8], table: &[T], out: &mut [T]) -> usize {
    by_width!(width, entries_of, (bytes, table, out))
}

fn entries_of<T: Value, const W: usize>(bytes: &[u8], table: &[T], out: &mut [T]) -> usize {
    let mut known = out.len();
    let (out, _) = out.as_chunks_mut::<GROUP>();
    each_group::<W>(bytes, out.len(), |at, places| {
        for (i, (out, place)) in out[at].iter_mut().zip(places).enumerate() {
            match table.get(place as usize) {
                Some(value) => *out = *value,
                None => {
                    *out = T::default();
                    known = known.min(at * GROUP + i);
                }
            }
        }
    });
    known
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Bit by bit.
    fn packed(width: usize, values: &[u64]) -> Vec<u8> {
        let mut bytes = vec![0; (values.len() * width).div_ceil(8)];
        for (i, value) in values.iter().enumerate() {
            for bit in 0..width {
                let at = i * width + bit;
                bytes[at / 8] |= ((value >> bit & 1) as u8) << (at % 8);
            }
        }
        bytes
    }

    fn masked(width: usize, values: &[u64]) -> Vec<u64> {
        values.iter().map(|v| if width == 64 { *v } else { v & ((1 << width) - 1) }).collect()
    }

    proptest! {
        #[test]
        fn steps_of_every_width_sum_up(
            values in prop::collection::vec(any::<u64>(), 0..9), least: i64, first: i64,
            after in 0..20usize,
        ) {
            for width in 0..=WIDTH_MAX {
                let mut values: Vec<u64> = masked(width, &values).repeat(8);
                values.truncate(values.len() / GROUP * GROUP);
                let mut bytes = packed(width, &values);
                bytes.extend(vec![0xff; after]);
                let mut out = vec![0i64; values.len()];
                let mut narrow = vec![0i32; values.len()];
                let last = steps(width, &bytes, &mut out, least, first);
                prop_assert_eq!(steps(width, &bytes, &mut narrow, least, first), last);
                let mut sum = first;
                for (i, value) in values.iter().enumerate() {
                    sum = sum.wrapping_add(least).wrapping_add(*value as i64);
                    prop_assert_eq!((out[i], narrow[i]), (sum, sum as i32), "width {}", width);
                }
                prop_assert_eq!(last, sum);
            }
        }

        #[test]
        fn entries_of_every_width_are_looked_up(
            values in prop::collection::vec(any::<u64>(), 8), size in 0..300usize,
        ) {
            let table: Vec<i64> = (0..size as i64).map(|i| i * 7 - 3).collect();
            for width in 0..=32 {
                let values = masked(width, &values);
                let mut out = [0; GROUP];
                let known = entries(width, &packed(width, &values), &table, &mut out);
                let wanted: Vec<_> = values.iter().map(|v| table.get(*v as usize)).collect();
                let first = wanted.iter().position(Option::is_none);
                prop_assert_eq!(known, first.unwrap_or(GROUP));
                for (out, wanted) in out.iter().zip(wanted) {
                    prop_assert_eq!(*out, wanted.copied().unwrap_or_default());
                }
            }
        }
    }
}
