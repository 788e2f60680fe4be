//! Linear layers, packed for reading once from end to end.
//!
//! A token meets every weight exactly once, so a layer costs what its bytes cost: five members
//! are 6 MB as f32 and 3 MB as bf16. Outputs stand in blocks that fit the registers, inputs follow
//! one another inside a block, and each output is summed over the inputs in their order, whatever
//! the packing: two packings that hold the same numbers give the same bits.

/// Outputs of a linear layer are padded to a multiple of this.
pub const OUTPUT_BLOCK: usize = 64;

/// A packed linear layer.
pub trait Linear: Clone + std::fmt::Debug + Send + Sync {
    /// Packs a layer of `bias.len()` outputs; `weight` is row-major (out, in). The only place that
    /// allocates.
    ///
    /// Panics on a weight that is not (out, in) or that this packing does not hold exactly.
    fn pack(weight: &[f32], bias: &[f32]) -> Self;

    /// `y = W x + b`. The length of `y` is the outputs rounded up to [`OUTPUT_BLOCK`]; what lies
    /// past the outputs becomes zero.
    fn apply(&self, x: &[f32], y: &mut [f32]);
}

/// Weights as f32, for any numbers.
#[derive(Clone, Debug)]
pub struct F32Linear {
    /// (block, input) -> weights of the block's outputs.
    columns: Vec<[f32; OUTPUT_BLOCK]>,
    /// (block,) -> biases of the block's outputs.
    bias: Vec<[f32; OUTPUT_BLOCK]>,
    inputs: usize,
}

/// Weights as bf16, two inputs of an output in one word: half the bytes, unpacked by a shift and
/// a mask.
#[derive(Clone, Debug)]
pub struct Bf16Linear {
    /// (block, pair of inputs) -> for each output the first input's weight in the low half.
    pairs: Vec<[u32; OUTPUT_BLOCK]>,
    /// (block,) -> biases of the block's outputs, f32.
    bias: Vec<[f32; OUTPUT_BLOCK]>,
    inputs: usize,
}

/// The upper half of an f32, which is a bf16.
const HIGH: u32 = 0xffff_0000;

impl Bf16Linear {
    /// Returns whether this packing holds `weight` exactly.
    pub fn holds(weight: f32) -> bool {
        weight.to_bits() & !HIGH == 0
    }
}

impl Linear for F32Linear {
    fn pack(weight: &[f32], bias: &[f32]) -> F32Linear {
        let inputs = inputs_of(weight, bias);
        let blocks = bias.len().div_ceil(OUTPUT_BLOCK);
        let mut columns = vec![[0.0; OUTPUT_BLOCK]; blocks * inputs];
        for (o, row) in weight.chunks_exact(inputs).enumerate() {
            for (i, &w) in row.iter().enumerate() {
                columns[o / OUTPUT_BLOCK * inputs + i][o % OUTPUT_BLOCK] = w;
            }
        }
        F32Linear { columns, bias: blocks_of(bias), inputs }
    }

    #[inline(always)]
    fn apply(&self, x: &[f32], y: &mut [f32]) {
        let (y, rest) = y.as_chunks_mut::<OUTPUT_BLOCK>();
        let fits = x.len() == self.inputs && y.len() == self.bias.len() && rest.is_empty();
        assert!(fits, "Invariant: buffers have the layer's shape");
        let blocks = self.columns.chunks_exact(self.inputs);
        for ((y, bias), columns) in y.iter_mut().zip(&self.bias).zip(blocks) {
            let mut sum = *bias;
            for (&x, column) in x.iter().zip(columns) {
                for (sum, w) in sum.iter_mut().zip(column) {
                    *sum = w.mul_add(x, *sum);
                }
            }
            *y = sum;
        }
    }
}

impl Linear for Bf16Linear {
    fn pack(weight: &[f32], bias: &[f32]) -> Bf16Linear {
        let inputs = inputs_of(weight, bias);
        let exact = inputs.is_multiple_of(2) && weight.iter().all(|&w| Bf16Linear::holds(w));
        assert!(exact, "Condition failed: bf16 weights of an even number of inputs");
        let blocks = bias.len().div_ceil(OUTPUT_BLOCK);
        let mut pairs = vec![[0; OUTPUT_BLOCK]; blocks * inputs / 2];
        for (o, row) in weight.chunks_exact(inputs).enumerate() {
            for (i, pair) in row.as_chunks::<2>().0.iter().enumerate() {
                let word = pair[0].to_bits() >> 16 | pair[1].to_bits();
                pairs[o / OUTPUT_BLOCK * inputs / 2 + i][o % OUTPUT_BLOCK] = word;
            }
        }
        Bf16Linear { pairs, bias: blocks_of(bias), inputs }
    }

    #[inline(always)]
    fn apply(&self, x: &[f32], y: &mut [f32]) {
        let (y, rest) = y.as_chunks_mut::<OUTPUT_BLOCK>();
        let fits = x.len() == self.inputs && y.len() == self.bias.len() && rest.is_empty();
        assert!(fits, "Invariant: buffers have the layer's shape");
        let (x, _) = x.as_chunks::<2>();
        let blocks = self.pairs.chunks_exact(x.len());
        for ((y, bias), pairs) in y.iter_mut().zip(&self.bias).zip(blocks) {
            let mut sum = *bias;
            for (x, pair) in x.iter().zip(pairs) {
                // Two loops: with sixteen registers one loop over both halves spills its sums.
                for (sum, word) in sum.iter_mut().zip(pair) {
                    *sum = f32::from_bits(word << 16).mul_add(x[0], *sum);
                }
                for (sum, word) in sum.iter_mut().zip(pair) {
                    *sum = f32::from_bits(word & HIGH).mul_add(x[1], *sum);
                }
            }
            *y = sum;
        }
    }
}

pub(super) fn inputs_of(weight: &[f32], bias: &[f32]) -> usize {
    let outputs = bias.len();
    assert!(outputs > 0 && weight.len().is_multiple_of(outputs), "Condition failed: (out, in)");
    weight.len() / outputs
}

pub(super) fn blocks_of(bias: &[f32]) -> Vec<[f32; OUTPUT_BLOCK]> {
    let padded = |chunk: &[f32]| std::array::from_fn(|i| chunk.get(i).copied().unwrap_or(0.0));
    bias.chunks(OUTPUT_BLOCK).map(padded).collect()
}
