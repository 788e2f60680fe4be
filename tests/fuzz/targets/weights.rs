//! A weights file. The first byte, modulo 4, selects: 0 the rest is the file; 1 the rest is the
//! header in front of sound tensors; else the rest changes single bytes of a sound file (u32 place,
//! u8 value). Its highest bit asks for the encoder too, which takes a hundred times as long.
#![no_main]

use ijk_infer::{Encoder, EncoderState, Weights, WeightsBuilder, WeightsSpec, tensor_specs};
use std::sync::OnceLock;

const LENGTH_BYTES: usize = 8;

/// A sound file of one member.
fn sound() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let mut builder = WeightsBuilder::new(WeightsSpec::new(1));
        for tensor in tensor_specs(1) {
            let values: Vec<f32> =
                (0..tensor.value_count()).map(|i| (i % 7) as f32 / 64.0).collect();
            builder = builder.tensor(&tensor.name, tensor.shape, &values);
        }
        builder.finish().expect("the schema's own shapes").to_bytes()
    })
}

fn tensors() -> &'static [u8] {
    let (length, rest) = sound().split_at(LENGTH_BYTES);
    let length = u64::from_le_bytes(length.try_into().expect("eight bytes"));
    &rest[length as usize..]
}

fn read(bytes: &[u8], through: bool) -> usize {
    let weights = match Weights::from_bytes(bytes) {
        Ok(weights) => weights,
        Err(e) => {
            assert!(!e.to_string().is_empty());
            return 0;
        }
    };
    if !through {
        return 1;
    }
    assert_eq!(Weights::from_bytes(&weights.to_bytes()).as_ref(), Ok(&weights));
    let encoder = Encoder::new(&weights);
    let mut state = EncoderState::new(&encoder);
    for token in 0..2 {
        std::hint::black_box(encoder.step(&mut state, &[f64::from(token); 12]));
    }
    1
}

ijk_fuzz::target!(|data| {
    let Some((&selector, rest)) = data.split_first() else { return 0 };
    let through = selector & 0x80 != 0;
    match selector % 4 {
        0 => read(rest, through),
        1 => {
            let length = (rest.len() as u64).to_le_bytes();
            read(&[&length, rest, tensors()].concat(), through)
        }
        _ => {
            let mut file = sound().to_vec();
            for change in rest.chunks_exact(5) {
                let place = u32::from_le_bytes([change[0], change[1], change[2], change[3]]);
                let at = place as usize % file.len();
                file[at] = change[4];
            }
            read(&file, through)
        }
    }
});
