//! Banded causal attention with a bias by head and age, forward and backward.
//!
//! Sixteen queries stand abreast: at age `a` they meet sixteen neighbouring keys, so that every
//! step of scores, softmax and mixing is the same instruction on sixteen tokens, no number outside
//! the band is computed but in a sequence's first window, and no sum runs across a vector.

use super::lanes::{LANES, Lane, add_product, exp, total, widest};

/// Widths of one head that there is code for.
pub const WIDTHS: [usize; 2] = [8, 16];

/// Sizes of one call; queries, keys and values are `[batch, tokens, heads * width]`.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// Sequences.
    pub batch: usize,
    /// Tokens of one sequence.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Numbers of one head.
    pub width: usize,
    /// Tokens one query sees, itself included.
    pub window: usize,
}

impl Sizes {
    /// Groups of sixteen queries that cover a sequence.
    fn tiles(&self) -> usize {
        self.tokens.div_ceil(LANES)
    }

    /// Numbers of one row of a transposed head: a window before the first token, then the tiles.
    fn stride(&self) -> usize {
        self.window + self.tiles() * LANES
    }

    fn scale(&self) -> f32 {
        (self.width as f32).sqrt().recip()
    }
}

/// Returns the mixed values, and, where asked for, the softmax weights for [`backward`]:
/// `[batch, heads, tiles, window]` vectors by age.
pub fn forward(sizes: Sizes, qkv: [&[f32]; 3], bias: &[f32], keep: bool) -> (Vec<f32>, Vec<f32>) {
    widest(
        #[inline(always)]
        || match sizes.width {
            8 => forward_of::<8>(sizes, qkv, bias, keep),
            _ => forward_of::<16>(sizes, qkv, bias, keep),
        },
    )
}

/// Returns the gradients of queries, keys, values and biases from that of the mixed values.
pub fn backward(
    sizes: Sizes,
    qkv: [&[f32]; 3],
    weights: &[f32],
    upstream: &[f32],
) -> [Vec<f32>; 4] {
    widest(
        #[inline(always)]
        || match sizes.width {
            8 => backward_of::<8>(sizes, qkv, weights, upstream),
            _ => backward_of::<16>(sizes, qkv, weights, upstream),
        },
    )
}

/// One head of one sequence, a row per number of the head and a column per token behind
/// `window` zeros.
struct Head<const W: usize> {
    rows: Vec<f32>,
    stride: usize,
}

impl<const W: usize> Head<W> {
    fn new(sizes: &Sizes) -> Self {
        Head { rows: vec![0.0; W * sizes.stride()], stride: sizes.stride() }
    }

    #[inline(always)]
    fn fill(&mut self, sizes: &Sizes, from: &[f32], sequence: usize, head: usize, gain: f32) {
        let d = sizes.heads * W;
        let rows = &from[sequence * sizes.tokens * d..][..sizes.tokens * d];
        for (w, row) in self.rows.chunks_exact_mut(self.stride).enumerate() {
            let column = rows.iter().skip(head * W + w).step_by(d);
            for (to, from) in row[sizes.window..].iter_mut().zip(column) {
                *to = gain * from;
            }
        }
    }

    /// Adds the columns of the tokens to a tensor.
    #[inline(always)]
    fn spill(&self, sizes: &Sizes, to: &mut [f32], sequence: usize, head: usize, gain: f32) {
        let d = sizes.heads * W;
        let rows = &mut to[sequence * sizes.tokens * d..][..sizes.tokens * d];
        for (w, row) in self.rows.chunks_exact(self.stride).enumerate() {
            let column = rows.iter_mut().skip(head * W + w).step_by(d);
            for (to, from) in column.zip(&row[sizes.window..]) {
                *to = gain * from;
            }
        }
    }

    /// The sixteen columns from `at` on, of every row.
    #[inline(always)]
    fn lanes(&self, at: usize) -> [&Lane; W] {
        std::array::from_fn(|w| lane(&self.rows[w * self.stride + at..]))
    }

