//! Contract details, symbols, price rules, exchanges.

use super::{ConnId, Gateway};
use crate::contracts::{EXCHANGES, Inst};
use crate::num::price_f64;
use crate::proto::*;

impl Gateway {
    pub(super) fn contract_data(&mut self, conn: ConnId, r: &ContractDataRequest) {
        let req_id = r.req_id.unwrap_or(0);
        if self.faults.hangs("contracts") {
            return;
        }
        let found = self.universe.matching(&r.contract.clone().unwrap_or_default());
        if found.is_empty() {
            self.error_code(conn, req_id, 200);
            return;
        }
        for inst in found {
            let (trading, liquid) = self.hours_text(inst);
            let message = ContractData {
                req_id: Some(req_id),
                contract: Some(self.universe.contract(inst)),
                contract_details: Some(self.universe.details(inst, &trading, &liquid)),
            };
            self.send(conn, 10, &message);
        }
        self.send(conn, 52, &ReqIdOnly { req_id: Some(req_id) });
    }

    pub(super) fn matching_symbols(&mut self, conn: ConnId, r: &MatchingSymbolsRequest) {
        let pattern = r.pattern.as_deref().unwrap_or("").to_ascii_uppercase();
        let fits = |(i, s): (usize, &crate::contracts::Stock)| {
            let named = s.symbol.contains(&pattern) || s.name.contains(&pattern);
            (named && !pattern.is_empty()).then_some(Inst { stock: i, option: None })
        };
        let found = self.universe.stocks().iter().enumerate().filter_map(fits).take(16);
        let row = |inst| ContractDescription {
            contract: Some(self.universe.contract(inst)),
            derivative_sec_types: vec!["OPT".into()],
        };
        let contract_descriptions = found.map(row).collect();
        self.send(conn, 79, &SymbolSamples { req_id: r.req_id, contract_descriptions });
    }

    pub(super) fn market_rule(&mut self, conn: ConnId, r: &MarketRuleRequest) {
        if self.faults.hangs("rules") {
            return;
        }
        let id = r.market_rule_id.unwrap_or(0);
        let Some(bands) = self.universe.rule(id) else {
            self.error(
                conn,
                -1,
                321,
                "Error validating request.-'cN' : cause - Market rule is not known",
            );
            return;
        };
        let band = |&(low, step): &(i64, i64)| PriceIncrement {
            low_edge: Some(price_f64(low)),
            increment: Some(price_f64(step)),
        };
        let price_increments = bands.iter().map(band).collect();
        let message = MarketRule { market_rule_id: Some(id), price_increments };
        self.send(conn, 93, &message);
    }

    /// `price-rule SYMBOL LOW:STEP...`, dollars.
    pub(super) fn price_rule_command<'a>(
        &mut self,
        mut words: impl Iterator<Item = &'a str>,
    ) -> Result<(), String> {
        let stock = self.stock_named(words.next().unwrap_or(""))?;
        let dollars = |word: &str| {
            let number = word.parse::<f64>().ok().filter(|n| (0.0..=1e6).contains(n));
            number.map(|n| (n * 1e9).round() as i64)
        };
        let band = |word: &str| {
            let (low, step) = word.split_once(':')?;
            Some((dollars(low)?, dollars(step)?))
        };
        let bands: Option<Vec<_>> = words.map(band).collect();
        let bands = bands.ok_or("bands: expected LOW:STEP in dollars, at most 1e6")?;
        self.universe.set_bands(stock, bands)
    }

    pub(super) fn smart_components(&mut self, conn: ConnId, r: &SmartComponentsRequest) {
        let component = |(i, exchange): (usize, &&str)| SmartComponent {
            bit_number: Some(i as i32),
            exchange: Some((*exchange).into()),
            exchange_letter: exchange.get(..1).map(str::to_string),
        };
        let smart_components = EXCHANGES[1..].iter().enumerate().map(component).collect();
        self.send(conn, 82, &SmartComponents { req_id: r.req_id, smart_components });
    }
}
