//! The command line: one definition from which parser, help, completions and man pages come.

use crate::commands::execution_study::StudyArgs;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// IntradayJules kernel: low-latency inference and execution for one intraday trader.
#[derive(Debug, Parser)]
#[command(name = "ijk", version, propagate_version = true, after_help = "Example:\n  ijk live")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a trading day: events, features, forecast, sizing, child orders, risk gate, venue.
    #[command(after_help = "Examples:\n  ijk live\n  ijk live --feed lobster:GOOG.zip \
        --parents parents.csv\n  ijk live --feed lobster:GOOG.zip --weights none --parents \
        parents.csv --json")]
    Live(LiveArgs),
    /// Feeds a run's journal through the same core; exit 0 only if every output is bit-identical.
    #[command(after_help = "Example:\n  ijk replay runs/latest")]
    Replay(RunArgs),
    /// Reads any feed into the Parquet tick store.
    #[command(after_help = "Example:\n  ijk import lobster:GOOG.zip --out goog.parquet")]
    Import(ImportArgs),
    /// Writes the book after every event.
    #[command(after_help = "Example:\n  ijk book lobster:GOOG.zip --levels 10 --out b.parquet")]
    Book(BookArgs),
    /// Writes the twelve features, one row a token.
    #[command(after_help = "Example:\n  ijk features lobster:GOOG.zip --out f.parquet")]
    Features(FeaturesArgs),
    /// Writes the forecast of every token, per member and pooled.
    #[command(after_help = "Example:\n  ijk forecast synth:7 --out forecast.parquet")]
    Forecast(ForecastArgs),
    /// Writes a synthetic session to the tick store.
    #[command(after_help = "Example:\n  ijk synth --seed 7 --minutes 60 --out s.parquet")]
    Synth(SynthArgs),
    /// Writes a run's tables and its self-contained HTML page again.
    #[command(after_help = "Example:\n  ijk report runs/latest")]
    Report(RunArgs),
    /// Says whether a run is alive, what it does and whether it may trade.
    #[command(after_help = "Example:\n  ijk status")]
    Status(OptRunArgs),
    /// Prints the counters of a run.
    #[command(after_help = "Example:\n  ijk stat runs/latest --json")]
    Stat(OptRunArgs),
    /// Stops all trading: asks the running kernel, and latches so that none starts again.
    #[command(after_help = "Examples:\n  ijk kill\n  ijk kill --clear")]
    Kill(KillArgs),
    /// Lets a running kernel send new orders again.
    #[command(after_help = "Example:\n  ijk arm")]
    Arm(OptRunArgs),
    /// Keeps a running kernel from sending new orders, and cancels what rests.
    #[command(after_help = "Example:\n  ijk disarm runs/latest")]
    Disarm(OptRunArgs),
    /// Lowers limits of a running kernel at once; what is wider in the file changes nothing.
    #[command(after_help = "Example:\n  ijk tighten stricter.toml")]
    Tighten(TightenArgs),
    /// Tells a running kernel what no feed tells.
    #[command(after_help = "Examples:\n  ijk tell market-resumed\n  ijk tell short-sales GOOG \
        restricted")]
    Tell(TellArgs),
    /// Cancels what a dead kernel left working at its venue, and confirms it.
    #[command(after_help = "Example:\n  ijk cancel-all --state runs/account")]
    CancelAll(CancelAllArgs),
    /// Cancels everything at Interactive Brokers when standard input ends without a goodbye:
    /// `ijk live` starts one beside itself.
    #[command(after_help = "Example:\n  ijk dead-man --venue ibkr-paper < PIPE")]
    DeadMan(DeadManArgs),
    /// Checks what this machine allows, and says what to do: cores, clocks, io_uring, limits,
    /// pages, disk, gateway.
    #[command(after_help = "Examples:\n  ijk doctor\n  ijk doctor --config ijk.toml --gateway \
        127.0.0.1:4002")]
    Doctor(DoctorArgs),
    /// Settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Executes the same simulated parents four ways and says what schedule, resting and signal
    /// are worth against TWAP, with intervals.
    #[command(after_help = "Example:\n  ijk execution-study --feed lobster:GOOG.zip --out study")]
    ExecutionStudy(StudyArgs),
    /// Explains one decision of a run from its journal.
    #[command(after_help = "Example:\n  ijk explain runs/latest 300")]
    Explain(ExplainArgs),
    /// The journal of a run.
    #[command(subcommand)]
    Journal(JournalCommand),
    /// Says what a message code of TWS or IB Gateway means and asks for.
    #[command(after_help = "Examples:\n  ijk ib-code 404\n  ijk ib-code --json")]
    IbCode(IbCodeArgs),
    /// Asks a TWS or IB Gateway (paper account) what the adapter relies on, compares it with the
    /// simulator, and writes a report without account numbers.
    #[command(after_help = "Examples:\n  ijk ib-check --gateway 127.0.0.1:4002 --out check\n  \
        ijk ib-check --place-order --out check --force")]
    IbCheck(IbCheckArgs),
    /// Measures latency and throughput of this build on this machine.
    #[command(after_help = "Examples:\n  ijk bench\n  ijk bench infer --json")]
    Bench(BenchArgs),
    /// Prints what the encoder would hold on a CUDA device, before anything is taken.
    #[command(after_help = "Example:\n  ijk vram --symbols 500 --members 5 --window 64")]
    Vram(VramArgs),
    /// Prints shell completions.
    #[command(after_help = "Example:\n  ijk completions bash > ijk.bash")]
    Completions {
        /// Shell.
        shell: clap_complete::Shell,
    },
    /// Writes man pages into a folder.
    #[command(after_help = "Example:\n  ijk man --out man/")]
    Man {
        /// Folder; made if missing.
        #[arg(long)]
        out: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Prints the effective settings and where each comes from.
    #[command(after_help = "Example:\n  ijk config check ijk.toml")]
    Check {
        /// Settings file; without one the defaults are printed.
        file: Option<PathBuf>,
        /// Venue whose profile of limits the file completes: sim, or any other as for `live`.
        #[arg(long, default_value = "sim")]
        venue: String,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Reads every frame and checks it; exit 78 for damage.
    #[command(after_help = "Example:\n  ijk journal verify runs/latest")]
    Verify(RunArgs),
    /// Prints frames, one line each.
    #[command(after_help = "Example:\n  ijk journal dump runs/latest --from 1000 --count 20")]
    Dump(JournalDumpArgs),
}

#[derive(Debug, Args)]
pub struct JournalDumpArgs {
    /// Folder of the run.
    pub run: PathBuf,
    /// First sequence number.
    #[arg(long, default_value_t = 0)]
    pub from: u64,
    /// Frames to print.
    #[arg(long, default_value_t = 100)]
    pub count: u64,
    /// Prints market records too.
    #[arg(long)]
    pub market: bool,
}

#[derive(Debug, Args)]
pub struct IbCodeArgs {
    /// The code; without one the whole table is printed.
    #[arg(allow_negative_numbers = true)]
    pub code: Option<i32>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct IbCheckArgs {
    /// Address of the gateway.
    #[arg(long, default_value = "127.0.0.1:4002")]
    pub gateway: std::net::SocketAddr,
    /// Client id to take; it must be free.
    #[arg(long, default_value_t = 79)]
    pub client_id: i32,
    /// A US stock.
    #[arg(long, default_value = "AAPL")]
    pub symbol: String,
    /// Places an order for one share at half the market's price, and cancels it.
    #[arg(long)]
    pub place_order: bool,
    /// Longest wait for the answer to one question, milliseconds.
    #[arg(long, default_value_t = 10_000)]
    pub answer_timeout_ms: u64,
    /// Folder for ib-check.md and ib-check.json; made if missing.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Replaces the files of an earlier check.
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct LiveArgs {
    /// Settings file (TOML).
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Calibrated profile of ijk-calib: what --config does not set comes from it. Refused when
    /// it is stale or was changed.
    #[arg(long, value_name = "PROFILE.toml")]
    pub profile: Option<PathBuf>,
    /// Feed; repeat to merge several by time. Default: synth.
    #[arg(long = "feed", value_name = "SPEC")]
    pub feeds: Vec<String>,
    /// Venue: sim, link:HOST:PORT or link:unix:PATH (a gateway process), link (the one that the
    /// credential `gateway` names), ibkr-paper, ibkr-live.
    #[arg(long, default_value = "sim")]
    pub venue: String,
    /// Folder of the account: boot epoch, lock, run to recover from. Only for venues that outlive
    /// the process. Default: runs/account.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Weights file, `bundled`, or `none` to execute outside parents only.
    #[arg(long, default_value = "bundled")]
    pub weights: String,
    /// Data seconds a second, or `max`.
    #[arg(long, default_value = "max")]
    pub speed: String,
    /// Seed of everything random.
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folder of the run; must not exist (unless --force). Default: runs/TIME-SEED.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Ends after this many events of the feed.
    #[arg(long)]
    pub events: Option<u64>,
    /// Parent orders to execute: ts,symbol,side,qty,horizon_s,urgency.
    #[arg(long, value_name = "FILE.csv")]
    pub parents: Option<PathBuf>,
    /// Slot file: what other modalities knew and from when; repeat for several. Its slots must be
    /// those of the weights. Without one every slot is missing.
    #[arg(long = "slots", value_name = "FILE.parquet")]
    pub slots: Vec<PathBuf>,
    /// Where the encoder runs: cpu, cuda (a build with CUDA), or auto, whichever takes a token
    /// faster at the start. Forecasts of a device enter the journal as inputs; where it fails the
    /// processor goes on with the same token.
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: crate::place::Choice,
    /// Starts disarmed: no order leaves before 'ijk arm'.
    #[arg(long)]
    pub hold: bool,
    /// Replaces the folder of an earlier run.
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Folder of the run.
    pub run: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct OptRunArgs {
    /// Folder of the run; default runs/latest.
    pub run: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct KillArgs {
    /// Folder of the run; default runs/latest.
    pub run: Option<PathBuf>,
    /// Takes the latch away, so that the kernel may start again.
    #[arg(long)]
    pub clear: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TightenArgs {
    /// Settings file (TOML); only its `[risk]` table matters.
    pub file: PathBuf,
    /// Folder of the run; default runs/latest.
    #[arg(long)]
    pub run: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct TellArgs {
    #[command(subcommand)]
    pub what: TellCommand,
    /// Folder of the run; default runs/latest.
    #[arg(long, global = true)]
    pub run: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum TellCommand {
    /// Trading resumed after a market-wide halt.
    MarketResumed,
    /// Short sales of a symbol are restricted, or free again.
    ShortSales {
        /// Symbol of the feed.
        symbol: String,
        /// What they are.
        state: ShortSales,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ShortSales {
    Restricted,
    Free,
}

impl ShortSales {
    pub fn is_restricted(self) -> bool {
        self == ShortSales::Restricted
    }
}

#[derive(Debug, Args)]
pub struct CancelAllArgs {
    /// Folder of the account. Default: runs/account.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Venue, where it is not the one of the last run: link:HOST:PORT,
    /// link:unix:PATH, ibkr-paper or ibkr-live.
    #[arg(long)]
    pub venue: Option<String>,
    /// Folder of the run that this is; must not exist. Default: runs/TIME-cancel.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Ends well where no run was ever started on the account.
    #[arg(long)]
    pub if_any: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct DeadManArgs {
    /// Settings file (TOML) of the run.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Venue of the run: ibkr-paper or ibkr-live.
    #[arg(long)]
    pub venue: String,
    /// Account of the run.
    #[arg(long)]
    pub account: Option<String>,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Address of a TWS or IB Gateway to probe, for example 127.0.0.1:4002.
    #[arg(long)]
    pub gateway: Option<std::net::SocketAddr>,
    /// Settings file (TOML) of the runs to come: cores, time server, limits.
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// Folder whose disk is measured. Default: runs, or the working directory.
    #[arg(long)]
    pub dir: Option<PathBuf>,
    /// Time server to compare the clock with. Default: that of the settings.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub time_server: Option<String>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct OutArgs {
    /// File to write; never replaced without --force.
    #[arg(long)]
    pub out: PathBuf,
    /// Replaces an existing file.
    #[arg(long)]
    pub force: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Feed.
    pub spec: String,
    /// Keep only this symbol.
    #[arg(long)]
    pub symbol: Option<String>,
    /// Keep only this UTC day, YYYY-MM-DD.
    #[arg(long)]
    pub date: Option<String>,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct BookArgs {
    /// Feed.
    pub spec: String,
    /// Levels a side.
    #[arg(long, default_value_t = 10)]
    pub levels: usize,
    /// Symbol, where the feed has several.
    #[arg(long)]
    pub symbol: Option<String>,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct FeaturesArgs {
    /// Feed.
    pub spec: String,
    /// Events a token.
    #[arg(long, default_value_t = 10)]
    pub stride: u32,
    /// Symbol, where the feed has several.
    #[arg(long)]
    pub symbol: Option<String>,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct ForecastArgs {
    /// Feed.
    pub spec: String,
    /// Weights file or `bundled`.
    #[arg(long, default_value = "bundled")]
    pub weights: String,
    /// Where the encoder runs: cpu, cuda (a build with CUDA), or auto, whichever takes a token
    /// faster. A device keeps keys and values as fp16: its forecasts differ in their last digits.
    #[arg(long, value_enum, default_value = "cpu")]
    pub device: crate::place::Choice,
    /// Events a token.
    #[arg(long, default_value_t = 10)]
    pub stride: u32,
    /// Symbol, where the feed has several.
    #[arg(long)]
    pub symbol: Option<String>,
    /// Slot file, as for `live`; repeat for several.
    #[arg(long = "slots", value_name = "FILE.parquet")]
    pub slots: Vec<PathBuf>,
    #[command(flatten)]
    pub out: OutArgs,
}

#[derive(Debug, Args)]
pub struct SynthArgs {
    /// Seed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Minutes of the session.
    #[arg(long, default_value_t = 390)]
    pub minutes: u32,
    /// Symbols.
    #[arg(long, default_value_t = 1)]
    pub symbols: u32,
    #[command(flatten)]
    pub out: OutArgs,
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum BenchWhat {
    /// Everything.
    All,
    /// One record into the book.
    Book,
    /// One record into the features.
    Features,
    /// One token through the encoder, one and five members.
    Infer,
    /// One record through the whole decision core.
    Hotpath,
    /// One tick of the broker until its order is in the ring to the gateway.
    Adapter,
    /// A feed through book and features; the tick store's decoding.
    Replay,
    /// A feed through the exchange's and a local book.
    Backtest,
    /// One record into the journal.
    Journal,
    /// One record through a ring.
    Ring,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// What to measure.
    #[arg(value_enum, default_value = "all")]
    pub what: BenchWhat,
    /// Feed whose records are used; at most two million are kept in memory.
    #[arg(long)]
    pub feed: Option<String>,
    /// Weights file or `bundled`.
    #[arg(long, default_value = "bundled")]
    pub weights: String,
    /// Records a second at which they are due in the open-loop rows of `hotpath`.
    #[arg(long, default_value_t = 20_000.0, value_parser = rate)]
    pub rate: f64,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct VramArgs {
    /// Symbols, each with its own rings of keys and values.
    #[arg(long)]
    pub symbols: u64,
    /// Ensemble members.
    #[arg(long, default_value_t = 5)]
    pub members: u64,
    /// Tokens in the attention band, a power of two; this build's encoder has 64.
    #[arg(long, default_value_t = 64)]
    pub window: u64,
    /// Takes the plan's memory on this machine's device and prints what the driver reports beside
    /// it; needs a build with CUDA.
    #[arg(long)]
    pub measure: bool,
    /// Device memory allowed, bytes. Default: `infer.vram_budget_bytes` of the settings.
    #[arg(long, value_name = "BYTES")]
    pub budget: Option<u64>,
    /// Settings file (TOML).
    #[arg(long)]
    pub config: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// Folder of the run.
    pub run: PathBuf,
    /// Number of the decision, as in decisions.parquet.
    pub decision: u64,
    /// One JSON document on stdout.
    #[arg(long)]
    pub json: bool,
}

/// Reads a rate a second.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1.0..=1e9).contains(&rate) => Ok(rate),
        _ => Err("not a number from 1 to 1e9".to_string()),
    }
}
