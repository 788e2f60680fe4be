//! Labelled tokens per CPU second of the training loop: forward, loss, backward, clipped step, on
//! the kernel's shape. `scripts/train_throughput.py` runs it beside PyTorch on the same machine.
//!
//! ```sh
//! RAYON_NUM_THREADS=1 cargo run --release -p ijk-models --example train_throughput -- 12
//! ```

use burn::backend::{Autodiff, Flex};
use ijk_models::encoder::EncoderShape;
use ijk_models::loss::LabelWeights;
use ijk_models::rng::Stream;
use ijk_models::sequences::Part;
use ijk_models::slots::NO_SLOTS;
use ijk_models::train::{MemberTask, Progress, TrainSettings, train_member};

/// User and system seconds of this process so far.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let rest = stat.rsplit(')').next().unwrap_or_default();
    let ticks = rest.split_whitespace().skip(11).take(2);
    ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn main() {
    let steps: usize = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(12);
    let settings = TrainSettings { epochs: 1, ..TrainSettings::default() };
    let tokens = settings.sequence_tokens * (settings.batch_sequences * steps + 1);
    let mut rng = Stream::new(1, "throughput");
    let part = |tokens: usize, rng: &mut Stream| Part {
        inputs: (0..tokens)
            .map(|_| std::array::from_fn(|_| 2.0 * rng.uniform() as f32 - 1.0))
            .collect(),
        targets: vec![[0.5; 4]; tokens],
        classes: vec![[1; 4]; tokens],
        market: 0,
        slots: Vec::new(),
    };
    let (train, validation) = (part(tokens, &mut rng), part(settings.sequence_tokens, &mut rng));
    let task = MemberTask {
        train: &[train],
        validation: &[validation],
        shape: EncoderShape::default(),
        settings: &settings,
        weights: LabelWeights::default(),
        mirror: None,
        slots: &NO_SLOTS,
        member: 0,
        seed: 1,
        bootstrap: false,
        checkpoints: None,
    };
    // The first step warms caches and is not counted.
    let (mut began, mut counted) = (None, 0);
    let mut spent = 0.0;
    let mut report = |p: &Progress| {
        if let Progress::Step { tokens, .. } = p {
            match began {
                None => began = Some(cpu_seconds()),
                Some(since) => {
                    counted += tokens;
                    spent = cpu_seconds() - since;
                }
            }
        }
    };
    let done = train_member::<Autodiff<Flex>>(&task, &Default::default(), &mut report);
    if let Err(e) = done {
        eprintln!("{e}");
        std::process::exit(1);
    }
    println!(
        "{{\"labelled_tokens\": {counted}, \"cpu_s\": {spent:.3}, \"per_cpu_s\": {:.1}}}",
        counted as f64 / spent.max(1e-9)
    );
}
