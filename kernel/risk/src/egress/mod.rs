//! The egress gate: a second check, of the very bytes that are about to leave.
//!
//! It shares no code with [`crate::Gate`] and believes nothing that gate believes: it reads the
//! order from its bytes, keeps its own marks, counts and tables, and knows parents only from what
//! it was told. Its limits are the hard ones; an order that the first gate let pass and this one
//! refuses is a bug or a broken setting, and the caller stops.

mod decode;
mod parents;
mod rate;

use crate::RiskCode;
use decode::Order;
use ijk_core::config::RiskConfig;
use ijk_core::{
    Block, Currency, Instrument, InstrumentId, ParentId, Px, Qty, RecvTs, Symbol, VenueReport,
};
use parents::Parents;
use rate::HardRate;

/// Room above the first gate's value limit: its quote and this gate's mark may differ, and a
/// market order is valued at the mark plus the hard collar here.
const NOTIONAL_ROOM: f64 = 1.05;
/// How much older than a quote a mark may be: an order waits for its journal record.
const MARK_AGE_FACTOR: u64 = 10;

/// What is known of one instrument.
#[derive(Clone, Copy, Debug)]
struct Listing {
    symbol: Symbol,
    allowed: bool,
    in_dollars: bool,
    /// 1e-9 of whole units in one quantity unit.
    unit_e9: i64,
    lot: i64,
    tick: i64,
    /// Last mid, dollars, and when it was told.
    mark: Option<(f64, RecvTs)>,
}

/// The second gate of one account.
#[derive(Debug)]
pub struct EgressGate {
    listings: Vec<Listing>,
    parents: Parents,
    rate: HardRate,
    qty_max: i64,
    notional_max_usd: f64,
    /// Collars as fractions: of prices from `low_price_usd` on, and of those below.
    collars: [f64; 2],
    low_price_usd: f64,
    mark_age_max_ns: u64,
    gtc_allowed: bool,
    last_id: u64,
    killed: bool,
    blocks: u8,
}

impl EgressGate {
    /// Builds a gate that knows `instruments` and nothing else yet: no mark, no parent.
    pub fn new(config: &RiskConfig, instruments: &[Instrument]) -> EgressGate {
        let listing = |i: &Instrument| Listing {
            symbol: i.symbol,
            allowed: is_listed(config, &i.symbol)
                && [i.lot.0, i.tick.0, i.qty_unit_e9].iter().all(|v| *v > 0),
            in_dollars: matches!(i.currency, Currency::Usd | Currency::Usdt),
            unit_e9: i.qty_unit_e9,
            lot: i.lot.0,
            tick: i.tick.0,
            mark: None,
        };
        EgressGate {
            listings: instruments.iter().map(listing).collect(),
            parents: Parents::new(),
            rate: HardRate::new(config.max_orders_per_s, config.order_burst),
            qty_max: config.max_order_qty,
            notional_max_usd: notional_max_usd(config),
            collars: collars(config),
            low_price_usd: config.low_price_usd,
            mark_age_max_ns: mark_age_max_ns(config),
            gtc_allowed: config.allow_gtc,
            last_id: 0,
            killed: false,
            blocks: 0,
        }
    }

    /// Takes over from `config` every limit that is stricter than the one in force, at once. It
    /// never raises one.
    pub fn tighten(&mut self, config: &RiskConfig) {
        for listing in &mut self.listings {
            listing.allowed &= is_listed(config, &listing.symbol);
        }
        self.rate.tighten(config.max_orders_per_s, config.order_burst);
        self.qty_max = self.qty_max.min(config.max_order_qty);
        self.notional_max_usd = least(self.notional_max_usd, notional_max_usd(config));
        for (mine, other) in self.collars.iter_mut().zip(collars(config)) {
            *mine = least(*mine, other);
        }
        self.low_price_usd = least(self.low_price_usd, config.low_price_usd);
        self.mark_age_max_ns = self.mark_age_max_ns.min(mark_age_max_ns(config));
        self.gtc_allowed &= config.allow_gtc;
    }

    /// Lets the bytes of an order leave or says why not. Only bytes that leave are counted.
    ///
    /// # Errors
    /// The [`RiskCode`] of the first control that refuses.
    pub fn check(&mut self, now: RecvTs, bytes: &[u8; 40]) -> Result<(), RiskCode> {
        if self.killed {
            return Err(RiskCode::Killed);
        }
        for block in Block::ALL {
            if self.blocks & block.bit() != 0 {
                return Err(RiskCode::of_block(block));
            }
        }
        let order = decode::order(bytes).ok_or(RiskCode::MalformedOrder)?;
        self.check_order(&order)?;
        self.check_value(now, &order)?;
        self.rate.check(now)?;
        self.parents.take(&order)?;
        self.rate.count(now);
        self.last_id = order.id;
        Ok(())
    }

