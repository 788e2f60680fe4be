//! `ijk live`: the main job.

mod broker;
pub mod cancel_all;
mod conclude;
mod trade;

use crate::calibration::Calibration;
use crate::cli::LiveArgs;
use crate::credentials::Credentials;
use crate::exit::{self, Exit};
use crate::header::{DataId, FORMAT, Header};
use crate::live_feed::LiveFeed;
use crate::place::{self, Choice};
use crate::run_dir::{KILL_LATCH, RUNS, RunDir};
use crate::state_dir::{STATE, StateDir};
use crate::weights::WeightsId;
use crate::{feeds, gateway, parents, recover, settings, slots, system, weights};
use ijk_core::infer_config::WeightPacking;
use ijk_core::record::ParentCommand;
use ijk_core::{CarryItem, Config, EventSource, Instrument, SlotShape};
use ijk_data::spec::FeedSpec;
use ijk_engine::decision::recovery::nothing_to_carry;
use ijk_engine::runtime::forecaster::{Forecaster, PlacedForecaster};
use ijk_engine::runtime::hash::hash_file;
use ijk_engine::runtime::socket::{LinkAddress, SocketOptions, SocketTransport};
use ijk_ibkr::connection::GatewaySettings;
use ijk_ibkr::orders::IbkrVenue;
use ijk_infer::Weights;
use ijk_venue::SimExchange;
use ijk_venue::link::{LinkSettings, LinkVenue};
use std::path::{Path, PathBuf};
use trade::Plan;

/// Where orders go.
#[derive(Clone, Debug)]
enum VenueSpec {
    /// The simulated exchange, on the kernel thread.
    Sim,
    /// A gateway process behind the link protocol.
    Link(LinkAddress),
    /// Interactive Brokers.
    Broker,
}

/// Runs a trading day.
///
/// # Errors
/// Exit codes of the contract.
pub fn run(args: &LiveArgs) -> Result<(), Exit> {
    let venue = parse_venue(&args.venue)?;
    refuse_latched()?;
    let external = !matches!(venue, VenueSpec::Sim);
    // Only the simulated exchange gets the wide limits; see `settings::Profile`.
    let profile = settings::Profile::of_venue(&args.venue);
    let calibration = Calibration::load(args.profile.as_deref())?;
    let calibrated = calibration.as_ref().map(Calibration::settings);
    let settings = settings::load_over(args.config.as_deref(), profile, calibrated)?;
    settings::require_real_limits(&settings)?;
    let mut config = settings.config;
    config.run.seed = args.seed.unwrap_or(config.run.seed);
    if config.runtime.lock_memory {
        system::lock_memory()?;
    }
    let seed = config.run.seed;
    let specs = if args.feeds.is_empty() {
        feeds::parse_specs(&["synth".to_string()])?
    } else {
        feeds::parse_specs(&args.feeds)?
    };
    let speed = parse_speed(&args.speed)?;
    if external && !speed.is_finite() {
        return Err(Exit::usage(
            "an outside venue answers in its own time: give --speed 1 (or another number)",
        ));
    }
    let ensemble = weights::load_weights(&args.weights)?;
    if ensemble.is_none() && args.parents.is_none() {
        return Err(Exit::usage("--weights none trades nothing without --parents FILE.csv"));
    }
    let shared = gateway::settings(&config, &args.venue)?;
    let mut source = open_source(&specs, &config, &args.venue, &shared, speed)?;
    calibration.map_or(Ok(()), |c| c.check(external, &mut source))?;
    let (mut parents, parents_id) = load_parents(args, source.instruments(), &config)?;
    let slots = slots::load(&args.slots, shapes(ensemble.as_ref()), source.instruments())?;
    let forecaster = place_outside(ensemble.as_ref(), args, &config, source.instruments().len())?;
    let mut account = match external {
        true => Some(Account::open(args.state.as_deref(), source.instruments())?),
        false => None,
    };
    let carry = account.as_mut().map_or_else(nothing_to_carry, |a| std::mem::take(&mut a.carry));
    recover::skip_started(&mut parents, &carry, parents_id);
    let header = Header {
        format: FORMAT.to_string(),
        data: data_ids(&specs, &args.slots, seed)?,
        venue: args.venue.clone(),
        weights: ensemble.map(|(_, id)| id),
        device: forecaster.is_some(),
        instruments: source.instruments().to_vec(),
        by_order: (0..source.instruments().len())
            .map(|i| source.depth_kind(i) == ijk_core::DepthKind::L3)
            .collect(),
        epoch: account.as_ref().map_or(0, |a| a.epoch),
        parents_id,
        config,
    };
    let root = args.out.clone().unwrap_or_else(|| default_root(seed));
    // A broker that cannot be reached leaves no run behind.
    let broker = matches!(venue, VenueSpec::Broker).then(|| broker::start(&header, &shared));
    let broker = broker.transpose()?;
    let dir = RunDir::create(&root, args.force)?;
    let plan = Plan { header: &header, parents, slots, forecaster, carry, speed, account };
    let outcome = trade(plan, venue, broker, source, &dir, args)?;
    conclude::conclude(&header, &dir, outcome, args)
}

