//! Cuts token streams into training sequences and packs them into batches.

use crate::labels::{LabelRow, LabelScale, class_of};
use crate::loss::{LabelWeights, Targets};
use crate::rng::Stream;
use crate::scaler::Scaler;
use crate::slots::{PartSlot, SlotBatch};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;
use std::collections::BTreeMap;

/// A contiguous run of one instrument's tokens, ready for the encoder.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Part {
    /// Scaled features.
    pub inputs: Vec<[f32; FEATURE_COUNT]>,
    /// Standardised labels; NaN where missing.
    pub targets: Vec<[f32; HORIZON_COUNT]>,
    /// Classes; 1 where the label is missing.
    pub classes: Vec<[u8; HORIZON_COUNT]>,
    /// Market that the part was cut from: shifted copies of one market share this number, and
    /// the bootstrap draws them together.
    pub market: usize,
    /// What other modalities knew at each token, one a slot of the model.
    pub slots: Vec<PartSlot>,
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
            market: 0,
            slots: Vec::new(),
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

/// Draws blocks with replacement, as many stretches of time as there are: one member's bootstrap
/// sample. Shifted copies of one stretch are one draw, or every member would see nearly all.
pub fn bootstrap(parts: &[Part], blocks: &[Block], rng: &mut Stream) -> Vec<Block> {
    let mut stretches: BTreeMap<(usize, usize), Vec<Block>> = BTreeMap::new();
    for b in blocks {
        stretches.entry((parts[b.part].market, b.index)).or_default().push(*b);
    }
    let stretches: Vec<Vec<Block>> = stretches.into_values().collect();
    let draw = |_| stretches[rng.below(stretches.len())].clone();
    (0..stretches.len()).flat_map(draw).collect()
}

/// Features that change sign where buyers and sellers are exchanged.
const ODD: [bool; FEATURE_COUNT] =
    [true, false, true, true, true, true, true, true, false, false, false, true];

/// The exchange of buyers and sellers, in scaled features: odd ones become `-z - 2 mean / scale`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mirror {
    offset: [f32; FEATURE_COUNT],
}

impl Mirror {
    /// Returns the exchange for features scaled so.
    pub fn new(scaler: &Scaler) -> Mirror {
        let offset = |i| (2.0 * scaler.mean[i] / scaler.scale[i]) as f32;
        Mirror { offset: std::array::from_fn(offset) }
    }

    /// Returns the token as the mirrored market would have it.
    pub fn apply(&self, x: &[f32; FEATURE_COUNT]) -> [f32; FEATURE_COUNT] {
        std::array::from_fn(|i| if ODD[i] { -x[i] - self.offset[i] } else { x[i] })
    }
}

/// A batch of sequences on the device.
#[derive(Clone, Debug)]
pub struct Batch<B: Backend> {
    /// `[batch, tokens, 12]`.
    pub inputs: Tensor<B, 3>,
    /// What other modalities knew, one a slot; `None` where it is missing in the whole batch.
    pub slots: Vec<Option<SlotBatch<B>>>,
    /// Labels.
    pub targets: Targets<B>,
}

/// How a batch is made from its sequences.
#[derive(Clone, Copy, Debug, Default)]
pub struct BatchPlan<'a> {
    /// Tokens added to each block's start.
    pub shift: usize,
    /// What labels count; each once where missing.
    pub weights: Option<&'a LabelWeights>,
    /// Sequences shown mirrored, by a bit each; none where missing.
    pub mirrored: Option<(&'a Mirror, &'a [bool])>,
    /// Slots that are to be missing, a bit each sequence and slot, sequence by sequence; none
    /// where empty.
    pub dropped: &'a [bool],
}

