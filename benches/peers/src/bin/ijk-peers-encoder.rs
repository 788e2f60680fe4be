//! `ijk-peers-encoder WEIGHTS TOKENS.json`: our encoder behind the protocol of
//! `encoder/worker.py`: `info`, `check` and `run NAME COUNT`, answers in JSON lines.

use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HorizonForecast;
use ijk_infer::shape::WINDOW;
use ijk_infer::{Encoder, EncoderState, Level, Packing, Weights};
use ijk_peers::{cpu_ns, serve};
use serde_json::{Value, json};
use std::hint::black_box;

type Token = [f64; FEATURE_COUNT];

/// One way to run: how it is called, the encoder and the state of one instrument.
struct Way {
    name: String,
    encoder: Encoder,
    state: EncoderState,
    at: usize,
}

fn main() {
    if let Err(e) = run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        eprintln!("ijk-peers-encoder: {e}");
        std::process::exit(2);
    }
}

fn run(args: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let [weights, tokens] = args else { return Err("usage: WEIGHTS TOKENS.json".into()) };
    let weights = Weights::from_bytes(&std::fs::read(weights)?)?;
    let tokens: Vec<Token> = serde_json::from_slice(&std::fs::read(tokens)?)?;
    let mut ways = ways(&weights)?;
    serve(|words| {
        Ok(match words {
            ["info"] => info(&ways),
            ["check"] => check(&mut ways[0], &tokens),
            ["run", name, count] => {
                let way = ways.iter_mut().find(|w| w.name == *name).ok_or("no such way")?;
                way.run(&tokens, count.parse().map_err(|_| "no count")?)
            }
            _ => return Err(format!("'{}': no such command", words.join(" "))),
        })
    })
}

/// One member and all of them on the best instructions; one in f32, and one at each other level.
fn ways(weights: &Weights) -> Result<Vec<Way>, String> {
    let one = weights.single(0).ok_or("no members")?;
    let narrowest = Packing::narrowest(&one);
    let mut encoders = vec![
        ("one".to_string(), Encoder::new(&one)),
        ("all".to_string(), Encoder::new(weights)),
        ("one.f32".to_string(), Encoder::with(&one, Level::best(), Packing::F32)),
    ];
    for level in Level::all().filter(|&l| l != Level::best()) {
        encoders.push((format!("one.{}", level.name()), Encoder::with(&one, level, narrowest)));
    }
    let way = |(name, encoder): (String, Encoder)| {
        let state = EncoderState::new(&encoder);
        Way { name, encoder, state, at: 0 }
    };
    Ok(encoders.into_iter().map(way).collect())
}

fn info(ways: &[Way]) -> Value {
    let about = |w: &Way| {
        let encoder = &w.encoder;
        let (level, packing) = (encoder.level().name(), encoder.packing().name());
        (w.name.clone(), json!(format!("{} {level} {packing}", encoder.member_count())))
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "ways": ways.iter().map(|w| &w.name).collect::<Vec<_>>(),
        "about": ways.iter().map(about).collect::<serde_json::Map<_, _>>(),
    })
}

/// Forecasts of all tokens in a row, and of the last of each window from an empty state.
fn check(way: &mut Way, tokens: &[Token]) -> Value {
    let mut rows = |reset: bool| -> Vec<Vec<f32>> {
        way.state.reset();
        let mut rows = Vec::new();
        for (i, token) in tokens.iter().enumerate() {
            if reset && i % WINDOW == 0 {
                way.state.reset();
            }
            let forecast = way.encoder.step(&mut way.state, token);
            rows.push(forecast.members[0].iter().flat_map(numbers).collect());
        }
        rows
    };
    let steps = rows(false);
    let windows: Vec<_> = rows(true).into_iter().skip(WINDOW - 1).step_by(WINDOW).collect();
    json!({ "step": steps, "window": windows })
}

fn numbers(f: &HorizonForecast) -> [f32; 5] {
    [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var]
}

impl Way {
    fn run(&mut self, tokens: &[Token], count: usize) -> Value {
        let before = cpu_ns();
        for _ in 0..count {
            self.at = (self.at + 1) % tokens.len();
            black_box(self.encoder.step(&mut self.state, &tokens[self.at]));
        }
        json!({ "cpu_ns": cpu_ns() - before })
    }
}
