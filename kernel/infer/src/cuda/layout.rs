//! How one member's weights lie on the device: fp16, one run of memory a member, matrices packed
//! so that neighbouring threads read neighbouring words.
//!
//! A matrix (out, in) is stored as (in / 8, out, 8): a thread that computes one output reads 16
//! bytes, eight inputs, and the thread beside it the 16 bytes beside them.

use super::device::DeviceError;
use crate::shape::{D_MODEL, FF, HEADS, LAYERS, OUTPUTS, WINDOW};
use crate::weights::{MemberTensors, Weights};
use half::f16;
use ijk_core::features::FEATURE_COUNT;

/// Inputs that one load brings.
pub const PACK: usize = 8;
/// Features of a token, padded with zeros to whole loads.
pub const FEATURES_PADDED: usize = FEATURE_COUNT.next_multiple_of(PACK);
/// Rows of the head, padded with zeros to a warp.
pub const OUTPUTS_PADDED: usize = OUTPUTS.next_multiple_of(32);
/// Bytes of one fp16 value.
pub const HALF_BYTES: usize = 2;
/// Every member begins at a multiple of this many bytes.
pub const MEMBER_ALIGN_BYTES: usize = 256;

/// One tensor of a member on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// Name in the weights file, without member and layer.
    pub tensor: &'static str,
    /// Name of its offset in the kernel's source.
    pub symbol: &'static str,
    /// Values, padding included.
    pub len: usize,
    /// Matrix: outputs of the file, inputs of the file, padded outputs. `None`: a plain run.
    matrix: Option<(usize, usize, usize)>,
}

const fn run(tensor: &'static str, symbol: &'static str, len: usize) -> Section {
    Section { tensor, symbol, len, matrix: None }
}

const fn matrix(
    tensor: &'static str,
    symbol: &'static str,
    (out, inputs): (usize, usize),
    out_padded: usize,
) -> Section {
    let len = inputs.next_multiple_of(PACK) * out_padded;
    Section { tensor, symbol, len, matrix: Some((out, inputs, out_padded)) }
}

/// Sections before the blocks.
pub const FIRST: [Section; 2] = [
    matrix("input.weight", "INPUT_WEIGHT", (D_MODEL, FEATURE_COUNT), D_MODEL),
    run("input.bias", "INPUT_BIAS", D_MODEL),
];
/// Sections of one block, in the order in which a token meets them.
pub const BLOCK: [Section; 13] = [
    run("norm1.weight", "NORM1_WEIGHT", D_MODEL),
    run("norm1.bias", "NORM1_BIAS", D_MODEL),
    matrix("attn.qkv.weight", "QKV_WEIGHT", (3 * D_MODEL, D_MODEL), 3 * D_MODEL),
    run("attn.qkv.bias", "QKV_BIAS", 3 * D_MODEL),
    run("attn.age_bias", "AGE_BIAS", HEADS * WINDOW),
    matrix("attn.out.weight", "OUT_WEIGHT", (D_MODEL, D_MODEL), D_MODEL),
    run("attn.out.bias", "OUT_BIAS", D_MODEL),
    run("norm2.weight", "NORM2_WEIGHT", D_MODEL),
    run("norm2.bias", "NORM2_BIAS", D_MODEL),
    matrix("ff1.weight", "FF1_WEIGHT", (FF, D_MODEL), FF),
    run("ff1.bias", "FF1_BIAS", FF),
    matrix("ff2.weight", "FF2_WEIGHT", (D_MODEL, FF), D_MODEL),
    run("ff2.bias", "FF2_BIAS", D_MODEL),
];
/// Sections after the blocks.
pub const LAST: [Section; 4] = [
    run("norm_f.weight", "NORM_F_WEIGHT", D_MODEL),
    run("norm_f.bias", "NORM_F_BIAS", D_MODEL),
    matrix("head.weight", "HEAD_WEIGHT", (OUTPUTS, D_MODEL), OUTPUTS_PADDED),
    run("head.bias", "HEAD_BIAS", OUTPUTS_PADDED),
];

const fn total(sections: &[Section]) -> usize {
    let (mut sum, mut i) = (0, 0);
    while i < sections.len() {
        // 16-byte loads begin at multiples of 16 bytes.
        assert!(sections[i].len.is_multiple_of(PACK));
        sum += sections[i].len;
        i += 1;
    }
    sum
}

/// Values of the sections before the blocks.
pub const FIRST_VALUES: usize = total(&FIRST);
/// Values of one block.
pub const BLOCK_VALUES: usize = total(&BLOCK);
/// Values of one member, padded to [`MEMBER_ALIGN_BYTES`].
pub const MEMBER_VALUES: usize = (FIRST_VALUES + LAYERS * BLOCK_VALUES + total(&LAST))
    .next_multiple_of(MEMBER_ALIGN_BYTES / HALF_BYTES);
