//! `ijk-train eval`.

use crate::args::EvalArgs;
use crate::exit::{DATA, Exit, USAGE};
use crate::progress::Display;
use crate::{print, table};
use ijk_core::forecast::HORIZON_COUNT;
use ijk_data::FeedSpec;
use ijk_infer::{Encoder, Weights};
use ijk_models::card::Card;
use ijk_models::conformal::{Tracked, coverage, track};
use ijk_models::evaluate::{forecast_runs_on, score, warm_up_tokens};
use ijk_models::feeds::load;
use ijk_models::labels::{LabelScale, labels};
use ijk_models::metrics::Interval;
use ijk_models::session::{Session, hex};
use ijk_models::slots::attach;
use ijk_models::split::Segment;
use ijk_models::train::Progress;
use std::path::Path;

/// Streams the feeds through the weights and prints the scores.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn run(args: &EvalArgs, json: bool) -> Result<(), Exit> {
    let weights = read_weights(&args.weights)?;
    let card = read_card(args)?;
    let stride = args.stride.or(card.as_ref().map(|c| c.settings.stride)).unwrap_or(10);
    if stride == 0 {
        return Err(Exit::new(USAGE, "--stride must be 1 or more"));
    }
    let feeds: Result<Vec<FeedSpec>, _> = args.feed.iter().map(|f| f.parse()).collect();
    let feeds = feeds.map_err(|e| Exit::new(USAGE, e))?;
    let mut display = Display::new();
    let mut sessions = load(&feeds, stride, args.seed, &mut |p| display.show(p))?;
    tell_slots(&mut sessions, &weights, args)?;
    let segments: Vec<Segment> = sessions
        .iter()
        .enumerate()
        .map(|(session, s)| Segment { session, tokens: 0..s.mids.len() })
        .collect();
    let (scale, source) = match &card {
        Some(card) => (card.label_scale, "card"),
        None => (measure(&sessions)?, "feed"),
    };
    let encoder = Encoder::packed(&weights, args.packing.into());
    let runs = forecast_runs_on(&encoder, &sessions, &segments, &mut |done, total| {
        display.show(&Progress::Stage { name: "eval", done, total });
    });
    display.finish();
    if runs.iter().all(|r| r.rows.is_empty()) {
        let needed = warm_up_tokens();
        return Err(Exit::new(DATA, format!("no session has more than {needed} tokens to score")));
    }
    let scores = score(&runs, &scale, None);
    let intervals = weights.spec.interval_z90.map(|z90| Intervals {
        half_width: z90,
        coverage: coverage(&runs, z90),
        tracked: track(&runs, z90),
    });
    if json {
        let tokens: Vec<_> = sessions
            .iter()
            .map(|s| {
                let sha256 = hex(&s.sha256());
                serde_json::json!({"name": s.name, "tokens": s.mids.len(), "sha256": sha256})
            })
            .collect();
        print::print_json(&serde_json::json!({
            "weights": args.weights.display().to_string(),
            "members": weights.members().len(),
            "sessions": tokens,
            "threshold_source": source,
            "label_scale": scale,
            "scores": scores,
            "intervals": intervals,
        }));
    } else {
        if source == "feed" {
            eprintln!("no card beside the weights: class thresholds are those of these feeds");
        }
        print::print_text(&table::scores(&scores));
        if let Some(i) = &intervals {
            print::print_text(&table::intervals(&i.half_width, &i.coverage, &i.tracked));
        }
    }
    Ok(())
}

/// Gives the sessions what the slot files knew.
fn tell_slots(sessions: &mut [Session], weights: &Weights, args: &EvalArgs) -> Result<(), Exit> {
    let shapes = &weights.spec.slots;
    if shapes.is_empty() && !args.slots.is_empty() {
        return Err(Exit::file(USAGE, &args.weights, "the model has no slots; leave out --slots"));
    }
    if !shapes.is_empty() && args.slots.is_empty() {
        eprintln!("the model has slots and there is no --slots: all of them are missing");
    }
    attach(sessions, shapes, &args.slots).map_err(|e| Exit::new(DATA, e))
}

/// The 90 % intervals of the weights file on these feeds, in predictive standard deviations.
#[derive(serde::Serialize)]
struct Intervals {
    half_width: [f64; HORIZON_COUNT],
    coverage: [Interval; HORIZON_COUNT],
    tracked: Tracked,
}

fn read_weights(path: &Path) -> Result<Weights, Exit> {
    let bytes = std::fs::read(path).map_err(|e| Exit::file(USAGE, path, e))?;
    Weights::from_bytes(&bytes).map_err(|e| Exit::file(DATA, path, e))
}

/// Reads the named card, or the one beside the weights if there is one.
fn read_card(args: &EvalArgs) -> Result<Option<Card>, Exit> {
    let beside = args.weights.with_extension("json");
    let path = args.card.as_ref().unwrap_or(&beside);
    if args.card.is_none() && !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path).map_err(|e| Exit::file(USAGE, path, e))?;
    serde_json::from_str(&text).map(Some).map_err(|e| Exit::file(DATA, path, e))
}

fn measure(sessions: &[Session]) -> Result<LabelScale, Exit> {
    let rows: Vec<_> = sessions.iter().flat_map(|s| labels(&s.mids)).collect();
    LabelScale::fit(rows.iter()).map_err(|e| Exit::new(DATA, e))
}
