//! Positions, account values, portfolio, profit and loss.

use super::conn::PnlSeen;
use super::{ConnId, Gateway};
use crate::account::{Position as Held, multiplier};
use crate::config::ACCOUNT;
use crate::contracts::Inst;
use crate::num::{money, price_f64};
use crate::proto::*;
use crate::time;

/// Streams of profit and loss, and of summaries, a client may have.
const STREAMS_MAX: usize = 200;

impl Gateway {
    fn mark(&self, inst: Inst) -> f64 {
        match inst.option {
            None => price_f64(self.market.stocks()[inst.stock].mark_px().unwrap_or(0)),
            Some(_) => {
                let terms = self.option_terms(inst);
                terms.and_then(|t| t.value(t.quoted_vol())).map_or(0.0, |v| v.price)
            }
        }
    }

    fn value(&self, inst: Inst, held: &Held) -> f64 {
        held.shares.as_f64() * self.mark(inst) * multiplier(inst)
    }

    /// Returns cash and the value of all positions, dollars.
    pub(super) fn equity(&self) -> f64 {
        self.account.cash + self.account.positions().map(|(i, p)| self.value(i, p)).sum::<f64>()
    }

    /// Returns the initial margin of all positions, dollars.
    pub(super) fn margin(&self) -> f64 {
        self.account.positions().map(|(i, p)| self.value(i, p).abs() * 0.5).sum()
    }

    fn unrealized(&self) -> f64 {
        self.account.positions().map(|(i, p)| self.value(i, p) - p.cost).sum()
    }

    fn realized(&self) -> f64 {
        self.account.positions().map(|(_, p)| p.realized).sum()
    }

    /// Returns names and values of the account.
    fn values(&self) -> Vec<(&'static str, String)> {
        let (equity, margin, cash) = (self.equity(), self.margin(), self.account.cash);
        let gross: f64 = self.account.positions().map(|(i, p)| self.value(i, p).abs()).sum();
        let available = equity - margin;
        vec![
            ("AccountType", "INDIVIDUAL".into()),
            ("NetLiquidation", money(equity)),
            ("TotalCashValue", money(cash)),
            ("SettledCash", money(cash)),
            ("AccruedCash", money(0.0)),
            ("BuyingPower", money(available.max(0.0) * 4.0)),
            ("EquityWithLoanValue", money(equity)),
            ("PreviousEquityWithLoanValue", money(self.account.start_value)),
            ("GrossPositionValue", money(gross)),
            ("RegTEquity", money(equity)),
            ("RegTMargin", money(margin)),
            ("SMA", money(available)),
            ("InitMarginReq", money(margin)),
            ("MaintMarginReq", money(margin)),
            ("AvailableFunds", money(available)),
            ("ExcessLiquidity", money(available)),
            (
                "Cushion",
                format!(
                    "{:.6}",
                    if equity > 0.0 { (available / equity).clamp(0.0, 1.0) } else { 0.0 }
                ),
            ),
            ("FullInitMarginReq", money(margin)),
            ("FullMaintMarginReq", money(margin)),
            ("FullAvailableFunds", money(available)),
            ("FullExcessLiquidity", money(available)),
            ("LookAheadNextChange", "0".into()),
            ("LookAheadInitMarginReq", money(margin)),
            ("LookAheadMaintMarginReq", money(margin)),
            ("LookAheadAvailableFunds", money(available)),
            ("LookAheadExcessLiquidity", money(available)),
            ("HighestSeverity", "0".into()),
            ("DayTradesRemaining", "-1".into()),
            ("Leverage", format!("{:.2}", if equity > 0.0 { gross / equity } else { 0.0 })),
            ("UnrealizedPnL", money(self.unrealized())),
            ("RealizedPnL", money(self.realized())),
        ]
    }

    fn currency(key: &str) -> String {
        let unitless = [
            "AccountType",
            "Cushion",
            "LookAheadNextChange",
            "HighestSeverity",
            "DayTradesRemaining",
            "Leverage",
        ];
        if unitless.contains(&key) { String::new() } else { "USD".into() }
    }

    /// Returns positions that are not zero.
    fn held(&self) -> Vec<(Inst, Held)> {
        self.account.positions().filter(|(_, p)| p.shares.0 != 0).map(|(i, p)| (i, *p)).collect()
    }

    pub(super) fn positions(&mut self, conn: ConnId) {
        if self.faults.hangs("positions") {
            return;
        }
        if let Some(c) = self.conn(conn) {
            c.positions = true;
            c.told_positions.clear();
        }
        for (inst, held) in self.held() {
            self.tell_position(conn, inst, &held);
        }
        self.send(conn, 62, &Empty {});
    }

    fn tell_position(&mut self, conn: ConnId, inst: Inst, held: &Held) {
        let con_id = self.universe.con_id(inst);
        if let Some(c) = self.conn(conn) {
            c.told_positions.insert(con_id, held.shares);
        }
        let message = Position {
            account: Some(ACCOUNT.into()),
            contract: Some(self.universe.contract(inst)),
            position: Some(held.shares.to_string()),
            avg_cost: Some(held.avg_cost()),
        };
        self.send(conn, 61, &message);
    }

