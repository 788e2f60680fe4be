//! Verdicts and latches, from the history.

use super::book::{Oracle, Past};
use crate::blocks::InstrumentBlock;
use crate::{MarketState, Quote, RiskCode, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::{
    Block, CarryItem, Currency, NewOrder, OrderType, Px, ReportKind, Side, TimeInForce, VenueReport,
};

type Verdict = Result<(), RiskCode>;

/// A finite number above zero.
pub(super) fn sane(v: f64) -> bool {
    v.is_finite() && v > 0.0
}

/// Dollars, cut to 1e-9, in 1e-18.
fn money(usd: f64) -> Option<i128> {
    let billionths = (usd * 1e9).floor();
    (sane(usd) && billionths >= 1.0).then(|| (billionths as i128).saturating_mul(1_000_000_000))
}

fn first(rows: &[(bool, RiskCode)]) -> Verdict {
    rows.iter().find(|r| r.0).map_or(Ok(()), |r| Err(r.1))
}

impl Oracle {
    /// The strictest of a limit's values; none if one is missing.
    fn least(&self, f: impl Fn(&RiskConfig) -> Option<i128>) -> Option<i128> {
        self.configs.iter().map(f).reduce(|a, b| Some(a?.min(b?)))?
    }

    fn lowest(&self, f: fn(&RiskConfig) -> u64) -> u64 {
        self.configs.iter().map(f).min().unwrap_or(0)
    }

    fn longest(&self, f: fn(&RiskConfig) -> u64) -> u64 {
        self.configs.iter().map(f).max().unwrap_or(0)
    }

    /// Of a limit in dollars and as a fraction of equity the lower.
    fn capital(&self, usd: fn(&RiskConfig) -> f64, part: fn(&RiskConfig) -> f64) -> Option<i128> {
        self.least(|c| {
            let fraction = part(c);
            if !sane(fraction) || !sane(c.start_equity_usd) {
                return None;
            }
            Some(money(usd(c))?.min(money(fraction * c.start_equity_usd)?))
        })
    }

    fn position_limit(&self) -> Option<i128> {
        self.capital(|c| c.max_position_notional_usd, |c| c.max_position_equity_fraction)
    }

    pub fn slippage_limit(&self) -> Option<i128> {
        self.least(|c| {
            let one = Oracle { configs: vec![c.clone()], ..Oracle::bare() };
            let part =
                sane(c.slippage_limit_bps).then_some((c.slippage_limit_bps * 1e6) as i128)?;
            Some(one.position_limit().map_or(i128::MAX, |p| p / 10_000_000_000 * part))
        })
    }

    fn bare() -> Oracle {
        Oracle {
            configs: vec![],
            instruments: vec![],
            past: vec![],
            state: TradingState::Active,
            blocks: 0,
            market_wide: 0,
            mismatches: 0,
            slippage_latched: vec![],
            entry_latched: vec![],
            best: 0,
            last_time: 0,
            floor: 0,
        }
    }

    /// Latches what the result and the runs call for.
    pub fn judge(&mut self) {
        let profit = self.profit();
        self.best = self.best.max(profit);
        let halt = self.capital(|c| c.halt_loss_usd, |c| c.halt_loss_fraction);
        let reduce = self.capital(|c| c.reduce_only_loss_usd, |c| c.reduce_only_loss_fraction);
        let fall = self.capital(|c| c.max_drawdown_usd, |c| c.max_drawdown_fraction);
        let reached = |limit: Option<i128>, value: i128| limit.is_none_or(|l| value >= l);
        let stop = reached(halt, -profit)
            || reached(fall, self.best - profit)
            || u64::from(self.losers()) >= self.lowest(|c| c.max_consecutive_losers.into())
            || u64::from(self.rejects()) >= self.lowest(|c| c.max_consecutive_rejects.into())
            || u64::from(self.mismatches) >= self.lowest(|c| c.halt_mismatches.into());
        if stop {
            self.state = self.state.max(TradingState::Halted);
        } else if reached(reduce, -profit) {
            self.state = self.state.max(TradingState::ReduceOnly);
        }
    }

    fn see(&mut self, now: u64) {
        self.last_time = self.last_time.max(now);
    }

    pub fn on_mark(&mut self, now: u64, index: usize, mid: f64) {
        self.see(now);
        self.past.push(Past::Feed { now });
        let valid = mid.is_finite() && mid * 1e9 < 9e18 && (mid * 1e9).round() >= 1.0;
        self.set_mark(index, valid.then(|| (mid * 1e9).round() as i128));
    }

    fn set_mark(&mut self, index: usize, px: Option<i128>) {
        let changed = self.mark(index) != px;
        self.past.push(Past::Mark { index, px });
        if changed && self.position(index) != 0 {
            self.judge();
        }
    }

    pub fn on_quote(&mut self, now: u64, index: usize, quote: &Quote, had_trade: bool) {
        self.see(now);
        self.past.push(Past::Feed { now });
        self.past.push(Past::Quote { index, quote: *quote, had_trade });
    }

    pub fn on_event(&mut self, now: u64, event: Past) {
        self.see(now);
        self.past.push(event);
    }

    pub fn kill(&mut self, now: u64) {
        self.see(now);
        self.state = TradingState::Killed;
    }

    pub fn set_block(&mut self, now: u64, block: Block, set: bool) {
        self.see(now);
        self.blocks = if set { self.blocks | block.bit() } else { self.blocks & !block.bit() };
    }

    pub fn on_clock(&mut self, now: u64, offset_ns: Option<i64>) {
        self.see(now);
        let off = offset_ns.map_or(u64::MAX, i64::unsigned_abs);
        if off > self.lowest(|c| c.clock_block_ms) * 1_000_000 {
            self.set_block(now, Block::Clock, true);
        } else if off <= self.lowest(|c| c.clock_warn_ms) * 1_000_000
            && self.blocks & Block::Clock.bit() != 0
        {
            self.set_block(now, Block::Clock, false);
        }
    }

    pub fn on_index(&mut self, now: u64, index: i64, close: i64) {
        self.see(now);
        let per_cent =
            (f64::from(close as i32) - f64::from(index as i32)) / f64::from(close as i32);
        let level = [0.07, 0.13, 0.20].iter().filter(|l| per_cent >= **l - 1e-12).count();
        self.market_wide = self.market_wide.max(level);
    }

    pub fn on_resume(&mut self, now: u64) {
        self.see(now);
        if self.market_wide < 3 {
            self.market_wide = 0;
        }
    }

    pub fn tighten(&mut self, config: &RiskConfig) {
        self.configs.push(config.clone());
        self.past.push(Past::Tightened);
        if self.slippage_limit().is_none() {
            self.slippage_latched.fill(true);
        }
        self.judge();
    }

    pub fn adopt_account(&mut self, item: &CarryItem) {
        self.past.push(Past::Account(*item));
        self.judge();
    }

    pub fn adopt_order(&mut self, order: &NewOrder, leaves: i64) {
        let px = match order.order_type {
            OrderType::Limit => order.px.0.into(),
            OrderType::Market => self.mark(order.instrument.index()).unwrap_or(0),
        };
        let order = NewOrder { qty: ijk_core::Qty(leaves), ..*order };
        self.past.push(Past::Adopted { order, priced: px });
    }

    fn fault(&mut self, index: usize, block: InstrumentBlock) {
        let blocks = self.market(index).blocks;
        let under_way = [
            InstrumentBlock::UnknownOrder,
            InstrumentBlock::PositionMismatch,
            InstrumentBlock::LateFill,
        ];
        if !under_way.iter().any(|b| blocks.contains(b)) {
            self.mismatches += 1;
        }
        self.past.push(Past::InstrumentBlock { index, block, set: true });
        self.blocks |= Block::Reconcile.bit();
    }

    /// Books a report of one of the instruments.
    pub fn on_report(&mut self, now: u64, r: &VenueReport) {
        self.see(now);
        let index = r.instrument.index();
        let id = r.client_order_id;
        let order = self.working().into_iter().find(|o| o.order.client_order_id == id);
        let open = order.as_ref().map(|o| o.open);
        let is_ours = id.0 != 0 && id.0 <= self.highest_id();
        let booked;
        let mut slippage = 0;
        let mut fault = None;
        match r.kind {
            ReportKind::Fill => {
                booked = !self.was_booked(r.exec_id.0);
                let mid = self.mark(index).unwrap_or(i128::from(r.px.0));
                let worse = (i128::from(r.px.0) - mid) * i128::from(r.side.sign());
                slippage = worse.max(0) * i128::from(r.qty.0) * self.unit(index);
                let qty = i128::from(r.qty.0);
                fault = match open {
                    None if is_ours => Some(InstrumentBlock::LateFill),
                    None => Some(InstrumentBlock::UnknownOrder),
                    Some(open) if qty > open => Some(InstrumentBlock::LateFill),
                    Some(open) if open - qty != r.leaves.0.into() => {
                        Some(InstrumentBlock::PositionMismatch)
                    }
                    Some(_) => None,
                };
            }
            ReportKind::Reject | ReportKind::Absent => {
                booked = open.is_some() && r.leaves.0 == 0;
            }
            ReportKind::Canceled | ReportKind::Expired => {
                booked = open == Some(r.qty.0.into()) && r.leaves.0 == 0;
                if open.is_some() && !booked {
                    fault = Some(InstrumentBlock::PositionMismatch);
                }
            }
            ReportKind::Bust => {
                booked = self.was_booked(r.exec_id.0) && !self.was_busted(r.exec_id.0);
                if !self.was_booked(r.exec_id.0) {
                    self.state = self.state.max(TradingState::Halted);
                    self.blocks |= Block::Reconcile.bit();
                }
            }
            ReportKind::Commission => {
                booked = !self.was_busted(r.exec_id.0);
                if !self.was_booked(r.exec_id.0) {
                    fault = Some(InstrumentBlock::PositionMismatch);
                }
            }
            ReportKind::Ack | ReportKind::CancelReject => booked = false,
        }
        let about_order = !matches!(r.kind, ReportKind::Bust | ReportKind::Commission);
        if about_order && r.kind != ReportKind::Fill && open.is_none() && !is_ours {
            fault = Some(InstrumentBlock::UnknownOrder);
        }
        if r.kind == ReportKind::Fill && !booked {
            fault = None;
        }
        self.past.push(Past::Report { now, report: *r, booked, slippage });
        if r.kind == ReportKind::Fill && booked && self.mark(index).is_some() {
            let limit = self.slippage_limit();
            if limit.is_none_or(|l| self.slippage(index, now) > l) {
                self.slippage_latched[index] = true;
            }
        }
        if let Some(block) = fault {
            self.fault(index, block);
        }
        self.judge();
    }

    fn highest_id(&self) -> u64 {
        let ids = self.past.iter().filter_map(|p| match p {
            Past::Accepted { order, .. } => Some(order.client_order_id.0),
            _ => None,
        });
        ids.max().unwrap_or(0).max(self.floor)
    }

    /// Whether a bucket of `rate` a second on top of `burst` has one left: no span that ends now
    /// has used more.
    fn has_token(used: &[u64], now: u64, rate: u64, burst: u64) -> bool {
        let (rate, burst) = (u128::from(rate), u128::from(burst) * 1_000_000_000);
        if rate == 0 || burst == 0 {
            return false;
        }
        let count = used.len();
        (0..=count).all(|from| {
            let sent = (count - from + 1) as u128 * 1_000_000_000;
            let since = used.get(from).map_or(0, |t| now - t);
            sent <= burst + rate * u128::from(since)
        })
    }

    pub fn on_cancel(&mut self, now: u64) -> bool {
        self.see(now);
        let used: Vec<u64> = self
            .past
            .iter()
            .filter_map(|p| {
                if let Past::Cancel { now, took: true, .. } = p { Some(*now) } else { None }
            })
            .collect();
        let (rate, burst) =
            (self.lowest(|c| c.max_cancels_per_s.into()), self.lowest(|c| c.cancel_burst.into()));
        let took = Oracle::has_token(&used, now, rate, burst);
        let left = took || self.state >= TradingState::Halted;
        self.past.push(Past::Cancel { now, took, left });
        left
    }

    fn stopped(&self) -> Verdict {
        match self.state {
            TradingState::Killed => Err(RiskCode::Killed),
            TradingState::Halted => Err(RiskCode::Halted),
            _ => Ok(()),
        }
    }

    /// Same verdict as the gate's, by the same documented order of controls.
    pub fn check(&mut self, now: u64, o: &NewOrder, q: &Quote) -> Verdict {
        self.stopped()?;
        if let Some(block) = Block::ALL.iter().find(|b| self.blocks & b.bit() != 0) {
            return Err(RiskCode::of_block(*block));
        }
        first(&[(self.market_wide > 0, RiskCode::MarketWideHalt)])?;
        self.check_order(now, o)?;
        let twice_mid = self.check_quote(now, q)?;
        let priced = self.check_price(o, q, twice_mid)?;
        self.set_mark(o.instrument.index(), Some(twice_mid / 2));
        self.stopped()?;
        self.check_reduce_only(now, o, q)?;
        self.check_cash(o, priced)?;
        self.check_exposure(o, twice_mid / 2, priced)?;
        let entry = self.check_traffic(now, o)?;
        self.past.push(Past::Accepted { now, order: *o, priced, entry });
        Ok(())
    }

    fn check_order(&mut self, now: u64, o: &NewOrder) -> Verdict {
        let index = o.instrument.index();
        let Some(i) = self.instruments.get(index).copied() else {
            return Err(RiskCode::UnknownInstrument);
        };
        first(&[(now < self.last_time, RiskCode::TimeReversal)])?;
        self.last_time = now;
        let symbol = i.symbol.to_string();
        let listed = |c: &RiskConfig| {
            c.allow_symbols.iter().any(|s| *s == symbol || s == RiskConfig::ANY_SYMBOL)
        };
        let allowed = self.configs.iter().all(listed);
        let restricted = self.configs.iter().any(|c| c.restricted_symbols.contains(&symbol));
        let id = o.client_order_id.0;
        first(&[
            (id == 0, RiskCode::BadClientId),
            (id <= self.highest_id(), RiskCode::DuplicateClientId),
            (!matches!(i.currency, Currency::Usd | Currency::Usdt), RiskCode::UnsupportedCurrency),
            (!allowed, RiskCode::NotAllowed),
            (restricted, RiskCode::Restricted),
        ])?;
        if let Some(block) = self.market(index).blocks.first() {
            return Err(block.code());
        }
        let market = o.order_type == OrderType::Market;
        let gtc = o.tif == TimeInForce::Gtc && !self.configs.iter().all(|c| c.allow_gtc);
        let left_ns = i128::from(i.session.close_ns) - i128::from(now);
        let cut_off = i128::from(self.longest(|c| c.eod_no_new_s)) * 1_000_000_000;
        first(&[
            (o.qty.0 < 1, RiskCode::BadQuantity),
            (o.qty.0 % i.lot.0 != 0, RiskCode::OffLot),
            (market != (o.px.0 == 0) || o.px.0 < 0, RiskCode::BadPrice),
            (o.px.0 % i.tick.0 != 0, RiskCode::OffTick),
            (gtc, RiskCode::TimeInForce),
            (now < i.session.open_ns || left_ns <= 0, RiskCode::OutOfSession),
            (left_ns <= cut_off, RiskCode::EndOfDay),
        ])
    }

    fn check_quote(&self, now: u64, q: &Quote) -> Result<i128, RiskCode> {
        let (bid, ask) = (i128::from(q.bid.px.0), i128::from(q.ask.px.0));
        let age = i128::from(now) - i128::from(q.ts.0);
        let heard = self.past.iter().filter_map(|p| match p {
            Past::Feed { now } => Some(*now),
            _ => None,
        });
        let silent = i128::from(now) - i128::from(heard.max().unwrap_or(0).max(q.ts.0));
        let ms = |f| i128::from(self.lowest(f)) * 1_000_000;
        let empty = [bid, ask, q.bid.qty.0.into(), q.ask.qty.0.into()];
        let limit = |age: i128, max: i128| max == 0 || age > max;
        first(&[
            (!q.trusted, RiskCode::UntrustedQuote),
            (empty.iter().any(|v: &i128| *v <= 0), RiskCode::OneSidedQuote),
            (bid >= ask, RiskCode::CrossedQuote),
            (age < 0, RiskCode::TimeReversal),
            (limit(age, ms(|c| c.quote_max_age_ms)), RiskCode::StaleQuote),
            (limit(silent, ms(|c| c.feed_heartbeat_ms)), RiskCode::FeedSilent),
        ])?;
        Ok(bid + ask)
    }

    fn collar(&self, twice_mid: i128) -> Option<i128> {
        let low_px = self
            .configs
            .iter()
            .map(|c| if c.low_price_usd > 0.0 { (c.low_price_usd * 1e9) as i128 } else { 0 });
        let low = twice_mid < 2 * low_px.min().unwrap_or(0);
        self.least(|c| {
            let pair = if low {
                [c.price_collar_low_bps, c.price_collar_low_hard_bps]
            } else {
                [c.price_collar_bps, c.price_collar_hard_bps]
            };
            let all = pair.iter().all(|v| sane(*v));
            all.then(|| (pair[0].min(pair[1]) * 1e6) as i128)
        })
    }

    fn check_price(&self, o: &NewOrder, q: &Quote, twice_mid: i128) -> Result<i128, RiskCode> {
        let index = o.instrument.index();
        let whole = self.unit(index) * i128::from(o.qty.0);
        let symbol = self.instruments[index].symbol.to_string();
        let most = self.least(|c| Some(c.max_order_qty.max(0).into())).unwrap_or(0);
        let adv = self.least(|c| {
            let volume = c.adv_qty.get(&symbol).copied().unwrap_or(c.adv_qty_default);
            let known = volume > 0 && sane(c.max_order_adv_fraction);
            known.then_some((c.max_order_adv_fraction * volume as f64 * 1e9) as i128)
        });
        first(&[
            (whole > 1_000_000_000 * most, RiskCode::OrderQty),
            (adv.is_none(), RiskCode::AdvUnknown),
            (adv.is_some_and(|a| whole > a), RiskCode::AdvShare),
        ])?;
        let collar = self.collar(twice_mid).ok_or(RiskCode::PriceCollar)?;
        let far = i128::from(if o.side == Side::Bid { q.ask.px.0 } else { q.bid.px.0 });
        let market = o.order_type == OrderType::Market;
        let px = i128::from(o.px.0);
        let priced = if market {
            far + far * collar / 10_000_000_000
        } else if o.side == Side::Ask {
            px.max(far)
        } else {
            px
        };
        let limit = self.capital(|c| c.max_order_notional_usd, |c| c.max_order_equity_fraction);
        let value = priced * whole;
        first(&[(limit.is_none_or(|l| value > l), RiskCode::OrderNotional)])?;
        let reference = if market { far } else { px };
        let band = self.market(index).band;
        first(&[
            (
                (2 * reference - twice_mid).abs() * 10_000_000_000 > twice_mid * collar,
                RiskCode::PriceCollar,
            ),
            (
                band.is_some_and(|(low, high)| reference < low || reference > high),
                RiskCode::LuldBand,
            ),
        ])?;
        Ok(priced)
    }

    /// Reducing: the order's side cannot take the position to or beyond the other sign.
    fn is_reducing(&self, o: &NewOrder) -> bool {
        let index = o.instrument.index();
        let held = self.position(index);
        let (long, short) = self.worst(index);
        let qty = i128::from(o.qty.0);
        match o.side {
            Side::Bid => held < 0 && long + qty <= 0,
            Side::Ask => held > 0 && short - qty >= 0,
        }
    }

    fn check_reduce_only(&self, now: u64, o: &NewOrder, q: &Quote) -> Verdict {
        if self.is_reducing(o) {
            return Ok(());
        }
        let index = o.instrument.index();
        let left_ns = i128::from(self.instruments[index].session.close_ns) - i128::from(now);
        let cut_off = i128::from(self.longest(|c| c.eod_reduce_only_s)) * 1_000_000_000;
        let exposed = |i: usize| {
            let works = |w: &super::book::Open| w.order.instrument.index() == i;
            self.position(i) != 0 || self.working().iter().any(works)
        };
        let blind = (0..self.instruments.len()).any(|i| exposed(i) && self.mark(i).is_none());
        let short = o.side == Side::Ask && self.worst(index).1 - i128::from(o.qty.0) < 0;
        let shorts_allowed = self.configs.iter().all(|c| c.allow_short);
        let at_bid = o.order_type == OrderType::Market || o.px <= q.bid.px;
        first(&[
            (self.state == TradingState::ReduceOnly, RiskCode::ReduceOnly),
            (left_ns <= cut_off, RiskCode::EndOfDayReduceOnly),
            (self.slippage_latched[index], RiskCode::SlippageReduceOnly),
            (self.entry_latched[index], RiskCode::EntryReduceOnly),
            (blind, RiskCode::MissingMark),
            (short && !shorts_allowed, RiskCode::ShortSale),
            (short && at_bid && self.market(index).short_restricted, RiskCode::ShortSaleRestricted),
        ])
    }

    fn check_cash(&self, o: &NewOrder, priced: i128) -> Verdict {
        if self.is_reducing(o) || o.side == Side::Ask {
            return Ok(());
        }
        let value = priced * i128::from(o.qty.0) * self.unit(o.instrument.index());
        let cash = self.least(|c| money(c.settled_cash_usd));
        let enough = cash.is_some_and(|c| self.spent() + self.reserved() + value <= c);
        first(&[(!enough, RiskCode::BuyingPower)])
    }

    fn check_exposure(&self, o: &NewOrder, mid: i128, priced: i128) -> Verdict {
        let own = o.instrument.index();
        let (long, short) = self.worst(own);
        let qty = i128::from(o.qty.0);
        let (then_long, then_short) = match o.side {
            Side::Bid => (long + qty, short),
            Side::Ask => (long, short - qty),
        };
        let after = then_long.abs().max(then_short.abs());
        let position = self.position_limit();
        let gross = self.capital(|c| c.max_gross_notional_usd, |c| c.max_gross_equity_fraction);
        let net = self.capital(|c| c.max_net_notional_usd, |c| c.max_net_equity_fraction);
        first(&[
            (position.is_none(), RiskCode::PositionLimit),
            (gross.is_none(), RiskCode::GrossLimit),
            (net.is_none(), RiskCode::NetLimit),
        ])?;
        if after <= long.abs().max(short.abs()) {
            return Ok(());
        }
        let px = mid.max(priced) * self.unit(own);
        let others = || (0..self.instruments.len()).filter(|i| *i != own);
        let marked = |i: usize| self.mark(i).unwrap_or(0) * self.unit(i);
        let worst_of = |i: usize| {
            let (long, short) = self.worst(i);
            long.abs().max(short.abs()) * marked(i)
        };
        let all = after * px + others().map(worst_of).sum::<i128>();
        // Signed, as far as working orders of this side can take it.
        let reach = match o.side {
            Side::Bid => {
                then_long * px + others().map(|i| self.worst(i).0 * marked(i)).sum::<i128>()
            }
            Side::Ask => {
                -then_short * px - others().map(|i| self.worst(i).1 * marked(i)).sum::<i128>()
            }
        };
        first(&[
            (position.is_none_or(|l| after * px > l), RiskCode::PositionLimit),
            (gross.is_none_or(|l| all > l), RiskCode::GrossLimit),
            (net.is_none_or(|l| reach > l), RiskCode::NetLimit),
        ])?;
        let sectors = &self.configs[0].sector;
        if sectors.is_empty() {
            return Ok(());
        }
        let sector = |i: usize| sectors.get(self.instruments[i].symbol.as_str());
        let same = others().filter(|i| sector(*i) == sector(own)).map(worst_of).sum::<i128>();
        let limit = self.least(|c| {
            let whole = sane(c.max_sector_equity_fraction) && sane(c.start_equity_usd);
            money(c.max_sector_equity_fraction * c.start_equity_usd).filter(|_| whole)
        });
        first(&[
            (sector(own).is_none(), RiskCode::SectorUnknown),
            (limit.is_none_or(|l| after * px + same > l), RiskCode::SectorLimit),
        ])
    }

    /// Returns whether the order is an entry.
    fn check_traffic(&mut self, now: u64, o: &NewOrder) -> Result<bool, RiskCode> {
        let index = o.instrument.index();
        let working = self.working();
        let of_side =
            working.iter().filter(|w| (w.order.instrument, w.order.side) == (o.instrument, o.side));
        let side_max = self.lowest(|c| c.max_open_orders_per_side.into()) as usize;
        first(&[
            (
                working.len() >= self.lowest(|c| c.max_open_orders.into()).min(256) as usize,
                RiskCode::OpenOrders,
            ),
            (of_side.count() >= side_max, RiskCode::OpenOrdersPerSide),
            (working.iter().any(|w| could_trade(o, &w.order)), RiskCode::SelfMatch),
        ])?;
        let accepted: Vec<(u64, NewOrder, bool)> = self
            .past
            .iter()
            .filter_map(|p| match p {
                Past::Accepted { now, order, entry, .. } => Some((*now, *order, *entry)),
                _ => None,
            })
            .collect();
        let key = |a: &NewOrder| (a.instrument, a.side, a.order_type, a.qty, a.px);
        let equal = |ms: u64| {
            let near = |a: &&(u64, NewOrder, bool)| now - a.0 <= ms * 1_000_000;
            accepted.iter().filter(near).filter(|a| key(&a.1) == key(o)).count() as u64
        };
        // A window that is not set refuses, whatever a later setting says.
        let window = |f: fn(&RiskConfig) -> u64| {
            if self.lowest(f) == 0 { 0 } else { self.longest(f) }
        };
        let (short, long) = (window(|c| c.duplicate_window_ms), window(|c| c.identical_window_ms));
        let identical = self.lowest(|c| c.max_identical_orders.into());
        let times: Vec<u64> = accepted.iter().map(|a| a.0).collect();
        let rate = self.lowest(|c| c.max_orders_per_s.into());
        let burst = self.lowest(|c| c.order_burst.into());
        let in_minute = times.iter().filter(|t| now - **t < 60_000_000_000).count() as u64;
        let per_minute = self.lowest(|c| c.max_orders_per_min.into()).min(1_024);
        first(&[
            (short == 0 || equal(short) >= 1, RiskCode::DuplicateOrder),
            (long == 0 || equal(long) >= identical, RiskCode::IdenticalOrders),
            (!Oracle::has_token(&times, now, rate, burst), RiskCode::MessageRate),
            (in_minute >= per_minute, RiskCode::MinuteRate),
            (self.is_slowed(now, &times), RiskCode::OrderRatio),
        ])?;
        self.check_entry(now, o, index, &accepted)
    }

    fn is_slowed(&self, now: u64, orders: &[u64]) -> bool {
        let left = |p: &&Past| matches!(p, Past::Cancel { left: true, .. });
        let cancels = self.past.iter().filter(left).count();
        let messages = (orders.len() + cancels + 1) as u128;
        let per_fill = self.lowest(|c| c.order_ratio_throttle.into());
        let few = messages <= u128::from(self.lowest(|c| c.order_ratio_min_messages.into()));
        let within = messages <= u128::from(per_fill) * self.fill_count().max(1);
        let pause = self.longest(|c| c.order_ratio_interval_ms) * 1_000_000;
        let paused = pause > 0 && orders.last().is_none_or(|t| now - t >= pause);
        per_fill == 0 || !(few || within || paused)
    }

    fn check_entry(
        &mut self,
        now: u64,
        o: &NewOrder,
        index: usize,
        accepted: &[(u64, NewOrder, bool)],
    ) -> Result<bool, RiskCode> {
        let entries: Vec<_> = accepted.iter().filter(|a| a.2).collect();
        let own: Vec<_> = entries.iter().filter(|a| a.1.instrument == o.instrument).collect();
        let known = o.parent_id.0 != 0 && own.last().is_some_and(|a| a.1.parent_id == o.parent_id);
        if self.is_reducing(o) || known {
            return Ok(false);
        }
        if entries.len() as u64 >= self.lowest(|c| c.max_entries_per_day.into()) {
            self.state = self.state.max(TradingState::ReduceOnly);
            return Err(RiskCode::EntriesPerDay);
        }
        let step = (self.configs[0].entry_window_ms * 1_000_000).div_ceil(16);
        let near = |t: u64| step == 0 || t / step + 16 >= now / step;
        let recent = own.iter().filter(|a| near(a.0)).count() as u64;
        if step == 0 || recent >= self.lowest(|c| c.max_entries_per_window.into()) {
            self.entry_latched[index] = true;
            return Err(RiskCode::EntriesPerWindow);
        }
        Ok(true)
    }

    pub fn on_market_state(&mut self, now: u64, index: usize, state: MarketState) {
        self.on_event(now, Past::Market { index, state });
    }

    pub fn on_band(&mut self, now: u64, index: usize, reference: Option<Px>) {
        let reference = reference.map(|r| r.0);
        self.on_event(now, Past::Band { index, reference });
    }
}

/// Whether two own orders of one instrument could trade. A market order pays any price: as a buy
/// the highest, as a sale the lowest.
fn could_trade(a: &NewOrder, b: &NewOrder) -> bool {
    let limit_of = |x: &NewOrder| match (x.order_type, x.side) {
        (OrderType::Limit, _) => x.px.0,
        (OrderType::Market, Side::Bid) => i64::MAX,
        (OrderType::Market, Side::Ask) => i64::MIN,
    };
    let (buy, sale) = match (a.side, b.side) {
        (Side::Bid, Side::Ask) => (a, b),
        (Side::Ask, Side::Bid) => (b, a),
        _ => return false,
    };
    a.instrument == b.instrument && limit_of(buy) >= limit_of(sale)
}
