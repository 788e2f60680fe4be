//! `ijk-peers-tract MODEL_DIR`: the window through tract, behind the protocol of
//! `encoder/worker.py`.

use serde_json::{Value, json};
use std::io::{BufRead, Write};
use tract_onnx::prelude::*;

const WINDOW: usize = 64;
const FEATURES: usize = 12;

fn main() -> TractResult<()> {
    let folder = std::path::PathBuf::from(std::env::args().nth(1).unwrap_or_default());
    let plan = tract_onnx::onnx()
        .model_for_path(folder.join("window.onnx"))?
        .into_optimized()?
        .into_runnable()?;
    let bytes = std::fs::read(folder.join("window.bin"))?;
    let scaled: Vec<f32> = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let windows: Vec<TValue> = scaled
        .chunks_exact(WINDOW * FEATURES)
        .map(|w| Tensor::from_shape(&[WINDOW, FEATURES], w).map(|t| t.into()))
        .collect::<TractResult<_>>()?;
    let infer = |window: &TValue| plan.run(tvec!(window.clone()));
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words[..] {
            ["info"] => json!({ "version": "0.23.9", "ways": ["window"] }),
            ["check"] => {
                let mut rows = Vec::new();
                for window in &windows {
                    let out = infer(window)?;
                    rows.push(out[0].to_plain_array_view::<f32>()?.iter().copied().collect());
                }
                json!({ "window": rows as Vec<Vec<f32>> })
            }
            ["run", _, count] => run(infer, &windows, count.parse()?)?,
            _ => json!({ "error": "no such command" }),
        };
        let mut out = std::io::stdout().lock();
        writeln!(out, "{answer}")?;
        out.flush()?;
    }
    Ok(())
}

fn run<T>(
    infer: impl Fn(&TValue) -> TractResult<T>,
    windows: &[TValue],
    count: usize,
) -> TractResult<Value> {
    let before = cpu_ns();
    for i in 0..count {
        infer(&windows[i % windows.len()])?;
    }
    Ok(json!({ "cpu_ns": cpu_ns() - before }))
}

/// Nanoseconds this process has spent on a CPU.
fn cpu_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