    #[inline(always)]
    fn lanes_mut(&mut self, w: usize, at: usize) -> &mut Lane {
        lane_mut(&mut self.rows[w * self.stride + at..])
    }
}

const NONE: &Lane = &[0.0; LANES];

#[inline(always)]
fn lane(from: &[f32]) -> &Lane {
    from.first_chunk().unwrap_or(NONE)
}

#[inline(always)]
fn lane_mut(from: &mut [f32]) -> &mut Lane {
    match from.first_chunk_mut() {
        Some(lane) => lane,
        // Rows end on whole vectors.
        None => unreachable!("a row is shorter than its stride"),
    }
}

#[inline(always)]
fn forward_of<const W: usize>(
    s: Sizes,
    [q, k, v]: [&[f32]; 3],
    bias: &[f32],
    keep: bool,
) -> (Vec<f32>, Vec<f32>) {
    let mut out = vec![0.0; q.len()];
    let per_tile = s.window * LANES;
    let per_head = s.tiles() * per_tile;
    let mut kept = vec![0.0; if keep { s.batch * s.heads * per_head } else { 0 }];
    let mut tile = vec![0.0; per_tile];
    let [mut qt, mut kt, mut vt, mut ot] = std::array::from_fn(|_| Head::<W>::new(&s));
    for sequence in 0..s.batch {
        for head in 0..s.heads {
            qt.fill(&s, q, sequence, head, s.scale());
            kt.fill(&s, k, sequence, head, 1.0);
            vt.fill(&s, v, sequence, head, 1.0);
            let bias = &bias[head * s.window..][..s.window];
            for t in 0..s.tiles() {
                let first = t * LANES;
                let weights = match keep {
                    false => &mut tile[..],
                    true => {
                        let at = (sequence * s.heads + head) * per_head + t * per_tile;
                        &mut kept[at..][..per_tile]
                    }
                };
                let (weights, _) = weights.as_chunks_mut::<LANES>();
                softmax(qt.lanes(s.window + first), &kt, bias, first, weights);
                let mut mixed = [[0.0; LANES]; W];
                for (age, p) in weights.iter().enumerate() {
                    let values = vt.lanes(s.window + first - age);
                    for (mixed, v) in mixed.iter_mut().zip(values) {
                        add_product(mixed, p, v);
                    }
                }
                for (w, mixed) in mixed.iter().enumerate() {
                    *ot.lanes_mut(w, s.window + first) = *mixed;
                }
            }
            ot.spill(&s, &mut out, sequence, head, 1.0);
        }
    }
    (out, kept)
}

/// Writes the weights that sixteen queries from token `first` on give to every age.
#[inline(always)]
fn softmax<const W: usize>(
    queries: [&Lane; W],
    keys: &Head<W>,
    bias: &[f32],
    first: usize,
    weights: &mut [Lane],
) {
    let window = bias.len();
    let mut highest = [f32::MIN; LANES];
    for (age, (scores, bias)) in weights.iter_mut().zip(bias).enumerate() {
        let met = keys.lanes(window + first - age);
        *scores = [*bias; LANES];
        for (q, k) in queries.iter().zip(met) {
            add_product(scores, q, k);
        }
        // Before the sequence's start there is nothing to meet.
        for (_, score) in (first..age).zip(scores.iter_mut()) {
            *score = f32::MIN;
        }
        for (high, score) in highest.iter_mut().zip(&*scores) {
            *high = high.max(*score);
        }
    }
    let mut sum = [0.0; LANES];
    for (age, scores) in weights.iter_mut().enumerate() {
        for (score, high) in scores.iter_mut().zip(&highest) {
            *score = exp(*score - high);
        }
        for (_, score) in (first..age).zip(scores.iter_mut()) {
            *score = 0.0;
        }
        for (sum, score) in sum.iter_mut().zip(&*scores) {
            *sum += score;
        }
    }
    let inverse = sum.map(f32::recip);
    for scores in weights {
        for (score, inverse) in scores.iter_mut().zip(&inverse) {
            *score *= inverse;
        }
    }
}

