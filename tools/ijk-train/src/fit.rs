//! `ijk-train fit`.

use crate::args::{DeviceArg, FitArgs};
use crate::compare::{self, Candidate, Compared, Feeds, Training};
use crate::exit::{DATA, Exit, USAGE};
use crate::mlflow::{RunId, Server};
use crate::progress::Display;
use crate::store::{Entry, Store};
use crate::{entry, plot, print, settings, table};
use ijk_data::whole;
use ijk_models::checkpoint::Checkpoints;
use ijk_models::compare::to_markdown;
use ijk_models::device::{Choice, Device, choose, fit_on_device};
use ijk_models::feeds::{expand, load_phases};
use ijk_models::fit::{FitSettings, Fitted, Provenance};
use ijk_models::session::{Session, hex};
use ijk_models::slots::attach;
use ijk_models::split::split;
use ijk_models::train::{EpochRecord, Progress};
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// Files a fit writes beside the weights.
struct Outputs {
    weights: PathBuf,
    card_json: PathBuf,
    card_md: PathBuf,
    plot: PathBuf,
    compared_json: PathBuf,
    compared_md: PathBuf,
    /// Whether files that are there are replaced.
    force: bool,
}

impl Outputs {
    /// Returns the names, none of which may exist without `--force`.
    fn new(args: &FitArgs) -> Result<Outputs, Exit> {
        let name = |e: &str| args.out.with_extension(e);
        let out = Outputs {
            weights: args.out.clone(),
            card_json: name("json"),
            card_md: name("md"),
            plot: name("svg"),
            compared_json: name("untouched.json"),
            compared_md: name("untouched.md"),
            force: args.force,
        };
        let beside =
            [&out.card_json, &out.card_md, &out.plot, &out.compared_json, &out.compared_md];
        if beside.contains(&&args.out) {
            let said = "the card goes there; end it in .safetensors";
            return Err(Exit::file(USAGE, &args.out, said));
        }
        for path in beside.into_iter().chain([&args.out]) {
            whole::check(path, args.force)?;
        }
        Ok(out)
    }
}

