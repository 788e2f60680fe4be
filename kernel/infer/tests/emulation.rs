//! The device's kernel on the processor: the very text that NVRTC compiles, given to the C
//! compiler with a small header in front, against the encoder and PyTorch.
//!
//! What this shows: every index, every phase between two barriers, the arithmetic to the last bit.
//! What it cannot show: that a device runs it, and how fast.

mod common;

use ijk_core::EnsembleForecast;
use ijk_core::features::FEATURE_COUNT;
use ijk_infer::cuda::layout::pack;
use ijk_infer::cuda::source::{self, TILES};
use ijk_infer::cuda::wire::{Entry, ROW, Wire};
use ijk_infer::shape::WINDOW;
use ijk_infer::{Encoder, EncoderState, Weights};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::LazyLock;

/// Largest difference of an output (logits; mean in units of the target's scale; log-variance)
/// between fp16 keys and values and the processor's fp32, formula weights.
const TOLERANCE: f64 = 2e-3;

const HOST: &str = include_str!("emulation/host.h");
const MAIN: &str = include_str!("emulation/main.c");

type Token = [f64; FEATURE_COUNT];

/// One program a tile, or `None` where there is no C compiler.
static PROGRAMS: LazyLock<Option<Vec<(usize, PathBuf)>>> = LazyLock::new(|| {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    if Command::new(&compiler).arg("--version").output().is_err() {
        eprintln!("skipped: no C compiler `{compiler}`; the device's kernel is not emulated");
        return None;
    }
    Some(TILES.iter().map(|&tile| (tile, compiled(&compiler, tile))).collect())
});

fn compiled(compiler: &str, tile: usize) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let id = std::process::id();
    let (text, program) = (format!("step-{tile}-{id}.c"), format!("step-{tile}-{id}"));
    let (text, program) = (folder.join(text), folder.join(program));
    let kept = folder.join(format!("step-{tile}"));
    let source = format!("{}{HOST}{}{MAIN}", source::numbers(tile), source::STEP);
    std::fs::write(&text, source).unwrap();
    let mut command = Command::new(compiler);
    command.args(["-std=c11", "-O2", "-ffp-contract=off", "-Wall", "-Wextra"]);
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("fma") {
        command.arg("-mfma");
    }
    let built = command.arg(&text).arg("-o").arg(&program).arg("-lm").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    // Whoever runs the earlier file keeps it.
    std::fs::rename(&program, &kept).unwrap();
    std::fs::remove_file(&text).unwrap();
    kept
}

/// Steps of a session: entries, and which token of which symbol each is.
struct Session {
    symbols: usize,
    steps: Vec<Vec<Entry>>,
}

impl Session {
    /// Every symbol's tokens; in each step those symbols for which `takes_part` holds get one.
    fn new(
        wire: &Wire,
        tokens: &[Vec<Token>],
        takes_part: impl Fn(usize, usize) -> bool,
    ) -> Session {
        let mut at = vec![0; tokens.len()];
        let mut steps = Vec::new();
        for step in 0.. {
            let mut entries = Vec::new();
            for (symbol, tokens) in tokens.iter().enumerate() {
                if at[symbol] < tokens.len() && takes_part(step, symbol) {
                    let position = at[symbol] as u64;
                    entries.push(wire.entry(symbol as u32, position, &tokens[at[symbol]]).unwrap());
                    at[symbol] += 1;
                }
            }
            steps.push(entries);
            if at.iter().zip(tokens).all(|(&at, t)| at == t.len()) {
                return Session { symbols: tokens.len(), steps };
            }
        }
        unreachable!("every symbol takes part at some step")
    }
}

/// Runs a session. Returns the rows of the head by symbol, token and member.
fn emulate(program: &PathBuf, order: u32, weights: &Weights, s: &Session) -> Vec<Vec<Vec<f32>>> {
    let members = weights.members().len();
    let mut input = Vec::new();
    for word in [s.symbols as u32, members as u32, s.steps.len() as u32, order] {
        input.extend(word.to_le_bytes());
    }
    pack(weights).into_iter().for_each(|half| input.extend(half.to_le_bytes()));
    for entries in &s.steps {
        input.extend((entries.len() as u32).to_le_bytes());
        entries.iter().for_each(|entry| input.extend(entry.to_bytes()));
    }
    let mut child =
        Command::new(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "the emulation ended with {}", output.status);
    writer.join().unwrap().unwrap();
    let floats: Vec<f32> =
        output.stdout.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let mut rows = floats.chunks_exact(ROW * members);
    let mut by_symbol = vec![Vec::new(); s.symbols];
    for entry in s.steps.iter().flatten() {
        by_symbol[entry.symbol as usize].push(rows.next().unwrap().to_vec());
    }
    assert!(rows.next().is_none());
    by_symbol
}

fn on_processor(weights: &Weights, tokens: &[Token]) -> Vec<EnsembleForecast> {
    let encoder = Encoder::new(weights);
    let mut state = EncoderState::new(&encoder);
    tokens.iter().map(|t| encoder.step(&mut state, t)).collect()
}

