//! The simulator as a program of its own.

#![forbid(unsafe_code)]

use clap::{Args, Parser, Subcommand};
use ijk_data::FeedSpec;
use ijk_twsim::{Limits, Server, ServerError, SimConfig, scenarios};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Stands in for TWS or IB Gateway on 127.0.0.1, for tests without an account.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  ijk-twsim --port 4002\n  \
                  ijk-twsim --scenario hold-404 --admin-port 4003\n  ijk-twsim scenarios\n  \
                  echo 'link down' | nc -q1 127.0.0.1 4003"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Subcommand)]
enum Command {
    /// Lists the named scenarios; with a name, plays it and prints every frame
    Scenarios {
        /// Scenario to play
        name: Option<String>,
        /// Prints one JSON document
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
struct Serve {
    /// Port on 127.0.0.1; 0 takes any free one and prints it
    #[arg(long, default_value_t = 4002)]
    port: u16,
    /// Port of the admin socket; 0 takes any free one; none without
    #[arg(long)]
    admin_port: Option<u16>,
    /// Server version to speak, 213 to 226
    #[arg(long, default_value_t = 226)]
    server_version: u32,
    /// Lets the clock stand at this second since 1970, until `advance` of the admin socket
    #[arg(long)]
    time_s: Option<i64>,
    /// The session begins now instead of at the feed's own time
    #[arg(long, conflicts_with = "time_s")]
    now: bool,
    /// Simulated seconds a real one
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Market: synth[:SEED[:MINUTES[:SYMBOLS]]], lobster:, dbn:, databento:, binance:, ticks:
    #[arg(long, value_name = "SPEC")]
    feed: Option<FeedSpec>,
    /// Seed of what is generated
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// New names for the feed's symbols, in order
    #[arg(long, value_delimiter = ',')]
    symbols: Vec<String>,
    /// Cash at the start, dollars
    #[arg(long, default_value_t = 1_000_000.0)]
    cash: f64,
    /// Milliseconds between an order's receipt and its arrival at the exchange
    #[arg(long, default_value_t = 20)]
    order_delay_ms: u64,
    /// Shortest time between two quotes of one stream, milliseconds
    #[arg(long, default_value_t = 250)]
    quote_interval_ms: u64,
    /// First order id told to clients
    #[arg(long, default_value_t = 1)]
    first_order_id: i32,
    /// Refuses orders, as the gateway's read-only setting does
    #[arg(long)]
    read_only: bool,
    /// Messages a second of all clients; 0 for any number
    #[arg(long, default_value_t = 50)]
    messages_per_s: u32,
    /// Faults: a named scenario (`ijk-twsim scenarios`)
    #[arg(long, value_name = "NAME")]
    scenario: Vec<String>,
    /// Faults: a script file
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Prints where it listens as one JSON document
    #[arg(long)]
    json: bool,
}

/// What went wrong, and the exit code that says so.
struct Failure(u8, String);

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Failure {
        use ijk_twsim::SetupError;
        let code = match &error {
            ServerError::Bind { .. } => 5,
            ServerError::Setup(SetupError::Feed { .. }) => 3,
            ServerError::Setup(_) => 2,
        };
        Failure(code, error.to_string())
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        Some(Command::Scenarios { name: None, json }) => {
            list(*json);
            Ok(())
        }
        Some(Command::Scenarios { name: Some(name), json }) => play(name, *json),
        None => serve(&cli.serve),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, text)) => {
            eprintln!("ijk-twsim: {text}");
            ExitCode::from(code)
        }
    }
}

/// Prints; whoever read may be gone, which is no failure.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn list(json: bool) {
    let all = scenarios::all();
    if json {
        let row = |s: &scenarios::Scenario| {
            let (name, about, seen) = (s.name, s.about, s.seen);
            serde_json::json!({"name": name, "about": about, "seen": seen, "faults": s.faults})
        };
        print(&serde_json::Value::from(all.iter().map(row).collect::<Vec<_>>()).to_string());
        return;
    }
    let width = all.iter().map(|s| s.name.len()).max().unwrap_or(0);
    for s in all {
        print(&format!("{:<width$}  {}\n{:<width$}  seen: {}", s.name, s.about, "", s.seen));
    }
}

fn play(name: &str, json: bool) -> Result<(), Failure> {
    let scenario = scenarios::find(name).ok_or_else(|| {
        Failure(2, format!("no scenario '{name}'; `ijk-twsim scenarios` lists them"))
    })?;
    let played = scenario.run().map_err(|e| Failure::from(ServerError::from(e)))?;
    if json {
        let lines: Vec<&str> = played.transcript.lines().collect();
        print(
            &serde_json::json!({"name": name, "transcript": lines, "failures": played.failures})
                .to_string(),
        );
    } else {
        print(played.transcript.trim_end());
    }
    match played.failures.is_empty() {
        true => Ok(()),
        false => Err(Failure(1, format!("not as expected: {}", played.failures.join("; ")))),
    }
}

fn script(args: &Serve) -> Result<Vec<String>, Failure> {
    let mut lines = Vec::new();
    for name in &args.scenario {
        let found = scenarios::find(name).ok_or_else(|| {
            Failure(2, format!("no scenario '{name}'; `ijk-twsim scenarios` lists them"))
        })?;
        lines.extend(found.faults.iter().map(|l| l.to_string()));
    }
    if let Some(path) = &args.script {
        let text = std::fs::read_to_string(path)
            .map_err(|e| Failure(2, format!("{}: {e}", path.display())))?;
        lines.extend(text.lines().map(str::to_string));
    }
    Ok(lines)
}

fn serve(args: &Serve) -> Result<(), Failure> {
    let config = SimConfig {
        server_version: args.server_version,
        fixed_time_s: args.time_s,
        start_now: args.now,
        speed: args.speed,
        seed: args.seed,
        feed: args.feed.clone(),
        symbols: args.symbols.clone(),
        order_delay_ms: args.order_delay_ms,
        quote_interval_ms: args.quote_interval_ms,
        cash_usd: args.cash,
        first_order_id: args.first_order_id,
        read_only: args.read_only,
        limits: Limits { messages_per_s: args.messages_per_s, ..Limits::default() },
        script: script(args)?,
        ..SimConfig::default()
    };
    let mut server = Server::start(args.port, config)?;
    let admin = args.admin_port.map(|port| server.open_admin(port)).transpose()?;
    let addr = server.addr();
    if args.json {
        let admin = admin.map(|a| a.to_string());
        print(
            &serde_json::json!({"address": addr.to_string(), "server_version": args.server_version,
                                  "admin": admin})
            .to_string(),
        );
    } else {
        let admin = admin.map_or(String::new(), |a| format!(", admin {a}"));
        print(&format!("listening on {addr}, server version {}{admin}", args.server_version));
    }
    server.join();
    Ok(())
}
