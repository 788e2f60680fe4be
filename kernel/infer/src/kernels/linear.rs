//! Linear layers, packed for reading once from end to end.
//!
//! A token meets every weight exactly once, so a layer costs what its bytes cost: five members
//! are 6 MB as f32 and 3 MB as bf16. Outputs stand in groups that fit the registers, inputs follow
//! one another inside a group. Each output has two sums, over even and over odd inputs in their
//! order, whatever the packing and the machine: two packings that hold the same numbers give the
//! same bits.

use super::pointwise::gelu;
use super::vector::{Chunk, HIGH, LANES, Vector};

/// Outputs of a linear layer are padded to a multiple of this.
pub const OUTPUT_BLOCK: usize = 64;

/// A packed linear layer.
pub trait Linear: Clone + std::fmt::Debug + Send + Sync {
    /// Packs a layer of `bias.len()` outputs, `side` vectors of them side by side; `weight` is
    /// row-major (out, in). The only place that allocates.
    ///
    /// Panics on a weight that is not (out, in) or that this packing does not hold exactly, and on
    /// a `side` that does not divide a block.
    fn pack(weight: &[f32], bias: &[f32], side: usize) -> Self;

    /// `y = epilogue(W x + b)`. The length of `y` is the outputs rounded up to [`OUTPUT_BLOCK`];
    /// what lies past the outputs becomes `epilogue(0)`.
    ///
    /// Panics where a length or `SIDE` is not that of the packing.
    fn apply<V: Vector, const SIDE: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        epilogue: impl Epilogue,
    );
}

/// What is done to outputs before they are stored: what waits there fills its time with the next
/// group of outputs.
pub trait Epilogue {
    /// Returns what becomes of outputs `16 chunk..16 chunk + 16`.
    fn of<V: Vector>(&self, chunk: usize, y: V) -> V;
}

/// Outputs as they are.
#[derive(Clone, Copy, Debug)]
pub struct Keep;

/// Outputs through [`gelu`].
#[derive(Clone, Copy, Debug)]
pub struct Gelu;

/// Outputs and these numbers, a residual stream, added.
#[derive(Clone, Copy, Debug)]
pub struct Plus<'a>(pub &'a [f32]);

impl Epilogue for Keep {
    #[inline(always)]
    fn of<V: Vector>(&self, _: usize, y: V) -> V {
        y
    }
}

impl Epilogue for Gelu {
    #[inline(always)]
    fn of<V: Vector>(&self, _: usize, y: V) -> V {
        gelu(y)
    }
}

impl Epilogue for Plus<'_> {
    #[inline(always)]
    fn of<V: Vector>(&self, chunk: usize, y: V) -> V {
        y.add(V::load(&self.0.as_chunks().0[chunk]))
    }
}

/// One number for each output of a vector: a cache line.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Line<T>([T; LANES]);

/// Weights as f32, for any numbers.
#[derive(Clone, Debug)]
pub struct F32Linear {
    /// (group, input, vector of the group)
    columns: Vec<Line<f32>>,
    shape: Shape,
}

/// Weights as bf16, two inputs of an output in one word: half the bytes, unpacked by a shift and
/// a mask.
#[derive(Clone, Debug)]
pub struct Bf16Linear {
    /// (group, pair of inputs, vector of the group): the first input's weight in the low half.
    pairs: Vec<Line<u32>>,
    shape: Shape,
}

/// What both packings have beside their weights.
#[derive(Clone, Debug)]
struct Shape {
    /// (vector of outputs,)
    bias: Vec<Line<f32>>,
    inputs: usize,
    /// Vectors in a group.
    side: usize,
}

impl Shape {
    fn new(weight: &[f32], bias: &[f32], side: usize) -> Shape {
        let inputs = inputs_of(weight, bias);
        let divides = side > 0 && (OUTPUT_BLOCK / LANES).is_multiple_of(side);
        assert!(divides, "Condition failed: a side that divides a block of outputs");
        let bias = padded_biases(bias);
        let lines = bias.as_flattened().as_chunks().0.iter().map(|b| Line(*b));
        Shape { bias: lines.collect(), inputs, side }
    }

    /// Returns the place of the weight of `step`, of so many, of the vector that holds `output`.
    fn place(&self, output: usize, step: usize, steps: usize) -> usize {
        let (group, vector) = (output / LANES / self.side, output / LANES % self.side);
        (group * steps + step) * self.side + vector
    }

    /// Panics unless the buffers and `SIDE` are the layer's.
    #[inline(always)]
    fn check<const SIDE: usize>(&self, x: &[f32], y: &[f32]) {
        let fits = x.len() == self.inputs && y.len() == self.bias.len() * LANES;
        assert!(fits && self.side == SIDE, "Invariant: buffers have the layer's shape");
    }
}

impl Bf16Linear {
    /// Returns whether this packing holds `weight` exactly.
    pub fn holds(weight: f32) -> bool {
        weight.to_bits() & !HIGH == 0
    }
}

impl Linear for F32Linear {
    fn pack(weight: &[f32], bias: &[f32], side: usize) -> F32Linear {
        let shape = Shape::new(weight, bias, side);
        let inputs = shape.inputs;
        let mut columns = vec![Line([0.0; LANES]); shape.bias.len() * inputs];
        for (o, row) in weight.chunks_exact(inputs).enumerate() {
            for (i, &w) in row.iter().enumerate() {
                columns[shape.place(o, i, inputs)].0[o % LANES] = w;
            }
        }
        F32Linear { columns, shape }
    }