/// Largest difference in model units over all members and horizons of one symbol.
fn largest_difference(weights: &Weights, rows: &[Vec<f32>], forecasts: &[EnsembleForecast]) -> f64 {
    assert_eq!(rows.len(), forecasts.len());
    let wire = Wire::new(&weights.spec);
    let mut worst = 0.0f64;
    for (row, truth) in rows.iter().zip(forecasts) {
        for (m, row) in row.chunks_exact(ROW).enumerate() {
            for (h, ours) in wire.forecast(row).unwrap().iter().enumerate() {
                let (theirs, scale) = (&truth.members[m][h], weights.spec.target_scale_bps[h]);
                let numbers = |f: &ijk_core::HorizonForecast| {
                    let mean = f64::from(f.mean_bps) / scale;
                    let [a, b, c] = f.logits.map(f64::from);
                    [a, b, c, mean, f64::from(f.log_var)]
                };
                for (a, b) in numbers(ours).into_iter().zip(numbers(theirs)) {
                    assert!(a.is_finite());
                    worst = worst.max((a - b).abs());
                }
            }
        }
    }
    worst
}

/// Several symbols that get their tokens at different steps, five members, three turns of the
/// ring: the same forecasts as the processor's.
#[test]
fn the_device_kernel_forecasts_as_the_processor_does() {
    let Some(programs) = &*PROGRAMS else { return };
    let weights = common::model(5);
    let wire = Wire::new(&weights.spec);
    let lengths = [3 * WINDOW + 7, WINDOW - 1, WINDOW, WINDOW + 1, 1, 90, 2, 70, 33];
    let tokens: Vec<Vec<Token>> =
        (0..9).map(|s| common::tokens(&format!("symbol.{s}"), lengths[s])).collect();
    // Symbol s is in two of three steps, each at others.
    let session = Session::new(&wire, &tokens, |step, s| (step + s) % 3 != 0);
    for (tile, program) in programs {
        let rows = emulate(program, 0, &weights, &session);
        for (s, tokens) in tokens.iter().enumerate() {
            let truth = on_processor(&weights, tokens);
            let worst = largest_difference(&weights, &rows[s], &truth);
            eprintln!("tile {tile}, symbol {s}: largest difference {worst:.1e}");
            assert!(worst < TOLERANCE, "tile {tile}, symbol {s}: {worst:e}");
        }
    }
}

/// Threads of one phase do not see each other: any order gives the same bits.
#[test]
fn the_order_of_threads_does_not_show() {
    let Some(programs) = &*PROGRAMS else { return };
    let weights = common::model(2);
    let wire = Wire::new(&weights.spec);
    let tokens: Vec<Vec<Token>> =
        (0..3).map(|s| common::tokens(&format!("order.{s}"), WINDOW + 6)).collect();
    let session = Session::new(&wire, &tokens, |_, _| true);
    for (tile, program) in programs {
        let bits = |order| -> Vec<u32> {
            let rows = emulate(program, order, &weights, &session);
            rows.into_iter().flatten().flatten().map(f32::to_bits).collect()
        };
        let ascending = bits(0);
        assert_eq!(ascending, bits(1), "tile {tile}: descending");
        assert_eq!(ascending, bits(2), "tile {tile}: shuffled");
    }
}

/// The golden cases of the processor's kernels, from PyTorch in float64.
#[test]
fn the_device_kernel_passes_the_golden_cases() {
    let Some(programs) = &*PROGRAMS else { return };
    let golden: serde_json::Value =
        serde_json::from_str(include_str!("golden/encoder.json")).unwrap();
    let golden = &golden["encoder"];
    let weights = common::model(1);
    let wire = Wire::new(&weights.spec);
    let count = golden["count"].as_u64().unwrap() as usize;
    let session = Session::new(&wire, &[common::tokens("golden.features", count)], |_, _| true);
    for (tile, program) in programs {
        let rows = &emulate(program, 0, &weights, &session)[0];
        let mut worst = 0.0f64;
        for (t, theirs) in golden["forecasts"].as_object().unwrap() {
            let ours = wire.forecast(&rows[t.parse::<usize>().unwrap()]).unwrap();
            let theirs = theirs.as_array().unwrap().iter().map(|v| v.as_f64().unwrap());
            let ours = ours.iter().flat_map(|f| {
                [f.logits[0], f.logits[1], f.logits[2], f.mean_bps, f.log_var].map(f64::from)
            });
            for (i, (a, b)) in ours.zip(theirs).enumerate() {
                let unit = if i % 5 == 3 { weights.spec.target_scale_bps[i / 5] } else { 1.0 };
                worst = worst.max((a - b).abs() / unit);
            }
        }
        eprintln!("tile {tile}, against torch: {worst:.1e}");
        assert!(worst < TOLERANCE, "tile {tile}: {worst:e}");
    }
}

/// The largest finite weights leave nothing infinite in the rings.
#[test]
fn extreme_weights_stay_finite() {
    let Some(programs) = &*PROGRAMS else { return };
    for alternating in [false, true] {
        let weights = common::build(1, |_, values| {
            for (i, v) in values.iter_mut().enumerate() {
                *v = if alternating && i % 2 == 1 { -65504.0 } else { 65504.0 };
            }
        });
        let tokens = common::tokens("extreme", WINDOW + 2);
        let session = Session::new(&Wire::new(&weights.spec), &[tokens], |_, _| true);
        for (tile, program) in programs {
            let rows = &emulate(program, 0, &weights, &session)[0];
            assert!(rows.iter().flatten().all(|v| v.is_finite()), "tile {tile}");
        }
    }
}
