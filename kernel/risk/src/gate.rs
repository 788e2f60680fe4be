//! The gate: every control, in one fixed order.

use crate::account::{Account, amount};
use crate::alarms::Alarms;
use crate::execs::RecentExecs;
use crate::limits::{self, COLLAR_UNITS_PER_ONE, Limits, Rules};
use crate::recent::{RecentOrders, Throttle};
use crate::window::WindowCount;
use crate::working::WorkingOrders;
use crate::{Approved, RiskCode, RiskConfigError};
use ijk_core::config::RiskConfig;
use ijk_core::num::E9;
use ijk_core::record::Level;
use ijk_core::time::NS_PER_S;
use ijk_core::{Instrument, InstrumentId, NewOrder, OrderType, Px, RecvTs, Side, TimeInForce};

/// What an order is priced on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quote {
    /// Best bid; quantity 0 where the side is empty.
    pub bid: Level,
    /// Best ask; quantity 0 where the side is empty.
    pub ask: Level,
    /// Receive time of the last event of the book.
    pub ts: RecvTs,
    /// Whether the book is complete since its last snapshot.
    pub trusted: bool,
}

/// How much trading is allowed. It only ever moves down this list; a person restarts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TradingState {
    /// Everything within limits.
    Active,
    /// Only orders that shrink a position.
    ReduceOnly,
    /// No new orders: loss limit or ledger fault.
    Halted,
    /// No new orders: kill switch.
    Killed,
}

/// The pre-trade gate of one account, with a ledger of its own.
#[derive(Debug)]
pub struct Gate {
    pub(crate) limits: Limits,
    pub(crate) accounts: Vec<Account>,
    pub(crate) working: WorkingOrders,
    pub(crate) execs: RecentExecs,
    pub(crate) recent: RecentOrders,
    pub(crate) throttle: Throttle,
    pub(crate) cancel_throttle: Throttle,
    /// Times of the orders accepted last.
    pub(crate) minute: WindowCount,
    pub(crate) last_order: Option<RecvTs>,
    /// Orders accepted, cancels that left, fills booked.
    pub(crate) messages: u64,
    pub(crate) fills: u64,
    pub(crate) ratio_alarmed: bool,
    pub(crate) entries_today: u32,
    pub(crate) state: TradingState,
    /// Set of `Block` bits.
    pub(crate) blocks: u8,
    pub(crate) market_wide_level: u8,
    pub(crate) alarms: Alarms,
    /// Highest client order id accepted: ids rise, so this one number knows every id used.
    pub(crate) client_id_max: u64,
    pub(crate) now: RecvTs,
    /// When the feed last said anything.
    pub(crate) feed_last: RecvTs,
    /// The clock is too far from true time, or nobody knows how far.
    pub(crate) clock_off: bool,
    /// Sum of the accounts' profits, money units.
    pub(crate) profit: i128,
    pub(crate) peak: i128,
    pub(crate) drawdown_max: i128,
    /// Paid for buys and fees today, money units.
    pub(crate) spent: i128,
    pub(crate) losers_run: u32,
    pub(crate) rejects_run: u32,
    /// Disagreements with the venue; see `ledger`.
    pub(crate) mismatches: u32,
}

impl Gate {
    /// Builds a gate. Limits that are zero, negative or not finite refuse orders; an invalid loss
    /// limit starts the gate in the state it would have caused.
    ///
    /// # Errors
    /// [`RiskConfigError`] for an empty, too long or senseless instrument table.
    pub fn new(config: &RiskConfig, instruments: &[Instrument]) -> Result<Gate, RiskConfigError> {
        limits::validate(instruments)?;
        let limits = Limits::new(config);
        let account = |i: &Instrument| Account::new(*i, Rules::new(config, i), &limits);
        let mut gate = Gate {
            accounts: instruments.iter().map(account).collect(),
            working: WorkingOrders::new(),
            execs: RecentExecs::new(),
            recent: RecentOrders::new(),
            throttle: Throttle::new(limits.orders_per_s, limits.order_burst),
            cancel_throttle: Throttle::new(limits.cancels_per_s, limits.cancel_burst),
            minute: WindowCount::new(60 * NS_PER_S),
            last_order: None,
            messages: 0,
            fills: 0,
            ratio_alarmed: false,
            entries_today: 0,
            state: TradingState::Active,
            blocks: 0,
            market_wide_level: 0,
            alarms: Alarms::new(),
            client_id_max: 0,
            now: RecvTs(0),
            feed_last: RecvTs(0),
            clock_off: false,
            profit: 0,
            peak: 0,
            drawdown_max: 0,
            spent: 0,
            losers_run: 0,
            rejects_run: 0,
            mismatches: 0,
            limits,
        };
        gate.judge_profit();
        Ok(gate)
    }

