//! `ijk-train fit`.

use crate::args::FitArgs;
use crate::exit::{Exit, USAGE};
use crate::progress::Display;
use crate::{files, settings, table};
use ijk_models::feeds::{expand, load};
use ijk_models::fit::{Provenance, fit};
use std::path::{Path, PathBuf};

/// Fits, then writes card and weights; the weights last, so that they never stand alone.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn run(args: &FitArgs, json: bool) -> Result<(), Exit> {
    let settings = settings::of(args)?;
    settings.check()?;
    let [card_json, card_md] = ["json", "md"].map(|e| args.out.with_extension(e));
    if [&card_json, &card_md].contains(&&args.out) {
        return Err(Exit::file(USAGE, &args.out, "the card goes there; end it in .safetensors"));
    }
    for path in [&args.out, &card_json, &card_md] {
        files::check_free(path, args.force)?;
    }
    let feeds = expand(&settings).map_err(|e| Exit::new(USAGE, e))?;
    let provenance = Provenance {
        command: command_line(std::env::args().skip(1)),
        created: created()?,
        code_version: code_version(),
    };
    let mut display = Display::new();
    let mut report = |p: &_| display.show(p);
    let sessions = load(&feeds, settings.stride, settings.seed, &mut report)?;
    let fitted = fit(&sessions, &settings, &provenance, &mut report)?;
    display.finish();

    let text = serde_json::to_string_pretty(&fitted.card).map_err(|e| Exit::new(70, e))?;
    let title = args.out.file_stem().map(|s| s.to_string_lossy().into_owned());
    files::write_whole(&card_json, (text + "\n").as_bytes())?;
    let markdown = fitted.card.to_markdown(&title.unwrap_or_default());
    files::write_whole(&card_md, markdown.as_bytes())?;
    files::write_whole(&args.out, &fitted.weights.to_bytes())?;
    if json {
        let paths: Vec<String> =
            [&args.out, &card_json, &card_md].map(|p: &PathBuf| p.display().to_string()).to_vec();
        files::print_json(&serde_json::json!({ "files": paths, "card": fitted.card }));
    } else {
        let shown = |p: &Path| p.display().to_string();
        files::print_text(&table::scores(&fitted.card.test));
        files::print_text(&format!(
            "weights {}\ncard    {} and {}\n",
            shown(&args.out),
            shown(&card_md),
            shown(&card_json)
        ));
    }
    Ok(())
}

/// Version of this build, with the commit where the build names it.
fn code_version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    option_env!("IJK_COMMIT").map_or(version.into(), |commit| format!("{version} ({commit})"))
}

/// Now, or `SOURCE_DATE_EPOCH` for reproducible files.
fn created() -> Result<String, Exit> {
    let seconds = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().map_err(|_| {
            Exit::new(USAGE, format!("SOURCE_DATE_EPOCH: expected whole seconds, found '{text}'"))
        })?,
        Err(_) => jiff::Timestamp::now().as_second(),
    };
    let time = jiff::Timestamp::from_second(seconds);
    time.map(|t| t.to_string()).map_err(|e| Exit::new(USAGE, format!("SOURCE_DATE_EPOCH: {e}")))
}

/// The command as one could type it again; arguments in quotes where a shell needs them.
fn command_line(args: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@%+".contains(c);
    let quote = |a: String| {
        if !a.is_empty() && a.chars().all(plain) {
            a
        } else {
            format!("'{}'", a.replace('\'', r"'\''"))
        }
    };
    std::iter::once("ijk-train".to_owned()).chain(args.map(quote)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_can_be_typed_again() {
        let args = ["fit", "--feed", "dbn:a b.csv", "--out", "it's"].map(String::from);
        let expected = r"ijk-train fit --feed 'dbn:a b.csv' --out 'it'\''s'";
        assert_eq!(command_line(args.into_iter()), expected);
    }
}
