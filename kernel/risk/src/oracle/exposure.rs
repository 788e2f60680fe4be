//! Whether an order reduces, and what the account could come to hold.

use super::book::{Open, Oracle};
use super::limits::{money, sane};
use super::verdict::{Verdict, first};
use crate::{Quote, RiskCode, TradingState};
use ijk_core::{NewOrder, OrderType, Side};

impl Oracle {
    /// Reducing: the order's side cannot take the position to or beyond the other sign.
    pub(super) fn is_reducing(&self, o: &NewOrder) -> bool {
        let index = o.instrument.index();
        let held = self.position(index);
        let (long, short) = self.worst(index);
        let qty = i128::from(o.qty.0);
        match o.side {
            Side::Bid => held < 0 && long + qty <= 0,
            Side::Ask => held > 0 && short - qty >= 0,
        }
    }

    pub(super) fn check_reduce_only(&self, now: u64, o: &NewOrder, q: &Quote) -> Verdict {
        if self.is_reducing(o) {
            return Ok(());
        }
        let index = o.instrument.index();
        let left_ns = i128::from(self.instruments[index].session.close_ns) - i128::from(now);
        let cut_off = i128::from(self.longest(|c| c.eod_reduce_only_s)) * 1_000_000_000;
        let exposed = |i: usize| {
            let works = |w: &Open| w.order.instrument.index() == i;
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

    pub(super) fn check_cash(&self, o: &NewOrder, priced: i128) -> Verdict {
        if self.is_reducing(o) || o.side == Side::Ask {
            return Ok(());
        }
        let value = priced * i128::from(o.qty.0) * self.unit(o.instrument.index());
        let cash = self.least(|c| money(c.settled_cash_usd));
        let enough = cash.is_some_and(|c| self.spent() + self.reserved() + value <= c);
        first(&[(!enough, RiskCode::BuyingPower)])
    }

    pub(super) fn check_exposure(&self, o: &NewOrder, mid: i128, priced: i128) -> Verdict {
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
        let (was, is) = match o.side {
            Side::Bid => (long.abs(), then_long.abs()),
            Side::Ask => (short.abs(), then_short.abs()),
        };
        if is <= was {
            return Ok(());
        }
        let sums_grow = after > long.abs().max(short.abs());
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
            (position.is_none_or(|l| is * px > l), RiskCode::PositionLimit),
            (sums_grow && gross.is_none_or(|l| all > l), RiskCode::GrossLimit),
            (net.is_none_or(|l| reach > l), RiskCode::NetLimit),
        ])?;
        let sectors = &self.configs[0].sector;
        if !sums_grow || sectors.is_empty() {
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
}
