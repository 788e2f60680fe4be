//! Option parameters and computations.

use super::quotes::computation;
use super::{ConnId, Gateway};
use crate::market::options::Terms;
use crate::proto::*;
use crate::time;

/// Tick number of computations a client asked for.
const CUSTOM: i32 = 53;

impl Gateway {
    pub(super) fn option_params(&mut self, conn: ConnId, r: &SecDefOptParamsRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let symbol = r.underlying_symbol.as_deref().unwrap_or("");
        let named = |s: &&crate::contracts::Stock| {
            r.underlying_con_id.is_none_or(|id| id == s.con_id || id == 0)
                && s.symbol.eq_ignore_ascii_case(symbol)
        };
        let Some(stock) = self.universe.stocks().iter().find(named).cloned() else {
            self.error_code(conn, req_id, 200);
            return;
        };
        if self.faults.hangs("options") {
            return;
        }
        let days = self.universe.expirations().iter();
        let expirations: Vec<String> = days.map(|d| d.strftime("%Y%m%d").to_string()).collect();
        for exchange in ["SMART", "CBOE"] {
            let message = SecDefOptParameter {
                req_id: Some(req_id),
                exchange: Some(exchange.into()),
                underlying_con_id: Some(stock.con_id),
                trading_class: Some(stock.symbol.clone()),
                multiplier: Some("100".into()),
                expirations: expirations.clone(),
                strikes: stock.strikes.iter().map(|s| f64::from(*s)).collect(),
            };
            self.send(conn, 75, &message);
        }
        self.send(conn, 76, &ReqIdOnly { req_id: Some(req_id) });
    }

    pub(super) fn implied_vol(&mut self, conn: ConnId, r: &CalculateImpliedVolatilityRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let price = r.option_price.unwrap_or(0.0);
        let Some(terms) = self.asked_terms(conn, req_id, r.contract.as_ref(), r.under_price) else {
            return;
        };
        let message = computation(req_id, CUSTOM, &terms, terms.implied_vol(price), price);
        self.send(conn, 21, &message);
    }

    pub(super) fn option_price(&mut self, conn: ConnId, r: &CalculateOptionPriceRequest) {
        let req_id = r.req_id.unwrap_or(0);
        let Some(terms) = self.asked_terms(conn, req_id, r.contract.as_ref(), r.under_price) else {
            return;
        };
        let vol = r.volatility.filter(|v| v.is_finite() && *v > 0.0);
        let price = vol.and_then(|v| terms.value(v)).map_or(-1.0, |v| v.price);
        let message = computation(req_id, CUSTOM, &terms, vol, price);
        self.send(conn, 21, &message);
    }

    fn asked_terms(
        &mut self,
        conn: ConnId,
        req_id: i32,
        contract: Option<&Contract>,
        under: Option<f64>,
    ) -> Option<Terms> {
        let inst = self.one_instrument(conn, req_id, &contract.cloned().unwrap_or_default())?;
        let Some(option) = inst.option else {
            self.error_code(conn, req_id, 200);
            return None;
        };
        let days = time::days_until(self.now_ns, self.universe.expiry_ns(option));
        let under = under.filter(|u| u.is_finite()).unwrap_or(0.0);
        Some(Terms { under, strike: f64::from(option.strike), days, call: option.call })
    }
}