/// Fits, compares with the baselines, then writes card and weights; the weights last, so that
/// they never stand alone.
///
/// # Errors
/// [`Exit`] with the code of the cause.
pub fn run(args: &FitArgs, json: bool) -> Result<(), Exit> {
    let settings = settings::of(&args.settings)?;
    settings.check()?;
    let outputs = Outputs::new(args)?;
    let device = device(args.device)?;
    let feeds = expand(&settings).map_err(|e| Exit::new(USAGE, e))?;
    let provenance = Provenance {
        command: command_line(std::env::args().skip(1)),
        created: created()?,
        code_version: code_version(),
        code_sha256: program_sha256(),
        device: device.to_string(),
    };
    let name = args.out.file_stem().map(|s| s.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    let live = args.mlflow.as_ref().map(|url| Live::begin(url, &name, &provenance)).transpose()?;
    let mut display = Display::new();
    let held = (settings.phases, settings.tokens_max);
    let mut sessions =
        load_phases(&feeds, settings.stride, settings.seed, held, &mut |p| display.show(p))?;
    attach(&mut sessions, &settings.slots.slot, &settings.slots.files)
        .map_err(|e| Exit::new(DATA, e))?;
    let checkpoints = checkpoints(args, &settings, &sessions)?;
    let mut report = |p: &Progress| {
        display.show(p);
        if let (Some(live), Progress::Epoch { member, epoch }) = (&live, p) {
            live.epoch(*member, epoch);
        }
    };
    let kept = Some(&checkpoints);
    let mut fitted = fit_on_device(&device, &sessions, &settings, &provenance, kept, &mut report)?;
    let untouched = match args.no_baselines {
        true => None,
        false => contest(args, &name, &mut fitted, &sessions, &mut display)?,
    };
    display.finish();
    let files = write(&outputs, &name, &fitted, untouched.as_ref())?;
    checkpoints.remove().map_err(|e| Exit::new(USAGE, e))?;
    let entry = entry::of(&name, &fitted.card, untouched.as_ref(), &files)?;
    if args.store.as_os_str() != "none" {
        Store::new(&args.store).append(entry.clone())?;
    }
    if let Some(live) = live {
        live.finish(&entry);
    }
    if json {
        print::print_json(&serde_json::json!({
            "files": files, "card": fitted.card, "untouched": untouched,
        }));
    } else {
        print::print_text(&table::scores(&fitted.card.test));
        if !fitted.card.comparison.is_empty() {
            print::print_text(&format!("\n{}", to_markdown(&fitted.card.comparison)));
        }
        if let Some(untouched) = &untouched {
            print::print_text(&format!("\n{}", compare::to_text(untouched)));
        }
        print::print_text(&format!("\nwritten: {}\n", files.join(", ")));
    }
    Ok(())
}

/// Holds the ensemble against its baselines on the test part (into the card) and on the untouched
/// feeds.
fn contest(
    args: &FitArgs,
    name: &str,
    fitted: &mut Fitted,
    sessions: &[Session],
    display: &mut Display,
) -> Result<Option<Compared>, Exit> {
    let s = &fitted.card.settings;
    let split =
        split(sessions, s.validation_fraction, s.test_fraction).map_err(|e| Exit::new(DATA, e))?;
    let candidates = [Candidate { name: name.to_owned(), weights: &fitted.weights }];
    let training = Training { sessions, split: &split };
    let test = compare::on_test_part(&candidates, &fitted.card, &training, None, display)?;
    let untouched = (!args.untouched.is_empty())
        .then(|| {
            let feeds = Feeds { specs: &args.untouched, slots: &args.untouched_slots, costs: true };
            compare::on_feeds(&candidates, &fitted.card, &training, feeds, display)
        })
        .transpose()?;
    fitted.card.comparison = test.scores;
    Ok(untouched)
}

/// Writes everything, the weights last; returns the names.
fn write(
    out: &Outputs,
    name: &str,
    fitted: &Fitted,
    untouched: Option<&Compared>,
) -> Result<Vec<String>, Exit> {
    let bug = |e: serde_json::Error| Exit::new(70, e);
    let mut files: Vec<(&PathBuf, Vec<u8>)> = Vec::new();
    let text = serde_json::to_string_pretty(&fitted.card).map_err(bug)?;
    files.push((&out.card_json, (text + "\n").into_bytes()));
    files.push((&out.card_md, fitted.card.to_markdown(name).into_bytes()));
    if !fitted.card.comparison.is_empty() {
        let svg = plot::calibration(&fitted.card.comparison).map_err(|e| Exit::new(70, e))?;
        files.push((&out.plot, svg.into_bytes()));
    }
    if let Some(untouched) = untouched {
        let text = serde_json::to_string_pretty(untouched).map_err(bug)?;
        files.push((&out.compared_json, (text + "\n").into_bytes()));
        files.push((&out.compared_md, compare::to_text(untouched).into_bytes()));
    }
    files.push((&out.weights, fitted.weights.to_bytes()));
    for (path, bytes) in &files {
        whole::write_whole(path, bytes, out.force)?;
    }
    Ok(files.iter().rev().map(|(path, _)| path.display().to_string()).collect())
}

/// A run on an MLflow server that grows while the fit does. A server that stops answering is
/// told of and costs nothing else: the local store has everything.
struct Live {
    server: Server,
    run: RunId,
}

impl Live {
    fn begin(url: &str, name: &str, provenance: &Provenance) -> Result<Live, Exit> {
        let server = Server::new(url, "ijk-train")?;
        let run = server.begin(name, &provenance.created)?;
        Ok(Live { server, run })
    }

    fn epoch(&self, member: usize, epoch: &EpochRecord) {
        let at = epoch.epoch as u64;
        let metrics = [
            (format!("m{member}.train_loss"), epoch.train_loss, at),
            (format!("m{member}.validation_loss"), epoch.validation_loss, at),
            (format!("m{member}.gradient_norm"), epoch.gradient_norm, at),
        ];
        self.tell(self.server.metrics(&self.run, &metrics));
    }

    fn finish(self, entry: &Entry) {
        let params: Vec<_> = entry.params.clone().into_iter().collect();
        let tags: Vec<_> = entry.tags.clone().into_iter().collect();
        let metrics: Vec<_> = entry.metrics.iter().map(|(k, v)| (k.clone(), *v, 0)).collect();
        self.tell(self.server.texts(&self.run, &params, &tags));
        self.tell(self.server.metrics(&self.run, &metrics));
        self.tell(self.server.end(&self.run));
    }

    fn tell(&self, result: Result<(), Exit>) {
        if let Err(e) = result {
            eprintln!("ijk-train: not logged: {}", e.message);
        }
    }
}

/// Returns where this fit keeps its states. What an interrupted fit left there is used with
/// `--resume`, removed with `--force` and in the way otherwise.
fn checkpoints(
    args: &FitArgs,
    settings: &FitSettings,
    sessions: &[Session],
) -> Result<Checkpoints, Exit> {
    let folder = args.out.with_extension("checkpoint");
    if folder.exists() && !args.resume {
        if !args.force {
            let said = "an interrupted fit is kept here; --resume goes on, --force starts again";
            return Err(Exit::file(USAGE, &folder, said));
        }
        std::fs::remove_dir_all(&folder).map_err(|e| Exit::file(USAGE, &folder, e))?;
    }
    let mut hash = Sha256::new();
    hash.update(serde_json::to_string(settings).map_err(|e| Exit::new(70, e))?);
    hash.update(env!("CARGO_PKG_VERSION"));
    sessions.iter().for_each(|s| hash.update(s.sha256()));
    Ok(Checkpoints::new(&folder, hash.finalize().into()))
}

fn device(asked: DeviceArg) -> Result<Device, Exit> {
    let choice = match asked {
        DeviceArg::Cpu => Choice::Cpu,
        DeviceArg::Cuda => Choice::Cuda,
        DeviceArg::Auto => Choice::Auto,
    };
    choose(choice).map_err(|e| Exit::new(USAGE, e))
}

/// SHA-256 of the program that runs; empty where it cannot be read.
fn program_sha256() -> String {
    let bytes = std::env::current_exe().and_then(std::fs::read);
    bytes.map(|b| hex(&Sha256::digest(b))).unwrap_or_default()
}

/// Version of this build, with the commit where the build names it.
fn code_version() -> String {
    let version = env!("CARGO_PKG_VERSION");
    option_env!("IJK_COMMIT").map_or(version.into(), |commit| format!("{version} ({commit})"))
}

/// Now, or `SOURCE_DATE_EPOCH` for reproducible files.
pub fn created() -> Result<String, Exit> {
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
