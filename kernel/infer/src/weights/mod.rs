//! The weights file: safetensors with fp16 tensors and metadata that ties it to its features.
//!
//! All values are kept as fp16, the format of the file; an encoder packs them once to what its
//! kernels want. [`tensor_specs`] is the whole schema.

mod build;
mod error;
pub(crate) mod header;
mod schema;
mod slots;
mod spec;
mod trust;

pub use build::WeightsBuilder;
pub use error::WeightsError;
pub use header::HEADER_BYTES_MAX;
pub use schema::{TensorSpec, tensor_specs};
pub use slots::{SlotTensorSpec, slot_tensor_specs};
pub use spec::{CLIP_MAX, FORMAT, TARGET_SCALE_BPS, TEXT_BYTES_MAX, WeightsSpec};
pub use trust::{TRIANGLE, TrustRegion};

use half::f16;
use header::{Header, METADATA_KEY, TensorEntry};
use std::collections::BTreeMap;

/// Bytes of one fp16 value.
const F16_BYTES: u64 = 2;

/// A checked model: the shape is the compiled one, every tensor is there and finite.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// What the file says about itself. Changing it does not change the tensors; a changed spec
    /// is checked again when the bytes are next read.
    pub spec: WeightsSpec,
    members: Vec<MemberTensors>,
}

/// The tensors of one ensemble member.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MemberTensors {
    /// By local name (`l3.attn.qkv.weight`); complete once inside a [`Weights`].
    tensors: BTreeMap<String, Vec<f16>>,
}

impl MemberTensors {
    /// Returns a tensor by its local name (without `m{m}.`), row-major.
    pub fn tensor(&self, local: &str) -> Option<&[f16]> {
        self.tensors.get(local).map(Vec::as_slice)
    }

    /// Returns a tensor widened to f32, which is exact. Panics on a name outside the schema.
    pub(crate) fn widened(&self, local: &str) -> Vec<f32> {
        let tensor = self.tensor(local);
        let tensor = tensor.unwrap_or_else(|| panic!("Condition failed: no tensor `{local}`"));
        tensor.iter().map(|v| v.to_f32()).collect()
    }
}

impl Weights {
    /// Reads a weights file.
    ///
    /// The work and the memory are bounded by the length of `bytes`, whatever they say.
    ///
    /// # Errors
    /// Anything that is not exactly a model of this build: see [`WeightsError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Weights, WeightsError> {
        let (Header { metadata, mut tensors }, data) = header::split(bytes)?;
        let spec = WeightsSpec::from_metadata(&metadata)?;
        check_layout(&tensors, data.len() as u64)?;
        let mut members = vec![MemberTensors::default(); spec.shape.members];
        for wanted in tensor_specs(spec.shape.members) {
            let Some(entry) = tensors.remove(&wanted.name) else {
                return Err(WeightsError::MissingTensor { name: wanted.name });
            };
            let values = read_tensor(&wanted.name, wanted.shape, &entry, data)?;
            members[wanted.member].tensors.insert(wanted.local, values);
        }
        for wanted in slot_tensor_specs(spec.shape.members, &spec.slots) {
            let Some(entry) = tensors.remove(&wanted.name) else {
                return Err(WeightsError::MissingTensor { name: wanted.name });
            };
            let values = read_tensor(&wanted.name, &wanted.shape, &entry, data)?;
            slots::check_values(&wanted, &values)?;
            members[wanted.member].tensors.insert(wanted.local, values);
        }
        match tensors.into_keys().next() {
            Some(name) => Err(WeightsError::ExtraTensor { name }),
            None => Ok(Weights { spec, members }),
        }
    }

    /// Returns the same model without its slots: what it is while all of them are missing.
    pub fn without_slots(&self) -> Weights {
        let mut plain = self.clone();
        plain.spec.slots.clear();
        for member in &mut plain.members {
            member.tensors.retain(|local, _| !local.starts_with("cross."));
        }
        plain
    }

    /// Writes the weights file: the same weights give the same bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut header = serde_json::Map::new();
        header.insert(METADATA_KEY.to_owned(), serde_json::json!(self.spec.to_metadata()));
        let mut data = Vec::new();
        let mut put = |member: usize, local: &str, name: String, shape: &[usize]| {
            let begin = data.len();
            for value in &self.members[member].tensors[local] {
                data.extend_from_slice(&value.to_le_bytes());
            }
            let offsets = [begin, data.len()];
            let entry = serde_json::json!({
                "dtype": "F16", "shape": shape, "data_offsets": offsets,
            });
            header.insert(name, entry);
        };
        for spec in tensor_specs(self.members.len()) {
            put(spec.member, &spec.local, spec.name, spec.shape);
        }
        for spec in slot_tensor_specs(self.members.len(), &self.spec.slots) {
            put(spec.member, &spec.local, spec.name, &spec.shape);
        }
        let mut json = serde_json::Value::Object(header).to_string();
        while !json.len().is_multiple_of(8) {
            json.push(' '); // the data starts aligned
        }
        let mut bytes = Vec::with_capacity(header::LENGTH_BYTES + json.len() + data.len());
        bytes.extend_from_slice(&(json.len() as u64).to_le_bytes());
        bytes.extend_from_slice(json.as_bytes());
        bytes.extend_from_slice(&data);
        bytes
    }

    /// Returns the members in order; at least one.
    pub fn members(&self) -> &[MemberTensors] {
        &self.members
    }

    /// Returns a model of member `member` alone, or `None` past the last.
    pub fn single(&self, member: usize) -> Option<Weights> {
        let members = vec![self.members.get(member)?.clone()];
        let mut spec = self.spec.clone();
        spec.shape.members = 1;
        Some(Weights { spec, members })
    }
}

