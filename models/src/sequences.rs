//! Cuts token streams into training sequences and packs them into batches.

use crate::labels::{LabelRow, LabelScale, class_of};
use crate::loss::Targets;
use crate::rng::Stream;
use crate::scaler::Scaler;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;

/// A contiguous run of one instrument's tokens, ready for the encoder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Scaled features.
    pub inputs: Vec<[f32; FEATURE_COUNT]>,
    /// Standardised labels; NaN where missing.
    pub targets: Vec<[f32; HORIZON_COUNT]>,
    /// Classes; 1 where the label is missing.
    pub classes: Vec<[u8; HORIZON_COUNT]>,
}

impl Part {
    /// Scales features and labels. Labels of the last tokens must already be NaN where they
    /// would look past the part's end.
    pub fn new(
        features: &[[f64; FEATURE_COUNT]],
        labels: &[LabelRow],
        scaler: &Scaler,
        scale: &LabelScale,
    ) -> Part {
        assert_eq!(features.len(), labels.len(), "one row of labels per token");
        let target = |row: &LabelRow| std::array::from_fn(|h| (row[h] / scale.scale_bps[h]) as f32);
        let class =
            |row: &LabelRow| std::array::from_fn(|h| class_of(row[h], scale.threshold_bps[h]));
        Part {
            inputs: features.iter().map(|f| scaler.apply(f)).collect(),
            targets: labels.iter().map(target).collect(),
            classes: labels.iter().map(class).collect(),
        }
    }
}

/// Place of a block: tokens `index * length .. (index + 1) * length` of a part, before the
/// epoch's shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    /// Index of the part.
    pub part: usize,
    /// Index of the block in the part.
    pub index: usize,
}

/// Returns the blocks of `length` tokens that fit each part whatever the shift (below `length`);
/// a part of less than two lengths gives one block, one shorter than `length` none.
pub fn blocks(parts: &[Part], length: usize) -> Vec<Block> {
    let of = |(part, p): (usize, &Part)| {
        let whole = p.inputs.len() / length;
        let count = if whole <= 1 { whole } else { whole - 1 };
        (0..count).map(move |index| Block { part, index })
    };
    parts.iter().enumerate().flat_map(of).collect()
}

/// Draws as many blocks as there are, with replacement: one member's bootstrap sample.
pub fn bootstrap(blocks: &[Block], rng: &mut Stream) -> Vec<Block> {
    (0..blocks.len()).map(|_| blocks[rng.below(blocks.len())]).collect()
}

/// A batch of sequences on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// `[batch, tokens, 12]`.
    pub inputs: Tensor<B, 3>,
    /// Labels.
    pub targets: Targets<B>,
}

/// Packs the sequences that start `shift` tokens into each block. A start that would run past
/// its part's end is moved back.
pub fn batch<B: Backend>(
    parts: &[Part],
    blocks: &[Block],
    length: usize,
    shift: usize,
    device: &B::Device,
) -> Batch<B> {
    let mut inputs = Vec::with_capacity(blocks.len() * length * FEATURE_COUNT);
    let mut values = Vec::with_capacity(blocks.len() * length);
    let mut classes = Vec::with_capacity(blocks.len() * length);
    for block in blocks {
        let part = &parts[block.part];
        let start = (block.index * length + shift).min(part.inputs.len() - length);
        let range = start..start + length;
        inputs.extend(part.inputs[range.clone()].iter().flatten());
        values.extend_from_slice(&part.targets[range.clone()]);
        classes.extend_from_slice(&part.classes[range]);
    }
    let shape = [blocks.len(), length, FEATURE_COUNT];
    Batch {
        inputs: Tensor::from_data(TensorData::new::<f32, _>(inputs, shape), device),
        targets: Targets::new(&values, &classes, blocks.len(), device),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    fn part(tokens: usize) -> Part {
        Part {
            inputs: (0..tokens).map(|t| [t as f32; FEATURE_COUNT]).collect(),
            targets: vec![[0.0; HORIZON_COUNT]; tokens],
            classes: vec![[1; HORIZON_COUNT]; tokens],
        }
    }

    #[test]
    fn every_block_fits_under_every_shift() {
        for tokens in [0, 9, 10, 19, 20, 29, 30, 35, 41] {
            let parts = [part(tokens)];
            let all = blocks(&parts, 10);
            assert_eq!(all.is_empty(), tokens < 10, "{tokens}");
            for shift in 0..10 {
                if all.is_empty() {
                    continue;
                }
                let made = batch::<Flex>(&parts, &all, 10, shift, &Default::default());
                let first = made.inputs.into_data().to_vec::<f32>().unwrap();
                for (i, b) in all.iter().enumerate() {
                    let start = first[i * 10 * FEATURE_COUNT] as usize;
                    assert!(start + 10 <= tokens);
                    if tokens >= 20 {
                        assert_eq!(start, b.index * 10 + shift);
                    }
                }
            }
        }
    }

    #[test]
    fn bootstrap_leaves_out_about_a_third() {
        let all = blocks(&[part(10_010)], 10);
        let mut drawn = bootstrap(&all, &mut Stream::new(1, "test"));
        assert_eq!(drawn.len(), all.len());
        drawn.sort_unstable();
        drawn.dedup();
        let share = drawn.len() as f64 / all.len() as f64;
        // 1 - 1/e = 0.632; the deviation at a thousand blocks is about 0.01.
        assert!((share - 0.632).abs() < 0.05, "{share}");
    }
}
