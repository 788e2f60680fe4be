//! The written-out passes against Burn's own operations, values and gradients.

use super::*;
use crate::attention::{Band, BandedAttention};
use crate::encoder::{EncoderShape, norm as new_norm};
use crate::rng::Stream;
use burn::nn::LayerNorm;
use burn::tensor::Distribution;
use burn::tensor::activation::sigmoid;

fn draws<const D: usize>(seed: u64, shape: [usize; D]) -> Tensor<Learner, D> {
    let mut rng = Stream::new(seed, "fused test");
    let count = shape.iter().product();
    let values = (0..count).map(|_| 4.0 * rng.uniform() as f32 - 2.0).collect();
    Tensor::from_data(TensorData::new::<f32, _>(values, shape), &Default::default()).require_grad()
}

fn close<const D: usize>(a: Tensor<Flex, D>, b: Tensor<Flex, D>, what: &str) {
    let (a, b) = (values_of(a), values_of(b));
    assert_eq!(a.len(), b.len(), "{what}");
    let scale = b.iter().fold(1e-3f32, |m, b| m.max(b.abs()));
    for (i, (a, b)) in a.iter().zip(&b).enumerate() {
        assert!((a - b).abs() <= 2e-5 * scale, "{what} {i}: {a} is not {b}");
    }
}

/// Weights of a scalar made of an output: no gradient may hide behind another.
fn scalar<const D: usize>(y: Tensor<Learner, D>) -> Tensor<Learner, 1> {
    let weights = draws(99, y.dims()).detach();
    (y * weights).sum()
}

fn grad<const D: usize>(
    of: &Tensor<Learner, D>,
    grads: &<Learner as burn::tensor::backend::AutodiffBackend>::Gradients,
) -> Tensor<Flex, D> {
    of.grad(grads).expect("it takes part")
}

#[test]
fn attention_is_that_of_the_plain_operations() {
    // Windows that fill vectors and that do not, one chunk and several, both widths.
    for (n, (heads, width, window, chunks)) in
        [(8, 8, 64, 3), (2, 16, 16, 2), (2, 8, 8, 4), (1, 8, 20, 3), (2, 16, 64, 1)]
            .into_iter()
            .enumerate()
    {
        let d = heads * width;
        let shape = EncoderShape { d_model: d, heads, layers: 1, d_ff: 8, window };
        let encoder =
            crate::encoder::Encoder::<Learner>::new(&shape, n as u64, &Default::default());
        let mut attention: BandedAttention<Learner> = encoder.blocks[0].attention.clone();
        attention.age_bias = burn::module::Param::from_tensor(draws(7, [heads, window]));
        let band = Band::new(window, chunks, &Default::default());
        let x = draws(n as u64, [2, chunks * window, d]);
        let (plain, _) = attention.forward_shown(x.clone(), &band);
        let fused = attention.forward(x.clone(), &band);
        close(fused.clone().inner(), plain.clone().inner(), "values");
        let inner = burn::module::AutodiffModule::valid(&attention);
        let inner_band = Band::new(window, chunks, &Default::default());
        close(inner.forward(x.clone().inner(), &inner_band), plain.clone().inner(), "no graph");
        let (a, b) = (scalar(fused).backward(), scalar(plain).backward());
        close(grad(&x, &a), grad(&x, &b), "inputs");
        let layers = [&attention.query, &attention.key, &attention.value, &attention.output];
        for (i, layer) in layers.into_iter().enumerate() {
            let weight = layer.weight.val();
            close(grad(&weight, &a), grad(&weight, &b), &format!("weight {i}"));
            // No bias of the keys moves a softmax: what is left there is rounding.
            if i != 1 {
                let bias = layer.bias.as_ref().expect("made with one").val();
                close(grad(&bias, &a), grad(&bias, &b), &format!("bias {i}"));
            }
        }
        let bias = attention.age_bias.val();
        close(grad(&bias, &a), grad(&bias, &b), "age bias");
    }
}

#[test]
fn a_width_without_code_takes_the_plain_operations() {
    let x = Tensor::<Flex, 3>::random([1, 8, 24], Distribution::Default, &Default::default());
    let bias = Tensor::<Flex, 2>::zeros([1, 8], &Default::default());
    assert!(attention([&x, &x, &x], &bias).is_none());
    let bias = Tensor::<Flex, 2>::zeros([3, 8], &Default::default());
    assert!(attention([&x, &x, &x], &bias).is_some());
}

#[test]
fn norm_is_that_of_the_plain_operations() {
    for d in [64, 20] {
        let mut plain: LayerNorm<Learner> = new_norm(d, &Default::default());
        plain.gamma = burn::module::Param::from_tensor(draws(1, [d]));
        plain.beta = Some(burn::module::Param::from_tensor(draws(2, [d])));
        let (gain, shift) = (plain.gamma.val(), plain.beta.as_ref().expect("just set").val());
        let x = draws(3, [2, 9, d]);
        let fused = layer_norm(&x, &gain, &shift, 1e-5).expect("on the CPU");
        let expected = plain.forward(x.clone());
        close(fused.clone().inner(), expected.clone().inner(), "values");
        let (a, b) = (scalar(fused).backward(), scalar(expected).backward());
        close(grad(&x, &a), grad(&x, &b), "inputs");
        close(grad(&gain, &a), grad(&gain, &b), "gain");
        close(grad(&shift, &a), grad(&shift, &b), "shift");
    }
}

#[test]
fn gelu_is_that_of_the_plain_operations() {
    let x = draws(4, [3, 7, 11]).mul_scalar(3.0).detach().require_grad();
    let fused = gelu_tanh(&x).expect("on the CPU");
    let u = (x.clone() + x.clone().powi_scalar(3).mul_scalar(0.044_715)).mul_scalar(1.595_769_1);
    let expected = x.clone() * sigmoid(u);
    close(fused.clone().inner(), expected.clone().inner(), "values");
    let (a, b) = (scalar(fused).backward(), scalar(expected).backward());
    close(grad(&x, &a), grad(&x, &b), "inputs");
}
