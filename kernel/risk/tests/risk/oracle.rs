//! A gate that remembers nothing but the history and works everything out from it, each time
//! from the start. Written apart from the real one: cash flow instead of average cost, scans
//! instead of tables, windows counted instead of buckets where that is the same.

use ijk_core::config::RiskConfig;
use ijk_core::{Instrument, NewOrder, OrderType, Px, RecvTs, ReportKind, Side, VenueReport};
use ijk_risk::{Quote, RiskCode, TradingState};

const USD: f64 = 1e18;

#[derive(Clone, Debug)]
enum Past {
    Accepted(RecvTs, NewOrder),
    Report(VenueReport),
    Mark(usize, Option<i128>),
}

pub struct Oracle {
    config: RiskConfig,
    instruments: Vec<Instrument>,
    past: Vec<Past>,
    pub state: TradingState,
    last_check: u64,
}

/// What the history says of one accepted order.
struct Working {
    order: NewOrder,
    open: i128,
}

impl Oracle {
    pub fn new(config: &RiskConfig, instruments: &[Instrument]) -> Oracle {
        Oracle {
            config: config.clone(),
            instruments: instruments.to_vec(),
            past: vec![],
            state: TradingState::Active,
            last_check: 0,
        }
    }

    pub fn position(&self, index: usize) -> i128 {
        let signed = |r: &VenueReport| i128::from(r.side.sign()) * i128::from(r.qty.0);
        self.fills().iter().filter(|r| r.instrument.index() == index).map(signed).sum()
    }

    /// Fills, each execution once.
    fn fills(&self) -> Vec<VenueReport> {
        let mut found: Vec<VenueReport> = vec![];
        for p in &self.past {
            if let Past::Report(r) = p
                && r.kind == ReportKind::Fill
                && !found.iter().any(|f| f.exec_id == r.exec_id)
            {
                found.push(*r);
            }
        }
        found
    }

    fn working(&self) -> Vec<Working> {
        let fills = self.fills();
        let ended = |id| {
            self.past.iter().any(|p| {
                matches!(p, Past::Report(r) if r.client_order_id == id && matches!(
                    r.kind,
                    ReportKind::Canceled | ReportKind::Expired | ReportKind::Reject
                ))
            })
        };
        let mut found = vec![];
        for p in &self.past {
            let Past::Accepted(_, order) = p else { continue };
            let id = order.client_order_id;
            let filled: i128 =
                fills.iter().filter(|f| f.client_order_id == id).map(|f| i128::from(f.qty.0)).sum();
            let open = i128::from(order.qty.0) - filled;
            if open > 0 && !ended(id) {
                found.push(Working { order: *order, open });
            }
        }
        found
    }

    pub fn working_count(&self) -> usize {
        self.working().len()
    }

    /// Most long and most short.
    pub fn worst(&self, index: usize) -> (i128, i128) {
        let (mut long, mut short) = (self.position(index), self.position(index));
        for w in self.working().iter().filter(|w| w.order.instrument.index() == index) {
            match w.order.side {
                Side::Bid => long += w.open,
                Side::Ask => short -= w.open,
            }
        }
        (long, short)
    }

    fn mark(&self, index: usize) -> Option<i128> {
        let mut marks = self.past.iter().filter_map(|p| match p {
            Past::Mark(i, px) if *i == index => Some(*px),
            _ => None,
        });
        marks.next_back().flatten()
    }

    fn unit(&self, index: usize) -> i128 {
        i128::from(self.instruments[index].qty_unit_e9)
    }

    /// Profit in 1e-18 dollars: cash received plus the position at its mark. Without a mark the
    /// position counts at average cost, worked out fill by fill.
    pub fn profit(&self) -> i128 {
        let fills = self.fills();
        let mut total = 0;
        for index in 0..self.instruments.len() {
            let of = || fills.iter().filter(|f| f.instrument.index() == index);
            let signed = |f: &VenueReport| i128::from(f.side.sign() * f.qty.0);
            let cash: i128 = of().map(|f| -signed(f) * i128::from(f.px.0) * self.unit(index)).sum();
            let fees: i128 = of().map(|f| i128::from(f.fee_e9) * 1_000_000_000).sum();
            let held = self.position(index);
            let value = match self.mark(index) {
                Some(px) => held * px * self.unit(index),
                None => {
                    let (mut q, mut cost) = (0i128, 0i128);
                    for f in of() {
                        let (d, px) = (signed(f), i128::from(f.px.0) * self.unit(index));
                        if q == 0 || q.signum() == d.signum() {
                            cost += d * px;
                        } else if d.abs() <= q.abs() {
                            cost -= cost * d.abs() / q.abs();
                        } else {
                            cost = (q + d) * px;
                        }
                        q += d;
                    }
                    cost
                }
            };
            total += cash + value - fees;
        }
        total
    }

