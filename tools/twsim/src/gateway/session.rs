//! Begin of a session, clock, hours.

use super::{ConnId, Gateway};
use crate::config::ACCOUNT;
use crate::contracts::Inst;
use crate::proto::*;
use crate::time;

/// Notices every session begins with.
const FARMS_OK: [i32; 3] = [2104, 2106, 2158];

impl Gateway {
    pub(super) fn start_api(&mut self, conn: ConnId, r: &StartApiRequest) {
        let started = self.conn(conn).is_some_and(|c| c.client_id.is_some());
        let Some(client_id) = r.client_id.or(Some(0)).filter(|id| *id >= 0 && !started) else {
            self.error(conn, -1, 321, "StartApi expects one client id of 0 or more");
            self.close(conn);
            return;
        };
        let taken = !self.conns_of(client_id).is_empty() || self.faults.ghosts.contains(&client_id);
        if taken {
            self.error_code(conn, -1, 326);
            self.close(conn);
            return;
        }
        if let Some(c) = self.conn(conn) {
            c.client_id = Some(client_id);
        }
        self.managed_accounts(conn);
        self.next_valid_id(conn);
        for code in FARMS_OK {
            self.error_code(conn, -1, code);
        }
        if self.faults.link_down {
            self.error_code(conn, -1, 1100);
        }
        self.happened("connect", self.conn_count);
    }

    pub(super) fn close(&mut self, conn: ConnId) {
        if let Some(c) = self.conn(conn) {
            c.closing = true;
        }
    }

    pub(super) fn managed_accounts(&mut self, conn: ConnId) {
        self.send(conn, 15, &ManagedAccounts { accounts_list: Some(ACCOUNT.into()) });
    }

    pub(super) fn next_valid_id(&mut self, conn: ConnId) {
        let client = self.conn(conn).and_then(|c| c.client_id).unwrap_or(0);
        let seen = self.orders.largest_id(client).map_or(0, |id| id.saturating_add(1));
        let own = seen.max(self.config.first_order_id);
        let order_id = self.faults.next_id.unwrap_or(own);
        self.send(conn, 9, &NextValidId { order_id: Some(order_id) });
    }

    pub(super) fn current_time(&mut self, conn: ConnId) {
        let current_time = Some((self.now_ns / time::SECOND) as i64);
        self.send(conn, 49, &CurrentTime { current_time });
    }

    pub(super) fn current_time_ms(&mut self, conn: ConnId) {
        let current_time_in_millis = Some((self.now_ns / time::MILLI) as i64);
        self.send(conn, 109, &CurrentTimeInMillis { current_time_in_millis });
    }

    pub(super) fn set_data_kind(&mut self, conn: ConnId, kind: i32) {
        match self.conn(conn) {
            Some(c) if (1..=4).contains(&kind) => c.data_kind = kind,
            _ => self.error(
                conn,
                -1,
                321,
                "Error validating request.-'b' : cause - Market data type must be 1 to 4",
            ),
        }
    }

    /// Returns the regular hours of a stock on the simulated day.
    fn hours(&self, inst: Inst) -> (u64, u64) {
        let session = self.market.instruments().get(inst.stock).map(|i| i.session);
        match session {
            Some(s) if s.close_ns != u64::MAX => {
                (self.market.shifted(s.open_ns), self.market.shifted(s.close_ns))
            }
            _ => {
                let date = time::date(self.now_ns);
                (time::at(date, 9, 30), time::at(date, 16, 0))
            }
        }
    }

    /// Returns whether an instrument trades in regular hours now.
    pub(super) fn is_open(&self, inst: Inst) -> bool {
        if let Some(open) = self.faults.session {
            return open;
        }
        // Feeds without hours of their own (coins, test files) always trade.
        let always = self.market.instruments().get(inst.stock);
        let always = always.is_none_or(|i| i.session.close_ns == u64::MAX);
        let (open, close) = self.hours(inst);
        always || (open..close).contains(&self.now_ns)
    }

    /// Returns trading and liquid hours as contract details give them.
    pub(super) fn hours_text(&self, inst: Inst) -> (String, String) {
        let (open, close) = self.hours(inst);
        let text = |ns: u64| time::zoned(ns).strftime("%Y%m%d:%H%M").to_string();
        let date = time::date(open);
        let all = (time::at(date, 4, 0).min(open), time::at(date, 20, 0).max(close));
        let wide = format!("{}-{}", text(all.0), text(all.1));
        (wide, format!("{}-{}", text(open), text(close)))
    }

    /// At the close: day orders end.
    pub(super) fn session_due(&mut self) {
        for perm in self.orders.open(None) {
            let Some(order) = self.orders.get(perm) else { continue };
            let (_, close) = self.hours(order.inst);
            let day = matches!(order.terms.tif, crate::orders::Tif::Day);
            let over = self.now_ns >= close && self.faults.session.is_none();
            if day
                && over
                && !order.terms.outside_rth
                && !self.is_open(order.inst)
                && order.at_exchange
            {
                self.end_order(perm, "Expired at the close");
            }
        }
    }
}
