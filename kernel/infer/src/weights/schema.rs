//! Names and shapes of the tensors of one model.

use crate::shape::{D_MODEL, FF, HEADS, LAYERS, OUTPUTS, WINDOW};
use ijk_core::features::FEATURE_COUNT;

/// Tensors of one block: name after `m{m}.l{l}.`, shape (row-major; out, in).
const BLOCK_TENSORS: [(&str, &[usize]); 13] = [
    ("norm1.weight", &[D_MODEL]),
    ("norm1.bias", &[D_MODEL]),
    ("attn.qkv.weight", &[3 * D_MODEL, D_MODEL]),
    ("attn.qkv.bias", &[3 * D_MODEL]),
    ("attn.age_bias", &[HEADS, WINDOW]),
    ("attn.out.weight", &[D_MODEL, D_MODEL]),
    ("attn.out.bias", &[D_MODEL]),
    ("norm2.weight", &[D_MODEL]),
    ("norm2.bias", &[D_MODEL]),
    ("ff1.weight", &[FF, D_MODEL]),
    ("ff1.bias", &[FF]),
    ("ff2.weight", &[D_MODEL, FF]),
    ("ff2.bias", &[D_MODEL]),
];

/// Tensors of one member outside its blocks: name after `m{m}.`, shape.
const OUTER_TENSORS: [(&str, &[usize]); 6] = [
    ("input.weight", &[D_MODEL, FEATURE_COUNT]),
    ("input.bias", &[D_MODEL]),
    ("norm_f.weight", &[D_MODEL]),
    ("norm_f.bias", &[D_MODEL]),
    ("head.weight", &[OUTPUTS, D_MODEL]),
    ("head.bias", &[OUTPUTS]),
];

/// One tensor that a weights file must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TensorSpec {
    /// Full name in the file, for example `m0.l3.attn.qkv.weight`.
    pub name: String,
    /// Ensemble member it belongs to.
    pub member: usize,
    /// Name inside the member, for example `l3.attn.qkv.weight`.
    pub local: String,
    /// Shape, row-major (out, in).
    pub shape: &'static [usize],
}

impl TensorSpec {
    /// Returns the number of values.
    pub fn value_count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Returns every tensor of a file with `members` members, sorted by full name: the order in which
/// they lie in the file.
pub fn tensor_specs(members: usize) -> Vec<TensorSpec> {
    let mut specs = Vec::with_capacity(members * (6 + 13 * LAYERS));
    for member in 0..members {
        let mut add = |local: String, shape| {
            specs.push(TensorSpec { name: format!("m{member}.{local}"), member, local, shape });
        };
        for (local, shape) in OUTER_TENSORS {
            add(local.to_owned(), shape);
        }
        for layer in 0..LAYERS {
            for (local, shape) in BLOCK_TENSORS {
                add(format!("l{layer}.{local}"), shape);
            }
        }
    }
    specs.sort();
    specs
}
