//! Every setting of the kernel. Each has a default; unknown keys are refused. Units stand in the
//! names.

pub use crate::calendar::{CalendarConfig, CalendarName};
pub use crate::ibkr::{IbkrClock, IbkrConfig, IbkrDataConfig};
pub use crate::infer_config::InferConfig;
pub use crate::risk_config::RiskConfig;
use serde::{Deserialize, Serialize};

/// All settings of one run; one TOML file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Run.
    pub run: RunConfig,
    /// Features.
    pub features: FeatureConfig,
    /// Encoder.
    pub infer: InferConfig,
    /// Sizing.
    pub sizing: SizingConfig,
    /// Execution.
    pub execution: ExecutionConfig,
    /// Risk.
    pub risk: RiskConfig,
    /// Simulated exchange.
    pub sim: SimConfig,
    /// Fees.
    pub fees: FeeConfig,
    /// Threads, rings, waiting.
    pub runtime: RuntimeConfig,
    /// Journal.
    pub journal: JournalConfig,
    /// A venue that outlives the process.
    pub venue: VenueConfig,
    /// Holidays, half days, hours without orders.
    pub calendar: CalendarConfig,
    /// Overrides of instrument definitions, by symbol.
    pub instrument: Vec<InstrumentConfig>,
}

impl Default for Config {
    /// The settings of a run against the simulated exchange. Its risk profile must not reach a
    /// real venue and cannot: the command line builds the settings of a real venue from
    /// [`Config::for_real_venue`], and a `[risk]` section that is read without a profile is
    /// completed from [`RiskConfig::default`], the strict one.
    fn default() -> Self {
        Config { risk: RiskConfig::simulation(), ..Config::for_real_venue() }
    }
}

impl Config {
    /// Returns the defaults of a run that sends orders to a real venue, paper accounts included.
    pub fn for_real_venue() -> Config {
        Config {
            run: RunConfig::default(),
            features: FeatureConfig::default(),
            infer: InferConfig::default(),
            sizing: SizingConfig::default(),
            execution: ExecutionConfig::default(),
            risk: RiskConfig::default(),
            sim: SimConfig::default(),
            fees: FeeConfig::default(),
            runtime: RuntimeConfig::default(),
            journal: JournalConfig::default(),
            venue: VenueConfig::default(),
            calendar: CalendarConfig::default(),
            instrument: Vec::new(),
        }
    }
}

/// What one run is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RunConfig {
    /// Seed of everything random in the run.
    pub seed: u64,
    /// Equity at the start, dollars.
    pub equity_usd: f64,
}

impl Default for RunConfig {
    fn default() -> Self {
        RunConfig { seed: 1, equity_usd: 1_000_000.0 }
    }
}

/// Features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeatureConfig {
    /// Source rows a token.
    pub stride: u32,
    /// Tokens before the first trade: the encoder's window and the EWMAs must have filled.
    pub warm_up_tokens: u64,
}

impl Default for FeatureConfig {
    fn default() -> Self {
        FeatureConfig { stride: 10, warm_up_tokens: 256 }
    }
}

/// What the lower bound of a forecast's edge is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeBound {
    /// Student's t over the spread of the ensemble's members.
    StudentT,
    /// The member that thinks least of the trade.
    WorstMember,
    /// The lower of the two.
    Both,
}

/// Sizing: Kelly under uncertainty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SizingConfig {
    /// Index into the four horizons that trading uses (3 = 20 tokens).
    pub horizon_index: usize,
    /// Fraction of full Kelly, (0, 1].
    pub kelly_multiplier: f64,
    /// One-sided confidence of the lower bound of the edge, (0.5, 1).
    pub confidence: f64,
    /// Largest position, fraction of equity, one instrument.
    pub position_fraction_max: f64,
    /// Target volatility of the account per day, basis points of equity.
    pub vol_target_bps_per_day: f64,
    /// False: the volatility target caps the largest position. True: every position shrinks with
    /// the cap, in proportion.
    pub vol_scaling: bool,
    /// What the lower bound of the edge is taken from.
    pub bound: EdgeBound,
    /// Radius of a conformal interval of the forecast at the horizon used, basis points: the bound
    /// is no better than the mean less this; 0: none.
    pub conformal_radius_bps: f64,
    /// Fraction of its start, (0, 1), that the account is to fall to with no more than
    /// `drawdown_probability`.
    pub drawdown_level: f64,
    /// That probability, (0, 1]; 1: no bound.
    pub drawdown_probability: f64,
    /// Fall from the account's peak, (0, 1], towards which positions shrink to nothing; 1: none.
    pub drawdown_max: f64,
    /// The target must move by this fraction of the largest position before it is traded.
    pub no_trade_band_fraction: f64,
    /// Impact and slippage allowed for beyond half the spread and the fees, basis points a side.
    pub slippage_bps: f64,
    /// Horizon given to a parent order started by the forecast, seconds.
    pub parent_horizon_s: f64,
    /// Urgency of a parent order started by the forecast.
    pub parent_urgency: crate::record::Urgency,
}

