//! The gate: every control, in one fixed order.

use crate::account::{Account, Overflow, amount};
use crate::limits::{self, COLLAR_UNITS_PER_ONE, Limits};
use crate::recent::{Recency, RecentExecs, RecentOrders, Throttle};
use crate::working::WorkingOrders;
use crate::{Approved, RiskCode, RiskConfigError};
use ijk_core::config::RiskConfig;
use ijk_core::num::E9;
use ijk_core::record::Level;
use ijk_core::{Instrument, InstrumentId, NewOrder, OrderType, Px, RecvTs, Side};

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
    recent: RecentOrders,
    throttle: Throttle,
    pub(crate) state: TradingState,
    /// Highest client order id accepted: ids rise, so this one number knows every id used.
    pub(crate) client_id_max: u64,
    now: RecvTs,
    /// Sum of the accounts' profits, money units.
    pub(crate) profit: i128,
    pub(crate) peak: i128,
    pub(crate) drawdown_max: i128,
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
        let mut gate = Gate {
            accounts: instruments.iter().map(|i| Account::new(*i)).collect(),
            working: WorkingOrders::new(),
            execs: RecentExecs::new(),
            recent: RecentOrders::new(limits.duplicate_window_ns),
            throttle: Throttle::new(limits.orders_per_s, limits.order_burst),
            state: TradingState::Active,
            client_id_max: 0,
            now: RecvTs(0),
            profit: 0,
            peak: 0,
            drawdown_max: 0,
            limits,
        };
        gate.judge_profit();
        Ok(gate)
    }

    /// Lets `order` pass or says why not. On success its worst case counts as exposure until the
    /// venue reports otherwise.
    ///
    /// The order of the controls is fixed, so one order always gets the same code: state,
    /// identity, fields, session, quote, size, value, collar, state again (the quote is a mark
    /// and may trip the loss limit), reduce-only, exposure, open orders, self-match, duplicates,
    /// rate. Only an accepted order spends rate and duplicate window.
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
        self.check_identity(now, &order)?;
        self.check_fields(now, &order)?;
        let mid = self.check_quote(now, quote)?;
        let priced = self.check_size_and_price(&order, quote)?;
        self.mark(order.instrument.index(), Some(mid));
        self.check_state()?;
        self.check_exposure(&order, mid, priced)?;
        self.check_traffic(now, &order)?;

        let account = &mut self.accounts[order.instrument.index()];
        // Cannot overflow: `check_exposure` added the same quantity to a position.
        account.working[order.side as usize] += order.qty.0;
        self.working.insert(&order);
        self.recent.push(now, &order);
        self.throttle.take_one();
        self.client_id_max = order.client_order_id.0;
        Ok(Approved::new(order))
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
        if !instrument.session.contains(now.0) {
            return Err(RiskCode::OutOfSession);
        }
        Ok(())
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
        let mid = (i128::from(q.bid.px.0) + i128::from(q.ask.px.0)) / 2;
        Ok(Px(mid as i64))
    }

    /// Returns the price the order is valued at: the most it can cost or move. A market order
    /// is valued at the far touch plus the collar, a sell at no less than the bid.
    fn check_size_and_price(&self, o: &NewOrder, q: &Quote) -> Result<Px, RiskCode> {
        let unit = self.accounts[o.instrument.index()].instrument.qty_unit_e9;
        let limit = i128::from(self.limits.order_qty) * i128::from(E9);
        if i128::from(o.qty.0) * i128::from(unit) > limit {
            return Err(RiskCode::OrderQty);
        }
        let collar = self.limits.collar.ok_or(RiskCode::PriceCollar)?;
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
            Some(limit) if value <= limit => {}
            _ => return Err(RiskCode::OrderNotional),
        }
        // |px - mid| / mid <= collar, with mid = (bid + ask) / 2 and both sides times two.
        let twice_mid = i128::from(q.bid.px.0) + i128::from(q.ask.px.0);
        let twice_distance = (2 * i128::from(reference.0) - twice_mid).abs();
        let allowed = twice_mid.checked_mul(collar).ok_or(RiskCode::Overflow)?;
        if twice_distance * COLLAR_UNITS_PER_ONE > allowed {
            return Err(RiskCode::PriceCollar);
        }
        Ok(priced)
    }

    fn check_exposure(&self, o: &NewOrder, mid: Px, priced: Px) -> Result<(), RiskCode> {
        let account = &self.accounts[o.instrument.index()];
        if !account.reduces(o.side, o.qty.0) {
            if self.state == TradingState::ReduceOnly {
                return Err(RiskCode::ReduceOnly);
            }
            if self.accounts.iter().any(|a| a.mark.is_none() && exposed(a)) {
                return Err(RiskCode::MissingMark);
            }
        }
        let overflow = |_: Overflow| RiskCode::Overflow;
        let before = account.worst_abs_with(o.side, 0).map_err(overflow)?;
        let after = account.worst_abs_with(o.side, o.qty.0).map_err(overflow)?;
        let position_limit = self.limits.position.ok_or(RiskCode::PositionLimit)?;
        let gross_limit = self.limits.gross.ok_or(RiskCode::GrossLimit)?;
        if after <= before {
            // Worst case does not grow. Refusing it would lock a position in that a moved
            // price has carried over the limit.
            return Ok(());
        }
        let unit = account.instrument.qty_unit_e9;
        let own = amount(unit, mid.max(priced).0, after).map_err(overflow)?;
        if own > position_limit {
            return Err(RiskCode::PositionLimit);
        }
        let others = self.gross_except(Some(o.instrument.index())).map_err(overflow)?;
        match own.checked_add(others) {
            Some(gross) if gross <= gross_limit => Ok(()),
            Some(_) => Err(RiskCode::GrossLimit),
            None => Err(RiskCode::Overflow),
        }
    }

    fn check_traffic(&mut self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        if self.working.len() >= self.limits.open_orders {
            return Err(RiskCode::OpenOrders);
        }
        if self.working.would_self_match(o) {
            return Err(RiskCode::SelfMatch);
        }
        match self.recent.judge(now, o) {
            Recency::New => {}
            Recency::Duplicate => return Err(RiskCode::DuplicateOrder),
            Recency::Unknown => return Err(RiskCode::MessageRate),
        }
        self.throttle.refill(now);
        if !self.throttle.has_one() {
            return Err(RiskCode::MessageRate);
        }
        Ok(())
    }

    /// Worst-case exposure of all instruments but one, at their marks.
    pub(crate) fn gross_except(&self, skip: Option<usize>) -> Result<i128, Overflow> {
        let mut sum = 0i128;
        for (index, a) in self.accounts.iter().enumerate() {
            if Some(index) == skip {
                continue;
            }
            let worst = a.worst_abs_with(Side::Bid, 0)?;
            let px = a.mark.map_or(0, |m| m.0);
            let value = amount(a.instrument.qty_unit_e9, px, worst)?;
            sum = sum.checked_add(value).ok_or(Overflow)?;
        }
        Ok(sum)
    }

    /// Takes the mid of an instrument as its mark and judges the day's loss. A mid that is not a
    /// positive finite number makes the mark unknown: until the next valid one an open position
    /// of the instrument stops all new risk. An unknown instrument is ignored.
    pub fn on_mark(&mut self, now: RecvTs, instrument: InstrumentId, mid: f64) {
        self.now = self.now.max(now);
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

    /// Compares the day's result with the loss limits; latches.
    pub(crate) fn judge_profit(&mut self) {
        self.peak = self.peak.max(self.profit);
        self.drawdown_max = self.drawdown_max.max(self.peak - self.profit);
        let lost = |limit: Option<i128>| limit.is_none_or(|l| self.profit <= -l);
        if lost(self.limits.halt_loss) {
            self.degrade(TradingState::Halted);
        } else if lost(self.limits.reduce_only_loss) {
            self.degrade(TradingState::ReduceOnly);
        }
    }

    /// Moves the state down; never up.
    pub(crate) fn degrade(&mut self, to: TradingState) {
        self.state = self.state.max(to);
    }

    pub(crate) fn see_time(&mut self, now: RecvTs) {
        self.now = self.now.max(now);
    }

    /// Latches the kill switch. The caller cancels what works; see [`Gate::working_orders`].
    pub fn kill(&mut self, now: RecvTs) {
        self.now = self.now.max(now);
        self.degrade(TradingState::Killed);
    }
}

fn exposed(a: &Account) -> bool {
    a.position != 0 || a.working != [0, 0]
}
