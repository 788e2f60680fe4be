//! Labels shuffled in time leave nothing to learn: what still had skill then would have seen the
//! answers. The same fits with their labels in place have skill, or the check could not fail.

use ijk_models::feeds::{expand, load};
use ijk_models::fit::{FitError, FitSettings};
use ijk_models::leakage::{Leakage, SeedMean, check};
use ijk_models::train::TrainSettings;

fn settings() -> FitSettings {
    FitSettings {
        feed: vec!["synth:810".into()],
        sessions: 3,
        minutes: Some(60),
        train: TrainSettings {
            epochs: 3,
            patience_epochs: 3,
            batch_sequences: 2,
            ..TrainSettings::default()
        },
        ..FitSettings::default()
    }
}

fn run(settings: &FitSettings, seeds: usize) -> Result<Leakage, FitError> {
    let sessions = load(&expand(settings).unwrap(), settings.stride, 1, &mut |_| {}).unwrap();
    check(&sessions, settings, seeds, &mut |_| {})
}

#[test]
fn shuffled_labels_give_no_skill_and_labels_in_place_do() {
    let leakage = run(&settings(), 16).unwrap();
    for h in &leakage.horizons {
        eprintln!("{h:?}");
        // Untrained nets lean somewhere, each elsewhere.
        assert!(h.untrained.ic.value.abs() < 3.0 * h.untrained.ic.sd / 4.0, "{h:?}");
        assert!(h.untrained.ic.sd > 0.05, "one net's IC is far from nothing: {h:?}");
        assert!(h.in_place.ic.value > h.shuffled.ic.value + h.shuffled.ic.half, "{h:?}");
    }
    assert_eq!(leakage.found(), Vec::<u32>::new());
    assert!(leakage.sees_skill());
    // The leak planted: the same judgement of nets whose labels were left in their places.
    let mut planted = leakage.clone();
    planted.horizons.iter_mut().for_each(|h| h.shuffled = h.in_place);
    assert_eq!(planted.found(), [1, 5, 10, 20]);
}

#[test]
fn one_leak_among_the_scores_is_found_and_chance_is_not() {
    let around = |value: f64| -> SeedMean {
        let swing = |i: usize| if i.is_multiple_of(2) { 0.1 } else { -0.1 };
        SeedMean::of(&(0..20).map(|i| value + swing(i)).collect::<Vec<_>>())
    };
    // Half of the 95 % interval by hand: t(19) 2.093, sd 0.1 sqrt(20/19), 20 seeds.
    assert!((around(0.0).half - 2.093_024 * 0.1 / 19.0f64.sqrt()).abs() < 1e-6);
    assert!(!around(0.03).above_zero(0.05 / 8.0) && around(0.07).above_zero(0.05 / 8.0));
    assert!(!around(-0.5).above_zero(0.05) && around(-0.5).negated().above_zero(0.05));
}

#[test]
fn too_few_seeds_are_refused() {
    let e = run(&settings(), 4).unwrap_err();
    assert!(e.to_string().contains("seeds must be at least 5"), "{e}");
}