    /// Tells changed positions, and the portfolio, to those who want them.
    pub(super) fn tell_positions(&mut self) {
        if self.faults.link_down {
            return;
        }
        let all: Vec<(Inst, Held)> = self.account.positions().map(|(i, p)| (i, *p)).collect();
        for conn in self.started() {
            for (inst, held) in &all {
                let con_id = self.universe.con_id(*inst);
                let Some(c) = self.conn(conn) else { continue };
                let told = c.told_positions.get(&con_id).copied().unwrap_or_default();
                let (wants, account) = (c.positions, c.account);
                let multi: Vec<i32> = c.positions_multi.iter().copied().collect();
                if told == held.shares || !(wants || account || !multi.is_empty()) {
                    continue;
                }
                c.told_positions.insert(con_id, held.shares);
                if wants {
                    self.tell_position(conn, *inst, held);
                }
                for req_id in multi {
                    self.tell_position_multi(conn, req_id, *inst, held);
                }
                if account {
                    self.tell_portfolio(conn, *inst, held);
                }
            }
        }
    }

    pub(super) fn positions_multi(&mut self, conn: ConnId, r: &PositionsMultiRequest) {
        let req_id = r.req_id.unwrap_or(0);
        if !self.own_account(conn, req_id, r.account.as_deref()) || self.faults.hangs("positions") {
            return;
        }
        if let Some(c) = self.conn(conn)
            && c.positions_multi.len() < STREAMS_MAX
        {
            c.positions_multi.insert(req_id);
        }
        for (inst, held) in self.held() {
            self.tell_position_multi(conn, req_id, inst, &held);
        }
        self.send(conn, 72, &ReqIdOnly { req_id: Some(req_id) });
    }

    fn tell_position_multi(&mut self, conn: ConnId, req_id: i32, inst: Inst, held: &Held) {
        let message = PositionMulti {
            req_id: Some(req_id),
            account: Some(ACCOUNT.into()),
            contract: Some(self.universe.contract(inst)),
            position: Some(held.shares.to_string()),
            avg_cost: Some(held.avg_cost()),
            model_code: Some(String::new()),
        };
        self.send(conn, 71, &message);
    }

    pub(super) fn account_summary(&mut self, conn: ConnId, r: &AccountSummaryRequest) {
        let req_id = r.req_id.unwrap_or(0);
        if self.faults.hangs("account") {
            return;
        }
        let tags: Vec<String> = r
            .tags
            .as_deref()
            .unwrap_or("")
            .split(',')
            .take(100)
            .map(|t| t.trim().to_string())
            .collect();
        let Some(c) = self.conn(conn) else { return };
        if c.summaries.len() >= STREAMS_MAX {
            let text = "Maximum number of account summary requests exceeded.";
            return self.error(conn, req_id, 322, text);
        }
        c.summaries.insert(req_id, tags.clone());
        self.tell_summary(conn, req_id, &tags);
        self.send(conn, 64, &ReqIdOnly { req_id: Some(req_id) });
    }

    fn tell_summary(&mut self, conn: ConnId, req_id: i32, tags: &[String]) {
        let all = tags.iter().any(|t| t.starts_with('$') || t == "All");
        for (key, value) in self.values() {
            if all || tags.iter().any(|t| t == key) {
                let message = AccountSummary {
                    req_id: Some(req_id),
                    account: Some(ACCOUNT.into()),
                    tag: Some(key.into()),
                    value: Some(value),
                    currency: Some(Gateway::currency(key)),
                };
                self.send(conn, 63, &message);
            }
        }
    }

    pub(super) fn account_updates(&mut self, conn: ConnId, r: &AccountDataRequest) {
        if !self.own_account(conn, -1, r.acct_code.as_deref()) || self.faults.hangs("account") {
            return;
        }
        let subscribe = r.subscribe.unwrap_or(false);
        if let Some(c) = self.conn(conn) {
            c.account = subscribe;
        }
        if subscribe {
            self.tell_account(conn);
            self.send(conn, 54, &AccountDataEnd { account_name: Some(ACCOUNT.into()) });
        }
    }

    fn tell_account(&mut self, conn: ConnId) {
        for (key, value) in self.values() {
            let message = AccountValue {
                key: Some(key.into()),
                value: Some(value),
                currency: Some(Gateway::currency(key)),
                account_name: Some(ACCOUNT.into()),
            };
            self.send(conn, 6, &message);
        }
        for (inst, held) in self.held() {
            self.tell_portfolio(conn, inst, &held);
        }
        let time_stamp = Some(time::zoned(self.now_ns).strftime("%H:%M").to_string());
        self.send(conn, 8, &AccountUpdateTime { time_stamp });
    }

    fn tell_portfolio(&mut self, conn: ConnId, inst: Inst, held: &Held) {
        let value = self.value(inst, held);
        let message = PortfolioValue {
            contract: Some(self.universe.contract(inst)),
            position: Some(held.shares.to_string()),
            market_price: Some(self.mark(inst)),
            market_value: Some(value),
            average_cost: Some(held.avg_cost()),
            unrealized_pnl: Some(value - held.cost),
            realized_pnl: Some(held.realized),
            account_name: Some(ACCOUNT.into()),
        };
        self.send(conn, 7, &message);
    }

