//! The encoder with slots: tokens of the order book ask what the other modalities knew.
//!
//! Behind the last block every token forms a query; every slot offers one key and one value, made
//! of the vector known at the token's close. The score of a slot falls with the age of what it
//! knows. A missing slot takes no part; where all are missing nothing is added, and a batch
//! without slots runs the plain encoder, bit for bit and at its cost.

use crate::attention::Band;
use crate::encoder::{Encoder, EncoderShape, linear, norm};
use crate::rng::Stream;
use crate::slots::{SlotBatch, SlotShape};
use burn::module::{Module, Param};
use burn::nn::{LayerNorm, Linear};
use burn::tensor::activation::{softmax, softplus};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

/// Score of a missing slot: its exponential is exactly zero in f32.
const MISSING: f64 = -1.0e9;

/// One slot's way into the encoder.
#[derive(Module, Debug)]
pub struct SlotProjection<B: Backend> {
    /// Vector to key, `[width, d]`.
    pub key: Linear<B>,
    /// Vector to value, `[width, d]`.
    pub value: Linear<B>,
    /// Per head: how fast the score falls with `ln(1 + age)`, before softplus, `[heads]`.
    pub fading: Param<Tensor<B, 1>>,
    /// Per head: score of the slot as such, `[heads]`.
    pub bias: Param<Tensor<B, 1>>,
}

/// Cross-modal attention behind an encoder's blocks.
#[derive(Module, Debug)]
pub struct CrossModal<B: Backend> {
    /// Norm before the query.
    pub norm: LayerNorm<B>,
    /// Query projection, `[d, d]`.
    pub query: Linear<B>,
    /// One projection a slot.
    pub slots: Vec<SlotProjection<B>>,
    /// Output projection, `[d, d]`; zero at the start, so that new slots change nothing at first.
    pub output: Linear<B>,
}

impl<B: Backend> CrossModal<B> {
    /// Returns the module for `slots`, random from `seed`, with a zero output projection.
    pub fn new(
        slots: &[SlotShape],
        d_model: usize,
        heads: usize,
        seed: u64,
        device: &B::Device,
    ) -> CrossModal<B> {
        let mut rng = Stream::new(seed, "cross-modal");
        let zeros = || Param::from_data(TensorData::new(vec![0.0f32; heads], [heads]), device);
        let mut projection = |slot: &SlotShape| SlotProjection {
            key: linear(slot.width, d_model, 1.0, &mut rng, device),
            value: linear(slot.width, d_model, 1.0, &mut rng, device),
            fading: zeros(),
            bias: zeros(),
        };
        let slots = slots.iter().map(&mut projection).collect();
        CrossModal {
            norm: norm(d_model, device),
            query: linear(d_model, d_model, 1.0, &mut rng, device),
            slots,
            output: linear(d_model, d_model, 0.0, &mut rng, device),
        }
    }

    /// Adds to `stream`, `[batch, tokens, d]`, what the slots knew; `slots[i]` is `None` where
    /// slot `i` is missing in the whole batch. Returns the sum and the attention
    /// `[batch, tokens, heads, slots present]`, zero rows where a token knew nothing; `None`
    /// where no slot is present, and then the stream is returned untouched.
    pub fn forward(
        &self,
        stream: Tensor<B, 3>,
        slots: &[Option<SlotBatch<B>>],
    ) -> (Tensor<B, 3>, Option<Tensor<B, 4>>) {
        assert_eq!(slots.len(), self.slots.len(), "one input per slot");
        let present: Vec<_> =
            self.slots.iter().zip(slots).filter_map(|(p, s)| Some((p, s.as_ref()?))).collect();
        let Some((first, _)) = present.first() else { return (stream, None) };
        let [batch, tokens, d] = stream.dims();
        let [heads] = first.bias.dims();
        let split = |t: Tensor<B, 3>| t.reshape([batch, tokens, heads, d / heads]);
        let scale = ((d / heads) as f64).powf(-0.5);
        let q = split(self.query.forward(self.norm.forward(stream.clone()))).mul_scalar(scale);
        let per_head = |t: Tensor<B, 1>| t.reshape([1, 1, heads]);
        let (mut scores, mut values, mut any) = (Vec::new(), Vec::new(), None);
        for (projection, slot) in present {
            let k = split(projection.key.forward(slot.values.clone()));
            let match_ = (q.clone() * k).sum_dim(3).reshape([batch, tokens, heads]);
            let fading = per_head(softplus(projection.fading.val(), 1.0)) * slot.log_age.clone();
            let missing = (slot.known.clone() - 1.0).mul_scalar(-MISSING);
            let score = match_ - fading + per_head(projection.bias.val()) + missing;
            scores.push(score.reshape([batch, tokens, heads, 1]));
            values.push(split(projection.value.forward(slot.values.clone())));
            any = Some(match any {
                None => slot.known.clone(),
                Some(any) => slot.known.clone().max_pair(any),
            });
        }
        let known = any.unwrap_or_else(|| Tensor::zeros([batch, tokens, 1], &stream.device()));
        let weights = softmax(Tensor::cat(scores, 3), 3) * known.clone().unsqueeze_dim(3);
        let mut mixed = Tensor::zeros([batch, tokens, heads, d / heads], &stream.device());
        for (i, value) in values.into_iter().enumerate() {
            mixed = mixed + weights.clone().narrow(3, i, 1) * value;
        }
        let added = self.output.forward(mixed.reshape([batch, tokens, d])) * known;
        (stream + added, Some(weights))
    }
}

/// An encoder, with or without slots: what a fit trains.
#[derive(Module, Debug)]
pub struct ModalEncoder<B: Backend> {
    /// The order book's encoder.
    pub encoder: Encoder<B>,
    /// What the slots add; nothing in a model without any.
    pub cross: Option<CrossModal<B>>,
}

impl<B: Backend> ModalEncoder<B> {
    /// Returns a model with random weights from `seed`. The encoder is that of the same seed
    /// without slots, to the bit.
    pub fn new(
        shape: &EncoderShape,
        slots: &[SlotShape],
        seed: u64,
        device: &B::Device,
    ) -> ModalEncoder<B> {
        let cross = || CrossModal::new(slots, shape.d_model, shape.heads, seed, device);
        ModalEncoder {
            encoder: Encoder::new(shape, seed, device),
            cross: (!slots.is_empty()).then(cross),
        }
    }

    /// Maps scaled features `[batch, tokens, 12]` and slots to raw outputs `[batch, tokens, 20]`
    /// and the slots' attention. Sequences of exactly the band's length.
    pub fn forward_banded(
        &self,
        x: Tensor<B, 3>,
        slots: &[Option<SlotBatch<B>>],
        band: &Band<B>,
    ) -> (Tensor<B, 3>, Option<Tensor<B, 4>>) {
        let stream = self.encoder.embed(x, band);
        let (stream, weights) = match &self.cross {
            Some(cross) => cross.forward(stream, slots),
            None => (stream, None),
        };
        (self.encoder.read(stream), weights)
    }
}
