//! `ijk live`: the main job.

use crate::cli::LiveArgs;
use crate::exit::{self, Exit};
use crate::feeds::Feeds;
use crate::files::{print_json, print_text, write_whole};
use crate::header::{DataId, FORMAT, Header};
use crate::run_dir::{KILL_LATCH, RUNS, RunDir};
use crate::{feeds, parents, progress, report, settings, system, weights};
use ijk_core::record::{ParentCommand, RecordKind};
use ijk_core::{EventSource, FeedError, RecvTs, RepairCounts};
use ijk_data::spec::FeedSpec;
use ijk_engine::runtime::counters::Counters;
use ijk_engine::runtime::hash::{hash_file, hash_run};
use ijk_engine::runtime::journal_port::{self, JournalThread};
use ijk_engine::runtime::pump::{self, PumpOptions, PumpShared};
use ijk_engine::runtime::session::{Session, SessionDone};
use ijk_risk::TradingState;
use ijk_venue::SimExchange;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

/// Runs a trading day.
///
/// # Errors
/// Exit codes of the contract.
pub fn run(args: &LiveArgs) -> Result<(), Exit> {
    refuse_other_venues(&args.venue)?;
    refuse_latched()?;
    let mut config = settings::load(args.config.as_deref())?.config;
    config.run.seed = args.seed.unwrap_or(config.run.seed);
    let seed = config.run.seed;
    let specs = if args.feeds.is_empty() {
        feeds::parse_specs(&["synth".to_string()])?
    } else {
        feeds::parse_specs(&args.feeds)?
    };
    let speed = parse_speed(&args.speed)?;
    let encoder = weights::load(&args.weights)?;
    if encoder.is_none() && args.parents.is_none() {
        return Err(Exit::usage("--weights none trades nothing without --parents FILE.csv"));
    }
    let source = feeds::open(&specs, seed, &config.instrument)?;
    let parents = match &args.parents {
        Some(path) => parents::load(path, source.instruments())?,
        None => Vec::new(),
    };
    let header = Header {
        format: FORMAT.to_string(),
        data: data_ids(&specs, seed)?,
        venue: args.venue.clone(),
        weights: encoder.map(|(_, id)| id),
        instruments: source.instruments().to_vec(),
        by_order: (0..source.instruments().len())
            .map(|i| source.depth_kind(i) == ijk_core::DepthKind::L3)
            .collect(),
        config,
    };
    let root = args.out.clone().unwrap_or_else(|| default_root(seed));
    let dir = RunDir::create(&root, args.force)?;
    let outcome = trade(&header, source, parents, &dir, speed, args)?;
    dir.mark_latest();
    conclude(&header, &dir, outcome, args)
}

fn refuse_other_venues(venue: &str) -> Result<(), Exit> {
    match venue {
        "sim" => Ok(()),
        "ibkr-paper" | "ibkr-live" => Err(Exit::new(
            exit::VENUE,
            format!(
                "venue {venue}: this build cannot route orders to Interactive Brokers yet; \
                 'ijk doctor --gateway ADDRESS' probes a gateway"
            ),
        )),
        other => {
            Err(Exit::usage(format!("venue '{other}': expected sim, ibkr-paper or ibkr-live")))
        }
    }
}

fn refuse_latched() -> Result<(), Exit> {
    if Path::new(KILL_LATCH).exists() {
        return Err(Exit::new(
            exit::UNSAFE,
            format!("{KILL_LATCH} exists: trading was killed; 'ijk kill --clear' re-arms"),
        ));
    }
    Ok(())
}

fn parse_speed(text: &str) -> Result<f64, Exit> {
    if text == "max" {
        return Ok(f64::INFINITY);
    }
    text.parse::<f64>()
        .ok()
        .filter(|s| *s > 0.0 && s.is_finite())
        .ok_or_else(|| Exit::usage(format!("--speed {text}: expected max or a positive number")))
}

fn default_root(seed: u64) -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3f").to_string();
    Path::new(RUNS).join(format!("{now}Z-{seed}"))
}

fn data_ids(specs: &[FeedSpec], seed: u64) -> Result<Vec<DataId>, Exit> {
    let mut ids = Vec::new();
    for spec in specs {
        let files = feeds::files(spec);
        if files.is_empty() {
            ids.push(DataId { name: format!("{spec} (run seed {seed})"), sha256: None });
        }
        for path in files {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let sha256 = hash_file(path)
                .map_err(|e| Exit::data(format!("{}: cannot read: {e}", path.display())))?;
            ids.push(DataId { name, sha256: Some(sha256) });
        }
    }
    Ok(ids)
}

