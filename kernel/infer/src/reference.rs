//! The whole sequence at once in f64 with an explicit mask: the definition of the model, plain
//! and slow. The streaming encoder and the trainer are both held against it.

use crate::shape::{
    D_MODEL, HEAD_DIM, HEADS, LAYERS, LOG_VAR_MAX, NORM_EPS, OUTPUTS_PER_HORIZON, WINDOW,
};
use crate::weights::{MemberTensors, Weights};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HORIZON_COUNT;

/// A sequence of vectors, (token, width).
type Sequence = Vec<Vec<f64>>;

/// One horizon at one token, in the units of [`ijk_core::HorizonForecast`].
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReferenceForecast {
    /// Unnormalised scores of down, flat, up.
    pub logits: [f64; 3],
    /// Mean of the label in basis points.
    pub mean_bps: f64,
    /// Natural logarithm of the variance of the label in squared basis points.
    pub log_var: f64,
}

/// What a token knew of each slot of the model: its vector and its age in seconds; `None` where it
/// was missing.
pub type Sight = Vec<Option<(Vec<f32>, f64)>>;

/// Returns the forecasts of one member at every token of the sequence, all slots missing; `tokens`
/// in raw units. Memory grows with the square of the length.
///
/// # Panics
/// If the model has no such member.
pub fn forward(
    weights: &Weights,
    member: usize,
    tokens: &[[f64; FEATURE_COUNT]],
) -> Vec<[ReferenceForecast; HORIZON_COUNT]> {
    forward_seeing(weights, member, tokens, &vec![Sight::new(); tokens.len()])
}

/// As [`forward`], with what each token knew of the slots.
///
/// # Panics
/// As [`forward`], and where there is not one sight a token.
pub fn forward_seeing(
    weights: &Weights,
    member: usize,
    tokens: &[[f64; FEATURE_COUNT]],
    sights: &[Sight],
) -> Vec<[ReferenceForecast; HORIZON_COUNT]> {
    assert_eq!(tokens.len(), sights.len(), "one sight a token");
    let w = Tensors(&weights.members()[member]);
    let spec = &weights.spec;
    let scale = |t: &[f64; FEATURE_COUNT]| -> Vec<f64> {
        let z = |i: usize| (t[i] - spec.scaler_mean[i]) / spec.scaler_scale[i];
        (0..FEATURE_COUNT).map(|i| z(i).clamp(-spec.scaler_clip, spec.scaler_clip)).collect()
    };
    let scaled: Sequence = tokens.iter().map(scale).collect();
    let mut x = w.linear("input", &scaled);
    for l in 0..LAYERS {
        let normed = w.layer_norm(&format!("l{l}.norm1"), &x);
        let attended = w.attention(&format!("l{l}.attn"), &normed);
        x = add(&x, &w.linear(&format!("l{l}.attn.out"), &attended));
        let normed = w.layer_norm(&format!("l{l}.norm2"), &x);
        let mut hidden = w.linear(&format!("l{l}.ff1"), &normed);
        hidden.iter_mut().flatten().for_each(|v| *v = gelu(*v));
        x = add(&x, &w.linear(&format!("l{l}.ff2"), &hidden));
    }
    for (x, sight) in x.iter_mut().zip(sights) {
        if sight.iter().any(Option::is_some) {
            *x = w.cross_modal(x, sight);
        }
    }
    let head = w.linear("head", &w.layer_norm("norm_f", &x));
    head.iter()
        .map(|row| std::array::from_fn(|h| decode(row, h, spec.target_scale_bps[h])))
        .collect()
}

/// GELU in the tanh form.
pub fn gelu(x: f64) -> f64 {
    let u = (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3));
    0.5 * x * (1.0 + u.tanh())
}

fn decode(row: &[f64], h: usize, scale_bps: f64) -> ReferenceForecast {
    let row = &row[OUTPUTS_PER_HORIZON * h..][..OUTPUTS_PER_HORIZON];
    ReferenceForecast {
        logits: [row[0], row[1], row[2]],
        mean_bps: row[3] * scale_bps,
        log_var: row[4].clamp(-LOG_VAR_MAX, LOG_VAR_MAX) + 2.0 * scale_bps.ln(),
    }
}

fn add(a: &Sequence, b: &Sequence) -> Sequence {
    let sum = |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| a + b).collect();
    a.iter().zip(b).map(sum).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

struct Tensors<'a>(&'a MemberTensors);

