//! The optional part of a weights file: slots for further modalities and their tensors.
//!
//! Metadata `slots`: a JSON list of [`SlotShape`], in the order of the tensors `cross.s0`,
//! `cross.s1`, and so on. A file without the key has no slots, and none of these tensors.

use super::WeightsError;
use crate::shape::{D_MODEL, HEADS};
use ijk_core::SlotShape;
use std::collections::BTreeMap;

/// Metadata key of the slots.
pub(super) const SLOTS_KEY: &str = "slots";

/// One tensor of the cross-modal attention. It lies behind the tensors of
/// [`super::tensor_specs`] in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotTensorSpec {
    /// Full name in the file, for example `m0.cross.s1.key.weight`.
    pub name: String,
    /// Ensemble member it belongs to.
    pub member: usize,
    /// Name inside the member, for example `cross.s1.key.weight`.
    pub local: String,
    /// Shape, row-major (out, in).
    pub shape: Vec<usize>,
}

impl SlotTensorSpec {
    /// Returns the number of values.
    pub fn value_count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Returns every tensor that `slots` add to a file of `members` members, in the order of the file.
pub fn slot_tensor_specs(members: usize, slots: &[SlotShape]) -> Vec<SlotTensorSpec> {
    let mut specs = Vec::new();
    for member in (0..members).filter(|_| !slots.is_empty()) {
        let mut add = |local: String, shape: &[usize]| {
            let (name, shape) = (format!("m{member}.{local}"), shape.to_vec());
            specs.push(SlotTensorSpec { name, member, local, shape });
        };
        add("cross.norm.weight".into(), &[D_MODEL]);
        add("cross.norm.bias".into(), &[D_MODEL]);
        for layer in ["cross.query", "cross.out"] {
            add(format!("{layer}.weight"), &[D_MODEL, D_MODEL]);
            add(format!("{layer}.bias"), &[D_MODEL]);
        }
        for (i, slot) in slots.iter().enumerate() {
            for layer in ["key", "value"] {
                add(format!("cross.s{i}.{layer}.weight"), &[D_MODEL, slot.width]);
                add(format!("cross.s{i}.{layer}.bias"), &[D_MODEL]);
            }
            add(format!("cross.s{i}.fading"), &[HEADS]);
            add(format!("cross.s{i}.bias"), &[HEADS]);
        }
    }
    specs
}

/// Checks the slots of a model.
pub(super) fn check(slots: &[SlotShape]) -> Result<(), WeightsError> {
    let bad = |reason| WeightsError::BadMetadata { key: SLOTS_KEY, reason };
    SlotShape::check_all(slots).map_err(bad)
}

/// Reads the slots of a header; none where it does not speak of them.
pub(super) fn parse(metadata: &BTreeMap<String, String>) -> Result<Vec<SlotShape>, WeightsError> {
    let Some(text) = metadata.get(SLOTS_KEY) else { return Ok(Vec::new()) };
    serde_json::from_str(text)
        .map_err(|e| WeightsError::BadMetadata { key: SLOTS_KEY, reason: e.to_string() })
}

/// Returns the text that [`parse`] reads back to the same bits.
pub(super) fn text(slots: &[SlotShape]) -> String {
    let one = |s: &SlotShape| {
        // The name holds nothing that JSON escapes; `{:?}` of an f64 is the shortest that reads
        // back.
        let SlotShape { name, width, stale_after_s } = s;
        format!("{{\"name\":\"{name}\",\"width\":{width},\"stale_after_s\":{stale_after_s:?}}}")
    };
    format!("[{}]", slots.iter().map(one).collect::<Vec<_>>().join(","))
}

/// Checks the one law of a slot's tensors beyond being finite: a score never grows with age.
pub(super) fn check_values(
    spec: &SlotTensorSpec,
    values: &[half::f16],
) -> Result<(), WeightsError> {
    let falls = !spec.local.ends_with(".fading");
    match values.iter().position(|v| !falls && v.to_f32() < 0.0) {
        None => Ok(()),
        Some(index) => {
            let (name, value) = (spec.name.clone(), values[index].to_string());
            Err(WeightsError::NegativeFading { name, index, value })
        }
    }
}