    fn check_order(&self, o: &Order) -> Result<(), RiskCode> {
        let Some(listing) = self.listings.get(o.instrument) else {
            return Err(RiskCode::UnknownInstrument);
        };
        if !listing.allowed {
            return Err(RiskCode::NotAllowed);
        }
        if !listing.in_dollars {
            return Err(RiskCode::UnsupportedCurrency);
        }
        if o.id == 0 {
            return Err(RiskCode::BadClientId);
        }
        if o.id <= self.last_id {
            return Err(RiskCode::DuplicateClientId);
        }
        if o.qty <= 0 {
            return Err(RiskCode::BadQuantity);
        }
        if o.qty % listing.lot != 0 {
            return Err(RiskCode::OffLot);
        }
        if o.is_market != (o.px == 0) || o.px < 0 {
            return Err(RiskCode::BadPrice);
        }
        if o.px % listing.tick != 0 {
            return Err(RiskCode::OffTick);
        }
        if o.outlives_day && !self.gtc_allowed {
            return Err(RiskCode::TimeInForce);
        }
        Ok(())
    }

    /// Every comparison says what must hold, so a limit or mark that is not a number refuses.
    fn check_value(&self, now: RecvTs, o: &Order) -> Result<(), RiskCode> {
        let listing = &self.listings[o.instrument];
        let whole_e9 = i128::from(o.qty) * i128::from(listing.unit_e9);
        if !(self.qty_max > 0 && whole_e9 <= i128::from(self.qty_max) * 1_000_000_000) {
            return Err(RiskCode::OrderQty);
        }
        let whole = whole_e9 as f64 / 1e9;
        let (mark, told) = listing.mark.ok_or(RiskCode::MissingMark)?;
        if !(self.mark_age_max_ns > 0 && now.since_ns(told) <= self.mark_age_max_ns) {
            return Err(RiskCode::StaleQuote);
        }
        let collar = self.collars[usize::from(mark < self.low_price_usd)];
        if !(collar > 0.0 && collar.is_finite()) {
            return Err(RiskCode::PriceCollar);
        }
        let px = o.px as f64 / 1e9;
        let valued = if o.is_market { mark * (1.0 + collar.min(0.03)) } else { px.max(mark) };
        let sane = self.notional_max_usd > 0.0 && self.notional_max_usd.is_finite();
        if !(sane && whole * valued <= self.notional_max_usd) {
            return Err(RiskCode::OrderNotional);
        }
        let near = (px - mark).abs() <= mark * collar * (1.0 + 1e-12);
        if !o.is_market && !near {
            return Err(RiskCode::PriceCollar);
        }
        Ok(())
    }

    /// Takes the mid of an instrument. One that is not positive is no mark: orders of the
    /// instrument are refused until the next. An unknown instrument is ignored.
    pub fn on_mark(&mut self, now: RecvTs, instrument: InstrumentId, mid: Px) {
        if let Some(listing) = self.listings.get_mut(instrument.index()) {
            listing.mark = (mid.0 > 0).then(|| (mid.0 as f64 / 1e9, now));
        }
    }

    /// Takes the total of a parent. Told again, the lower total holds: a parent never grows. A
    /// total that is not positive, the parent 0, and a parent that finds no place (all are taken
    /// by parents with children at the venue) are not taken: their children are refused.
    pub fn on_parent(&mut self, parent: ParentId, qty: Qty) {
        self.parents.open(parent.0, qty.0);
    }

    /// Takes a report: fills consume a parent's total, ends give back what did not fill.
    pub fn on_report(&mut self, report: &VenueReport) {
        self.parents.on_report(report);
    }

    /// Latches: nothing leaves any more.
    pub fn kill(&mut self) {
        self.killed = true;
    }

    /// Forbids orders for one reason until [`EgressGate::unblock`].
    pub fn block(&mut self, block: Block) {
        self.blocks |= block.bit();
    }

    /// Lifts one reason.
    pub fn unblock(&mut self, block: Block) {
        self.blocks &= !block.bit();
    }

    /// Takes every client order id up to this one as used.
    pub fn set_client_floor(&mut self, id: ijk_core::ClientOrderId) {
        self.last_id = self.last_id.max(id.0);
    }
}

fn is_listed(config: &RiskConfig, symbol: &Symbol) -> bool {
    let name = symbol.as_str();
    config.allow_symbols.iter().any(|s| s == name || s == RiskConfig::ANY_SYMBOL)
        && !config.restricted_symbols.iter().any(|s| s == name)
}

/// The hard collars as fractions, of ordinary and of low prices.
fn collars(config: &RiskConfig) -> [f64; 2] {
    [config.price_collar_hard_bps * 1e-4, config.price_collar_low_hard_bps * 1e-4]
}

fn mark_age_max_ns(config: &RiskConfig) -> u64 {
    config.quote_max_age_ms.saturating_mul(1_000_000).saturating_mul(MARK_AGE_FACTOR)
}

fn notional_max_usd(config: &RiskConfig) -> f64 {
    let equity_part = config.max_order_equity_fraction * config.start_equity_usd;
    least(config.max_order_notional_usd, equity_part) * NOTIONAL_ROOM
}

/// The lesser of two limits; not a number if one of them is no number.
fn least(a: f64, b: f64) -> f64 {
    if a.is_finite() && b.is_finite() { a.min(b) } else { f64::NAN }
}
