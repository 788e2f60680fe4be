//! `ijk-train compare`, and the comparison that `fit` makes.

use crate::args::CompareArgs;
use crate::costs::{Signal, Traded, parents, trade};
use crate::exit::{DATA, Exit, USAGE};
use crate::print;
use crate::progress::Display;
use ijk_core::{InstrumentId, SlotShape, SlotUpdate};
use ijk_data::FeedSpec;
use ijk_infer::Weights;
use ijk_models::card::Card;
use ijk_models::compare::{Comparison, Forecasts, baselines, compare, of_runs, to_markdown};
use ijk_models::evaluate::{Run, forecast_runs};
use ijk_models::feeds::{expand, load, load_phases};
use ijk_models::session::Session;
use ijk_models::slots::attach;
use ijk_models::split::{Segment, Split, split};
use ijk_models::train::Progress;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Horizon that the common rule trades on, and tokens it holds.
const HORIZON: usize = 1;
const HOLD: usize = 5;
/// `p(up) - p(down)` from which the common rule trades; fixed before any result was seen.
const THRESHOLD: f64 = 0.2;

/// Models beside each other on one set of rows.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// What was compared on.
    pub data: String,
    /// Scores and differences, per horizon.
    pub scores: Vec<Comparison>,
    /// The simulated exchange, per feed and model.
    pub costs: Vec<Traded>,
}

/// A weights file with what is known of it.
pub struct Candidate<'a> {
    /// Name in tables.
    pub name: String,
    /// The weights.
    pub weights: &'a Weights,
}

/// What the baselines train on.
pub struct Training<'a> {
    /// Sessions of the fit, copies included.
    pub sessions: &'a [Session],
    /// Its split.
    pub split: &'a Split,
}

/// Feeds that no part of the fit saw.
#[derive(Clone, Copy)]
pub struct Feeds<'a> {
    /// Specifications.
    pub specs: &'a [String],
    /// Slot files for them.
    pub slots: &'a [PathBuf],
    /// Whether to trade them in the simulated exchange.
    pub costs: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn run(args: &CompareArgs, json: bool) -> Result<(), Exit> {
    let (weights, card) = read(&args.weights[0])?;
    let mut all = vec![weights];
    for path in &args.weights[1..] {
        all.push(read(path)?.0);
    }
    let name = |p: &Path| p.file_stem().map(|s| s.to_string_lossy().into_owned());
    let candidates: Vec<Candidate> = args
        .weights
        .iter()
        .zip(&all)
        .map(|(p, weights)| Candidate { name: name(p).unwrap_or_default(), weights })
        .collect();
    let s = &card.settings;
    let mut display = Display::new();
    let feeds = expand(s).map_err(|e| Exit::new(USAGE, e))?;
    let held = (s.phases, s.tokens_max);
    let mut sessions = load_phases(&feeds, s.stride, s.seed, held, &mut |p| display.show(p))?;
    attach(&mut sessions, &s.slots.slot, &s.slots.files).map_err(|e| Exit::new(DATA, e))?;
    let split =
        split(&sessions, s.validation_fraction, s.test_fraction).map_err(|e| Exit::new(DATA, e))?;
    refuse_other_data(&card, &sessions)?;
    let training = Training { sessions: &sessions, split: &split };
    let compared = if args.feed.is_empty() {
        let costs = (!args.no_costs).then_some(feeds.as_slice());
        on_test_part(&candidates, &card, &training, costs, &mut display)?
    } else {
        let feeds = Feeds { specs: &args.feed, slots: &args.slots, costs: !args.no_costs };
        on_feeds(&candidates, &card, &training, feeds, &mut display)?
    };
    display.finish();
    if json {
        print::print_json(&serde_json::to_value(&compared).map_err(|e| Exit::new(70, e))?);
    } else {
        print::print_text(&to_text(&compared));
    }
    Ok(())
}

fn read(path: &Path) -> Result<(Weights, Card), Exit> {
    let bytes = std::fs::read(path).map_err(|e| Exit::file(USAGE, path, e))?;
    let weights = Weights::from_bytes(&bytes).map_err(|e| Exit::file(DATA, path, e))?;
    let beside = path.with_extension("json");
    let text = std::fs::read_to_string(&beside).map_err(|e| Exit::file(USAGE, &beside, e))?;
    let card = serde_json::from_str(&text).map_err(|e| Exit::file(DATA, &beside, e))?;
    Ok((weights, card))
}

/// The feeds of a card may have changed since: baselines on other rows would be another contest.
fn refuse_other_data(card: &Card, sessions: &[Session]) -> Result<(), Exit> {
    let known = |s: &Session| {
        let hash = ijk_models::session::hex(&s.sha256());
        card.sessions.iter().any(|c| c.sha256 == hash)
    };
    match sessions.iter().find(|s| !known(s)) {
        None => Ok(()),
        Some(s) => {
            let said = format!("'{}' is not what the card was made from; fit again", s.name);
            Err(Exit::new(DATA, said))
        }
    }
}

/// Compares on the test part of the fit.
///
/// # Errors
/// [`Exit`] where a baseline or a run in the exchange fails.
pub fn on_test_part(
    candidates: &[Candidate],
    card: &Card,
    training: &Training,
    costs: Option<&[FeedSpec]>,
    display: &mut Display,
) -> Result<Compared, Exit> {
    let (sessions, segments) = (training.sessions, &training.split.test);
    let (runs, models) = forecasts(candidates, card, training, sessions, segments, display)?;
    let scores = compare(&runs, &card.label_scale, &models);
    let mut traded = Vec::new();
    for (number, feed) in costs.unwrap_or_default().iter().enumerate() {
        let here = |r: &&(usize, &Run)| sessions[r.1.session].feed == number;
        let runs: Vec<(usize, &Run)> = runs.iter().enumerate().collect();
        // The exchange takes the first instrument of a feed.
        let Some((at, run)) = runs.iter().find(here) else { continue };
        traded.extend(trade_all(feed, card, &models, (*at, run), &sessions[run.session])?);
    }
    Ok(Compared { data: "test part".into(), scores, costs: traded })
}