impl Default for SizingConfig {
    fn default() -> Self {
        SizingConfig {
            horizon_index: 3,
            kelly_multiplier: 0.25,
            confidence: 0.95,
            position_fraction_max: 0.20,
            vol_target_bps_per_day: 100.0,
            vol_scaling: false,
            bound: EdgeBound::StudentT,
            conformal_radius_bps: 0.0,
            drawdown_level: 0.8,
            drawdown_probability: 1.0,
            drawdown_max: 1.0,
            no_trade_band_fraction: 0.10,
            slippage_bps: 0.1,
            parent_horizon_s: 20.0,
            parent_urgency: crate::record::Urgency::Urgent,
        }
    }
}

/// Execution: schedules and children.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExecutionConfig {
    /// Risk aversion λ of Almgren–Chriss per urgency: passive, normal, urgent; 1/dollar.
    pub risk_aversion_per_usd: [f64; 3],
    /// Temporary impact η: price move per unit of rate, as a multiple of daily volatility over
    /// daily volume (dimensionless).
    pub temporary_impact: f64,
    /// Daily volatility assumed before any was measured, basis points.
    pub daily_volatility_bps: f64,
    /// Daily volume assumed before any was measured, quantity units.
    pub daily_volume_qty: i64,
    /// Time between two slices of a schedule, milliseconds.
    pub slice_interval_ms: u64,
    /// Smallest child, quantity units, unless the whole rest is smaller. For instruments that
    /// trade in fractions it is their lot.
    pub child_qty_min: i64,
    /// Largest share of the volume traded since the parent's start.
    pub participation_max: f64,
    /// A resting child that fell behind the schedule is re-priced or crossed after this,
    /// milliseconds.
    pub child_patience_ms: u64,
    /// No new parents this close to the session's end, seconds.
    pub no_new_before_close_s: u64,
    /// Schedule of parents that name none.
    pub schedule: crate::record::ScheduleKind,
    /// Part of the traded volume that a `pov` schedule follows, at most `participation_max`.
    pub pov_rate: f64,
    /// Expected volume in equal parts of the session, any unit, for `vwap`; empty: even.
    pub volume_curve: Vec<f64>,
    /// Exponent β of temporary impact for `power_law`, (0, 1].
    pub impact_exponent: f64,
    /// Half-life of the book's recovery for `obizhaeva_wang`, seconds.
    pub resilience_half_life_s: f64,
    /// Exponent γ of the propagator `(1 + t/t0)^-γ`, (0, 1).
    pub propagator_exponent: f64,
    /// Its t0, seconds.
    pub propagator_scale_s: f64,
    /// Nothing is sent this soon after the session's start (opening auction), seconds.
    pub start_after_open_s: u64,
    /// Everything is done this long before the session's end (closing auction), seconds.
    pub end_before_close_s: u64,
    /// Whether parents follow the book: re-planned when it has changed, resting or taking by
    /// expected cost, pegged to the touch.
    pub adaptive: bool,
    /// Spread, depth, volume or volatility at this multiple of what the plan assumed, or its
    /// inverse, make a new plan; above 1.
    pub replan_ratio: f64,
    /// Order flow imbalance this far from the plan's, in units of the touch's size, makes a new
    /// plan.
    pub replan_flow: f64,
    /// Shortest time between two plans of a parent, milliseconds.
    pub replan_min_interval_ms: u64,
    /// A resting child whose touch has left it is re-priced after this, milliseconds.
    pub reprice_after_ms: u64,
    /// Re-pricings of one parent a minute at most.
    pub reprices_per_minute_max: u32,
    /// Fills of a resting order a unit of opposite volume that reaches its queue (1: every unit
    /// counts).
    pub fill_hazard: f64,
    /// How much of the response of the price to the book's imbalance and flow that was measured
    /// lately is expected to go on; 0 trades without the signal.
    pub signal_gain: f64,
    /// What the price moves against a resting order that fills, half-spreads.
    pub adverse_selection: f64,
}

