//! What the command line takes.

use clap::{Args, Parser, Subcommand};
use ijk_data::spec::FEED_FORMS;
use std::path::PathBuf;

/// Fits encoder ensembles to feeds and scores them.
#[derive(Debug, Parser)]
#[command(name = "ijk-train", version, arg_required_else_help = true)]
pub struct Cli {
    /// Print one JSON document on stdout and nothing else.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Fit an ensemble and write weights with their model card.
    #[command(after_help = fit_help())]
    Fit(FitArgs),
    /// Score a weights file on feeds with the kernel's streaming encoder.
    #[command(after_help = eval_help())]
    Eval(EvalArgs),
}

/// Arguments of `fit`. A flag overrides the key of the configuration file.
#[derive(Debug, Args)]
pub struct FitArgs {
    /// Settings as TOML (keys: feed, sessions, minutes, stride, members, seed,
    /// validation_fraction, test_fraction, and the table `train`).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A feed, oldest first; may be repeated. `synth` stands for `--sessions` sessions.
    #[arg(long, value_name = "SPEC")]
    pub feed: Vec<String>,
    /// Synthetic sessions one `synth` feed stands for.
    #[arg(long, value_name = "N")]
    pub sessions: Option<u32>,
    /// Length of a synthetic session in minutes.
    #[arg(long, value_name = "M")]
    pub minutes: Option<u32>,
    /// Ensemble members, 1 to 5.
    #[arg(long, value_name = "N")]
    pub members: Option<usize>,
    /// Passes over the training sequences, at most.
    #[arg(long, value_name = "N")]
    pub epochs: Option<usize>,
    /// Seed of everything random.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Weights file to write; the model card goes beside it as .md and .json.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace existing files.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// Weights file.
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// A feed to score on; may be repeated.
    #[arg(long, value_name = "SPEC", required = true)]
    pub feed: Vec<String>,
    /// Model card (JSON) with the class thresholds of the training data. Default: the one beside
    /// the weights; without any the thresholds are measured on the feeds.
    #[arg(long, value_name = "FILE")]
    pub card: Option<PathBuf>,
    /// Source rows a token. Default: what the card says, else 10.
    #[arg(long, value_name = "N")]
    pub stride: Option<u32>,
    /// Seed of generated feeds that name none.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn fit_help() -> String {
    format!(
        "Example:\n  ijk-train fit --feed synth --sessions 12 --members 5 \
         --out synth-5x.safetensors\n\nFeeds:\n{FEED_FORMS}\n\nAt least 2000 training, 500 \
         validation and 500 test tokens are needed. Three or more feeds are dealt out whole in \
         time order; one or two are cut in time with 20 tokens left out at each cut."
    )
}

fn eval_help() -> String {
    format!(
        "Example:\n  ijk-train eval --weights synth-5x.safetensors --feed synth:77 --json\
         \n\nFeeds:\n{FEED_FORMS}"
    )
}