/// Checks that the tensors fill the data without hole or overlap.
fn check_layout(
    tensors: &BTreeMap<String, TensorEntry>,
    data_len: u64,
) -> Result<(), WeightsError> {
    let mut by_place: Vec<_> = tensors.iter().map(|(name, e)| (e.data_offsets, name)).collect();
    by_place.sort();
    let mut expected_begin = 0;
    for ((begin, end), name) in by_place {
        if begin != expected_begin || end < begin {
            let name = name.clone();
            let expected_end = expected_begin.max(end);
            let error = WeightsError::Offsets { name, begin, end, expected_begin, expected_end };
            return Err(error);
        }
        expected_begin = end;
    }
    if expected_begin != data_len {
        return Err(WeightsError::DataLength { found: data_len, expected: expected_begin });
    }
    Ok(())
}

/// Reads one tensor after checking type, shape, place and values.
fn read_tensor(
    name: &str,
    shape: &[usize],
    entry: &TensorEntry,
    data: &[u8],
) -> Result<Vec<f16>, WeightsError> {
    let name = || name.to_owned();
    if entry.dtype != "F16" {
        let found = entry.dtype.chars().take(16).collect();
        return Err(WeightsError::Dtype { name: name(), found });
    }
    if !entry.shape.iter().copied().eq(shape.iter().map(|&n| n as u64)) {
        let found = entry.shape.iter().copied().take(8).collect();
        let expected = shape.iter().map(|&n| n as u64).collect();
        return Err(WeightsError::TensorShape { name: name(), found, expected });
    }
    let (begin, end) = entry.data_offsets;
    let value_count: usize = shape.iter().product();
    let expected_end = begin.saturating_add(value_count as u64 * F16_BYTES);
    let bytes = data.get(begin as usize..end as usize).filter(|_| end == expected_end);
    let Some(bytes) = bytes else {
        let expected_begin = begin;
        return Err(WeightsError::Offsets {
            name: name(),
            begin,
            end,
            expected_begin,
            expected_end,
        });
    };
    let (pairs, _) = bytes.as_chunks::<2>();
    let values: Vec<f16> = pairs.iter().map(|&pair| f16::from_le_bytes(pair)).collect();
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => {
            let value = values[index].to_string();
            Err(WeightsError::NonFinite { name: name(), index, value })
        }
        None => Ok(values),
    }
}
