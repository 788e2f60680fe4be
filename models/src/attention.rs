//! Banded causal attention over whole sequences.
//!
//! A token sees itself and the `window - 1` tokens before it. Sequences are cut into chunks of
//! `window` tokens: the queries of a chunk meet the keys of their own and of the previous chunk,
//! which covers the band exactly and costs `2 * window` scores a token instead of the sequence's
//! length.

use crate::fused;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor, TensorData};

/// Score added outside the band: its exponential is exactly zero in f32.
const OUTSIDE: f32 = -1.0e9;

/// The geometry of the band for sequences of `chunks * window` tokens, made once per shape.
#[derive(Clone, Debug)]
pub struct Band<B: Backend> {
    /// Tokens one query sees, itself included.
    pub window: usize,
    /// Chunks of one sequence.
    pub chunks: usize,
    /// `[window, window * 2 window]`: column (i, j) holds a one in the row of its age.
    age_one_hot: Tensor<B, 2>,
    /// `[1, chunks, 1, window, 2 window]`: zero inside the band, [`OUTSIDE`] elsewhere.
    outside: Tensor<B, 5>,
}

impl<B: Backend> Band<B> {
    /// Returns the band of `window` tokens over sequences of `chunks` times as many.
    pub fn new(window: usize, chunks: usize, device: &B::Device) -> Band<B> {
        assert!(window > 0 && chunks > 0, "an empty band has no attention");
        let keys = 2 * window;
        let mut one_hot = vec![0.0f32; window * window * keys];
        let mut outside = vec![OUTSIDE; chunks * window * keys];
        for i in 0..window {
            for j in (i + 1)..=(i + window) {
                let age = window + i - j;
                one_hot[age * window * keys + i * keys + j] = 1.0;
                for chunk in 0..chunks {
                    // The first chunk has no predecessor: its older half is padding.
                    if chunk > 0 || j >= window {
                        outside[(chunk * window + i) * keys + j] = 0.0;
                    }
                }
            }
        }
        Band {
            window,
            chunks,
            age_one_hot: Tensor::from_data(
                TensorData::new(one_hot, [window, window * keys]),
                device,
            ),
            outside: Tensor::from_data(
                TensorData::new(outside, [1, chunks, 1, window, keys]),
                device,
            ),
        }
    }

    /// Returns `[1, chunks, heads, window, 2 window]`: what is added to the scores.
    fn bias(&self, age_bias: Tensor<B, 2>) -> Tensor<B, 5> {
        let [heads, window] = age_bias.dims();
        assert_eq!(window, self.window, "the bias and the band differ in window");
        let by_pair = age_bias.matmul(self.age_one_hot.clone());
        by_pair.reshape([1, 1, heads, window, 2 * window]) + self.outside.clone()
    }

    /// Turns weights by key, `[batch, chunks, heads, window, 2 window]`, into weights by age,
    /// `[batch, heads, tokens, window]`.
    fn by_age(&self, weights: Tensor<B, 5>) -> Tensor<B, 4> {
        let [batch, chunks, heads, window, keys] = weights.dims();
        // Query i meets the key of age a at place window + i - a.
        let place = |i: usize| (0..window).map(move |age| (window + i - age) as i32);
        let places: Vec<i32> = (0..window).flat_map(place).collect();
        let places = TensorData::new(places, [1, 1, 1, window, window]);
        let places: Tensor<B, 5, Int> = Tensor::from_data(places, &weights.device());
        debug_assert_eq!(keys, 2 * window);
        let places = places.expand([batch, chunks, heads, window, window]);
        let by_age = weights.gather(4, places);
        by_age.permute([0, 2, 1, 3, 4]).reshape([batch, heads, chunks * window, window])
    }
}

/// Multi-head attention whose only notion of position is a learned bias per head and age.
#[derive(Module, Debug)]
pub struct BandedAttention<B: Backend> {
    /// Query projection, `[d, d]`.
    pub query: Linear<B>,
    /// Key projection, `[d, d]`.
    pub key: Linear<B>,
    /// Value projection, `[d, d]`.
    pub value: Linear<B>,
    /// Output projection, `[d, d]`.
    pub output: Linear<B>,
    /// Bias added to the score of (head, age), `[heads, window]`; age 0 is the token itself.
    pub age_bias: Param<Tensor<B, 2>>,
}