/// What the threads left.
struct Outcome {
    done: SessionDone,
    repairs: Result<RepairCounts, FeedError>,
    shared: Arc<PumpShared>,
    journal_bytes: u64,
    journal_backend: &'static str,
    cpu_s: f64,
    wall_s: f64,
}

fn simulated_exchange(header: &Header) -> Result<SimExchange, Exit> {
    let config = &header.config;
    let depths = header.depths();
    let seed = config.run.seed;
    SimExchange::new(&config.sim, &config.fees, &header.instruments, &depths, seed)
        .map_err(Exit::usage)
}

/// Starts feed, kernel and journal threads and waits for them.
fn trade(
    header: &Header,
    source: Feeds,
    parents: Vec<ParentCommand>,
    dir: &RunDir,
    speed: f64,
    args: &LiveArgs,
) -> Result<Outcome, Exit> {
    let config = &header.config;
    let kernel = header.kernel()?;
    let venue = simulated_exchange(header)?;
    let counters =
        Arc::new(Counters::create(&dir.counters()).map_err(|e| Exit::output(&dir.counters(), e))?);
    let (mut port, journal) = journal_port::start(
        &dir.journal(),
        &config.journal,
        journal_port::PortOptions {
            samples_path: dir.samples(),
            durability: ijk_journal::Durability::Buffered,
            ring_bytes: config.runtime.journal_ring_bytes,
            strategy: config.runtime.wait,
        },
    )
    .map_err(|e| Exit::new(exit::UNSAFE, e))?;
    let text = serde_json::to_vec(header).map_err(|e| Exit::new(exit::BUG, e))?;
    if !port.append(RecvTs(0), RecordKind::Header, &text) {
        return Err(Exit::new(exit::UNSAFE, "the journal cannot be written"));
    }
    let (producer, consumer) = rtrb::RingBuffer::new(config.runtime.feed_ring_slots.max(2));
    let shared = Arc::new(PumpShared::default());
    let session = Session {
        kernel,
        venue,
        feed: consumer,
        journal: port,
        counters,
        pump: Arc::clone(&shared),
        parents,
        feed_latency_ns: config.sim.feed_latency_us * 1_000,
        runtime: config.runtime.clone(),
    };
    stop_on_signal(&shared);
    let options = PumpOptions {
        speed,
        rows_max: args.events.unwrap_or(u64::MAX),
        overload: config.runtime.overload,
        wait: config.runtime.wait,
        core: config.runtime.feed_core,
    };
    let (cpu_before, began) = (system::cpu_seconds(), std::time::Instant::now());
    let pump_shared = Arc::clone(&shared);
    let feed = spawn("ijk-feed", move || pump::run(source, producer, &options, &pump_shared))?;
    let kernel = spawn("ijk-kernel", move || session.run())?;
    watch(&shared, &kernel, args.json);
    let done = join(kernel).map_err(|e| Exit::new(exit::UNSAFE, e));
    let repairs = join(feed);
    let written = finish_journal(journal)?;
    let cpu_s = system::cpu_seconds() - cpu_before;
    Ok(Outcome {
        done: done?,
        repairs,
        shared,
        journal_bytes: written.bytes,
        journal_backend: written.backend,
        cpu_s,
        wall_s: began.elapsed().as_secs_f64(),
    })
}

