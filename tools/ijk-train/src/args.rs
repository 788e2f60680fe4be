//! What the command line takes.

use clap::{Args, Parser, Subcommand, ValueEnum};
use ijk_core::infer_config::WeightPacking;
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
    /// Hold weights against majority, logistic and boosted baselines trained on the same rows,
    /// with paired intervals and the result after costs.
    #[command(after_help = compare_help())]
    Compare(CompareArgs),
    /// Shuffle the labels in time and look for skill where none can be: many seeds, beside the
    /// same nets untrained. Exit 1 where there is any.
    #[command(after_help = leakage_help())]
    Leakage(LeakageArgs),
    /// Write one member of a weights file as a weights file of its own.
    Export(ExportArgs),
    /// Train and score on your own FI-2010 files, beside the published table.
    #[command(after_help = FI2010_HELP)]
    Fi2010(Fi2010Args),
    /// The local store of runs: list, show, compare, export, promote.
    Runs(RunsArgs),
    /// Score a weights file on feeds with the kernel's streaming encoder.
    #[command(after_help = eval_help())]
    Eval(EvalArgs),
}

/// Settings of a fit. A flag overrides the key of the configuration file.
#[derive(Debug, Args)]
pub struct SettingsArgs {
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
}

/// Arguments of `fit`.
#[derive(Debug, Args)]
pub struct FitArgs {
    /// Settings of the fit.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Weights file to write; the model card goes beside it as .md and .json.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// A feed that no part of the fit sees, to compare on afterwards; may be repeated.
    #[arg(long, value_name = "SPEC")]
    pub untouched: Vec<String>,
    /// A slot file for the untouched feeds; may be repeated. Without one their slots are missing.
    #[arg(long, value_name = "FILE.parquet")]
    pub untouched_slots: Vec<PathBuf>,
    /// Where to train: `auto` takes a CUDA device where the build and the machine have one.
    #[arg(long, value_name = "DEVICE", value_enum, default_value_t = DeviceArg::Auto)]
    pub device: DeviceArg,
    /// Skip the baselines.
    #[arg(long)]
    pub no_baselines: bool,
    /// Folder of the store of runs; `none` for no entry.
    #[arg(long, value_name = "DIR", default_value = "train-runs")]
    pub store: PathBuf,
    /// MLflow server that hears of every epoch while the fit runs.
    #[arg(long, value_name = "URL")]
    pub mlflow: Option<String>,
    /// Goes on with an interrupted fit of the same settings and data; the result is the same to
    /// the bit.
    #[arg(long)]
    pub resume: bool,
    /// Replace existing files.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `leakage`.
#[derive(Debug, Args)]
pub struct LeakageArgs {
    /// Settings of every fit; one member a seed.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Fits on shuffled labels, each with its own seed and shuffle; at least 5.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub seeds: usize,
}

/// Values of `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeviceArg {
    /// This machine's processor.
    Cpu,
    /// A CUDA device, or exit code 2.
    Cuda,
    /// A CUDA device where there is one, else the processor.
    Auto,
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
    /// How the kernel is to hold the weights, as its setting `infer.packing`.
    #[arg(long, value_enum, default_value = "exact")]
    pub packing: Packing,
    /// A slot file for the feeds; may be repeated. Without one the slots of the model are missing.
    #[arg(long, value_name = "FILE.parquet")]
    pub slots: Vec<PathBuf>,
}

/// How weights are held.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Packing {
    /// As the file has them.
    Exact,
    /// In eight bits.
    Int8,
}