impl Tensors<'_> {
    fn get(&self, name: &str) -> Vec<f64> {
        self.0.widened(name).into_iter().map(f64::from).collect()
    }

    fn linear(&self, name: &str, x: &Sequence) -> Sequence {
        let weight = self.get(&format!("{name}.weight")); // (out, in)
        let bias = self.get(&format!("{name}.bias"));
        let inputs = weight.len() / bias.len();
        let rows = || weight.chunks_exact(inputs).zip(&bias);
        x.iter().map(|x| rows().map(|(row, b)| dot(row, x) + b).collect()).collect()
    }

    fn layer_norm(&self, name: &str, x: &Sequence) -> Sequence {
        let (weight, bias) =
            (self.get(&format!("{name}.weight")), self.get(&format!("{name}.bias")));
        let norm = |x: &Vec<f64>| {
            let n = x.len() as f64;
            let mean = x.iter().sum::<f64>() / n;
            let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            let unit = |v: &f64| (v - mean) / (variance + NORM_EPS).sqrt();
            x.iter().zip(&weight).zip(&bias).map(|((v, w), b)| unit(v) * w + b).collect()
        };
        x.iter().map(norm).collect()
    }

    /// The residual stream of one token with what the slots add; at least one is known.
    fn cross_modal(&self, x: &[f64], sight: &Sight) -> Vec<f64> {
        let one = |name: &str, x: &[f64]| self.linear(name, &vec![x.to_vec()]).remove(0);
        let normed = self.layer_norm("cross.norm", &vec![x.to_vec()]).remove(0);
        let query = one("cross.query", &normed);
        let known: Vec<_> = sight
            .iter()
            .enumerate()
            .filter_map(|(i, seen)| {
                let (vector, age_s) = seen.as_ref()?;
                let vector: Vec<f64> = vector.iter().copied().map(f64::from).collect();
                let name = |part| format!("cross.s{i}.{part}");
                let (key, value) = (one(&name("key"), &vector), one(&name("value"), &vector));
                let fall: Vec<f64> =
                    self.get(&name("fading")).iter().map(|f| f * age_s.ln_1p()).collect();
                Some((key, value, fall, self.get(&name("bias"))))
            })
            .collect();
        let mut mixed = vec![0.0; D_MODEL];
        for head in 0..HEADS {
            let part = head * HEAD_DIM..(head + 1) * HEAD_DIM;
            let score = |(key, _, fall, bias): &(Vec<f64>, Vec<f64>, Vec<f64>, Vec<f64>)| {
                let matched = dot(&query[part.clone()], &key[part.clone()]);
                matched / (HEAD_DIM as f64).sqrt() - fall[head] + bias[head]
            };
            let exps: Vec<f64> = known.iter().map(|slot| score(slot).exp()).collect();
            let total: f64 = exps.iter().sum();
            for (e, (_, value, ..)) in exps.iter().zip(&known) {
                part.clone().for_each(|d| mixed[d] += e / total * value[d]);
            }
        }
        x.iter().zip(one("cross.out", &mixed)).map(|(x, added)| x + added).collect()
    }

    /// Attention of every token to every token, masked to the band of ages 0 to 63.
    fn attention(&self, name: &str, x: &Sequence) -> Sequence {
        let qkv = self.linear(&format!("{name}.qkv"), x); // (token, 192)
        let age_bias = self.get(&format!("{name}.age_bias")); // (head, age)
        let part = |t: usize, which: usize, head: usize| {
            &qkv[t][which * D_MODEL + head * HEAD_DIM..][..HEAD_DIM]
        };
        let count = x.len();
        let mut mixed = vec![vec![0.0; D_MODEL]; count];
        for head in 0..HEADS {
            for now in 0..count {
                let score = |then: usize| match now.checked_sub(then) {
                    Some(age) if age < WINDOW => {
                        dot(part(now, 0, head), part(then, 1, head)) / (HEAD_DIM as f64).sqrt()
                            + age_bias[head * WINDOW + age]
                    }
                    _ => f64::NEG_INFINITY,
                };
                let scores: Vec<f64> = (0..count).map(score).collect();
                let max = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let exps: Vec<f64> = scores.iter().map(|s| (s - max).exp()).collect();
                let total: f64 = exps.iter().sum();
                for (then, e) in exps.iter().enumerate() {
                    for d in 0..HEAD_DIM {
                        mixed[now][head * HEAD_DIM + d] += e / total * part(then, 2, head)[d];
                    }
                }
            }
        }
        mixed
    }
}
