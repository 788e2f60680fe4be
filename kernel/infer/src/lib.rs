//! The weights file and the streaming attention encoder.
//!
//! The encoder is causal, looks back over a band of [`shape::WINDOW`] tokens and knows position
//! only as a learned bias by age. A key or value once computed therefore stays valid while it is
//! inside the band, and one new token costs one token's work. The result equals the batch forward
//! over the whole sequence with the same banded mask ([`mod@reference`]) up to rounding.
//!
//! ```text
//! Weights::from_bytes ──▶ Encoder::new ──▶ encoder.step(&mut EncoderState, features) ──▶ forecast
//!      (file, fp16)        (packed once)     (one ring of keys and values an instrument)
//!
//! SlotUpdate ──▶ encoder.know(&mut EncoderState, update); encoder.step_at(.., time)
//! ```

#![deny(unsafe_code)]
// but in `simd`, `kernels` and, with the feature `cuda`, `cuda::raw`
// The kernels index several arrays with one subscript, as their formulas do.
#![allow(clippy::needless_range_loop)]

mod cross;
pub mod cuda;
mod encoder;
mod forward;
pub mod kernels;
mod pack;
pub mod reference;
pub mod shape;
mod simd;
mod state;
pub mod weights;

pub use cross::log_age;
pub use encoder::{AttentionProbe, AttentionRow, Encoder};
pub use pack::Packing;
pub use shape::ModelShape;
pub use simd::Level;
pub use state::EncoderState;
pub use weights::{
    MemberTensors, SlotTensorSpec, TensorSpec, TrustRegion, Weights, WeightsBuilder, WeightsError,
    WeightsSpec, slot_tensor_specs, tensor_specs,
};
