//! Contract details, symbols, price rules, exchanges.

use super::{ConnId, Gateway};
use crate::contracts::{EXCHANGES, Inst, MARKET_RULE_ID};
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
        if r.market_rule_id != Some(MARKET_RULE_ID) {
            self.error(
                conn,
                -1,
                321,
                "Error validating request.-'cN' : cause - Market rule is not known",
            );
            return;
        }
        let increment = PriceIncrement { low_edge: Some(0.0), increment: Some(0.01) };
        let message =
            MarketRule { market_rule_id: Some(MARKET_RULE_ID), price_increments: vec![increment] };
        self.send(conn, 93, &message);
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
