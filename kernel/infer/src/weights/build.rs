//! Weights from f32 tensors, for the exporter.

use super::slots::check_values;
use super::{MemberTensors, Weights, WeightsError, WeightsSpec, slot_tensor_specs, tensor_specs};
use half::f16;
use std::collections::BTreeMap;

/// Collects f32 tensors, rounds them to fp16 (to nearest, ties to even) and checks the whole.
///
/// ```
/// use ijk_infer::{WeightsBuilder, WeightsSpec, tensor_specs};
/// let mut builder = WeightsBuilder::new(WeightsSpec::new(1));
/// for spec in tensor_specs(1) {
///     builder = builder.tensor(&spec.name, spec.shape, &vec![0.0; spec.value_count()]);
/// }
/// let weights = builder.finish().unwrap();
/// assert_eq!(weights.members().len(), 1);
/// ```
#[derive(Clone, Debug)]
pub struct WeightsBuilder {
    spec: WeightsSpec,
    tensors: BTreeMap<String, (Vec<u64>, Vec<f16>)>,
    error: Option<WeightsError>,
}

impl WeightsBuilder {
    /// Starts a model with the given metadata.
    pub fn new(spec: WeightsSpec) -> WeightsBuilder {
        WeightsBuilder { spec, tensors: BTreeMap::new(), error: None }
    }

    /// Adds one tensor under its full name (`m0.l3.ff1.weight`), row-major (out, in). The first
    /// fault is kept and told by [`WeightsBuilder::finish`].
    pub fn tensor(mut self, name: &str, shape: &[usize], values: &[f32]) -> WeightsBuilder {
        if self.error.is_none() {
            self.error = self.add(name, shape, values).err();
        }
        self
    }

    fn add(&mut self, name: &str, shape: &[usize], values: &[f32]) -> Result<(), WeightsError> {
        let name = name.to_owned();
        let expected = shape.iter().product();
        if values.len() != expected {
            return Err(WeightsError::ValueCount { name, found: values.len(), expected });
        }
        let rounded: Vec<f16> = values.iter().map(|&v| f16::from_f32(v)).collect();
        if let Some(index) = rounded.iter().position(|v| !v.is_finite()) {
            let value = values[index].to_string();
            return Err(WeightsError::NonFinite { name, index, value });
        }
        let shape = shape.iter().map(|&n| n as u64).collect();
        match self.tensors.insert(name.clone(), (shape, rounded)) {
            Some(_) => Err(WeightsError::ExtraTensor { name }),
            None => Ok(()),
        }
    }

    /// Returns the checked model.
    ///
    /// # Errors
    /// The first fault of a tensor added, then of the metadata, then a missing tensor, one of
    /// another shape or one that the model does not have.
    pub fn finish(mut self) -> Result<Weights, WeightsError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        self.spec.validate()?;
        let mut members = vec![MemberTensors::default(); self.spec.shape.members];
        for wanted in tensor_specs(members.len()) {
            let values = self.take(&wanted.name, wanted.shape)?;
            members[wanted.member].tensors.insert(wanted.local, values);
        }
        for wanted in slot_tensor_specs(members.len(), &self.spec.slots) {
            let values = self.take(&wanted.name, &wanted.shape)?;
            check_values(&wanted, &values)?;
            members[wanted.member].tensors.insert(wanted.local, values);
        }
        match self.tensors.into_keys().next() {
            Some(name) => Err(WeightsError::ExtraTensor { name }),
            None => Ok(Weights { spec: self.spec, members }),
        }
    }

    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f16>, WeightsError> {
        let Some((found, values)) = self.tensors.remove(name) else {
            return Err(WeightsError::MissingTensor { name: name.to_owned() });
        };
        let expected: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        if found != expected {
            let name = name.to_owned();
            return Err(WeightsError::TensorShape { name, found, expected });
        }
        Ok(values)
    }
}