    fn judge(&mut self) {
        let profit = self.profit();
        let worse = |limit: f64| {
            let sane = limit.is_finite() && limit > 0.0;
            !sane || profit <= -((limit * 1e9).floor() as i128 * 1_000_000_000)
        };
        if worse(self.config.halt_loss_usd) {
            self.state = self.state.max(TradingState::Halted);
        } else if worse(self.config.reduce_only_loss_usd) {
            self.state = self.state.max(TradingState::ReduceOnly);
        }
    }

    pub fn on_mark(&mut self, index: usize, mid: f64) {
        let valid = mid.is_finite() && mid * 1e9 < 9e18 && (mid * 1e9).round() >= 1.0;
        self.set_mark(index, valid.then(|| (mid * 1e9).round() as i128));
    }

    fn set_mark(&mut self, index: usize, px: Option<i128>) {
        self.past.push(Past::Mark(index, px));
        self.judge();
    }

    pub fn on_report(&mut self, r: &VenueReport) {
        self.past.push(Past::Report(*r));
        self.judge();
    }

    pub fn kill(&mut self) {
        self.state = TradingState::Killed;
    }

    fn stopped(&self) -> Result<(), RiskCode> {
        match self.state {
            TradingState::Killed => Err(RiskCode::Killed),
            TradingState::Halted => Err(RiskCode::Halted),
            _ => Ok(()),
        }
    }

    /// Same verdict as the gate's, by the same documented order of controls.
    pub fn check(&mut self, now: RecvTs, o: &NewOrder, q: &Quote) -> Result<(), RiskCode> {
        self.stopped()?;
        self.check_order(now, o)?;
        let twice_mid = self.check_quote(now, q)?;
        let priced = self.check_price(o, q, twice_mid)?;
        self.set_mark(o.instrument.index(), Some(twice_mid / 2));
        self.stopped()?;
        self.check_exposure(o, twice_mid / 2, priced)?;
        self.check_history(now, o)?;
        self.past.push(Past::Accepted(now, *o));
        Ok(())
    }

    fn check_order(&mut self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        let Some(i) = self.instruments.get(o.instrument.index()) else {
            return Err(RiskCode::UnknownInstrument);
        };
        if now.0 < self.last_check {
            return Err(RiskCode::TimeReversal);
        }
        self.last_check = now.0;
        let used = |id| {
            self.past.iter().any(|p| matches!(p, Past::Accepted(_, a) if a.client_order_id.0 >= id))
        };
        let market = o.order_type == OrderType::Market;
        let rows = [
            (o.client_order_id.0 == 0, RiskCode::BadClientId),
            (used(o.client_order_id.0), RiskCode::DuplicateClientId),
            (o.qty.0 < 1, RiskCode::BadQuantity),
            (o.qty.0 % i.lot.0 != 0, RiskCode::OffLot),
            (market != (o.px.0 == 0) || o.px.0 < 0, RiskCode::BadPrice),
            (o.px.0 % i.tick.0 != 0, RiskCode::OffTick),
            (now.0 < i.session.open_ns || now.0 >= i.session.close_ns, RiskCode::OutOfSession),
        ];
        rows.iter().find(|r| r.0).map_or(Ok(()), |r| Err(r.1))
    }

    fn check_quote(&self, now: RecvTs, q: &Quote) -> Result<i128, RiskCode> {
        let (bid, ask) = (i128::from(q.bid.px.0), i128::from(q.ask.px.0));
        let age = i128::from(now.0) - i128::from(q.ts.0);
        let rows = [
            (!q.trusted, RiskCode::UntrustedQuote),
            (
                [bid, ask, q.bid.qty.0.into(), q.ask.qty.0.into()].iter().any(|v: &i128| *v <= 0),
                RiskCode::OneSidedQuote,
            ),
            (bid >= ask, RiskCode::CrossedQuote),
            (age < 0, RiskCode::TimeReversal),
            (age > i128::from(self.config.quote_max_age_ms) * 1_000_000, RiskCode::StaleQuote),
        ];
        rows.iter().find(|r| r.0).map_or(Ok(bid + ask), |r| Err(r.1))
    }

