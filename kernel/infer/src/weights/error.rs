//! Everything that can be wrong with a weights file, said so that it can be mended.

use crate::weights::header::HEADER_BYTES_MAX;
use thiserror::Error;

/// Why weights were refused. Nothing is loaded in part.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum WeightsError {
    /// The file is cut or is not a weights file; fetch or export it again.
    #[error("weights: {len} bytes are too few for a safetensors file")]
    TooShort {
        /// Length of the file in bytes.
        len: usize,
    },
    /// The first eight bytes state an impossible header; the file is cut or of another kind.
    #[error(
        "weights: offset 0: header length {declared} exceeds the {available} bytes that follow \
         or the limit of {HEADER_BYTES_MAX}"
    )]
    HeaderLength {
        /// Header length the file states.
        declared: u64,
        /// Bytes after the length field.
        available: usize,
    },
    /// The header is not the JSON of a safetensors file.
    #[error("weights: header (from offset 8): {reason}")]
    Header {
        /// What the JSON reader found, with its place.
        reason: String,
    },
    /// A metadata key is absent; export the file again with the current exporter.
    #[error("weights: metadata key `{key}` is missing")]
    MissingMetadata {
        /// The absent key.
        key: &'static str,
    },
    /// A metadata value cannot be used.
    #[error("weights: metadata `{key}`: {reason}")]
    BadMetadata {
        /// The key.
        key: &'static str,
        /// What was found and what was expected.
        reason: String,
    },
    /// The weights were trained on other features than this build computes; retrain or use the
    /// build they were made for.
    #[error(
        "weights: made for feature set {found:016x}, this build computes {expected:016x}; \
         retrain, or use the build they were made for"
    )]
    ForeignFeatureSet {
        /// Hash in the file.
        found: u64,
        /// Hash of this build.
        expected: u64,
    },
    /// The model has another shape than this build is compiled for.
    #[error("weights: metadata `shape`: {field} is {found}, this build is compiled for {expected}")]
    Shape {
        /// Field of the shape.
        field: &'static str,
        /// Value in the file.
        found: String,
        /// Value this build accepts.
        expected: String,
    },
    /// A tensor of the schema is absent.
    #[error("weights: tensor `{name}` is missing")]
    MissingTensor {
        /// The absent tensor.
        name: String,
    },
    /// A tensor that the schema does not have.
    #[error("weights: tensor `{name}` does not belong to this model (or is given twice)")]
    ExtraTensor {
        /// The superfluous tensor.
        name: String,
    },
    /// A tensor of another type than F16.
    #[error("weights: tensor `{name}` has type {found}, expected F16")]
    Dtype {
        /// The tensor.
        name: String,
        /// Its stated type.
        found: String,
    },
    /// A tensor of another shape than the schema says.
    #[error("weights: tensor `{name}` has shape {found:?}, expected {expected:?}")]
    TensorShape {
        /// The tensor.
        name: String,
        /// Its stated shape.
        found: Vec<u64>,
        /// The schema's shape.
        expected: Vec<u64>,
    },
    /// The stated place of a tensor overlaps another, leaves a hole or has the wrong length.
    #[error(
        "weights: tensor `{name}` is said to lie at {begin}..{end} of the data, \
         expected {expected_begin}..{expected_end}"
    )]
    Offsets {
        /// The tensor.
        name: String,
        /// Stated first byte.
        begin: u64,
        /// Stated end.
        end: u64,
        /// First byte after the tensor before it.
        expected_begin: u64,
        /// End that its shape gives.
        expected_end: u64,
    },
    /// The data is shorter (cut) or longer than the header says.
    #[error("weights: {found} bytes of tensor data, the header describes {expected}")]
    DataLength {
        /// Bytes after the header.
        found: u64,
        /// Bytes the tensors need.
        expected: u64,
    },
    /// The number of values given to the builder differs from the shape given with them.
    #[error("weights: tensor `{name}` has {found} values, its shape needs {expected}")]
    ValueCount {
        /// The tensor.
        name: String,
        /// Values given.
        found: usize,
        /// Values the shape needs.
        expected: usize,
    },
    /// A weight is infinite or not a number (or too large for fp16, beyond 65504): the training
    /// diverged.
    #[error("weights: tensor `{name}`: value {value} at index {index} is not a finite fp16 number")]
    NonFinite {
        /// The tensor.
        name: String,
        /// Row-major index of the first such value.
        index: usize,
        /// The value.
        value: String,
    },
    /// The score of a slot would grow with the age of what it knows.
    #[error("weights: tensor `{name}`: value {value} at index {index} must be zero or more")]
    NegativeFading {
        /// The tensor.
        name: String,
        /// Index of the first such value.
        index: usize,
        /// The value.
        value: String,
    },
}