/// Reads the parents file, if there is one, and its fingerprint.
fn load_parents(
    args: &LiveArgs,
    instruments: &[Instrument],
    config: &Config,
) -> Result<(Vec<ParentCommand>, u64), Exit> {
    let Some(path) = &args.parents else { return Ok((Vec::new(), 0)) };
    Ok((parents::load(path, instruments, &config.execution)?, parents::fingerprint(path)?))
}

/// The slots of an ensemble; none without one.
fn shapes(ensemble: Option<&(Weights, WeightsId)>) -> &[SlotShape] {
    ensemble.map_or(&[], |(weights, _)| &weights.spec.slots)
}

/// Puts the encoder on a device, where one was asked for and, with `auto`, is faster. `None`: the
/// core runs it.
fn place_outside(
    ensemble: Option<&(Weights, WeightsId)>,
    args: &LiveArgs,
    config: &Config,
    symbols: usize,
) -> Result<Option<Box<dyn Forecaster>>, Exit> {
    if args.device == Choice::Cpu {
        return Ok(None);
    }
    let Some((weights, _)) = ensemble else {
        return Err(Exit::usage("--device places an encoder, and --weights none has none"));
    };
    if config.infer.packing != WeightPacking::Exact {
        return Err(Exit::usage(
            "infer.packing is of the processor alone: use \"exact\" with --device cuda or auto",
        ));
    }
    let placed = place::placed(weights, symbols, args.device, config.infer.vram_budget_bytes)?;
    let is_there = placed.is_on_device();
    Ok(is_there.then(|| Box::new(PlacedForecaster::new(placed, None)) as Box<dyn Forecaster>))
}

/// Opens the feeds, live ones too; where orders reach somebody outside the calendar bounds their
/// sessions.
fn open_source(
    specs: &[FeedSpec],
    config: &Config,
    venue: &str,
    shared: &GatewaySettings,
    speed: f64,
) -> Result<feeds::Feeds, Exit> {
    let is_live = specs.iter().any(feeds::is_live);
    let live = is_live.then(|| LiveFeed::new(config, shared, speed)).transpose()?;
    let seed = config.run.seed;
    let mut source = feeds::open_with(specs, seed, &config.instrument, live.as_ref())?;
    if is_live || venue != "sim" {
        source.bound_sessions(&config.calendar, is_live)?;
    }
    Ok(source)
}

/// Trades at the venue to the end.
fn trade(
    plan: Plan<'_>,
    venue: VenueSpec,
    broker: Option<IbkrVenue>,
    source: feeds::Feeds,
    dir: &RunDir,
    args: &LiveArgs,
) -> Result<trade::Outcome, Exit> {
    let header = plan.header;
    let Some(broker) = broker else {
        return match venue {
            VenueSpec::Link(address) => {
                plan.trade(link_gateway(header, address)?, source, dir, args)
            }
            _ => plan.trade(simulated_exchange(header)?, source, dir, args),
        };
    };
    let switch = broker::DeadMan::start(&args.venue, args.config.as_deref(), broker.account())?;
    let outcome = plan.trade(broker, source, dir, args)?;
    // Orders that may still work are left to it: an end without a goodbye.
    if outcome.done.kernel.is_settled() {
        switch.goodbye();
    }
    Ok(outcome)
}

