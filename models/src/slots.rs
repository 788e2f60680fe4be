//! Further modalities: news, options, social, macro. A slot is a vector, the time from which it
//! was known, a staleness limit and a mask; what was not known at a token's close cannot reach it.

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// What one slot carries.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotShape {
    /// Name, for people and for the card.
    pub name: String,
    /// Numbers of one vector.
    pub width: usize,
    /// Age in seconds from which a vector counts as missing.
    pub stale_after_s: f64,
}

/// A slot's history: vectors in the order in which they became known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SlotSeries {
    known_from_ns: Vec<u64>,
    values: Vec<Vec<f32>>,
}

/// Why a vector cannot enter a series.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SlotError {
    /// Times go back.
    #[error("a vector known from {found} ns follows one known from {last} ns")]
    Order {
        /// Last time held.
        last: u64,
        /// Time of the refused vector.
        found: u64,
    },
    /// Another width than the vectors before.
    #[error("a vector of {found} numbers follows vectors of {expected}")]
    Width {
        /// Width of the refused vector.
        found: usize,
        /// Width of the series.
        expected: usize,
    },
    /// A number that is none.
    #[error("number {index} of the vector known from {known_from_ns} ns is not finite")]
    NotFinite {
        /// Place in the vector.
        index: usize,
        /// Time of the refused vector.
        known_from_ns: u64,
    },
}

impl SlotSeries {
    /// Adds a vector known from `known_from_ns` (nanoseconds UTC) on.
    ///
    /// # Errors
    /// [`SlotError`]; the series is then as it was.
    pub fn push(&mut self, known_from_ns: u64, values: Vec<f32>) -> Result<(), SlotError> {
        if let Some(&last) = self.known_from_ns.last()
            && known_from_ns < last
        {
            return Err(SlotError::Order { last, found: known_from_ns });
        }
        let expected = self.values.first().map_or(values.len(), Vec::len);
        if values.len() != expected {
            return Err(SlotError::Width { found: values.len(), expected });
        }
        if let Some(index) = values.iter().position(|v| !v.is_finite()) {
            return Err(SlotError::NotFinite { index, known_from_ns });
        }
        self.known_from_ns.push(known_from_ns);
        self.values.push(values);
        Ok(())
    }

    /// Returns the newest vector known at `at_ns` and its age in seconds; `None` where there is
    /// none or it is older than `stale_after_s`.
    pub fn as_of(&self, at_ns: u64, stale_after_s: f64) -> Option<(&[f32], f64)> {
        let index = self.known_from_ns.partition_point(|&t| t <= at_ns).checked_sub(1)?;
        let age_s = (at_ns - self.known_from_ns[index]) as f64 / 1e9;
        (age_s <= stale_after_s).then(|| (self.values[index].as_slice(), age_s))
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
    /// Reads a series at the close of every token: `closes_ns` holds `batch` sequences of equal
    /// length, one after the other. `None` where nothing is known at any of them: a missing slot
    /// is not computed at all.
    pub fn read(
        shape: &SlotShape,
        series: &SlotSeries,
        closes_ns: &[u64],
        batch: usize,
        device: &B::Device,
    ) -> Option<SlotBatch<B>> {
        let tokens = closes_ns.len() / batch;
        let mut values = vec![0.0f32; closes_ns.len() * shape.width];
        let (mut log_age, mut known) = (vec![0.0f32; closes_ns.len()], vec![0.0; closes_ns.len()]);
        let mut any = false;
        for (i, &at_ns) in closes_ns.iter().enumerate() {
            let Some((vector, age_s)) = series.as_of(at_ns, shape.stale_after_s) else { continue };
            values[i * shape.width..][..shape.width].copy_from_slice(vector);
            log_age[i] = age_s.ln_1p() as f32;
            known[i] = 1.0f32;
            any = true;
        }
        any.then(|| SlotBatch {
            values: Tensor::from_data(
                TensorData::new(values, [batch, tokens, shape.width]),
                device,
            ),
            log_age: Tensor::from_data(TensorData::new(log_age, [batch, tokens, 1]), device),
            known: Tensor::from_data(TensorData::new(known, [batch, tokens, 1]), device),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vector_is_seen_from_its_time_until_it_is_stale() {
        let mut series = SlotSeries::default();
        series.push(10_000_000_000, vec![1.0]).unwrap();
        series.push(20_000_000_000, vec![2.0]).unwrap();
        let at = |ns| series.as_of(ns, 60.0).map(|(v, age)| (v[0], age));
        assert_eq!(at(9_999_999_999), None);
        assert_eq!(at(10_000_000_000), Some((1.0, 0.0)));
        assert_eq!(at(19_999_999_999).unwrap().0, 1.0);
        assert_eq!(at(50_000_000_000), Some((2.0, 30.0)));
        assert_eq!(at(80_000_000_001), None);
    }

    #[test]
    fn hostile_vectors_are_refused_and_leave_no_trace() {
        let mut series = SlotSeries::default();
        series.push(5, vec![1.0, 2.0]).unwrap();
        let before = series.clone();
        let order = SlotError::Order { last: 5, found: 4 };
        assert_eq!(series.push(4, vec![1.0, 2.0]), Err(order));
        assert_eq!(series.push(6, vec![1.0]), Err(SlotError::Width { found: 1, expected: 2 }));
        let nan = SlotError::NotFinite { index: 1, known_from_ns: 6 };
        assert_eq!(series.push(6, vec![1.0, f32::NAN]), Err(nan));
        assert_eq!(series, before);
    }
}
