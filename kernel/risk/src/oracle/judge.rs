//! What the history calls for: states, blocks and latches.

use super::book::{Oracle, Past};
use crate::blocks::InstrumentBlock;
use crate::{MarketState, Quote, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::{Block, CarryItem, NewOrder, OrderType, Px, ReportKind, VenueReport};

impl Oracle {
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

    pub(super) fn see(&mut self, now: u64) {
        self.last_time = self.last_time.max(now);
    }

    pub fn on_mark(&mut self, now: u64, index: usize, mid: f64) {
        self.see(now);
        self.past.push(Past::Feed { now });
        let valid = mid.is_finite() && mid * 1e9 < 9e18 && (mid * 1e9).round() >= 1.0;
        self.set_mark(index, valid.then(|| (mid * 1e9).round() as i128));
    }

    pub(super) fn set_mark(&mut self, index: usize, px: Option<i128>) {
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
            self.offset_blocks = true;
        } else if off <= self.lowest(|c| c.clock_warn_ms) * 1_000_000 {
            self.offset_blocks = false;
        }
    }

    pub(super) fn is_blocked(&self, block: Block) -> bool {
        self.blocks & block.bit() != 0 || (block == Block::Clock && self.offset_blocks)
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

    pub(super) fn highest_id(&self) -> u64 {
        let ids = self.past.iter().filter_map(|p| match p {
            Past::Accepted { order, .. } => Some(order.client_order_id.0),
            _ => None,
        });
        ids.max().unwrap_or(0).max(self.floor)
    }

    pub fn on_market_state(&mut self, now: u64, index: usize, state: MarketState) {
        self.on_event(now, Past::Market { index, state });
    }

    pub fn on_band(&mut self, now: u64, index: usize, reference: Option<Px>) {
        let reference = reference.map(|r| r.0);
        self.on_event(now, Past::Band { index, reference });
    }
}
