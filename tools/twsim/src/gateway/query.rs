//! What there is: open orders, ended orders, executions.

use super::tell::{commission, completed_order};
use super::{ConnId, Gateway};
use crate::proto::*;
use crate::time;

impl Gateway {
    pub(super) fn open_orders(&mut self, conn: ConnId, all: bool) {
        if self.faults.hangs("open") {
            return;
        }
        let client_id = self.conn(conn).and_then(|c| c.client_id);
        for perm in self.orders.open(None) {
            let Some(order) = self.orders.get(perm) else { continue };
            if order.transmitted && (all || Some(order.client_id) == client_id) {
                self.tell_order_to(conn, perm);
            }
        }
        self.send(conn, 53, &Empty {});
    }

    pub(super) fn auto_open_orders(&mut self, conn: ConnId, bind: bool) {
        let client = self.conn(conn).and_then(|c| c.client_id);
        if client != Some(0) {
            let text = "Error validating request.-'bR' : cause - Only the default client (i.e 0) \
                        can auto bind orders.";
            self.error(conn, -1, 321, text);
            return;
        }
        if let Some(c) = self.conn(conn) {
            c.auto_open = bind;
        }
        self.open_orders(conn, false);
    }

    /// Orders of clients are the only ones there are: asking for those alone changes nothing.
    pub(super) fn completed_orders(&mut self, conn: ConnId) {
        if self.faults.hangs("completed") {
            return;
        }
        let done: Vec<CompletedOrder> =
            self.orders.iter().filter(|o| o.status.is_final()).map(completed_order).collect();
        for message in done {
            self.send(conn, 101, &message);
        }
        self.send(conn, 102, &Empty {});
    }

    pub(super) fn executions(&mut self, conn: ConnId, r: &ExecutionRequest) {
        if self.faults.hangs("executions") {
            return;
        }
        let req_id = r.req_id.unwrap_or(-1);
        let f = r.execution_filter.clone().unwrap_or_default();
        let named = |t: &Option<String>| t.clone().filter(|t| !t.is_empty());
        let (symbol, side, sec_type) = (named(&f.symbol), named(&f.side), named(&f.sec_type));
        let since = named(&f.time).and_then(|t| time::parse(&t)).unwrap_or(0);
        let client = f.client_id.filter(|id| *id > 0);
        let mut found = Vec::new();
        for exec in &self.orders.execs {
            let message = self.exec_message(req_id, exec);
            let contract = message.contract.clone().unwrap_or_default();
            let fits = client.is_none_or(|id| id == exec.client_id)
                && symbol.is_none_or_eq(contract.symbol.as_deref())
                && sec_type.is_none_or_eq(contract.sec_type.as_deref())
                && side.as_deref().is_none_or(|s| matches!(s, "BUY" | "BOT") == exec.buy)
                && exec.ns >= since;
            if fits {
                found.push((message, commission(exec)));
            }
        }
        for (message, commission) in found {
            self.send(conn, 11, &message);
            self.send(conn, 59, &commission);
        }
        self.send(conn, 55, &ReqIdOnly { req_id: Some(req_id) });
    }
}

/// A filter's word: absent, it fits all.
trait FitsAll {
    fn is_none_or_eq(&self, text: Option<&str>) -> bool;
}

impl FitsAll for Option<String> {
    fn is_none_or_eq(&self, text: Option<&str>) -> bool {
        self.as_deref().is_none_or(|want| Some(want) == text)
    }
}
