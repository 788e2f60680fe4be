//! The streaming attention encoder as a Burn module: the kernel's mathematics over whole
//! sequences.
//!
//! Input linear; pre-norm blocks of banded causal attention and a feed-forward network with the
//! tanh form of GELU (Hendrycks and Gimpel 2016); a last norm; one linear head. Position enters
//! only as a learned bias by age, initialised with the slopes of ALiBi (Press, Smith and Lewis
//! 2022), so that a key and a value once computed stay valid while they are inside the band.

use crate::attention::{Band, BandedAttention, by_row};
use crate::fused;
use crate::rng::Stream;
use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::sigmoid;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;

/// Added to the variance inside every layer norm.
pub const NORM_EPSILON: f64 = 1e-5;
/// Outputs a horizon: three logits, mean, log variance.
pub const OUTPUTS_PER_HORIZON: usize = 5;
/// Outputs of the head.
pub const OUTPUT_COUNT: usize = HORIZON_COUNT * OUTPUTS_PER_HORIZON;

/// Sizes of one encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncoderShape {
    /// Width of a token inside the encoder.
    pub d_model: usize,
    /// Attention heads; divides `d_model`.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Width of the feed-forward network.
    pub d_ff: usize,
    /// Tokens one query sees, itself included.
    pub window: usize,
}

impl Default for EncoderShape {
    /// Returns the kernel's encoder: 64 wide, 8 heads, 6 blocks, 256 wide inside, 64 tokens.
    fn default() -> Self {
        EncoderShape { d_model: 64, heads: 8, layers: 6, d_ff: 256, window: 64 }
    }
}

/// One pre-norm block.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    /// Norm before the attention.
    pub norm_attention: LayerNorm<B>,
    /// Attention.
    pub attention: BandedAttention<B>,
    /// Norm before the feed-forward network.
    pub norm_feed_forward: LayerNorm<B>,
    /// First half of the feed-forward network, `[d, d_ff]`.
    pub up: Linear<B>,
    /// Second half, `[d_ff, d]`.
    pub down: Linear<B>,
}

/// The encoder: `[batch, tokens, 12]` scaled features to `[batch, tokens, 20]` raw outputs.
///
/// Outputs `5 h ..= 5 h + 2` are the logits of down, flat and up at horizon `h`, `5 h + 3` the
/// mean and `5 h + 4` the log variance, both of the standardised label.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    /// Features to tokens, `[12, d]`.
    pub input: Linear<B>,
    /// The blocks, first to last.
    pub blocks: Vec<Block<B>>,
    /// Norm before the head.
    pub norm: LayerNorm<B>,
    /// Tokens to outputs, `[d, 20]`.
    pub head: Linear<B>,
}

impl<B: Backend> Block<B> {
    fn new(shape: &EncoderShape, rng: &mut Stream, device: &B::Device) -> Block<B> {
        let EncoderShape { d_model: d, d_ff, heads, window, layers } = *shape;
        // Residual branches start small, so that depth does not inflate the stream (GPT-2).
        let depth = (2.0 * layers as f32).sqrt().recip();
        let mut square = |gain| linear(d, d, gain, rng, device);
        let attention = BandedAttention {
            query: square(1.0),
            key: square(1.0),
            value: square(1.0),
            output: square(depth),
            age_bias: Param::from_data(
                TensorData::new(alibi(heads, window), [heads, window]),
                device,
            ),
        };
        Block {
            norm_attention: norm(d, device),
            attention,
            norm_feed_forward: norm(d, device),
            up: linear(d, d_ff, 1.0, rng, device),
            down: linear(d_ff, d, depth, rng, device),
        }
    }

    fn forward(&self, x: Tensor<B, 3>, band: &Band<B>) -> Tensor<B, 3> {
        let normed = normalise(&self.norm_attention, x.clone());
        let x = x + self.attention.forward(normed, band);
        self.feed_forward(x)
    }

    fn forward_shown(&self, x: Tensor<B, 3>, band: &Band<B>) -> (Tensor<B, 3>, Tensor<B, 4>) {
        let normed = normalise(&self.norm_attention, x.clone());
        let (mixed, weights) = self.attention.forward_shown(normed, band);
        (self.feed_forward(x + mixed), weights)
    }

    fn feed_forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let normed = normalise(&self.norm_feed_forward, x.clone());
        let hidden = gelu_tanh(by_row(&self.up, normed));
        x + by_row(&self.down, hidden)
    }
}

impl<B: Backend> Encoder<B> {
    /// Returns an encoder with random weights from `seed`; the same seed gives the same bits.
    pub fn new(shape: &EncoderShape, seed: u64, device: &B::Device) -> Encoder<B> {
        assert!(shape.d_model.is_multiple_of(shape.heads), "heads must divide d_model");
        let mut rng = Stream::new(seed, "weights");
        let d = shape.d_model;
        Encoder {
            input: linear(FEATURE_COUNT, d, 1.0, &mut rng, device),
            blocks: (0..shape.layers).map(|_| Block::new(shape, &mut rng, device)).collect(),
            norm: norm(d, device),
            // The first forecasts should be close to "nothing known".
            head: linear(d, OUTPUT_COUNT, 0.1, &mut rng, device),
        }
    }