fn parse_venue(venue: &str) -> Result<VenueSpec, Exit> {
    if venue == "link" {
        let Some(gateway) = Credentials::load()?.gateway else {
            return Err(Exit::usage(
                "venue 'link' is where the credential 'gateway' says, and there is none in \
                 $CREDENTIALS_DIRECTORY",
            ));
        };
        let address = gateway.address.parse();
        let address = address.map_err(|_| Exit::usage("credential 'gateway': a bad address"))?;
        return Ok(VenueSpec::Link(address));
    }
    if let Some(address) = venue.strip_prefix("link:") {
        let address = address.parse().map_err(|e| Exit::usage(format!("venue '{venue}': {e}")))?;
        return Ok(VenueSpec::Link(address));
    }
    match venue {
        "sim" => Ok(VenueSpec::Sim),
        "ibkr-paper" | "ibkr-live" => Ok(VenueSpec::Broker),
        other => Err(Exit::usage(format!(
            "venue '{other}': expected sim, link:HOST:PORT, link:unix:PATH, link, ibkr-paper or \
             ibkr-live"
        ))),
    }
}

/// The account at a venue that outlives the process.
struct Account {
    state: StateDir,
    epoch: u32,
    carry: Vec<CarryItem>,
}

impl Account {
    /// Locks the account, reads what the last run left, and takes the next boot epoch.
    fn open(root: Option<&Path>, instruments: &[Instrument]) -> Result<Account, Exit> {
        let mut state = StateDir::open(root.unwrap_or(Path::new(STATE)))?;
        let carry = recover::recover(&mut state, instruments)?;
        let epoch = state.next_epoch()?;
        Ok(Account { state, epoch, carry })
    }
}

fn link_gateway(header: &Header, address: LinkAddress) -> Result<LinkVenue<SocketTransport>, Exit> {
    let transport = SocketTransport::start(address, SocketOptions::default())
        .map_err(|e| Exit::new(exit::VENUE, format!("the link: {e}")))?;
    let credentials = Credentials::load()?;
    let account = credentials.account_bytes().unwrap_or(*b"ijk-1\0\0\0\0\0\0\0\0\0\0\0");
    let settings = LinkSettings {
        client_number: credentials.gateway.and_then(|g| g.client_id).unwrap_or(1),
        boot_epoch: header.epoch,
        account,
        heartbeat_ns: header.config.venue.heartbeat_ms.max(1).saturating_mul(1_000_000),
    };
    Ok(LinkVenue::new(transport, settings, &header.instruments))
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

fn data_ids(specs: &[FeedSpec], slots: &[PathBuf], seed: u64) -> Result<Vec<DataId>, Exit> {
    let mut ids = Vec::new();
    for spec in specs {
        let files = feeds::files(spec);
        if files.is_empty() {
            ids.push(DataId { name: format!("{spec} (run seed {seed})"), sha256: None });
        }
        for path in files {
            ids.push(file_id(path)?);
        }
    }
    for path in slots {
        ids.push(file_id(path)?);
    }
    Ok(ids)
}

fn file_id(path: &Path) -> Result<DataId, Exit> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let sha256 =
        hash_file(path).map_err(|e| Exit::data(format!("{}: cannot read: {e}", path.display())))?;
    Ok(DataId { name, sha256: Some(sha256) })
}

fn simulated_exchange(header: &Header) -> Result<SimExchange, Exit> {
    let config = &header.config;
    let depths = header.depths();
    let seed = config.run.seed;
    SimExchange::new(&config.sim, &config.fees, &header.instruments, &depths, seed)
        .map_err(Exit::usage)
}
