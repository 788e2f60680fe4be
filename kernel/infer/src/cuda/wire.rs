//! What goes to the device for one token and what comes back, byte for byte as `step.cu` has it.

use super::layout::OUTPUTS_PADDED;
use super::plan::ENTRY_BYTES;
use crate::pack::{Scaler, Target};
use crate::shape::OUTPUTS;
use crate::state::Band;
use crate::weights::WeightsSpec;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::{HORIZON_COUNT, HorizonForecast};

/// Floats that the device writes a token and member; the first [`OUTPUTS`] mean something.
pub const ROW: usize = OUTPUTS_PADDED;

/// One token on its way to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(C)]
pub struct Entry {
    /// Row of the rings.
    pub symbol: u32,
    /// Where the newest token lies in its ring.
    pub slot: u32,
    /// Slots in use, the newest included.
    pub filled: u32,
    /// Zero.
    pub reserved: u32,
    /// Features, scaled and clipped.
    pub features: [f32; FEATURE_COUNT],
}

const _: () = assert!(size_of::<Entry>() == ENTRY_BYTES as usize);

impl Entry {
    /// Returns the bytes, little endian.
    pub fn to_bytes(&self) -> [u8; ENTRY_BYTES as usize] {
        let head = [self.symbol, self.slot, self.filled, self.reserved];
        let words = head.into_iter().chain(self.features.map(f32::to_bits));
        let mut bytes = [0; ENTRY_BYTES as usize];
        for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(words) {
            *to = word.to_le_bytes();
        }
        bytes
    }
}

/// Brings tokens and forecasts into their units, as the processor's encoder does.
#[derive(Clone, Debug)]
pub struct Wire {
    scaler: Scaler,
    target: Target,
}

impl Wire {
    /// Takes the scales of a weights file.
    pub fn new(spec: &WeightsSpec) -> Wire {
        Wire { scaler: Scaler::of(spec), target: Target::of(spec) }
    }

    /// Returns the entry of the token at `position` (from 0) of `symbol`, or `None` where a
    /// feature is not finite: such a token is refused and leaves no trace.
    pub fn entry(
        &self,
        symbol: u32,
        position: u64,
        features: &[f64; FEATURE_COUNT],
    ) -> Option<Entry> {
        let features = self.scaler.scaled(features)?;
        let Band { slot, filled } = Band::at(position);
        Some(Entry { symbol, slot: slot as u32, filled: filled as u32, reserved: 0, features })
    }

    /// Returns whether a row of one member says something: all its numbers are finite.
    pub fn is_sound(&self, row: &[f32]) -> bool {
        row.iter().take(OUTPUTS).all(|v| v.is_finite())
    }

    /// Returns the forecasts of one member from its row; `None` if the row is cut.
    pub fn forecast(&self, row: &[f32]) -> Option<[HorizonForecast; HORIZON_COUNT]> {
        Some(self.target.forecast(row.get(..OUTPUTS)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_bytes_that_the_kernel_reads() {
        let wire = Wire::new(&WeightsSpec::new(1));
        let entry = wire.entry(7, 130, &std::array::from_fn(|i| i as f64 * 0.5)).unwrap();
        let bytes = entry.to_bytes();
        let word = |i: usize| u32::from_le_bytes(bytes[4 * i..][..4].try_into().unwrap());
        assert_eq!([word(0), word(1), word(2), word(3)], [7, 2, 64, 0]);
        for i in 0..FEATURE_COUNT {
            assert_eq!(f32::from_bits(word(4 + i)), i as f32 * 0.5);
        }
        assert_eq!(wire.entry(0, 5, &[f64::NAN; FEATURE_COUNT]), None);
        assert_eq!(wire.entry(0, 5, &[0.0; FEATURE_COUNT]).unwrap().filled, 6);
        assert_eq!(wire.forecast(&[0.0; OUTPUTS - 1]), None);
    }
}