impl From<Packing> for WeightPacking {
    fn from(packing: Packing) -> WeightPacking {
        match packing {
            Packing::Exact => WeightPacking::Exact,
            Packing::Int8 => WeightPacking::Int8,
        }
    }
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Weights file with its card beside it; more are compared on the same rows. The first one's
    /// training rows train the baselines.
    #[arg(long, value_name = "FILE", required = true)]
    pub weights: Vec<PathBuf>,
    /// A feed to compare on; may be repeated. Default: the test part of the first card.
    #[arg(long, value_name = "SPEC")]
    pub feed: Vec<String>,
    /// A slot file for the feeds of --feed; may be repeated. The card names those of the fit.
    #[arg(long, value_name = "FILE.parquet", requires = "feed")]
    pub slots: Vec<PathBuf>,
    /// Skip the simulated exchange.
    #[arg(long)]
    pub no_costs: bool,
}

/// Arguments of `export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Weights file.
    #[arg(long, value_name = "FILE")]
    pub weights: PathBuf,
    /// Member, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub member: usize,
    /// File to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// Replace an existing file.
    #[arg(long)]
    pub force: bool,
}

const FI2010_HELP: &str = "Example:\n  ijk-train fi2010 \\\n      \
    --train Train_Dst_NoAuction_DecPre_CF_7.txt \\\n      \
    --test Test_Dst_NoAuction_DecPre_CF_7.txt \\\n      \
    --test Test_Dst_NoAuction_DecPre_CF_8.txt --test Test_Dst_NoAuction_DecPre_CF_9.txt";

/// Arguments of `fi2010`.
#[derive(Debug, Args)]
pub struct Fi2010Args {
    /// Training file of 149 rows; may be repeated.
    #[arg(long, value_name = "FILE", required = true)]
    pub train: Vec<PathBuf>,
    /// Test file; may be repeated.
    #[arg(long, value_name = "FILE", required = true)]
    pub test: Vec<PathBuf>,
    /// Passes over the training sequences, at most.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub epochs: usize,
    /// Ensemble members, 1 to 5.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub members: usize,
    /// Seed of everything random.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Folder of the store.
    #[arg(long, value_name = "DIR", default_value = "train-runs", global = true)]
    pub store: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: RunsCommand,
}

/// The subcommands of `runs`.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs.
    Ls,
    /// Show one run.
    Show {
        /// Number of the run.
        id: u64,
    },
    /// Show the differences of two runs.
    Compare {
        /// Number of the one.
        a: u64,
        /// Number of the other.
        b: u64,
    },
    /// Write runs to an MLflow server; runs that are there already stay as they are.
    Export {
        /// Address of the server.
        #[arg(long, value_name = "URL")]
        mlflow: String,
        /// Experiment there.
        #[arg(long, value_name = "NAME", default_value = "ijk-train")]
        experiment: String,
        /// Numbers of the runs; all where none is named.
        ids: Vec<u64>,
    },
    /// Make a run champion if it passes the gate: deflated Sharpe ratio, probability of
    /// overfitting, minimum track record, paired test against the champion. Exit 1 if not.
    Promote {
        /// Number of the run.
        id: u64,
    },
}

fn compare_help() -> String {
    format!(
        "Example:\n  ijk-train compare --weights goog.safetensors --feed lobster:AAPL.zip --json\
         \n\nFeeds:\n{FEED_FORMS}"
    )
}

fn fit_help() -> String {
    format!(
        "Example:\n  ijk-train fit --feed synth --sessions 12 --members 5 \
         --out synth-5x.safetensors\n\nFeeds:\n{FEED_FORMS}\n\nAt least 2000 training, 500 \
         validation and 500 test tokens are needed. Three or more feeds are dealt out whole in \
         time order; one or two are cut in time with 20 tokens left out at each cut."
    )
}

fn leakage_help() -> String {
    format!(
        "Example:\n  ijk-train leakage --feed lobster:GOOG.zip --epochs 2 --seeds 20 --json\
         \n\nFeeds:\n{FEED_FORMS}"
    )
}

fn eval_help() -> String {
    format!(
        "Example:\n  ijk-train eval --weights synth-5x.safetensors --feed synth:77 --json\
         \n\nFeeds:\n{FEED_FORMS}"
    )
}
