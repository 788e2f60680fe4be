//! Slots for further modalities: news, options, social, macro. A slot is a vector of fixed width,
//! the time from which it was known and an age from which it counts as missing.

use crate::limits::{SLOT_COUNT_MAX, SLOT_WIDTH_MAX};
use crate::{InstrumentId, RecvTs};
use serde::{Deserialize, Serialize};

/// Largest magnitude of one number of a slot: keeps every later sum far inside the range of f32.
pub const SLOT_VALUE_MAX: f32 = 1e4;
/// Longest name of a slot in bytes.
pub const SLOT_NAME_BYTES_MAX: usize = 64;
/// Bytes before the numbers in a slot record's payload.
pub const SLOT_HEAD_BYTES: usize = 16;
/// Longest payload of a slot record.
pub const SLOT_PAYLOAD_BYTES_MAX: usize = SLOT_HEAD_BYTES + 4 * SLOT_WIDTH_MAX;

/// What one slot of a model carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotShape {
    /// Name: lower-case letters, digits, `_`, `-` and `.`, as in the slot files.
    pub name: String,
    /// Numbers of one vector, 1 to [`SLOT_WIDTH_MAX`].
    pub width: usize,
    /// Age in seconds beyond which a vector counts as missing; positive, at most 1e9.
    pub stale_after_s: f64,
}

impl SlotShape {
    /// Checks the slots of one model: at most [`SLOT_COUNT_MAX`], every name once.
    ///
    /// # Errors
    /// A sentence naming the slot and what it must be.
    pub fn check_all(slots: &[SlotShape]) -> Result<(), String> {
        if slots.len() > SLOT_COUNT_MAX {
            return Err(format!("{} slots, at most {SLOT_COUNT_MAX}", slots.len()));
        }
        for (i, slot) in slots.iter().enumerate() {
            let SlotShape { name, width, stale_after_s } = slot;
            let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.".contains(&b);
            if !(1..=SLOT_NAME_BYTES_MAX).contains(&name.len()) || !name.bytes().all(good) {
                return Err(format!(
                    "slot {i}: name must be 1 to {SLOT_NAME_BYTES_MAX} of a-z, 0-9, '_', '-', '.'"
                ));
            }
            if slots[..i].iter().any(|s| s.name == *name) {
                return Err(format!("slot '{name}' is given twice"));
            }
            if !(1..=SLOT_WIDTH_MAX).contains(width) {
                return Err(format!("slot '{name}': width must be 1 to {SLOT_WIDTH_MAX}"));
            }
            if !(*stale_after_s > 0.0 && *stale_after_s <= 1e9) {
                return Err(format!("slot '{name}': stale_after_s must be above 0, at most 1e9"));
            }
        }
        Ok(())
    }

    /// Returns the age limit in nanoseconds.
    pub fn stale_after_ns(&self) -> u64 {
        (self.stale_after_s * 1e9) as u64
    }
}

/// A vector that became known: an input of the core. Its journal payload is the time (u64), the
/// instrument (u16), the slot (u16), the width (u32) and the numbers (f32), little endian.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlotUpdate {
    /// From when it was known. It counts from its arrival and never before this.
    pub known_from: RecvTs,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Index of the slot in the model.
    pub slot: u16,
    /// The numbers, finite, at most [`SLOT_VALUE_MAX`] in magnitude.
    pub values: Vec<f32>,
}