impl Default for ExecutionConfig {
    fn default() -> Self {
        ExecutionConfig {
            risk_aversion_per_usd: [1e-7, 1e-6, 1e-5],
            temporary_impact: 0.142,
            daily_volatility_bps: 150.0,
            daily_volume_qty: 1_000_000,
            slice_interval_ms: 5_000,
            child_qty_min: 100,
            participation_max: 0.20,
            child_patience_ms: 5_000,
            no_new_before_close_s: 600,
            schedule: crate::record::ScheduleKind::AlmgrenChriss,
            pov_rate: 0.10,
            volume_curve: Vec::new(),
            impact_exponent: 0.6,
            resilience_half_life_s: 60.0,
            propagator_exponent: 0.4,
            propagator_scale_s: 10.0,
            start_after_open_s: 0,
            end_before_close_s: 0,
            adaptive: true,
            replan_ratio: 2.0,
            replan_flow: 2.0,
            replan_min_interval_ms: 5_000,
            reprice_after_ms: 500,
            reprices_per_minute_max: 30,
            fill_hazard: 1.0,
            signal_gain: 1.0,
            adverse_selection: 0.5,
        }
    }
}

/// Simulated exchange.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimConfig {
    /// From the exchange's event to the kernel, microseconds, on top of the recorded receive time.
    pub feed_latency_us: u64,
    /// From the kernel to the exchange, microseconds.
    pub order_latency_us: u64,
    /// From the exchange back to the kernel, microseconds.
    pub report_latency_us: u64,
    /// Largest random addition to the order's latency, microseconds (uniform, seeded).
    pub order_latency_jitter_us: u64,
    /// Where a cancelled order stood in an L2 queue: exponent n of the probability
    /// `f(back)/(f(front)+f(back))`, `f(x) = x^n`.
    pub queue_power: f64,
}

impl Default for SimConfig {
    fn default() -> Self {
        SimConfig {
            feed_latency_us: 250,
            order_latency_us: 1_000,
            report_latency_us: 500,
            order_latency_jitter_us: 200,
            queue_power: 3.0,
        }
    }
}

/// Fee schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeSchedule {
    /// `ibkr_tiered` for instruments that trade in whole units, `bps` for those in fractions.
    Auto,
    /// Interactive Brokers, US shares, tiered (lowest volume tier) with exchange fees passed on.
    IbkrTiered,
    /// Interactive Brokers, US shares, fixed.
    IbkrFixed,
    /// Basis points of notional, maker and taker.
    Bps,
    /// No fees.
    None,
}

/// Fees. The numbers are the broker's published schedule; docs/formats.md dates them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeeConfig {
    /// Which schedule.
    pub schedule: FeeSchedule,
    /// Tiered: commission a share, dollars.
    pub tiered_usd_per_share: f64,
    /// Tiered: least commission an order, dollars.
    pub tiered_min_usd_per_order: f64,
    /// Fixed: commission a share, dollars.
    pub fixed_usd_per_share: f64,
    /// Fixed: least commission an order, dollars.
    pub fixed_min_usd_per_order: f64,
    /// Both: largest commission, fraction of the trade's value.
    pub max_fraction: f64,
    /// Tiered: exchange fee for taking, dollars a share.
    pub exchange_take_usd_per_share: f64,
    /// Tiered: exchange rebate for adding (negative is received), dollars a share.
    pub exchange_add_usd_per_share: f64,
    /// Tiered: clearing, dollars a share.
    pub clearing_usd_per_share: f64,
    /// Sales: FINRA trading activity fee, dollars a share.
    pub sell_usd_per_share: f64,
    /// Sales: SEC fee, fraction of value.
    pub sell_fraction: f64,
    /// Bps schedule: taker.
    pub taker_bps: f64,
    /// Bps schedule: maker.
    pub maker_bps: f64,
}

impl Default for FeeConfig {
    fn default() -> Self {
        FeeConfig {
            schedule: FeeSchedule::Auto,
            tiered_usd_per_share: 0.0035,
            tiered_min_usd_per_order: 0.35,
            fixed_usd_per_share: 0.005,
            fixed_min_usd_per_order: 1.0,
            max_fraction: 0.01,
            exchange_take_usd_per_share: 0.0030,
            exchange_add_usd_per_share: -0.0020,
            clearing_usd_per_share: 0.000_20,
            sell_usd_per_share: 0.000_166,
            sell_fraction: 0.0,
            taker_bps: 4.0,
            maker_bps: 2.0,
        }
    }
}

/// How a thread waits for its ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WaitStrategy {
    /// Spins; for isolated cores only.
    Spin,
    /// Spins a little, then yields.
    Yield,
    /// Spins a little, yields, then sleeps in short steps.
    Park,
}

/// What the feed thread does when the ring to the kernel is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overload {
    /// Waits: nothing is lost, the feed falls behind. For files.
    Block,
    /// Drops, counts, and marks the loss with a `Gap` record: the book is distrusted until the
    /// next snapshot. For feeds that cannot wait.
    Gap,
}

