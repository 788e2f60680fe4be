//! `ijk-train leakage`.

use crate::args::LeakageArgs;
use crate::exit::{CHECK, DATA, Exit, USAGE};
use crate::progress::Display;
use crate::{print, settings};
use ijk_models::feeds::{expand, load_phases};
use ijk_models::leakage::{Leakage, SeedMean, check};
use ijk_models::slots::attach;
use std::fmt::Write;

/// Fits on shuffled labels and prints what the nets are worth.
///
/// # Errors
/// [`Exit`] with the code of the cause; 1 where shuffled labels gave skill.
pub fn run(args: &LeakageArgs, json: bool) -> Result<(), Exit> {
    let settings = settings::of(&args.settings)?;
    settings.check()?;
    let feeds = expand(&settings).map_err(|e| Exit::new(USAGE, e))?;
    let mut display = Display::new();
    let held = (settings.phases, settings.tokens_max);
    let mut sessions =
        load_phases(&feeds, settings.stride, settings.seed, held, &mut |p| display.show(p))?;
    attach(&mut sessions, &settings.slots.slot, &settings.slots.files)
        .map_err(|e| Exit::new(DATA, e))?;
    let leakage = check(&sessions, &settings, args.seeds, &mut |p| display.show(p))?;
    display.finish();
    let found = leakage.found();
    if json {
        print::print_json(&serde_json::json!({
            "leakage": leakage, "found": found, "sees_skill": leakage.sees_skill(),
        }));
    } else {
        print::print_text(&table(&leakage));
    }
    if !leakage.sees_skill() {
        eprintln!(
            "labels in place do not give skill at every horizon here: the check says less there"
        );
    }
    match found.as_slice() {
        [] => Ok(()),
        found => {
            let said = format!("shuffled labels give skill at {found:?} tokens: something leaks");
            Err(Exit::new(CHECK, said))
        }
    }
}

/// Returns one line a horizon and kind of net under a header.
fn table(leakage: &Leakage) -> String {
    let show = |m: &SeedMean| format!("{:7.4} +- {:.4} (sd {:.4})", m.value, m.half, m.sd);
    let mut out = format!(
        "{} seeds, {} test tokens; mean over seeds +- 95 %\n\
         horizon  labels     IC                            log loss less that of the shares\n",
        leakage.seeds, leakage.test_tokens
    );
    for h in &leakage.horizons {
        let nets =
            [("untrained", &h.untrained), ("shuffled", &h.shuffled), ("in place", &h.in_place)];
        for (name, skills) in nets {
            // Writing to a String cannot fail.
            let _ = writeln!(
                out,
                "{:7}  {name:9}  {}  {}",
                h.horizon_tokens,
                show(&skills.ic),
                show(&skills.log_loss)
            );
        }
    }
    out
}