/// Packs the sequences that start `shift` tokens into each block. A start that would run past
/// its part's end is moved back.
pub fn batch<B: Backend>(
    parts: &[Part],
    blocks: &[Block],
    length: usize,
    plan: BatchPlan<'_>,
    device: &B::Device,
) -> Batch<B> {
    let mut inputs = Vec::with_capacity(blocks.len() * length * FEATURE_COUNT);
    let mut values = Vec::with_capacity(blocks.len() * length);
    let mut classes = Vec::with_capacity(blocks.len() * length);
    for (i, block) in blocks.iter().enumerate() {
        let part = &parts[block.part];
        let start = start_of(part, block, length, plan.shift);
        let range = start..start + length;
        match plan.mirrored.filter(|(_, bits)| bits[i]) {
            Some((mirror, _)) => {
                inputs.extend(part.inputs[range.clone()].iter().flat_map(|x| mirror.apply(x)));
                values.extend(part.targets[range.clone()].iter().map(|y| y.map(|y| -y)));
                classes.extend(part.classes[range].iter().map(|c| c.map(|c| 2 - c)));
            }
            None => {
                inputs.extend(part.inputs[range.clone()].iter().flatten());
                values.extend_from_slice(&part.targets[range.clone()]);
                classes.extend_from_slice(&part.classes[range]);
            }
        }
    }
    let all_alike = LabelWeights::default();
    let weights = plan.weights.unwrap_or(&all_alike);
    let shape = [blocks.len(), length, FEATURE_COUNT];
    Batch {
        inputs: Tensor::from_data(TensorData::new::<f32, _>(inputs, shape), device),
        slots: slots(parts, blocks, length, plan, device),
        targets: Targets::weighted(&values, &classes, blocks.len(), weights, device),
    }
}

/// First token of a sequence.
fn start_of(part: &Part, block: &Block, length: usize, shift: usize) -> usize {
    (block.index * length + shift).min(part.inputs.len() - length)
}

fn slots<B: Backend>(
    parts: &[Part],
    blocks: &[Block],
    length: usize,
    plan: BatchPlan<'_>,
    device: &B::Device,
) -> Vec<Option<SlotBatch<B>>> {
    let count = parts.first().map_or(0, |p| p.slots.len());
    let one = |slot: usize| {
        let of = |(i, block): (usize, &Block)| {
            let part = &parts[block.part];
            let dropped = plan.dropped.get(i * count + slot).is_some_and(|d| *d);
            (!dropped).then(|| (&part.slots[slot], start_of(part, block, length, plan.shift)))
        };
        let sequences: Vec<_> = blocks.iter().enumerate().map(of).collect();
        SlotBatch::pack(parts[0].slots[slot].width(), &sequences, length, device)
    };
    (0..count).map(one).collect()
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
            market: 0,
            slots: Vec::new(),
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
                let plan = BatchPlan { shift, ..BatchPlan::default() };
                let made = batch::<Flex>(&parts, &all, 10, plan, &Default::default());
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
    fn a_mirrored_market_mirrors_back() {
        let mut scaler = Scaler { mean: [0.5; FEATURE_COUNT], scale: [2.0; FEATURE_COUNT] };
        scaler.mean[1] = 7.0;
        let raw: [f64; FEATURE_COUNT] = std::array::from_fn(|i| i as f64 - 4.0);
        let exchanged = std::array::from_fn(|i| if ODD[i] { -raw[i] } else { raw[i] });
        let mirror = Mirror::new(&scaler);
        let z = scaler.apply(&raw);
        assert_eq!(mirror.apply(&z), scaler.apply(&exchanged));
        assert_eq!(mirror.apply(&mirror.apply(&z)), z);
        let parts = [part(10)];
        let all = blocks(&parts, 10);
        let plan = BatchPlan { mirrored: Some((&mirror, &[true])), ..BatchPlan::default() };
        let made = batch::<Flex>(&parts, &all, 10, plan, &Default::default());
        let first = made.inputs.into_data().to_vec::<f32>().unwrap();
        assert_eq!(first[12 * 3..12 * 4], mirror.apply(&[3.0; FEATURE_COUNT]));
    }

    #[test]
    fn bootstrap_leaves_out_about_a_third() {
        // Two copies of one market: both or none of each stretch.
        let parts = [part(10_010), part(10_010)];
        let all = blocks(&parts, 10);
        let mut drawn = bootstrap(&parts, &all, &mut Stream::new(1, "test"));
        assert_eq!(drawn.len(), all.len());
        let of = |p| drawn.iter().filter(|b| b.part == p).map(|b| b.index).collect::<Vec<_>>();
        assert_eq!(of(0), of(1));
        drawn.sort_unstable();
        drawn.dedup();
        let share = drawn.len() as f64 / all.len() as f64;
        // 1 - 1/e = 0.632; the deviation at a thousand blocks is about 0.01.
        assert!((share - 0.632).abs() < 0.05, "{share}");
    }
}
