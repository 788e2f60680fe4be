//! The encoder in Burn: training, evaluation and export to the weights file.

#![forbid(unsafe_code)]

pub mod attention;
pub mod encoder;
pub mod grads;
pub mod labels;
pub mod loss;
pub mod rng;
pub mod scaler;
pub mod sequences;
pub mod train;
