//! `ijk config check`, completions and man pages.

use crate::cli::Cli;
use crate::exit::Exit;
use crate::print::{print_json, print_text};
use crate::settings;
use clap::CommandFactory;
use serde_json::json;
use std::path::Path;

/// Prints the effective settings of a venue and where each comes from; refuses what cannot be
/// used. Without a file the venue's defaults are printed, usable or not.
///
/// # Errors
/// 2 with file, line and key.
pub fn check(file: Option<&Path>, venue: &str, as_json: bool) -> Result<(), Exit> {
    let settings = settings::load(file, settings::Profile::of_venue(venue))?;
    if file.is_some() {
        settings::require_real_limits(&settings)?;
    }
    let config = &settings.config;
    let probe =
        [ijk_core::Instrument::us_equity(ijk_core::Symbol::new("CHECK").map_err(Exit::usage)?)];
    ijk_engine::Kernel::new(ijk_engine::KernelParts {
        config,
        instruments: &probe,
        depths: &[ijk_core::DepthKind::L2],
        encoder: None,
        outside_forecasts: false,
        epoch: 0,
        external_venue: false,
    })
    .map_err(Exit::usage)?;
    let depths = [ijk_core::DepthKind::L2];
    ijk_venue::SimExchange::new(&config.sim, &config.fees, &probe, &depths, config.run.seed)
        .map_err(Exit::usage)?;
    let rows = settings::effective(&settings);
    if as_json {
        let keys: Vec<_> = rows
            .iter()
            .map(|(key, value, origin)| json!({ "key": key, "value": value, "origin": origin }))
            .collect();
        print_json(&json!({ "settings": keys }));
    } else {
        for (key, value, origin) in rows {
            print_text(&format!("{key} = {value}  # {origin}\n"));
        }
    }
    Ok(())
}

/// Prints shell completions.
///
/// # Errors
/// None at present.
pub fn completions(shell: clap_complete::Shell) -> Result<(), Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "ijk", &mut text);
    print_text(&String::from_utf8_lossy(&text));
    Ok(())
}

/// Writes one man page a command.
///
/// # Errors
/// 2 if the folder cannot be written.
pub fn man(out: &Path) -> Result<(), Exit> {
    std::fs::create_dir_all(out).map_err(|e| Exit::output(out, e))?;
    clap_mangen::generate_to(Cli::command(), out).map_err(|e| Exit::output(out, e))
}
