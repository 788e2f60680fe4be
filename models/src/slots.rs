//! Further modalities: news, options, social, macro. A slot is a vector, the time from which it
//! was known, a staleness limit and a mask; what was not known at a token's close cannot reach it.

use crate::session::Session;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::{FeedError, SlotUpdate};
use ijk_data::slots::read_slots;
use ijk_infer::log_age;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

pub use ijk_core::SlotShape;

/// Index of a token at which a slot was missing.
const MISSING: u32 = u32::MAX;

/// The slots of a fit: `[slots]` of its TOML file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SlotSettings {
    /// Slot files; together they may hold any of the slots, for any of the symbols.
    pub files: Vec<String>,
    /// Chance that a slot is missing in a training sequence: a model that never missed one would
    /// not know what to do without it.
    pub drop_probability: f64,
    /// The slots, in the order of their indices.
    pub slot: Vec<SlotShape>,
}

/// The settings of a fit without slots.
pub static NO_SLOTS: SlotSettings =
    SlotSettings { files: Vec::new(), drop_probability: 0.0, slot: Vec::new() };

impl SlotSettings {
    /// Returns the first setting that cannot work, and why.
    ///
    /// # Errors
    /// A sentence naming the setting and what it must be.
    pub fn check(&self) -> Result<(), String> {
        SlotShape::check_all(&self.slot).map_err(|e| format!("slots: {e}"))?;
        if self.slot.is_empty() != self.files.is_empty() {
            return Err("slots.files and slots.slot must stand together or not at all".into());
        }
        if !(0.0..1.0).contains(&self.drop_probability) {
            return Err("slots.drop_probability must lie in [0, 1)".into());
        }
        Ok(())
    }
}

/// A slot's history for one instrument: vectors in the order in which they became known.
#[derive(Clone, Debug, PartialEq)]
pub struct SlotSeries {
    /// Name of the slot.
    pub name: String,
    stale_after_ns: u64,
    updates: Vec<SlotUpdate>,
}

impl SlotSeries {
    /// Returns the series of the slot `shape`; `updates` in order of time, of its width.
    pub fn new(shape: &SlotShape, updates: Vec<SlotUpdate>) -> SlotSeries {
        debug_assert!(updates.is_sorted_by_key(|u| u.known_from), "the reader sorts");
        let (name, stale_after_ns) = (shape.name.clone(), shape.stale_after_ns());
        SlotSeries { name, stale_after_ns, updates }
    }

    /// Returns the index of the newest vector known at `at_ns` and its age; `None` where there is
    /// none or it is stale.
    pub fn as_of(&self, at_ns: u64) -> Option<(usize, u64)> {
        let index = self.updates.partition_point(|u| u.known_from.0 <= at_ns).checked_sub(1)?;
        let age_ns = at_ns - self.updates[index].known_from.0;
        (age_ns <= self.stale_after_ns).then_some((index, age_ns))
    }

    /// Returns the vectors with their times.
    pub fn updates(&self) -> &[SlotUpdate] {
        &self.updates
    }
}

/// Reads slot files and gives every session the history of its symbol: what was known before its
/// last token closed and not stale before its first.
///
/// # Errors
/// [`FeedError`] of the first file that cannot be trusted; a symbol that no session has is one.
pub fn attach(
    sessions: &mut [Session],
    shapes: &[SlotShape],
    files: &[impl AsRef<Path>],
) -> Result<(), FeedError> {
    let symbols: BTreeSet<&str> = sessions.iter().map(|s| s.symbol.as_str()).collect();
    let symbols: Vec<String> = symbols.into_iter().map(String::from).collect();
    let mut updates = Vec::new();
    for file in files {
        updates.extend(read_slots(file.as_ref(), shapes, &symbols)?);
    }
    updates.sort_by_key(|u| u.known_from);
    for session in sessions {
        let first = session.closes_ns.first().copied().unwrap_or(0);
        let last = session.closes_ns.last().copied().unwrap_or(0);
        let series = |(slot, shape): (usize, &SlotShape)| {
            let from = first.saturating_sub(shape.stale_after_ns());
            let mine = |u: &&SlotUpdate| {
                usize::from(u.slot) == slot
                    && symbols[u.instrument.index()] == session.symbol
                    && (from..=last).contains(&u.known_from.0)
            };
            SlotSeries::new(shape, updates.iter().filter(mine).cloned().collect())
        };
        session.slots = shapes.iter().enumerate().map(series).collect();
    }
    Ok(())
}

/// One slot along the tokens of a training part.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PartSlot {
    width: usize,
    /// (vector, width)
    vectors: Vec<f32>,
    /// Vector of each token, or [`MISSING`].
    index: Vec<u32>,
    log_age: Vec<f32>,
}

impl PartSlot {
    /// Reads a series at the close of every token.
    pub fn new(width: usize, series: &SlotSeries, closes_ns: &[u64]) -> PartSlot {
        let mut part = PartSlot {
            width,
            vectors: series.updates.iter().flat_map(|u| &u.values).copied().collect(),
            ..PartSlot::default()
        };
        for &at_ns in closes_ns {
            let seen = series.as_of(at_ns);
            part.index.push(seen.map_or(MISSING, |(index, _)| index as u32));
            part.log_age.push(seen.map_or(0.0, |(_, age_ns)| log_age(age_ns)));
        }
        part
    }

