//! `ijk cancel-all`: a run without a feed. It takes over what the last run left, connects, lets
//! order truth cancel everything of ours, and ends when the venue's account shows nothing.

use super::trade::{start_journal, take_over};
use super::{Account, VenueSpec, broker, link_gateway, parse_venue};
use crate::cli::CancelAllArgs;
use crate::exit::{self, Exit};
use crate::gateway;
use crate::header::Header;
use crate::print::{print_json, print_text};
use crate::recover;
use crate::run_dir::{RUNS, RunDir};
use crate::state_dir::{STATE, StateDir};
use ijk_core::RecvTs;
use ijk_engine::runtime::counters::{Counter, Counters};
use ijk_engine::runtime::outbox::Outbox;
use ijk_engine::runtime::ports::DataClock;
use ijk_engine::runtime::pump::PumpShared;
use ijk_engine::runtime::session::{Driver, Session, SessionDone};
use ijk_venue::Venue;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Cancels and confirms.
///
/// # Errors
/// Exit code 78 while a kernel trades the account (disarm or kill that one) or if its journal
/// cannot be read; 5 if the venue does not confirm in time.
pub fn run(args: &CancelAllArgs) -> Result<(), Exit> {
    let mut state = StateDir::open(args.state.as_deref().unwrap_or(Path::new(STATE)))?;
    let Some(last) = state.run().map(Path::to_path_buf) else {
        if args.if_any {
            return Ok(());
        }
        return Err(Exit::usage("no run was ever started on this account: nothing of ours works"));
    };
    let mut header = recover::header(&last)?;
    if let Some(venue) = &args.venue {
        header.venue.clone_from(venue);
    }
    let spec = parse_venue(&header.venue)?;
    let nothing = format!("venue '{}': nothing outlives a run there", header.venue);
    if matches!(spec, VenueSpec::Sim) {
        return Err(Exit::usage(nothing));
    }
    let carry = recover::left_by_last_run(&state, &header.instruments)?;
    header.epoch = state.next_epoch()?;
    header.data.clear();
    header.weights = None;
    header.parents_id = 0;
    let root = args.out.clone().unwrap_or_else(default_root);
    let dir = RunDir::create(&root, false)?;
    let account = Account { epoch: header.epoch, state, carry: Vec::new() };
    let done = match spec {
        VenueSpec::Sim => return Err(Exit::usage(nothing)),
        VenueSpec::Link(address) => {
            sweep(&header, &dir, link_gateway(&header, address)?, carry, account)?
        }
        VenueSpec::Broker => {
            let settings = gateway::settings(&header.config, &header.venue)?;
            sweep(&header, &dir, broker::start(&header, &settings)?, carry, account)?
        }
    };
    conclude(&dir, &done, args.json)
}

fn default_root() -> PathBuf {
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%3f").to_string();
    Path::new(RUNS).join(format!("{now}Z-cancel"))
}

fn sweep<V: Venue>(
    header: &Header,
    dir: &RunDir,
    venue: V,
    carry: Vec<ijk_core::CarryItem>,
    account: Account,
) -> Result<Swept, Exit> {
    let config = &header.config;
    let counters =
        Counters::create(&dir.counters()).map_err(|e| Exit::output(&dir.counters(), e))?;
    let counters = Arc::new(counters);
    let (port, journal) = start_journal(header, dir, true)?;
    // A feed that has ended: nothing is traded, time is the machine's.
    let (_, feed) = rtrb::RingBuffer::new(2);
    let now = jiff::Timestamp::now().as_nanosecond().clamp(0, i128::from(u64::MAX)) as u64;
    let session = Session {
        kernel: header.kernel()?,
        outbox: Outbox::new(venue, &config.venue, &config.risk, &header.instruments),
        feed,
        journal: port,
        clock: DataClock::at(RecvTs(now), config.venue.clock_step_max_ms),
        carry,
        alarms: None,
        desk: None,
        counters: Arc::clone(&counters),
        pump: Arc::new(PumpShared::default()),
        parents: Vec::new(),
        slots: Vec::new(),
        forecaster: None,
        feed_latency_ns: 0,
        runtime: config.runtime.clone(),
        venue: config.venue.clone(),
    };
    let mut driver = Driver::new(session);
    take_over(&mut driver, account, dir)?;
    let done = driver.run().map_err(|e| Exit::new(exit::UNSAFE, e))?;
    journal.join().map_err(|e| Exit::new(exit::UNSAFE, e))?;
    Ok(Swept { cancels: counters.get(Counter::Cancels), done })
}

struct Swept {
    done: SessionDone,
    cancels: u64,
}

fn conclude(dir: &RunDir, swept: &Swept, json: bool) -> Result<(), Exit> {
    let truth = swept.done.kernel.truth();
    let run = dir.root().display().to_string();
    let is_confirmed = swept.done.kernel.is_settled() && swept.done.reconciled_ns.is_some();
    let working = truth.live_count();
    if json {
        print_json(&json!({
            "run": run, "cancels": swept.cancels, "working": working,
            "confirmed": is_confirmed,
        }));
    } else if is_confirmed {
        print_text(&format!("{run}: {} cancels sent, nothing of ours works\n", swept.cancels));
    }
    match is_confirmed {
        true => Ok(()),
        false => Err(Exit::new(
            exit::VENUE,
            format!(
                "{run}: the venue did not confirm in time; {working} orders may work: cancel by \
                 hand or try again"
            ),
        )),
    }
}