    /// Lets `order` pass or says why not. On success its worst case counts as exposure until the
    /// venue reports otherwise.
    ///
    /// The order of the controls is fixed, so one order always gets the same code: state, blocks
    /// of the account, identity, lists and blocks of the instrument, fields, session, quote, size,
    /// value, collar, state again (the quote is a mark and may trip the loss limit), reduce-only,
    /// short sales, cash, exposure, open orders, self-match, duplicates, rates, entries. Only an
    /// accepted order spends rates, windows and counts.
    ///
    /// Client order ids must rise: an id at or below the highest accepted one is refused as a
    /// duplicate, which makes the check exact over the whole run in eight bytes.
    ///
    /// # Errors
    /// The [`RiskCode`] of the first control that refuses; nothing is reserved.
    pub fn check(
        &mut self,
        now: RecvTs,
        order: NewOrder,
        quote: &Quote,
    ) -> Result<Approved<NewOrder>, RiskCode> {
        self.check_state()?;
        self.check_blocks()?;
        self.check_identity(now, &order)?;
        self.check_lists(&order)?;
        self.check_fields(now, &order)?;
        let mid = self.check_quote(now, quote)?;
        let priced = self.check_size_and_price(&order, quote)?;
        self.mark(order.instrument.index(), Some(mid));
        self.check_state()?;
        self.check_exposure(&order, quote, mid, priced)?;
        self.check_traffic(now, &order)?;
        self.accept(now, &order, priced);
        Ok(Approved::new(order))
    }

    /// Books an order that passed.
    fn accept(&mut self, now: RecvTs, order: &NewOrder, priced: Px) {
        // First: it asks what the position was before the order.
        self.count_entry(now, order);
        let account = &mut self.accounts[order.instrument.index()];
        // Neither can overflow: `check_exposure` and `check_size_and_price` did the same sums.
        account.working[order.side as usize] += order.qty.0;
        account.open[order.side as usize] += 1;
        if order.side == Side::Bid {
            let unit = account.instrument.qty_unit_e9;
            account.reserved += amount(unit, priced.0, order.qty.0).unwrap_or(0);
        }
        self.working.insert(order, priced);
        self.count_order(now, order);
        self.client_id_max = order.client_order_id.0;
    }

    fn check_state(&self) -> Result<(), RiskCode> {
        match self.state {
            TradingState::Killed => Err(RiskCode::Killed),
            TradingState::Halted => Err(RiskCode::Halted),
            TradingState::Active | TradingState::ReduceOnly => Ok(()),
        }
    }

    fn check_identity(&mut self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        let Some(account) = self.accounts.get(o.instrument.index()) else {
            return Err(RiskCode::UnknownInstrument);
        };
        if now < self.now {
            return Err(RiskCode::TimeReversal);
        }
        self.now = now;
        if o.client_order_id.0 == 0 {
            return Err(RiskCode::BadClientId);
        }
        if o.client_order_id.0 <= self.client_id_max {
            return Err(RiskCode::DuplicateClientId);
        }
        if !limits::is_dollar(account.instrument.currency) {
            return Err(RiskCode::UnsupportedCurrency);
        }
        Ok(())
    }

    fn check_lists(&self, o: &NewOrder) -> Result<(), RiskCode> {
        let rules = &self.accounts[o.instrument.index()].rules;
        if !rules.allowed {
            return Err(RiskCode::NotAllowed);
        }
        if rules.restricted {
            return Err(RiskCode::Restricted);
        }
        self.check_instrument_blocks(o.instrument.index())
    }