    /// Returns the sizes.
    pub fn shape(&self) -> EncoderShape {
        let [_, d_model] = self.input.weight.dims();
        let first = &self.blocks[0];
        let [heads, window] = first.attention.age_bias.dims();
        let [_, d_ff] = first.up.weight.dims();
        EncoderShape { d_model, heads, layers: self.blocks.len(), d_ff, window }
    }

    /// Maps `[batch, tokens, 12]` to `[batch, tokens, 20]`, for any number of tokens.
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [batch, tokens, features] = x.dims();
        let window = self.shape().window;
        let chunks = tokens.div_ceil(window);
        let band = Band::new(window, chunks, &x.device());
        let missing = chunks * window - tokens;
        if missing == 0 {
            return self.forward_banded(x, &band);
        }
        // Padding at the end is the future: it cannot reach the tokens before it.
        let zeros = Tensor::zeros([batch, missing, features], &x.device());
        let y = self.forward_banded(Tensor::cat(vec![x, zeros], 1), &band);
        y.slice([0..batch, 0..tokens, 0..OUTPUT_COUNT])
    }

    /// The same for sequences of exactly the band's length.
    pub fn forward_banded(&self, x: Tensor<B, 3>, band: &Band<B>) -> Tensor<B, 3> {
        self.read(self.embed(x, band))
    }

    /// Maps scaled features to the residual stream behind the last block, `[batch, tokens, d]`:
    /// what a new head, a slot or an adapted head works on. Sequences of the band's length.
    pub fn embed(&self, x: Tensor<B, 3>, band: &Band<B>) -> Tensor<B, 3> {
        self.blocks.iter().fold(by_row(&self.input, x), |x, block| block.forward(x, band))
    }

    /// Maps the residual stream to raw outputs: last norm and head.
    pub fn read(&self, stream: Tensor<B, 3>) -> Tensor<B, 3> {
        by_row(&self.head, normalise(&self.norm, stream))
    }

    /// As [`Encoder::forward_banded`], with the attention of every block, first to last: each
    /// `[batch, heads, tokens, window]` by age. Attention shows where a block looked; it is no
    /// explanation by itself (Jain and Wallace 2019).
    pub fn forward_shown(
        &self,
        x: Tensor<B, 3>,
        band: &Band<B>,
    ) -> (Tensor<B, 3>, Vec<Tensor<B, 4>>) {
        let mut x = by_row(&self.input, x);
        let mut shown = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            let weights;
            (x, weights) = block.forward_shown(x, band);
            shown.push(weights);
        }
        (self.read(x), shown)
    }
}

/// GELU in its tanh form, `x/2 (1 + tanh u)` with `u = sqrt(2/pi) (x + 0.044715 x^3)`, written as
/// `x sigmoid(2 u)`: the same function with one exponential.
pub fn gelu_tanh<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    if let Some(y) = fused::gelu_tanh(&x) {
        return y;
    }
    let twice = 2.0 * (2.0 / std::f64::consts::PI).sqrt();
    let poly = (x.clone() * x.clone()).mul_scalar(twice * 0.044_715).add_scalar(twice);
    x.clone() * sigmoid(x * poly)
}

/// Layer norm over the last axis.
fn normalise<B: Backend>(norm: &LayerNorm<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let beta = norm.beta.as_ref().map(Param::val);
    let fused =
        beta.and_then(|beta| fused::layer_norm(&x, &norm.gamma.val(), &beta, NORM_EPSILON as f32));
    fused.unwrap_or_else(|| norm.forward(x))
}

/// Returns `-slope * age` per head and age; slopes `2^(-8 (h + 1) / heads)` (ALiBi).
pub fn alibi(heads: usize, window: usize) -> Vec<f32> {
    let slope = |h: usize| (-8.0 * (h + 1) as f32 / heads as f32).exp2();
    (0..heads).flat_map(|h| (0..window).map(move |age| -slope(h) * age as f32)).collect()
}

/// Uniform weights of variance `gain^2 / d_in`, zero bias.
pub(crate) fn linear<B: Backend>(
    d_in: usize,
    d_out: usize,
    gain: f32,
    rng: &mut Stream,
    device: &B::Device,
) -> Linear<B> {
    let bound = gain * (3.0 / d_in as f32).sqrt();
    let weight = (0..d_in * d_out).map(|_| bound * (2.0 * rng.uniform() as f32 - 1.0)).collect();
    Linear {
        weight: Param::from_data(TensorData::new::<f32, _>(weight, [d_in, d_out]), device),
        bias: Some(Param::from_data(TensorData::new(vec![0.0f32; d_out], [d_out]), device)),
    }
}

pub(crate) fn norm<B: Backend>(d: usize, device: &B::Device) -> LayerNorm<B> {
    LayerNormConfig::new(d).with_epsilon(NORM_EPSILON).init(device)
}