/// Threads, rings, waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuntimeConfig {
    /// Policy for a full feed ring.
    pub overload: Overload,
    /// How threads wait.
    pub wait: WaitStrategy,
    /// Slots of the ring from the feed to the kernel, records of 64 bytes.
    pub feed_ring_slots: usize,
    /// Bytes of the ring from the kernel to the journal.
    pub journal_ring_bytes: usize,
    /// Core of the kernel thread; -1 leaves it to the scheduler.
    pub kernel_core: i32,
    /// Core of the feed thread; -1 leaves it to the scheduler.
    pub feed_core: i32,
    /// Inputs after which allocations of the kernel thread count as a fault.
    pub warm_up_events: u64,
    /// Keeps every page of the process in memory; where the system's limit does not allow it,
    /// nothing starts.
    pub lock_memory: bool,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        RuntimeConfig {
            overload: Overload::Block,
            wait: WaitStrategy::Park,
            feed_ring_slots: 1 << 14,
            journal_ring_bytes: 1 << 22,
            kernel_core: -1,
            feed_core: -1,
            warm_up_events: 10_000,
            lock_memory: false,
        }
    }
}

/// Which system interface the journal writes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JournalBackend {
    /// io_uring where the kernel allows it, else plain writes.
    Auto,
    /// io_uring or nothing.
    Uring,
    /// Plain positioned writes.
    Plain,
}

/// Journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JournalConfig {
    /// System interface.
    pub backend: JournalBackend,
    /// Most bytes of one write.
    pub block_bytes: usize,
    /// Bytes of one segment file, a multiple of 4096.
    pub segment_bytes: u64,
}

impl Default for JournalConfig {
    fn default() -> Self {
        JournalConfig {
            backend: JournalBackend::Auto,
            block_bytes: 1 << 18,
            segment_bytes: 64 << 20,
        }
    }
}

/// When an order for a venue that outlives the process may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutboxMode {
    /// When its intent is on the device.
    Strict,
    /// At once, while its intent is being written: the boot epoch, which is on the device,
    /// reserves every id of this run, and after a crash the venue is asked for all of them. Only
    /// for venues that list every order of the day and refuse an id they have seen.
    ReservedRange,
}

/// How a venue that outlives the process is kept track of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VenueConfig {
    /// When an order may leave.
    pub outbox: OutboxMode,
    /// An order or cancel without an answer for this long is UNKNOWN, milliseconds.
    pub ack_timeout_ms: u64,
    /// A request for the venue's account without a complete answer for this long is made again,
    /// milliseconds.
    pub snapshot_timeout_ms: u64,
    /// Time between two comparisons of the accounts while all is well, milliseconds.
    pub reconcile_interval_ms: u64,
    /// An order the venue does not list counts as never arrived after two answers at least this
    /// far apart, milliseconds.
    pub absent_quiet_ms: u64,
    /// An intent that waited this long for the journal is withdrawn instead of sent,
    /// milliseconds.
    pub intent_age_max_ms: u64,
    /// Time between two signs of life on the link, milliseconds; two missed break it.
    pub heartbeat_ms: u64,
    /// A feed without any record for this long blocks new orders, milliseconds.
    pub feed_silence_max_ms: u64,
    /// A jump of the clock by this much between two looks blocks new orders, milliseconds.
    pub clock_step_max_ms: u64,
    /// Time server (SNTP) that the machine's clock is compared with, HOST:PORT. New orders wait
    /// for its first answer.
    pub time_server: String,
    /// Time between two comparisons of the clock, milliseconds; after three without an answer
    /// the offset is unknown and new orders are blocked.
    pub time_interval_ms: u64,
    /// Interactive Brokers: TWS or IB Gateway.
    pub ibkr: IbkrConfig,
}

impl Default for VenueConfig {
    fn default() -> Self {
        VenueConfig {
            outbox: OutboxMode::Strict,
            ack_timeout_ms: 2_000,
            snapshot_timeout_ms: 5_000,
            reconcile_interval_ms: 30_000,
            absent_quiet_ms: 30_000,
            intent_age_max_ms: 1_000,
            heartbeat_ms: 1_000,
            feed_silence_max_ms: 2_000,
            clock_step_max_ms: 50,
            time_server: "pool.ntp.org:123".to_string(),
            time_interval_ms: 16_000,
            ibkr: IbkrConfig::default(),
        }
    }
}

/// Override of one instrument's definition. Missing keys keep what the feed says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentConfig {
    /// Symbol as the feed names it.
    pub symbol: String,
    /// Price step in currency units, as decimal text.
    pub tick: Option<String>,
    /// Quantity step in whole units, as decimal text.
    pub lot: Option<String>,
    /// ISO code.
    pub currency: Option<String>,
    /// Local opening time `HH:MM`.
    pub session_open: Option<String>,
    /// Local closing time `HH:MM`.
    pub session_close: Option<String>,
    /// IANA time zone of the two.
    pub session_tz: Option<String>,
}
