//! Positions between two answers of the broker: what a sale needs shares for.

use super::ledger::Ledger;
use super::listing::Answers;
use crate::identity::to_qty;
use ijk_core::{InstrumentId, NewOrder, Side};

impl Ledger {
    /// Takes the broker's positions. While orders of ours work an execution may stand in them that
    /// has not arrived, so an instrument known already is only taken anew when it is quiet.
    pub fn settle_positions(&mut self, answers: &Answers) {
        for at in 0..self.contracts.rows().len() {
            let instrument = InstrumentId(at as u16);
            let works = |r: &super::row::Row| r.instrument == instrument && !r.is_over();
            if self.opened.contains_key(&instrument) && self.rows.values().any(works) {
                continue;
            }
            let held = self.listed_position(instrument, answers);
            let traded = self.traded.get(&instrument).copied().unwrap_or(0);
            self.opened.insert(instrument, held - traded);
        }
    }

    fn listed_position(&self, instrument: InstrumentId, answers: &Answers) -> i64 {
        let Some(listed) = self.contracts.get(instrument) else { return 0 };
        let own = answers
            .positions
            .iter()
            .rev()
            .find(|p| p.account == self.account && p.contract.contract_id == listed.con_id);
        own.and_then(|p| to_qty(p.position, listed.qty_unit_e9)).map_or(0, |q| q.0)
    }

    /// Returns whether an order sells more than is held, less what is being sold already. Before
    /// the first answer of the broker nothing is held.
    pub fn is_short_sale(&self, order: &NewOrder) -> bool {
        let of = |map: &std::collections::BTreeMap<InstrumentId, i64>| {
            map.get(&order.instrument).copied().unwrap_or(0)
        };
        let sells = |r: &&super::row::Row| {
            r.instrument == order.instrument && r.side == Side::Ask && !r.is_over()
        };
        let selling: i64 = self.rows.values().filter(sells).map(|r| r.total - r.filled).sum();
        let held = of(&self.opened) + of(&self.traded);
        order.side == Side::Ask && held - selling < order.qty.0
    }
}