#[inline(always)]
fn backward_of<const W: usize>(
    s: Sizes,
    [q, k, v]: [&[f32]; 3],
    weights: &[f32],
    upstream: &[f32],
) -> [Vec<f32>; 4] {
    let [mut of_q, mut of_k, mut of_v] = std::array::from_fn(|_| vec![0.0; q.len()]);
    let mut of_bias = vec![[0.0; LANES]; s.heads * s.window];
    let per_tile = s.window * LANES;
    let [mut qt, mut kt, mut vt, mut ut] = std::array::from_fn(|_| Head::<W>::new(&s));
    let mut grad_q = Head::<W>::new(&s);
    let mut tiles = weights.chunks_exact(per_tile);
    for sequence in 0..s.batch {
        for head in 0..s.heads {
            qt.fill(&s, q, sequence, head, s.scale());
            kt.fill(&s, k, sequence, head, 1.0);
            vt.fill(&s, v, sequence, head, 1.0);
            ut.fill(&s, upstream, sequence, head, 1.0);
            let (mut grad_k, mut grad_v) = (Head::<W>::new(&s), Head::<W>::new(&s));
            let of_bias = &mut of_bias[head * s.window..][..s.window];
            for (t, tile) in tiles.by_ref().take(s.tiles()).enumerate() {
                let at = s.window + t * LANES;
                let (tile, _) = tile.as_chunks::<LANES>();
                let inputs = [&qt, &kt, &vt, &ut];
                let grad = backward_tile(inputs, tile, at, &mut grad_k, &mut grad_v, of_bias);
                for (w, grad) in grad.iter().enumerate() {
                    *grad_q.lanes_mut(w, at) = *grad;
                }
            }
            grad_q.spill(&s, &mut of_q, sequence, head, s.scale());
            grad_k.spill(&s, &mut of_k, sequence, head, 1.0);
            grad_v.spill(&s, &mut of_v, sequence, head, 1.0);
        }
    }
    [of_q, of_k, of_v, of_bias.iter().map(total).collect()]
}

/// Adds what sixteen queries at column `at` say of keys, values and biases; returns the gradient
/// of the scaled queries.
#[inline(always)]
fn backward_tile<const W: usize>(
    [qt, kt, vt, ut]: [&Head<W>; 4],
    weights: &[Lane],
    at: usize,
    grad_k: &mut Head<W>,
    grad_v: &mut Head<W>,
    of_bias: &mut [Lane],
) -> [Lane; W] {
    let (queries, upstream) = (qt.lanes(at), ut.lanes(at));
    // The softmax takes away the mean of what its weights were told.
    let mut mean = [0.0; LANES];
    for (age, p) in weights.iter().enumerate() {
        let told = dot(upstream, vt.lanes(at - age));
        add_product(&mut mean, p, &told);
    }
    let mut of_q = [[0.0; LANES]; W];
    for (age, (p, of_bias)) in weights.iter().zip(of_bias).enumerate() {
        let mut score = dot(upstream, vt.lanes(at - age));
        for ((score, mean), p) in score.iter_mut().zip(&mean).zip(p) {
            *score = p * (*score - mean);
        }
        for (sum, score) in of_bias.iter_mut().zip(&score) {
            *sum += score;
        }
        for (of_q, k) in of_q.iter_mut().zip(kt.lanes(at - age)) {
            add_product(of_q, &score, k);
        }
        for w in 0..W {
            add_product(grad_k.lanes_mut(w, at - age), &score, queries[w]);
            add_product(grad_v.lanes_mut(w, at - age), p, upstream[w]);
        }
    }
    of_q
}

/// The scalar product of every lane.
#[inline(always)]
fn dot<const W: usize>(a: [&Lane; W], b: [&Lane; W]) -> Lane {
    let mut sum = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        add_product(&mut sum, a, b);
    }
    sum
}