/// Bytes of one member.
pub const MEMBER_BYTES: usize = MEMBER_VALUES * HALF_BYTES;

/// Every section of a member in order: name in the weights file and the section.
pub fn sections() -> impl Iterator<Item = (String, Section)> {
    let outer = |s: Section| (s.tensor.to_owned(), s);
    let blocks =
        (0..LAYERS).flat_map(|l| BLOCK.into_iter().map(move |s| (format!("l{l}.{}", s.tensor), s)));
    FIRST.into_iter().map(outer).chain(blocks).chain(LAST.into_iter().map(outer))
}

/// Checks that the device's kernel computes all there is in a model.
///
/// # Errors
/// [`DeviceError::Unsupported`] for weights with slots: the kernel has no attention to them.
pub fn check(weights: &Weights) -> Result<(), DeviceError> {
    let has_slots = weights.members().iter().any(|m| m.tensor("cross.norm.weight").is_some());
    if has_slots { Err(DeviceError::Unsupported("slots".into())) } else { Ok(()) }
}

/// Returns all members as the device reads them: fp16 bits, [`MEMBER_VALUES`] a member.
pub fn pack(weights: &Weights) -> Vec<u16> {
    let mut packed = Vec::with_capacity(weights.members().len() * MEMBER_VALUES);
    for (m, member) in weights.members().iter().enumerate() {
        for (name, section) in sections() {
            pack_section(member, &name, section, &mut packed);
        }
        packed.resize((m + 1) * MEMBER_VALUES, 0);
    }
    packed
}

fn pack_section(member: &MemberTensors, name: &str, section: Section, packed: &mut Vec<u16>) {
    let values = member.tensor(name).unwrap_or_default();
    let begin = packed.len();
    packed.resize(begin + section.len, 0);
    let to = &mut packed[begin..];
    match section.matrix {
        None => to.iter_mut().zip(values).for_each(|(to, v)| *to = f16::to_bits(*v)),
        Some((_, inputs, out_padded)) => {
            for (o, row) in values.chunks_exact(inputs).enumerate() {
                for (i, v) in row.iter().enumerate() {
                    to[packed_index(i, o, out_padded)] = v.to_bits();
                }
            }
        }
    }
}

/// Returns where the weight from input `i` to output `o` lies in a packed matrix.
pub const fn packed_index(i: usize, o: usize, out_padded: usize) -> usize {
    (i / PACK * out_padded + o) * PACK + i % PACK
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shape::ModelShape;
    use crate::weights::{WeightsBuilder, WeightsSpec, tensor_specs};

    fn numbered(members: usize) -> Weights {
        let mut builder = WeightsBuilder::new(WeightsSpec::new(members));
        for (n, spec) in tensor_specs(members).into_iter().enumerate() {
            let value = |i: usize| ((i * 31 + n * 7) % 2039) as f32 + 1.0;
            let values: Vec<f32> = (0..spec.value_count()).map(value).collect();
            builder = builder.tensor(&spec.name, spec.shape, &values);
        }
        builder.finish().unwrap()
    }

    /// Every value of the file lies at the place the kernel's formula reads, every other is zero.
    #[test]
    fn every_weight_lies_where_the_kernel_reads_it() {
        let weights = numbered(3);
        let packed = pack(&weights);
        assert_eq!(packed.len(), 3 * MEMBER_VALUES);
        let mut seen = 0;
        for (m, member) in weights.members().iter().enumerate() {
            let mut offset = m * MEMBER_VALUES;
            for (name, section) in sections() {
                let values = member.tensor(&name).expect("the file has this tensor");
                let place = |n: usize| match section.matrix {
                    None => n,
                    Some((_, inputs, out)) => packed_index(n % inputs, n / inputs, out),
                };
                for (n, value) in values.iter().enumerate() {
                    assert_eq!(packed[offset + place(n)], value.to_bits(), "{name} {n}");
                }
                seen += values.len();
                offset += section.len;
            }
        }
        assert_eq!(seen, 3 * ModelShape::parameters_per_member());
        assert_eq!(packed.iter().filter(|&&v| v != 0).count(), seen, "padding is zero");
    }

    #[test]
    fn packing_a_matrix_loses_no_place() {
        for (inputs, out) in [(16, 64), (64, 192), (64, 64), (64, 256), (256, 64), (64, 32)] {
            let mut hit = vec![false; inputs * out];
            for i in 0..inputs {
                for o in 0..out {
                    assert!(!std::mem::replace(&mut hit[packed_index(i, o, out)], true));
                }
            }
            assert!(hit.into_iter().all(|h| h));
        }
    }
}