fn finish_journal(journal: JournalThread) -> Result<journal_port::JournalDone, Exit> {
    let written = journal.join().map_err(|e| Exit::new(exit::UNSAFE, e))?;
    if let Some(error) = &written.sample_error {
        eprintln!("ijk: stage samples were not kept: {error}");
    }
    Ok(written)
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, Exit> {
    std::thread::Builder::new()
        .name(name.to_string())
        .spawn(body)
        .map_err(|e| Exit::new(exit::UNSAFE, format!("cannot start thread {name}: {e}")))
}

fn join<T>(handle: JoinHandle<T>) -> T {
    match handle.join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// First signal: end the feed, cancel what works, close the journal. Second: the default.
fn stop_on_signal(shared: &Arc<PumpShared>) {
    let shared = Arc::clone(shared);
    let handler = ctrlc::set_handler(move || {
        if shared.stop.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = handler {
        eprintln!("ijk: signals are not handled: {error}");
    }
}

fn watch<T>(shared: &PumpShared, kernel: &JoinHandle<T>, quiet: bool) {
    let bar = progress::bar(Some(100), "live", quiet);
    while !kernel.is_finished() {
        std::thread::sleep(Duration::from_millis(20));
        let total = shared.bytes_total.load(Ordering::Relaxed);
        if let Some(percent) = (100 * shared.bytes_read.load(Ordering::Relaxed)).checked_div(total)
        {
            bar.set_position(percent);
        }
        bar.set_message(format!("{} events", shared.rows.load(Ordering::Relaxed)));
    }
    bar.finish_and_clear();
}

/// Writes manifest, summary, tables and page; prints; maps the outcome to an exit code.
fn conclude(header: &Header, dir: &RunDir, outcome: Outcome, args: &LiveArgs) -> Result<(), Exit> {
    let hashes = hash_run(&dir.journal()).map_err(|e| Exit::new(exit::UNSAFE, e))?;
    let peak_rss_bytes = system::peak_rss_bytes();
    write_json(&dir.file("manifest.json"), &manifest(header, &outcome))?;
    let tables = report::build(dir, Some(&outcome.done.clock))?;
    let counts = outcome.done.kernel.counts();
    let gate = outcome.done.kernel.gate();
    let mut summary = json!({
        "run": dir.root().display().to_string(),
        "events": counts.rows,
        "tokens": counts.tokens,
        "decisions": counts.decisions,
        "orders": counts.orders,
        "fills": counts.fills,
        "refusals": tables.refusals,
        "pnl_usd": round(gate.pnl_usd()),
        "fees_usd": round(gate.fees_usd()),
        "max_drawdown_usd": round(gate.drawdown_max_usd()),
        "decisions_sha256": hashes.decisions,
        "journal_sha256": hashes.journal,
        "peak_rss_bytes": peak_rss_bytes,
        "allocs_after_warmup": outcome.done.allocs_after_warmup,
        "events_per_cpu_s": (counts.rows as f64 / outcome.cpu_s.max(1e-6)).round(),
    });
    let extra = json!({
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
        "trading_state": format!("{:?}", gate.state()),
        "decision_reasons": tables.reasons,
        "parents": tables.parents,
        "performance": tables.performance,
        "latency_ns": tables.latency,
        "repairs": repairs_json(&outcome.repairs),
        "journal_bytes": outcome.journal_bytes,
        "journal_backend": outcome.journal_backend,
        "journal_stalls": outcome.done.journal_stalls,
        "feed_stalls": outcome.shared.stalls.load(Ordering::Relaxed),
        "feed_dropped": outcome.shared.dropped.load(Ordering::Relaxed),
        "delay_overflows": outcome.done.delay_overflows,
        "samples_dropped": outcome.done.samples_dropped,
        "killed": outcome.done.killed,
    });
    if let (Value::Object(all), Value::Object(more)) = (&mut summary, extra) {
        all.extend(more);
    }
    write_json(&dir.file("summary.json"), &summary)?;
    if args.json {
        print_json(&summary);
    } else {
        print_text(&report::text::summary(&summary));
    }
    if let Err(error) = outcome.repairs {
        return Err(error.into());
    }
    if outcome.done.killed || gate.state() >= TradingState::Halted {
        return Err(Exit::new(exit::HALTED, format!("trading ended {:?}", gate.state())));
    }
    Ok(())
}

fn manifest(header: &Header, outcome: &Outcome) -> Value {
    json!({
        "format": header.format,
        "version": env!("CARGO_PKG_VERSION"),
        "commit": env!("IJK_COMMIT"),
        "finished": jiff::Timestamp::now().to_string(),
        "machine": system::cpu_name(),
        "seed": header.config.run.seed,
        "data": header.data,
        "venue": header.venue,
        "weights": header.weights,
        "instruments": header.instruments,
        "config": header.config,
        "repairs": repairs_json(&outcome.repairs),
        "wall_s": outcome.wall_s,
        "cpu_s": outcome.cpu_s,
    })
}

fn repairs_json(repairs: &Result<RepairCounts, FeedError>) -> Value {
    match repairs {
        Ok(counts) => {
            Value::Object(counts.named().iter().map(|(k, v)| ((*k).into(), json!(v))).collect())
        }
        Err(error) => json!({ "error": error.to_string() }),
    }
}

fn write_json(path: &Path, value: &Value) -> Result<(), Exit> {
    write_whole(path, format!("{value:#}\n").as_bytes(), true)
}

fn round(dollars: f64) -> f64 {
    (dollars * 1e4).round() / 1e4
}