    pub(super) fn account_updates_multi(&mut self, conn: ConnId, r: &AccountUpdatesMultiRequest) {
        let req_id = r.req_id.unwrap_or(0);
        if !self.own_account(conn, req_id, r.account.as_deref()) || self.faults.hangs("account") {
            return;
        }
        if let Some(c) = self.conn(conn)
            && c.account_multi.len() < STREAMS_MAX
        {
            c.account_multi.insert(req_id);
        }
        self.tell_account_multi(conn, req_id);
        self.send(conn, 74, &ReqIdOnly { req_id: Some(req_id) });
    }

    fn tell_account_multi(&mut self, conn: ConnId, req_id: i32) {
        for (key, value) in self.values() {
            let message = AccountUpdateMulti {
                req_id: Some(req_id),
                account: Some(ACCOUNT.into()),
                model_code: Some(String::new()),
                key: Some(key.into()),
                value: Some(value),
                currency: Some(Gateway::currency(key)),
            };
            self.send(conn, 73, &message);
        }
    }

    /// Every three minutes: account values to those who want them.
    pub(super) fn account_due(&mut self) {
        if self.faults.link_down {
            return;
        }
        for conn in self.started() {
            let Some(c) = self.conn(conn) else { continue };
            let multi: Vec<i32> = c.account_multi.iter().copied().collect();
            let summaries = c.summaries.clone();
            if c.account {
                self.tell_account(conn);
            }
            multi.into_iter().for_each(|req_id| self.tell_account_multi(conn, req_id));
            for (req_id, tags) in summaries {
                self.tell_summary(conn, req_id, &tags);
            }
        }
    }

    pub(super) fn pnl(&mut self, conn: ConnId, r: &PnLRequest) {
        self.pnl_stream(conn, r.req_id.unwrap_or(0), r.account.as_deref(), 0);
    }

    pub(super) fn pnl_single(&mut self, conn: ConnId, r: &PnLSingleRequest) {
        let (req_id, con_id) = (r.req_id.unwrap_or(0), r.con_id.unwrap_or(0));
        if self.universe.by_con_id(con_id).is_none() {
            return self.error_code(conn, req_id, 200);
        }
        self.pnl_stream(conn, req_id, r.account.as_deref(), con_id);
    }

    fn pnl_stream(&mut self, conn: ConnId, req_id: i32, account: Option<&str>, con_id: i32) {
        if !self.own_account(conn, req_id, account) {
            return;
        }
        let Some(c) = self.conn(conn) else { return };
        if c.pnl.contains_key(&req_id) || c.pnl.len() >= STREAMS_MAX {
            return self.error_code(conn, req_id, 102);
        }
        c.pnl.insert(req_id, PnlSeen { con_id, seen: None });
        self.tell_pnl(conn, req_id);
    }

    /// Every second: profit and loss that changed by a cent or more.
    pub(super) fn results_due(&mut self) {
        if self.faults.link_down {
            return;
        }
        for conn in self.started() {
            let reqs: Vec<i32> =
                self.conn(conn).map(|c| c.pnl.keys().copied().collect()).unwrap_or_default();
            reqs.into_iter().for_each(|req_id| self.tell_pnl(conn, req_id));
        }
    }

    fn tell_pnl(&mut self, conn: ConnId, req_id: i32) {
        let Some(old) = self.conn(conn).and_then(|c| c.pnl.get(&req_id).copied()) else { return };
        let inst = self.universe.by_con_id(old.con_id);
        let held = inst.map(|i| (i, self.account.position(i)));
        let (daily, unrealized, realized, value) = match held {
            None => {
                (self.equity() - self.account.start_value, self.unrealized(), self.realized(), 0.0)
            }
            Some((inst, p)) => {
                let value = self.value(inst, &p);
                (value - p.cost + p.realized, value - p.cost, p.realized, value)
            }
        };
        let shares = held.map(|h| h.1.shares).unwrap_or_default();
        let cents = |x: f64| (x * 100.0).round() as i64;
        let seen = Some([cents(daily), cents(unrealized), cents(realized), cents(value), shares.0]);
        if seen == old.seen {
            return;
        }
        if let Some(c) = self.conn(conn) {
            c.pnl.insert(req_id, PnlSeen { seen, ..old });
        }
        let (req_id, daily, unrealized, realized) =
            (Some(req_id), Some(daily), Some(unrealized), Some(realized));
        if held.is_none() {
            let message = PnL {
                req_id,
                daily_pn_l: daily,
                unrealized_pn_l: unrealized,
                realized_pn_l: realized,
            };
            self.send(conn, 94, &message);
        } else {
            let message = PnLSingle {
                req_id,
                position: Some(shares.to_string()),
                daily_pn_l: daily,
                unrealized_pn_l: unrealized,
                realized_pn_l: realized,
                value: Some(value),
            };
            self.send(conn, 95, &message);
        }
    }
}