impl<B: Backend> BandedAttention<B> {
    /// Maps `[batch, chunks * window, d]` to the same shape; output `t` depends on inputs
    /// `t - window + 1 ..= t` only.
    pub fn forward(&self, x: Tensor<B, 3>, band: &Band<B>) -> Tensor<B, 3> {
        let [batch, tokens, d] = x.dims();
        assert_eq!(tokens, band.chunks * band.window, "the sequence is not the band's length");
        let [q, k, v] = [&self.query, &self.key, &self.value].map(|l| by_row(l, x.clone()));
        if let Some(mixed) = fused::attention([&q, &k, &v], &self.age_bias.val()) {
            return by_row(&self.output, mixed);
        }
        let (weights, v) = self.weigh([q, k, v], band);
        let mixed = weights.matmul(v);
        let mixed = mixed.permute([0, 1, 3, 2, 4]).reshape([batch, tokens, d]);
        by_row(&self.output, mixed)
    }

    /// As [`BandedAttention::forward`], with the weights each token gave to the tokens behind it:
    /// `[batch, heads, tokens, window]` by age, age 0 first. A row sums to one; ages before the
    /// sequence's start have exactly zero.
    pub fn forward_shown(&self, x: Tensor<B, 3>, band: &Band<B>) -> (Tensor<B, 3>, Tensor<B, 4>) {
        let [batch, tokens, d] = x.dims();
        let qkv = [&self.query, &self.key, &self.value].map(|l| by_row(l, x.clone()));
        let (weights, v) = self.weigh(qkv, band);
        let by_age = band.by_age(weights.clone());
        let mixed = weights.matmul(v);
        let mixed = mixed.permute([0, 1, 3, 2, 4]).reshape([batch, tokens, d]);
        (self.output.forward(mixed), by_age)
    }

    /// Softmax weights `[batch, chunks, heads, window, 2 window]` and the values they weigh,
    /// `[batch, chunks, heads, 2 window, d / heads]`.
    fn weigh(&self, qkv: [Tensor<B, 3>; 3], band: &Band<B>) -> (Tensor<B, 5>, Tensor<B, 5>) {
        let [q, k, v] = qkv;
        let [batch, tokens, d] = q.dims();
        let [heads, window] = self.age_bias.dims();
        assert_eq!(tokens, band.chunks * window, "the sequence is not the band's length");
        let d_head = d / heads;
        let by_head = |t: Tensor<B, 3>| {
            t.reshape([batch, band.chunks, window, heads, d_head]).permute([0, 1, 3, 2, 4])
        };
        let scale = (d_head as f64).powf(-0.5);
        let q = by_head(q).mul_scalar(scale);
        let k = with_previous(by_head(k));
        let v = with_previous(by_head(v));
        let scores = q.matmul(k.swap_dims(3, 4));
        // One flat row a sequence: the same bias for each, added without strided walks.
        let shape = scores.dims();
        let flat: usize = shape[1..].iter().product();
        let bias = band.bias(self.age_bias.val()).reshape([1, flat]);
        let scores = (scores.reshape([batch, flat]) + bias).reshape(shape);
        (softmax(scores, 4), v)
    }
}

/// Applies a linear layer to all rows as one matrix: one product instead of one a sequence.
pub(crate) fn by_row<B: Backend>(layer: &Linear<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, tokens, d] = x.dims();
    let out: Tensor<B, 2> = layer.forward(x.reshape([batch * tokens, d]));
    let [_, width] = out.dims();
    out.reshape([batch, tokens, width])
}

/// Puts every chunk behind its predecessor: `[b, chunks, h, w, e]` to `[b, chunks, h, 2 w, e]`;
/// zeros stand before the first.
fn with_previous<B: Backend>(x: Tensor<B, 5>) -> Tensor<B, 5> {
    let [batch, chunks, heads, window, width] = x.dims();
    let zeros = Tensor::zeros([batch, 1, heads, window, width], &x.device());
    let previous = if chunks == 1 {
        zeros
    } else {
        let head = x.clone().slice([0..batch, 0..chunks - 1, 0..heads, 0..window, 0..width]);
        Tensor::cat(vec![zeros, head], 1)
    };
    Tensor::cat(vec![previous, x], 3)
}
