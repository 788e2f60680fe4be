//! The whole way from sessions to weights and card, small.

use ijk_infer::Weights;
use ijk_models::card::Card;
use ijk_models::evaluate::{forecast_runs, score};
use ijk_models::feeds::{expand, load};
use ijk_models::fit::{FitError, FitSettings, Fitted, Provenance, fit};
use ijk_models::session::{Session, hex};
use ijk_models::split::{Segment, SplitError};
use ijk_models::train::TrainSettings;
use sha2::{Digest, Sha256};

fn settings() -> FitSettings {
    FitSettings {
        feed: vec!["synth:500".into()],
        sessions: 3,
        minutes: Some(60),
        members: 2,
        train: TrainSettings { epochs: 1, ..TrainSettings::default() },
        ..FitSettings::default()
    }
}

fn sessions(settings: &FitSettings) -> Vec<Session> {
    load(&expand(settings).unwrap(), settings.stride, settings.seed, &mut |_| {}).unwrap()
}

fn run(sessions: &[Session], settings: &FitSettings) -> Fitted {
    let provenance = Provenance {
        command: "test".into(),
        created: "2026-01-01T00:00:00Z".into(),
        code_version: "0".into(),
        ..Provenance::default()
    };
    fit(sessions, settings, &provenance, None, &mut |_| {}).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_file_and_the_test_part_cannot_touch_it() {
    let settings = settings();
    let mut sessions = sessions(&settings);
    let fitted = run(&sessions, &settings);
    let bytes = fitted.weights.to_bytes();

    // The card speaks of this file, and its scores come again from the file's bytes.
    let card = &fitted.card;
    assert_eq!(card.weights_sha256, hex(&Sha256::digest(&bytes)));
    assert_eq!(card.test.len(), 4);
    assert_eq!(card.members.len(), 2);
    let parts: Vec<&str> = card.sessions.iter().map(|s| s.part.as_str()).collect();
    assert_eq!(parts, ["training", "validation", "calibration", "test"]);
    let read = Weights::from_bytes(&bytes).unwrap();
    let test = Segment { session: 2, tokens: 0..sessions[2].mids.len() };
    let runs = forecast_runs(&read, &sessions, &[test], &mut |_, _| {});
    let again = score(&runs, &card.label_scale, None);
    for (a, b) in again.iter().zip(&card.test) {
        assert_eq!((a.rows, &a.mean, &a.class), (b.rows, &b.mean, &b.class));
        assert!(b.mean_ols.is_some() && b.member_r2.len() == 2);
    }
    let text = serde_json::to_string(card).unwrap();
    let back: Card = serde_json::from_str(&text).unwrap();
    // JSON readers may be one unit in the last place off; the printed digits are not.
    assert_eq!(back.to_markdown("x"), card.to_markdown("x"));
    assert!(card.to_markdown("x").contains(&card.weights_sha256));

    // Another test session: other scores, the same weights.
    sessions[2].features.iter_mut().flatten().for_each(|v| *v *= -3.0);
    sessions[2].mids.iter_mut().step_by(2).for_each(|m| *m *= 1.001);
    let poisoned = run(&sessions, &settings);
    assert_eq!(poisoned.weights.to_bytes(), bytes);
    assert_ne!(poisoned.card.test, card.test);

    // Another seed: other weights.
    let other = FitSettings { seed: 2, members: 1, ..settings };
    let one = run(&sessions, &other).weights;
    assert_ne!(one.members()[0], fitted.weights.members()[0]);
}

#[test]
fn too_little_data_states_the_floor() {
    let settings = FitSettings { minutes: Some(5), ..settings() };
    let e = fit(&sessions(&settings), &settings, &Provenance::default(), None, &mut |_| {})
        .unwrap_err();
    assert!(matches!(e, FitError::Split(SplitError::TooLittle { floor: 2_000, .. })), "{e}");
    let e = FitSettings { members: 6, ..settings }.check().unwrap_err();
    assert!(e.to_string().contains("members must be 1 to 5"));
}

#[test]
fn truncating_a_session_leaves_every_earlier_forecast_as_it_was() {
    let settings = settings();
    let sessions = sessions(&settings);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/synth-5x.safetensors");
    let weights = Weights::from_bytes(&std::fs::read(path).unwrap()).unwrap();
    let whole = Segment { session: 0, tokens: 0..sessions[0].mids.len() };
    let all = forecast_runs(&weights, &sessions, &[whole], &mut |_, _| {});
    let mut cut = sessions.clone();
    let keep = 700;
    cut[0].features.truncate(keep);
    cut[0].mids.truncate(keep);
    let part = Segment { session: 0, tokens: 0..keep };
    let early = forecast_runs(&weights, &cut, &[part], &mut |_, _| {});
    assert!(!early[0].rows.is_empty());
    for (a, b) in early[0].rows.iter().zip(&all[0].rows) {
        assert_eq!((a.features, a.forecast), (b.features, b.forecast));
    }
}