    fn check_fields(&self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        let instrument = &self.accounts[o.instrument.index()].instrument;
        if o.qty.0 <= 0 {
            return Err(RiskCode::BadQuantity);
        }
        if o.qty.0 % instrument.lot.0 != 0 {
            return Err(RiskCode::OffLot);
        }
        match o.order_type {
            OrderType::Market if o.px.0 != 0 => return Err(RiskCode::BadPrice),
            OrderType::Market => {}
            OrderType::Limit if o.px.0 <= 0 => return Err(RiskCode::BadPrice),
            OrderType::Limit if o.px.0 % instrument.tick.0 != 0 => return Err(RiskCode::OffTick),
            OrderType::Limit => {}
        }
        if o.tif == TimeInForce::Gtc && !self.limits.allow_gtc {
            return Err(RiskCode::TimeInForce);
        }
        if !instrument.session.contains(now.0) {
            return Err(RiskCode::OutOfSession);
        }
        if self.ends_within(o.instrument, now, self.limits.eod_no_new_ns) {
            return Err(RiskCode::EndOfDay);
        }
        Ok(())
    }

    /// Whether the instrument's session ends within `ns`.
    pub(crate) fn ends_within(&self, instrument: InstrumentId, now: RecvTs, ns: u64) -> bool {
        let session = self.accounts[instrument.index()].instrument.session;
        now.plus_ns(ns).0 >= session.close_ns
    }

    /// Returns the mid, rounded down to 1e-9.
    fn check_quote(&self, now: RecvTs, q: &Quote) -> Result<Px, RiskCode> {
        if !q.trusted {
            return Err(RiskCode::UntrustedQuote);
        }
        if q.bid.qty.0 <= 0 || q.ask.qty.0 <= 0 || q.bid.px.0 <= 0 || q.ask.px.0 <= 0 {
            return Err(RiskCode::OneSidedQuote);
        }
        if q.bid.px >= q.ask.px {
            return Err(RiskCode::CrossedQuote);
        }
        if q.ts > now {
            return Err(RiskCode::TimeReversal);
        }
        let age_max = self.limits.quote_max_age_ns;
        if age_max == 0 || now.since_ns(q.ts) > age_max {
            return Err(RiskCode::StaleQuote);
        }
        let silence_max = self.limits.feed_heartbeat_ns;
        if silence_max == 0 || now.since_ns(self.feed_last.max(q.ts)) > silence_max {
            return Err(RiskCode::FeedSilent);
        }
        let mid = (i128::from(q.bid.px.0) + i128::from(q.ask.px.0)) / 2;
        Ok(Px(mid as i64))
    }

    /// Returns the price the order is valued at: the most it can cost or move. A market order
    /// is valued at the far touch plus the collar, a sell at no less than the bid.
    fn check_size_and_price(&self, o: &NewOrder, q: &Quote) -> Result<Px, RiskCode> {
        self.check_size(o)?;
        let twice_mid = i128::from(q.bid.px.0) + i128::from(q.ask.px.0);
        let low = twice_mid < 2 * i128::from(self.limits.low_price);
        let collar = self.limits.collar[usize::from(low)].ok_or(RiskCode::PriceCollar)?;
        let far = match o.side {
            Side::Bid => q.ask.px,
            Side::Ask => q.bid.px,
        };
        let (reference, priced) = match (o.order_type, o.side) {
            (OrderType::Market, _) => {
                let extra = i128::from(far.0).checked_mul(collar).ok_or(RiskCode::Overflow)?
                    / COLLAR_UNITS_PER_ONE;
                let px = i128::from(far.0).checked_add(extra).ok_or(RiskCode::Overflow)?;
                (far, Px(i64::try_from(px).map_err(|_| RiskCode::Overflow)?))
            }
            (OrderType::Limit, Side::Bid) => (o.px, o.px),
            (OrderType::Limit, Side::Ask) => (o.px, o.px.max(far)),
        };
        let unit = self.accounts[o.instrument.index()].instrument.qty_unit_e9;
        let value = amount(unit, priced.0, o.qty.0).map_err(|_| RiskCode::Overflow)?;
        match self.limits.order_notional {
            Some(limit) if bug!(OffByOneNotional) && value >= limit => {
                return Err(RiskCode::OrderNotional);
            }
            Some(limit) if value <= limit => {}
            _ => return Err(RiskCode::OrderNotional),
        }
        // |px - mid| / mid <= collar, with mid = (bid + ask) / 2 and both sides times two.
        let twice_distance = 2 * i128::from(reference.0) - twice_mid;
        let allowed = match (i64::try_from(twice_mid), i64::try_from(collar)) {
            (Ok(mids), Ok(units)) => i128::from(mids) * i128::from(units),
            _ => twice_mid.checked_mul(collar).ok_or(RiskCode::Overflow)?,
        };
        let below = twice_distance < 0 && bug!(CollarOneSided);
        if !below && twice_distance.abs() * COLLAR_UNITS_PER_ONE > allowed {
            return Err(RiskCode::PriceCollar);
        }
        match self.accounts[o.instrument.index()].watch.band {
            Some((low, high)) if reference < low || reference > high => Err(RiskCode::LuldBand),
            _ => Ok(priced),
        }
    }