    /// Distances in f64: the streams keep clear of the last bit.
    fn check_price(&self, o: &NewOrder, q: &Quote, twice_mid: i128) -> Result<Px, RiskCode> {
        let whole = self.unit(o.instrument.index()) * i128::from(o.qty.0);
        if whole > 1_000_000_000 * i128::from(self.config.max_order_qty) {
            return Err(RiskCode::OrderQty);
        }
        let far = if o.side == Side::Bid { q.ask.px } else { q.bid.px };
        let market = o.order_type == OrderType::Market;
        let collar_units = (self.config.price_collar_bps * 1e6) as i128;
        let priced = if market {
            i128::from(far.0) + i128::from(far.0) * collar_units / 10_000_000_000
        } else if o.side == Side::Ask {
            i128::from(o.px.0.max(far.0))
        } else {
            i128::from(o.px.0)
        };
        let value = priced as f64 * o.qty.0 as f64 * self.unit(o.instrument.index()) as f64 / USD;
        if value > self.config.max_order_notional_usd {
            return Err(RiskCode::OrderNotional);
        }
        let reference = if market { far } else { o.px };
        let mid = twice_mid as f64 / 2.0;
        let distance_bps = (reference.0 as f64 - mid).abs() / mid * 1e4;
        if distance_bps > self.config.price_collar_bps * (1.0 + 1e-12) {
            return Err(RiskCode::PriceCollar);
        }
        Ok(Px(priced as i64))
    }

    fn check_exposure(&self, o: &NewOrder, mid: i128, priced: Px) -> Result<(), RiskCode> {
        let own = o.instrument.index();
        let held = self.position(own);
        let (long, short) = self.worst(own);
        let qty = i128::from(o.qty.0);
        let (then_long, then_short) = match o.side {
            Side::Bid => (long + qty, short),
            Side::Ask => (long, short - qty),
        };
        // Reducing: the order's side cannot take the position to or beyond the other sign.
        let reducing = match o.side {
            Side::Bid => held < 0 && then_long <= 0,
            Side::Ask => held > 0 && then_short >= 0,
        };
        if !reducing && self.state == TradingState::ReduceOnly {
            return Err(RiskCode::ReduceOnly);
        }
        let exposed = |i: usize| self.position(i) != 0 || self.worst(i) != (0, 0);
        let blind = (0..self.instruments.len()).any(|i| exposed(i) && self.mark(i).is_none());
        if !reducing && blind {
            return Err(RiskCode::MissingMark);
        }
        let after = then_long.abs().max(then_short.abs());
        if after <= long.abs().max(short.abs()) {
            return Ok(());
        }
        let value = after * mid.max(i128::from(priced.0)) * self.unit(own);
        if value as f64 / USD > self.config.max_position_notional_usd {
            return Err(RiskCode::PositionLimit);
        }
        let others: i128 = (0..self.instruments.len())
            .filter(|i| *i != own)
            .map(|i| {
                let (long, short) = self.worst(i);
                long.abs().max(short.abs()) * self.mark(i).unwrap_or(0) * self.unit(i)
            })
            .sum();
        if (value + others) as f64 / USD > self.config.max_gross_notional_usd {
            return Err(RiskCode::GrossLimit);
        }
        Ok(())
    }

    fn check_history(&self, now: RecvTs, o: &NewOrder) -> Result<(), RiskCode> {
        let working = self.working();
        if working.len() >= self.config.max_open_orders as usize {
            return Err(RiskCode::OpenOrders);
        }
        // A market order pays any price: as a buy the highest, as a sale the lowest.
        let limit_of = |x: &NewOrder| match (x.order_type, x.side) {
            (OrderType::Limit, _) => x.px.0,
            (OrderType::Market, Side::Bid) => i64::MAX,
            (OrderType::Market, Side::Ask) => i64::MIN,
        };
        for w in working.iter().filter(|w| w.order.instrument == o.instrument) {
            let (buy, sale) = match (o.side, w.order.side) {
                (Side::Bid, Side::Ask) => (o, &w.order),
                (Side::Ask, Side::Bid) => (&w.order, o),
                _ => continue,
            };
            if limit_of(buy) >= limit_of(sale) {
                return Err(RiskCode::SelfMatch);
            }
        }
        let accepted: Vec<(u64, NewOrder)> = self
            .past
            .iter()
            .filter_map(|p| if let Past::Accepted(t, a) = p { Some((t.0, *a)) } else { None })
            .collect();
        let window = self.config.duplicate_window_ms * 1_000_000;
        let key = |a: &NewOrder| (a.instrument, a.side, a.order_type, a.qty, a.px);
        if accepted.iter().any(|(t, a)| now.0 - t <= window && key(a) == key(o)) {
            return Err(RiskCode::DuplicateOrder);
        }
        // A token bucket, as the largest excess over all spans that end now.
        let rate = u128::from(self.config.max_orders_per_s);
        let burst = u128::from(self.config.order_burst) * 1_000_000_000;
        for (index, (t, _)) in accepted.iter().enumerate() {
            let sent = (accepted.len() - index + 1) as u128 * 1_000_000_000;
            if sent > burst + rate * u128::from(now.0 - t) {
                return Err(RiskCode::MessageRate);
            }
        }
        if burst == 0 || rate == 0 { Err(RiskCode::MessageRate) } else { Ok(()) }
    }
}
