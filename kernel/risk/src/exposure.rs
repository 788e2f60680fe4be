//! Reduce-only states, short sales, cash, and exposure at worst case.

use crate::RiskCode;
use crate::account::{Account, Overflow, amount};
use crate::gate::{Gate, Quote, TradingState};
use ijk_core::{NewOrder, OrderType, Px, Side};

/// Worst-case exposure of all instruments but one, at their marks, money units.
struct Others {
    gross: i128,
    /// Signed, with all working orders of the side asked for.
    net: i128,
    /// Gross of one sector.
    sector: i128,
}

fn overflow(_: Overflow) -> RiskCode {
    RiskCode::Overflow
}

impl Gate {
    pub(crate) fn check_exposure(
        &self,
        o: &NewOrder,
        quote: &Quote,
        mid: Px,
        priced: Px,
    ) -> Result<(), RiskCode> {
        let account = &self.accounts[o.instrument.index()];
        if !account.reduces(o.side, o.qty.0) {
            self.check_may_add(o, account)?;
            self.check_short(o, quote, account)?;
            self.check_cash(o, account, priced)?;
        }
        let before = account.worst_with(o.side, 0).map_err(overflow)?;
        let then = account.worst_with(o.side, o.qty.0).map_err(overflow)?;
        let worst_before = account.worst_abs_with(o.side, 0).map_err(overflow)?;
        let worst_then = account.worst_abs_with(o.side, o.qty.0).map_err(overflow)?;
        let position_limit = self.limits.position.ok_or(RiskCode::PositionLimit)?;
        let gross_limit = self.limits.gross.ok_or(RiskCode::GrossLimit)?;
        let net_limit = self.limits.net.ok_or(RiskCode::NetLimit)?;
        let (was, is) = if o.side == Side::Bid { (before.0, then.0) } else { (before.1, then.1) };
        if is.unsigned_abs() <= was.unsigned_abs() {
            // The worst case on the order's own side does not grow. Refusing it would lock a
            // position in that a moved price has carried over the limit.
            return Ok(());
        }
        let unit = account.instrument.qty_unit_e9;
        let px = mid.max(priced).0;
        // The side that grows is judged by itself, the sums by the worse of both sides.
        let reach = amount(unit, px, is).map_err(overflow)?;
        if reach.abs() > position_limit {
            return Err(RiskCode::PositionLimit);
        }
        let own = amount(unit, px, worst_then).map_err(overflow)?;
        let others = self.others(o, account.rules.sector).map_err(overflow)?;
        let grows = worst_then > worst_before;
        if grows && own.checked_add(others.gross).ok_or(RiskCode::Overflow)? > gross_limit {
            return Err(RiskCode::GrossLimit);
        }
        let net = reach.checked_add(others.net).ok_or(RiskCode::Overflow)?;
        let net = if o.side == Side::Bid { net } else { -net };
        if net > net_limit {
            return Err(RiskCode::NetLimit);
        }
        if !grows || !self.limits.sectors_on {
            return Ok(());
        }
        account.rules.sector.ok_or(RiskCode::SectorUnknown)?;
        match (self.limits.sector, own.checked_add(others.sector)) {
            (Some(limit), Some(sum)) if sum <= limit => Ok(()),
            (_, None) => Err(RiskCode::Overflow),
            _ => Err(RiskCode::SectorLimit),
        }
    }

    /// Refuses added risk in every reduce-only state, and while the loss is not known.
    fn check_may_add(&self, o: &NewOrder, account: &Account) -> Result<(), RiskCode> {
        if self.state == TradingState::ReduceOnly {
            return Err(RiskCode::ReduceOnly);
        }
        if self.ends_within(o.instrument, self.now, self.limits.eod_reduce_only_ns) {
            return Err(RiskCode::EndOfDayReduceOnly);
        }
        if account.slippage_latched {
            return Err(RiskCode::SlippageReduceOnly);
        }
        if account.entry_latched {
            return Err(RiskCode::EntryReduceOnly);
        }
        let blind = |a: &Account| a.mark.is_none() && (a.position != 0 || a.working != [0, 0]);
        if self.accounts.iter().any(blind) {
            return Err(RiskCode::MissingMark);
        }
        Ok(())
    }

    fn check_short(&self, o: &NewOrder, q: &Quote, account: &Account) -> Result<(), RiskCode> {
        if o.side == Side::Bid {
            return Ok(());
        }
        let (_, short) = account.worst_with(Side::Ask, o.qty.0).map_err(overflow)?;
        if short >= 0 {
            return Ok(());
        }
        if !self.limits.allow_short {
            return Err(RiskCode::ShortSale);
        }
        // Rule 201 of Regulation SHO: only above the national best bid.
        let at_or_below_bid = o.order_type == OrderType::Market || o.px <= q.bid.px;
        if account.watch.short_sale_restricted && at_or_below_bid {
            return Err(RiskCode::ShortSaleRestricted);
        }
        Ok(())
    }

    /// A buy must be paid for from settled cash, after everything bought and everything that
    /// works; sales of today have not settled.
    fn check_cash(&self, o: &NewOrder, account: &Account, priced: Px) -> Result<(), RiskCode> {
        if o.side == Side::Ask {
            return Ok(());
        }
        let value = amount(account.instrument.qty_unit_e9, priced.0, o.qty.0).map_err(overflow)?;
        let mut sum = self.spent.checked_add(value).ok_or(RiskCode::Overflow)?;
        for a in &self.accounts {
            sum = sum.checked_add(a.reserved).ok_or(RiskCode::Overflow)?;
        }
        match self.limits.settled_cash {
            Some(cash) if sum <= cash => Ok(()),
            _ => Err(RiskCode::BuyingPower),
        }
    }

    fn others(&self, o: &NewOrder, sector: Option<u16>) -> Result<Others, Overflow> {
        let mut sums = Others { gross: 0, net: 0, sector: 0 };
        for (index, a) in self.accounts.iter().enumerate() {
            if index == o.instrument.index() {
                continue;
            }
            let px = a.mark.map_or(0, |m| m.0);
            let unit = a.instrument.qty_unit_e9;
            let worst = amount(unit, px, a.worst_abs_with(Side::Bid, 0)?)?;
            let (long, short) = a.worst_with(Side::Bid, 0)?;
            let reach = amount(unit, px, if o.side == Side::Bid { long } else { short })?;
            sums.gross = sums.gross.checked_add(worst).ok_or(Overflow)?;
            sums.net = sums.net.checked_add(reach).ok_or(Overflow)?;
            if sector.is_some() && a.rules.sector == sector {
                sums.sector = sums.sector.checked_add(worst).ok_or(Overflow)?;
            }
        }
        Ok(sums)
    }

    /// Worst-case exposure of all instruments, at their marks.
    pub(crate) fn gross(&self) -> Result<i128, Overflow> {
        let mut sum = 0i128;
        for a in &self.accounts {
            let worst = a.worst_abs_with(Side::Bid, 0)?;
            let px = a.mark.map_or(0, |m| m.0);
            let value = amount(a.instrument.qty_unit_e9, px, worst)?;
            sum = sum.checked_add(value).ok_or(Overflow)?;
        }
        Ok(sum)
    }
}
