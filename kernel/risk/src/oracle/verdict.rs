//! The verdict on an order: every control in its documented order.

use super::book::{Oracle, Past};
use super::limits::sane;
use crate::{Quote, RiskCode, TradingState};
use ijk_core::config::RiskConfig;
use ijk_core::{Block, Currency, NewOrder, OrderType, Side, TimeInForce};

pub(super) type Verdict = Result<(), RiskCode>;

/// The first control that refuses.
pub(super) fn first(rows: &[(bool, RiskCode)]) -> Verdict {
    rows.iter().find(|r| r.0).map_or(Ok(()), |r| Err(r.1))
}

impl Oracle {
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
        if let Some(block) = Block::ALL.iter().find(|b| self.is_blocked(**b)) {
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
}
