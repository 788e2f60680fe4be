//! What a token may depend on, told by bits.

use burn::backend::Flex;
use burn::tensor::{Tensor, TensorData};
use ijk_models::encoder::{Encoder, EncoderShape, OUTPUT_COUNT};
use ijk_models::rng::Stream;

const FEATURES: usize = 12;

fn inputs(tokens: usize) -> Vec<f32> {
    let mut rng = Stream::new(1, "mask test");
    (0..tokens * FEATURES).map(|_| 4.0 * rng.uniform() as f32 - 2.0).collect()
}

fn outputs(encoder: &Encoder<Flex>, x: &[f32]) -> Vec<Vec<u32>> {
    let tokens = x.len() / FEATURES;
    let data = TensorData::new(x.to_vec(), [1, tokens, FEATURES]);
    let y = encoder.forward(Tensor::from_data(data, &Default::default()));
    let y = y.into_data().to_vec::<f32>().unwrap();
    y.chunks(OUTPUT_COUNT).map(|row| row.iter().map(|v| v.to_bits()).collect()).collect()
}

fn changed(mut x: Vec<f32>, from: usize, to: usize) -> Vec<f32> {
    x[from * FEATURES..to * FEATURES].iter_mut().for_each(|v| *v = 3.0 - *v);
    x
}

#[test]
fn the_future_cannot_move_a_bit_of_the_past() {
    let encoder = Encoder::<Flex>::new(&EncoderShape::default(), 3, &Default::default());
    let x = inputs(200);
    let y = outputs(&encoder, &x);
    for first in [1, 63, 64, 65, 100, 128, 199] {
        let z = outputs(&encoder, &changed(x.clone(), first, 200));
        assert_eq!(y[..first], z[..first], "changed from token {first}");
        assert_ne!(y[first], z[first]);
    }
}

#[test]
fn one_layer_sees_exactly_its_window() {
    let shape = EncoderShape { layers: 1, window: 16, ..EncoderShape::default() };
    let encoder = Encoder::<Flex>::new(&shape, 3, &Default::default());
    let x = inputs(80);
    let y = outputs(&encoder, &x);
    for token in [0, 5, 15, 16, 31, 40] {
        let z = outputs(&encoder, &changed(x.clone(), token, token + 1));
        for t in 0..80 {
            let inside = (token..token + 16).contains(&t);
            assert_eq!(y[t] != z[t], inside, "token {token} seen from {t}");
        }
    }
}

#[test]
fn length_and_company_do_not_change_a_token() {
    let encoder = Encoder::<Flex>::new(&EncoderShape::default(), 4, &Default::default());
    let x = inputs(150);
    let y = outputs(&encoder, &x);
    assert_eq!(outputs(&encoder, &x[..70 * FEATURES])[..], y[..70]);
    // Two sequences in one batch.
    let mut both = x.clone();
    both.extend(changed(x.clone(), 0, 150));
    let data = TensorData::new(both, [2, 150, FEATURES]);
    let batch = encoder.forward(Tensor::from_data(data, &Default::default()));
    let batch = batch.into_data().to_vec::<f32>().unwrap();
    let alone: Vec<f32> = y.iter().flatten().map(|&b| f32::from_bits(b)).collect();
    for (a, b) in alone.iter().zip(&batch) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
}