    /// Returns the numbers of one vector.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the tokens at which the slot was known.
    pub fn known_count(&self) -> usize {
        self.index.iter().filter(|i| **i != MISSING).count()
    }
}

/// One slot's input for a batch of sequences.
#[derive(Clone, Debug)]
pub struct SlotBatch<B: Backend> {
    /// Vectors, `[batch, tokens, width]`; zeros where missing.
    pub values: Tensor<B, 3>,
    /// `ln(1 + age in seconds)`, `[batch, tokens, 1]`; zeros where missing.
    pub log_age: Tensor<B, 3>,
    /// One where a vector was known and fresh, `[batch, tokens, 1]`; zeros elsewhere.
    pub known: Tensor<B, 3>,
}

impl<B: Backend> SlotBatch<B> {
    /// Packs sequences of `tokens` tokens: of each its slot and first token, `None` where the slot
    /// is to be missing. `None` where it is missing at every token: it is then not computed at
    /// all.
    pub fn pack(
        width: usize,
        sequences: &[Option<(&PartSlot, usize)>],
        tokens: usize,
        device: &B::Device,
    ) -> Option<SlotBatch<B>> {
        let count = sequences.len() * tokens;
        let mut values = vec![0.0f32; count * width];
        let (mut log_age, mut known) = (vec![0.0f32; count], vec![0.0f32; count]);
        for (i, sequence) in sequences.iter().enumerate() {
            let Some((slot, start)) = sequence else { continue };
            debug_assert_eq!(slot.width, width, "one width a slot");
            for t in 0..tokens {
                let index = slot.index[start + t];
                if index == MISSING {
                    continue;
                }
                let (at, from) = ((i * tokens + t) * width, index as usize * width);
                values[at..at + width].copy_from_slice(&slot.vectors[from..from + width]);
                log_age[i * tokens + t] = slot.log_age[start + t];
                known[i * tokens + t] = 1.0;
            }
        }
        let any = known.iter().any(|k| *k > 0.0);
        let tensor = |values: Vec<f32>, width| {
            let data = TensorData::new(values, [sequences.len(), tokens, width]);
            Tensor::from_data(data, device)
        };
        any.then(|| SlotBatch {
            values: tensor(values, width),
            log_age: tensor(log_age, 1),
            known: tensor(known, 1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{InstrumentId, RecvTs};

    fn update(known_from_s: u64, value: f32) -> SlotUpdate {
        SlotUpdate {
            known_from: RecvTs(known_from_s * 1_000_000_000),
            instrument: InstrumentId(0),
            slot: 0,
            values: vec![value],
        }
    }

    #[test]
    fn a_vector_is_seen_from_its_time_until_it_is_stale() {
        let shape = SlotShape { name: "news".into(), width: 1, stale_after_s: 60.0 };
        let series = SlotSeries::new(&shape, vec![update(10, 1.0), update(20, 2.0)]);
        assert_eq!(series.as_of(9_999_999_999), None);
        assert_eq!(series.as_of(10_000_000_000), Some((0, 0)));
        assert_eq!(series.as_of(19_999_999_999).unwrap().0, 0);
        assert_eq!(series.as_of(50_000_000_000), Some((1, 30_000_000_000)));
        assert_eq!(series.as_of(80_000_000_000), Some((1, 60_000_000_000)));
        assert_eq!(series.as_of(80_000_000_001), None);
        let closes = [9_000_000_000, 12_000_000_000, 25_000_000_000, 90_000_000_000];
        let part = PartSlot::new(1, &series, &closes);
        assert_eq!((part.index.as_slice(), part.known_count()), (&[MISSING, 0, 1, MISSING][..], 2));
        let packed = SlotBatch::<burn::backend::Flex>::pack(
            1,
            &[Some((&part, 0)), None],
            4,
            &Default::default(),
        );
        let packed = packed.unwrap();
        let values = |t: Tensor<burn::backend::Flex, 3>| t.into_data().to_vec::<f32>().unwrap();
        assert_eq!(values(packed.values), [0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(values(packed.known), [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let ages = values(packed.log_age);
        assert!((ages[1] - 3f32.ln()).abs() < 1e-6 && (ages[2] - 6f32.ln()).abs() < 1e-6);
        let nothing = SlotBatch::<burn::backend::Flex>::pack(1, &[None], 4, &Default::default());
        assert!(nothing.is_none(), "a missing slot is not computed");
    }

    #[test]
    fn settings_that_cannot_work_are_named() {
        let slot = SlotShape { name: "news".into(), width: 1, stale_after_s: 60.0 };
        let good = SlotSettings {
            files: vec!["a.parquet".into()],
            drop_probability: 0.1,
            slot: vec![slot],
        };
        assert!(good.check().is_ok() && NO_SLOTS.check().is_ok());
        let no_file = SlotSettings { files: Vec::new(), ..good.clone() };
        assert!(no_file.check().unwrap_err().contains("slots.files"));
        let sure = SlotSettings { drop_probability: 1.0, ..good.clone() };
        assert!(sure.check().unwrap_err().contains("drop_probability"));
        let wide = SlotShape { width: 9_999, ..good.slot[0].clone() };
        let wide = SlotSettings { slot: vec![wide], ..good };
        assert!(wide.check().unwrap_err().contains("width"));
    }
}