impl SlotUpdate {
    /// Writes the payload and returns it. Of more than [`SLOT_WIDTH_MAX`] numbers the first are
    /// written; such an update is refused before it gets here.
    pub fn encode<'a>(&self, buffer: &'a mut [u8; SLOT_PAYLOAD_BYTES_MAX]) -> &'a [u8] {
        let width = self.values.len().min(SLOT_WIDTH_MAX);
        buffer[..8].copy_from_slice(&self.known_from.0.to_le_bytes());
        buffer[8..10].copy_from_slice(&self.instrument.0.to_le_bytes());
        buffer[10..12].copy_from_slice(&self.slot.to_le_bytes());
        buffer[12..16].copy_from_slice(&(width as u32).to_le_bytes());
        let (numbers, _) = buffer[SLOT_HEAD_BYTES..].as_chunks_mut::<4>();
        numbers.iter_mut().zip(&self.values).for_each(|(to, v)| *to = v.to_le_bytes());
        &buffer[..SLOT_HEAD_BYTES + 4 * width]
    }

    /// Reads a payload; `None` where it is none, or holds a number that no slot may hold.
    pub fn decode(payload: &[u8]) -> Option<SlotUpdate> {
        let (head, numbers) = payload.split_first_chunk::<SLOT_HEAD_BYTES>()?;
        let (numbers, rest) = numbers.as_chunks::<4>();
        let width = u32::from_le_bytes([head[12], head[13], head[14], head[15]]) as usize;
        if width != numbers.len() || !rest.is_empty() || !(1..=SLOT_WIDTH_MAX).contains(&width) {
            return None;
        }
        let values: Vec<f32> = numbers.iter().map(|&n| f32::from_le_bytes(n)).collect();
        let (time, _) = head.split_first_chunk()?;
        values.iter().all(|v| v.abs() <= SLOT_VALUE_MAX).then(|| SlotUpdate {
            known_from: RecvTs(u64::from_le_bytes(*time)),
            instrument: InstrumentId(u16::from_le_bytes([head[8], head[9]])),
            slot: u16::from_le_bytes([head[10], head[11]]),
            values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(name: &str, width: usize, stale_after_s: f64) -> SlotShape {
        SlotShape { name: name.into(), width, stale_after_s }
    }

    #[test]
    fn a_payload_reads_back_and_a_cut_or_foreign_one_does_not() {
        let update = SlotUpdate {
            known_from: RecvTs(7),
            instrument: InstrumentId(3),
            slot: 1,
            values: vec![0.5, -2.0, 1e4],
        };
        let mut buffer = [0xee; SLOT_PAYLOAD_BYTES_MAX];
        let payload = update.encode(&mut buffer).to_vec();
        assert_eq!(payload.len(), 28);
        assert_eq!(SlotUpdate::decode(&payload), Some(update));
        for cut in 0..payload.len() {
            assert_eq!(SlotUpdate::decode(&payload[..cut]), None, "{cut}");
        }
        for number in [f32::NAN, f32::INFINITY, 1.1e4] {
            let mut bad = payload.clone();
            bad[24..].copy_from_slice(&number.to_le_bytes());
            assert_eq!(SlotUpdate::decode(&bad), None, "{number}");
        }
        let none = [0; SLOT_HEAD_BYTES];
        assert_eq!(SlotUpdate::decode(&none), None, "a width of zero");
    }

    #[test]
    fn impossible_slots_are_named() {
        let bad = |slots: &[SlotShape]| SlotShape::check_all(slots).unwrap_err();
        assert!(SlotShape::check_all(&[slot("news", 8, 60.0), slot("macro.v2", 512, 1.0)]).is_ok());
        assert!(bad(&[slot("", 8, 60.0)]).contains("name"));
        assert!(bad(&[slot("News", 8, 60.0)]).contains("name"));
        assert!(bad(&[slot("a", 8, 60.0), slot("a", 8, 60.0)]).contains("twice"));
        assert!(bad(&[slot("a", 0, 60.0)]).contains("width"));
        assert!(bad(&[slot("a", 513, 60.0)]).contains("width"));
        for stale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(bad(&[slot("a", 1, stale)]).contains("stale_after_s"));
        }
        let many: Vec<_> = (0..9).map(|i| slot(&format!("s{i}"), 1, 1.0)).collect();
        assert!(bad(&many).contains("at most 8"));
    }
}
