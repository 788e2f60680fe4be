//! What happens around the orders: marks, quotes, halts, blocks, clocks, settings, earlier runs.

use super::{MS, Pair};
use crate::blocks::InstrumentBlock;
use crate::oracle::book::Past;
use crate::oracle::configs;
use crate::{MarketState, Quote};
use ijk_core::{
    Block, CarryItem, CarryKind, ClientOrderId, InstrumentId, NewOrder, OrderType, ParentId, Px,
    Qty, RecvTs, Side, TimeInForce, num::E9,
};

impl Pair {
    pub(super) fn mark(&mut self) {
        let index = self.index_of_instrument();
        let ticks = self.walk(index);
        let mid = match self.rng.below(23) {
            0 => f64::NAN,
            1 => -1.0,
            _ => ticks as f64 * self.instruments[index].tick.0 as f64 / 1e9,
        };
        let id = InstrumentId(index as u16);
        self.gate.on_mark(RecvTs(self.now), id, mid);
        self.oracle.on_mark(self.now, index, mid);
        let px = Px::from_f64(mid).unwrap_or_default();
        self.egress.on_mark(RecvTs(self.now), id, px);
        self.egress_oracle.on_mark(self.now, index, px.0);
    }

    pub(super) fn quote(&mut self) {
        let index = self.index_of_instrument();
        let mid = self.walk(index);
        let odd = self.rng.below(24);
        let half = [1, 0, -1][usize::from(odd < 2) * (odd as usize + 1)];
        let bid = if odd == 2 { -5 } else { mid - half };
        let quote = Quote {
            bid: self.level(index, bid, i64::from(odd != 3)),
            ask: self.level(index, mid + half, i64::from(odd != 4)),
            ts: RecvTs(self.now),
            trusted: odd != 5,
        };
        let had_trade = self.rng.one_in(3);
        self.gate.on_quote(RecvTs(self.now), InstrumentId(index as u16), &quote, had_trade);
        self.oracle.on_quote(self.now, index, &quote, had_trade);
    }

    pub(super) fn cancel(&mut self) -> Result<(), String> {
        let got = self.gate.on_cancel(RecvTs(self.now), ClientOrderId(1));
        let want = self.oracle.on_cancel(self.now);
        if got == want { Ok(()) } else { Err(format!("cancel: gate {got}, oracle {want}")) }
    }

    pub(super) fn block(&mut self) {
        let block = self.rng.pick(&Block::ALL).unwrap_or(Block::Link);
        self.set_block(block, true);
    }

    /// Lifts every reason, as reconciliation would.
    pub(super) fn lift(&mut self) {
        for block in Block::ALL {
            if self.gate.blocks() & block.bit() != 0 {
                self.set_block(block, false);
            }
        }
        for index in 0..self.instruments.len() {
            for block in InstrumentBlock::ALL {
                let id = InstrumentId(index as u16);
                if self.gate.instrument_blocks(id) & block.bit() != 0 {
                    self.gate.unblock_instrument(RecvTs(self.now), id, block);
                    let event = Past::InstrumentBlock { index, block, set: false };
                    self.oracle.on_event(self.now, event);
                }
            }
        }
        self.gate.on_market_wide_resume(RecvTs(self.now));
        self.oracle.on_resume(self.now);
        self.gate.on_clock_offset(RecvTs(self.now), Some(0));
        self.oracle.on_clock(self.now, Some(0));
    }

    fn set_block(&mut self, block: Block, set: bool) {
        if set {
            self.gate.block(RecvTs(self.now), block);
            self.egress.block(block);
            self.egress_oracle.blocks |= block.bit();
        } else {
            self.gate.unblock(RecvTs(self.now), block);
            self.egress.unblock(block);
            self.egress_oracle.blocks &= !block.bit();
        }
        self.oracle.set_block(self.now, block, set);
    }

    pub(super) fn block_instrument(&mut self) {
        let index = self.index_of_instrument();
        let id = InstrumentId(index as u16);
        if let Some(block) = self.rng.pick(&InstrumentBlock::ALL) {
            self.gate.block_instrument(RecvTs(self.now), id, block);
            self.oracle.on_event(self.now, Past::InstrumentBlock { index, block, set: true });
        }
    }

