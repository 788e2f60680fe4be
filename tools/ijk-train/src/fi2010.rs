//! `ijk-train fi2010`: our score on the user's FI-2010 files beside the published table.

use crate::args::Fi2010Args;
use crate::exit::{DATA, Exit, USAGE};
use crate::print;
use crate::progress::Display;
use ijk_core::limits::MEMBER_COUNT_MAX;
use ijk_models::baselines::{Baselines, NAMES};
use ijk_models::fi2010::{EVENTS, PUBLISHED, Snapshots, read};
use ijk_models::fit::{ClassTask, classify};
use ijk_models::metrics::{Scored, class_scores};
use ijk_models::scaler::Scaler;
use std::fmt::Write;
use std::path::PathBuf;

/// Runs the command.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn run(args: &Fi2010Args, json: bool) -> Result<(), Exit> {
    if !(1..=MEMBER_COUNT_MAX).contains(&args.members) || args.epochs == 0 {
        let said = format!("members must be 1 to {MEMBER_COUNT_MAX}, epochs at least 1");
        return Err(Exit::new(USAGE, said));
    }
    let train = read_all(&args.train)?;
    let test = read_all(&args.test)?;
    // The last sixth of the training days chooses the epoch.
    let features = train.features();
    let cut = features.len() * 5 / 6;
    let scaler = Scaler::fit(features[..cut].iter());
    let mut display = Display::new();
    let part = |s: &Snapshots| s.part(&scaler);
    let (mut fit, mut validation) = (part(&train), part(&train));
    fit.inputs.truncate(cut);
    fit.targets.truncate(cut);
    fit.classes.truncate(cut);
    validation.inputs.drain(..cut);
    validation.targets.drain(..cut);
    validation.classes.drain(..cut);
    let task = ClassTask {
        train: &fit,
        validation: &validation,
        scaler: &scaler,
        epochs: args.epochs,
        members: args.members,
        seed: args.seed,
    };
    let test_features = test.features();
    let ours = classify(&task, &test_features, &mut |p| display.show(p))?;
    let test_inputs: Vec<_> = test_features.iter().map(|f| scaler.apply(f)).collect();
    let mut rows = vec![("ijk".to_owned(), f1(&test, |t, h| ours[t][h]))];
    let mut baselines = [[0.0; 4]; 3];
    for h in 0..4 {
        let classes: Vec<u8> = fit.classes.iter().map(|c| c[h]).collect();
        let fitted = Baselines::fit(&fit.inputs, &classes).map_err(|e| Exit::new(DATA, e))?;
        for (m, p) in fitted.probabilities(&test_inputs).iter().enumerate() {
            baselines[m][h] = f1(&test, |t, _| p[t])[h];
        }
    }
    display.finish();
    rows.extend(NAMES.iter().zip(baselines).map(|(n, f)| ((*n).to_owned(), f)));
    if json {
        let scores: Vec<_> = rows
            .iter()
            .map(|(name, f1)| serde_json::json!({"model": name, "events": EVENTS, "macro_f1": f1}))
            .collect();
        print::print_json(&serde_json::json!({"rows": test.book.len(), "scores": scores}));
    } else {
        print::print_text(&table(&rows, test.book.len()));
    }
    Ok(())
}

fn read_all(paths: &[PathBuf]) -> Result<Snapshots, Exit> {
    let mut all = Snapshots::default();
    for path in paths {
        let one = read(path).map_err(|e| Exit::file(DATA, path, e))?;
        all.book.extend(one.book);
        all.classes.extend(one.classes);
    }
    if all.book.len() < 2_000 {
        let said = format!("{} snapshots, at least 2000 are needed", all.book.len());
        return Err(Exit::new(if paths.is_empty() { USAGE } else { DATA }, said));
    }
    Ok(all)
}

/// Macro-F1 per horizon in per cent.
fn f1(test: &Snapshots, told: impl Fn(usize, usize) -> [f64; 3]) -> [f64; 4] {
    std::array::from_fn(|h| {
        let scored = |t: usize| Scored {
            label_bps: 0.0,
            class: test.classes[t][h],
            probabilities: told(t, h),
            mean_bps: 0.0,
            aleatoric_var: 1.0,
            epistemic_var: 0.0,
        };
        let rows: Vec<Scored> = (0..test.book.len()).map(scored).collect();
        100.0 * class_scores(&rows, |r| r.probabilities).macro_f1
    })
}

fn table(ours: &[(String, [f64; 4])], rows: usize) -> String {
    let mut out = format!(
        "FI-2010, macro-F1 in %, {rows} test snapshots\n\n| model | 10 | 20 | 50 | 100 |\n\
         |---|---|---|---|---|\n"
    );
    let number = |v: f64| if v > 0.0 { format!("{v:.1}") } else { "–".into() };
    let mut line = |name: &str, f: &[f64; 4]| {
        let cells: Vec<String> = f.iter().map(|v| number(*v)).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "| {name} | {} |", cells.join(" | "));
    };
    ours.iter().for_each(|(name, f)| line(&format!("{name} (here)"), f));
    for (name, claimed, reproduced) in &PUBLISHED {
        line(&format!("{name}, claimed"), claimed);
        line(&format!("{name}, reproduced by LOBCAST"), reproduced);
    }
    out
}