/// Compares on feeds that no part of the fit saw; the ensembles also trade by themselves there.
///
/// # Errors
/// [`Exit`] where a feed cannot be read, a baseline or a run in the exchange fails.
pub fn on_feeds(
    candidates: &[Candidate],
    card: &Card,
    training: &Training,
    feeds: Feeds,
    display: &mut Display,
) -> Result<Compared, Exit> {
    let specs: Result<Vec<FeedSpec>, _> = feeds.specs.iter().map(|f| f.parse()).collect();
    let specs = specs.map_err(|e| Exit::new(USAGE, e))?;
    let (stride, seed) = (card.settings.stride, card.settings.seed);
    let mut sessions = load(&specs, stride, seed, &mut |p| display.show(p))?;
    attach(&mut sessions, &card.settings.slots.slot, feeds.slots)
        .map_err(|e| Exit::new(DATA, e))?;
    let whole = |(session, s): (usize, &Session)| Segment { session, tokens: 0..s.mids.len() };
    let segments: Vec<Segment> = sessions.iter().enumerate().map(whole).collect();
    let (runs, models) = forecasts(candidates, card, training, &sessions, &segments, display)?;
    let scores = compare(&runs, &card.label_scale, &models);
    let mut traded = Vec::new();
    for (number, feed) in specs.iter().enumerate().filter(|_| feeds.costs) {
        let first = runs.iter().position(|r| sessions[r.session].feed == number);
        let Some(at) = first else { continue };
        let session = &sessions[runs[at].session];
        traded.extend(trade_all(feed, card, &models, (at, &runs[at]), session)?);
        for c in candidates {
            let name = format!("{} with the kernel's sizing on {feed}", c.name);
            let slots = updates(&sessions, number, &c.weights.spec.slots);
            traded.push(trade(&name, feed, seed, Vec::new(), Some((c.weights, slots)))?);
        }
    }
    Ok(Compared { data: feeds.specs.join(" "), scores, costs: traded })
}

/// Returns what the slots of a model are told during one feed; instruments as in the feed.
fn updates(sessions: &[Session], feed: usize, shapes: &[SlotShape]) -> Vec<SlotUpdate> {
    let mut all = Vec::new();
    let of_feed = sessions.iter().filter(|s| s.feed == feed);
    for (instrument, session) in of_feed.enumerate() {
        for (slot, shape) in shapes.iter().enumerate() {
            let series = session.slots.iter().find(|s| s.name == shape.name);
            all.extend(series.into_iter().flat_map(|s| s.updates()).map(|u| SlotUpdate {
                instrument: InstrumentId(instrument as u16),
                slot: slot as u16,
                ..u.clone()
            }));
        }
    }
    all.sort_by_key(|u| u.known_from);
    all
}

/// Returns the rows, and the forecasts of candidates and baselines on them.
fn forecasts(
    candidates: &[Candidate],
    card: &Card,
    training: &Training,
    sessions: &[Session],
    segments: &[Segment],
    display: &mut Display,
) -> Result<(Vec<Run>, Vec<Forecasts>), Exit> {
    let mut runs = Vec::new();
    let mut models = Vec::new();
    for c in candidates {
        runs = forecast_runs(c.weights, sessions, segments, &mut |done, total| {
            display.show(&Progress::Stage { name: "forecast", done, total });
        });
        models.push(of_runs(&c.name, &runs));
    }
    display.show(&Progress::Stage { name: "baselines", done: 0, total: 1 });
    let (split, scale) = (training.split, &card.label_scale);
    let trained = baselines(training.sessions, split, &card.scaler, scale, &runs);
    models.extend(trained.map_err(|e| Exit::new(DATA, e))?);
    Ok((runs, models))
}

/// Lets every model trade one feed by the common rule.
fn trade_all(
    feed: &FeedSpec,
    card: &Card,
    models: &[Forecasts],
    (at, run): (usize, &Run),
    session: &Session,
) -> Result<Vec<Traded>, Exit> {
    let signal = |row: usize, p: [[f64; 3]; 4]| {
        let lean = p[HORIZON][2] - p[HORIZON][0];
        let direction = if lean > THRESHOLD {
            1
        } else if lean < -THRESHOLD {
            -1
        } else {
            0
        };
        Signal { at_ns: session.closes_ns[run.first + row], direction }
    };
    let mut all = Vec::new();
    for model in models {
        let signals: Vec<Signal> =
            model.probabilities[at].iter().enumerate().map(|(i, p)| signal(i, *p)).collect();
        let name = format!("{} on {feed}", model.name);
        all.push(trade(&name, feed, card.settings.seed, parents(&signals, HOLD), None)?);
    }
    Ok(all)
}

/// Returns a comparison for people.
pub fn to_text(compared: &Compared) -> String {
    let mut out = format!("On {}:\n\n{}", compared.data, to_markdown(&compared.scores));
    if !compared.costs.is_empty() {
        out.push_str(
            "\nIn the simulated exchange (100 shares, taking liquidity, held 5 tokens):\n\n\
             | model | result after costs USD | fees USD | orders | fills |\n\
             |---|---|---|---|---|\n",
        );
    }
    for r in &compared.costs {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "| {} | {:.2} | {:.2} | {} | {} |",
            r.name, r.pnl_usd, r.fees_usd, r.orders, r.fills
        );
    }
    out
}