    pub(super) fn market(&mut self) {
        let index = self.index_of_instrument();
        let (id, now) = (InstrumentId(index as u16), RecvTs(self.now));
        match self.rng.below(8) {
            0..=4 => {
                let list = [
                    MarketState::Open,
                    MarketState::Open,
                    MarketState::Halted,
                    MarketState::Auction,
                ];
                let state = self.rng.pick(&list).unwrap_or(MarketState::Open);
                self.gate.on_market_state(now, id, state);
                self.oracle.on_market_state(self.now, index, state);
            }
            5 => {
                let on = self.rng.one_in(2);
                self.gate.on_short_sale_restriction(now, id, on);
                self.oracle.on_event(self.now, Past::ShortRestricted { index, on });
            }
            _ => {
                let mid = self.mids[index] + self.rng.within(900);
                let px = Px(mid * self.instruments[index].tick.0);
                let reference = Some(px).filter(|_| !self.rng.one_in(3));
                self.gate.on_luld_reference(now, id, reference);
                self.oracle.on_band(self.now, index, reference);
            }
        }
    }

    pub(super) fn index(&mut self) {
        let now = RecvTs(self.now);
        if self.rng.one_in(2) {
            self.gate.on_market_wide_resume(now);
            self.oracle.on_resume(self.now);
            return;
        }
        let last_close = 1_000_000;
        let percent = self.rng.pick(&[0, 1, 6, 7, 8, 12, 13, 14]).unwrap_or(0);
        let percent = if self.rng.one_in(20) { 20 } else { percent };
        let index = last_close - last_close / 100 * percent + self.rng.within(1);
        self.gate.on_index(now, Px(index), Px(last_close));
        self.oracle.on_index(self.now, index, last_close);
    }

    pub(super) fn clock(&mut self) {
        let ms = self.rng.pick(&[0, 9, 10, 11, 49, 50, 51, 5_000]).unwrap_or(0);
        let sign = if self.rng.one_in(2) { 1 } else { -1 };
        let offset = (!self.rng.one_in(12)).then_some(ms * sign * MS as i64);
        self.gate.on_clock_offset(RecvTs(self.now), offset);
        self.oracle.on_clock(self.now, offset);
    }

    pub(super) fn adopt(&mut self) -> Result<(), String> {
        let index = self.rng.below(3) as usize;
        let i = self.instruments[index];
        let market = self.rng.one_in(4);
        self.id += 1;
        let ticks = self.mids[index] + self.rng.within(100);
        let qty = (self.rng.below(10) as i64 + 1) * 10 * (E9 / i.qty_unit_e9);
        let order = NewOrder {
            client_order_id: ClientOrderId(self.id),
            qty: Qty(2 * qty),
            px: Px(if market { 0 } else { ticks * i.tick.0 }),
            parent_id: ParentId(0),
            instrument: InstrumentId(index as u16),
            side: if self.rng.one_in(2) { Side::Bid } else { Side::Ask },
            order_type: if market { OrderType::Market } else { OrderType::Limit },
            tif: TimeInForce::Day,
            reserved: [0; 7],
        };
        self.gate.set_client_floor(order.client_order_id);
        self.oracle.floor = self.id;
        self.egress.set_client_floor(order.client_order_id);
        self.egress_oracle.floor = self.id;
        self.gate.adopt_order(&order, Qty(qty)).map_err(|e| format!("adopt {order:?}: {e}"))?;
        self.oracle.adopt_order(&order, qty);
        self.open.push((NewOrder { qty: Qty(qty), ..order }, qty));
        Ok(())
    }

    /// What an earlier run left, before the first step.
    pub(super) fn carry(&mut self) {
        let index = self.rng.below(2) as usize;
        let held = self.rng.within(200);
        let e18 = 1_000_000_000_000_000_000i128;
        let mut item = CarryItem::new(CarryKind::Account);
        item.instrument = InstrumentId(index as u16);
        item.qty = Qty(held);
        item.cost = CarryItem::split(i128::from(held) * 100 * e18 / 1_000 * 999);
        item.realised = CarryItem::split(i128::from(self.rng.within(50)) * e18);
        item.fees = CarryItem::split(i128::from(self.rng.below(20)) * e18);
        self.gate.adopt_account(&item);
        self.oracle.adopt_account(&item);
    }

    pub(super) fn tighten(&mut self) {
        let config = configs::changed(&self.config, &mut self.rng);
        self.gate.tighten(&config);
        self.oracle.tighten(&config);
        self.egress.tighten(&config);
        self.egress_oracle.tighten(&config);
    }

    pub(super) fn kill(&mut self) {
        self.gate.kill(RecvTs(self.now));
        self.oracle.kill(self.now);
        self.egress.kill();
        self.egress_oracle.killed = true;
    }
}