    fn check_size(&self, o: &NewOrder) -> Result<(), RiskCode> {
        let account = &self.accounts[o.instrument.index()];
        let whole_e9 = i128::from(o.qty.0) * i128::from(account.instrument.qty_unit_e9);
        let limit = self.limits.order_qty.saturating_add(i64::from(bug!(OffByOneQty)));
        if whole_e9 > i128::from(limit) * i128::from(E9) {
            return Err(RiskCode::OrderQty);
        }
        match account.rules.adv_max_e9 {
            None => Err(RiskCode::AdvUnknown),
            Some(max) if whole_e9 > max => Err(RiskCode::AdvShare),
            Some(_) => Ok(()),
        }
    }

    /// Takes the mid of an instrument as its mark and judges the day's loss. A mid that is not a
    /// positive finite number makes the mark unknown: until the next valid one an open position
    /// of the instrument stops all new risk. An unknown instrument is ignored.
    pub fn on_mark(&mut self, now: RecvTs, instrument: InstrumentId, mid: f64) {
        self.see_time(now);
        self.hear_feed(now);
        let px = Px::from_f64(mid).filter(|p| p.0 > 0);
        self.mark(instrument.index(), px);
    }

    fn mark(&mut self, index: usize, px: Option<Px>) {
        let Some(account) = self.accounts.get_mut(index) else { return };
        if account.mark == px {
            return;
        }
        let before = account.profit();
        let marked = account.set_mark(px);
        self.profit += account.profit() - before;
        if marked.is_err() {
            self.degrade(TradingState::Halted);
        }
        if self.accounts[index].position != 0 {
            self.judge_profit();
        }
    }

    /// Compares the day's result and the runs of losers, rejects and disagreements with their
    /// limits; latches.
    pub(crate) fn judge_profit(&mut self) {
        self.peak = self.peak.max(self.profit);
        self.drawdown_max = self.drawdown_max.max(self.peak - self.profit);
        let lost = |limit: Option<i128>| limit.is_none_or(|l| self.profit <= -l);
        let fell = self.limits.drawdown.is_none_or(|l| self.peak - self.profit >= l);
        let runs = self.losers_run >= self.limits.losers
            || self.rejects_run >= self.limits.rejects
            || self.mismatches >= self.limits.halt_mismatches;
        if lost(self.limits.halt_loss) || fell || runs {
            self.degrade(TradingState::Halted);
        } else if lost(self.limits.reduce_only_loss) {
            self.degrade(TradingState::ReduceOnly);
        }
    }

    /// Takes over from `config` every limit that is stricter than the one in force, at once. It
    /// never raises one: a raise takes a new run. Sector numbers and the lengths of the slippage
    /// and entry windows stay.
    pub fn tighten(&mut self, config: &RiskConfig) {
        self.limits.tighten(config);
        for account in &mut self.accounts {
            let rules = Rules::new(config, &account.instrument);
            account.rules.tighten(&rules);
            account.slippage_latched |= self.limits.slippage.is_none();
        }
        self.throttle.tighten(config.max_orders_per_s, config.order_burst);
        self.cancel_throttle.tighten(config.max_cancels_per_s, config.cancel_burst);
        self.judge_profit();
    }

    /// Latches the kill switch. The caller cancels what works; see [`Gate::working_orders`].
    pub fn kill(&mut self, now: RecvTs) {
        self.see_time(now);
        self.degrade(TradingState::Killed);
    }
}