    #[inline(always)]
    fn apply<V: Vector, const SIDE: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        epilogue: impl Epilogue,
    ) {
        self.shape.check::<SIDE>(x, y);
        let groups = y.as_chunks_mut().0.as_chunks_mut::<SIDE>().0.iter_mut().enumerate();
        let biases = self.shape.bias.as_chunks::<SIDE>().0;
        let columns = self.columns.as_chunks::<SIDE>().0.chunks_exact(self.shape.inputs);
        let (xs, x_last) = x.as_chunks::<2>();
        for (((group, y), bias), columns) in groups.zip(biases).zip(columns) {
            let mut sums = Sums::<V, SIDE>::new(bias);
            let (pairs, last) = columns.as_chunks::<2>();
            for (x, [even, odd]) in xs.iter().zip(pairs) {
                sums.add(x, |i| (V::load(&even[i].0), V::load(&odd[i].0)));
            }
            for (x, column) in x_last.iter().zip(last) {
                sums.add(&[*x, 0.0], |i| (V::load(&column[i].0), V::splat(0.0)));
            }
            sums.store(y, group, &epilogue);
        }
    }
}

impl Linear for Bf16Linear {
    fn pack(weight: &[f32], bias: &[f32], side: usize) -> Bf16Linear {
        let shape = Shape::new(weight, bias, side);
        let (inputs, steps) = (shape.inputs, shape.inputs / 2);
        let exact = inputs.is_multiple_of(2) && weight.iter().all(|&w| Bf16Linear::holds(w));
        assert!(exact, "Condition failed: bf16 weights of an even number of inputs");
        let mut pairs = vec![Line([0; LANES]); shape.bias.len() * steps];
        for (o, row) in weight.chunks_exact(inputs).enumerate() {
            for (step, pair) in row.as_chunks::<2>().0.iter().enumerate() {
                let word = pair[0].to_bits() >> 16 | pair[1].to_bits();
                pairs[shape.place(o, step, steps)].0[o % LANES] = word;
            }
        }
        Bf16Linear { pairs, shape }
    }

    #[inline(always)]
    fn apply<V: Vector, const SIDE: usize>(
        &self,
        x: &[f32],
        y: &mut [f32],
        epilogue: impl Epilogue,
    ) {
        self.shape.check::<SIDE>(x, y);
        let groups = y.as_chunks_mut().0.as_chunks_mut::<SIDE>().0.iter_mut().enumerate();
        let biases = self.shape.bias.as_chunks::<SIDE>().0;
        let (x, _) = x.as_chunks::<2>();
        let pairs = self.pairs.as_chunks::<SIDE>().0.chunks_exact(x.len());
        for (((group, y), bias), pairs) in groups.zip(biases).zip(pairs) {
            let mut sums = Sums::<V, SIDE>::new(bias);
            for (x, words) in x.iter().zip(pairs) {
                sums.add(x, |i| V::halves(&words[i].0));
            }
            sums.store(y, group, &epilogue);
        }
    }
}

/// Sums of a group of outputs in registers, over even and over odd inputs: a machine that starts
/// one product a cycle and takes four for it needs eight sums that do not wait for each other.
struct Sums<V, const SIDE: usize> {
    even: [V; SIDE],
    odd: [V; SIDE],
}

// No `map` and no `from_fn` here: their closures may stay calls, compiled for lesser instructions.
impl<V: Vector, const SIDE: usize> Sums<V, SIDE> {
    #[inline(always)]
    fn new(bias: &[Line<f32>; SIDE]) -> Sums<V, SIDE> {
        let mut even = [V::splat(0.0); SIDE];
        for i in 0..SIDE {
            even[i] = V::load(&bias[i].0);
        }
        Sums { even, odd: [V::splat(0.0); SIDE] }
    }

    #[inline(always)]
    fn add(&mut self, x: &[f32; 2], weights: impl Fn(usize) -> (V, V)) {
        let x = [V::splat(x[0]), V::splat(x[1])];
        for i in 0..SIDE {
            let (even, odd) = weights(i);
            self.even[i] = even.mul_add(x[0], self.even[i]);
            self.odd[i] = odd.mul_add(x[1], self.odd[i]);
        }
    }

    #[inline(always)]
    fn store(self, y: &mut [Chunk; SIDE], group: usize, epilogue: &impl Epilogue) {
        for i in 0..SIDE {
            let sum = self.even[i].add(self.odd[i]);
            epilogue.of(group * SIDE + i, sum).store(&mut y[i]);
        }
    }
}

pub(super) fn inputs_of(weight: &[f32], bias: &[f32]) -> usize {
    let outputs = bias.len();
    assert!(outputs > 0 && weight.len().is_multiple_of(outputs), "Condition failed: (out, in)");
    weight.len() / outputs
}

/// Returns biases by block of outputs, zeros behind the last.
pub(super) fn padded_biases(bias: &[f32]) -> Vec<[f32; OUTPUT_BLOCK]> {
    let padded = |chunk: &[f32]| std::array::from_fn(|i| chunk.get(i).copied().unwrap_or(0.0));
    bias.chunks(OUTPUT_BLOCK).map(padded).collect()
}
