//! What is told of orders: to their client, later while the link is broken, never if a fault says.

use super::{ConnId, Gateway};
use crate::config::ACCOUNT;
use crate::num::price_f64;
use crate::orders::{Exec, LiveOrder, Status};
use crate::proto::*;
use crate::{codes, time, wire};

/// Reports kept while the link is broken.
const HELD_MAX: usize = 100_000;

impl Gateway {
    fn tell_client(&mut self, client_id: i32, id: u32, message: &impl prost::Message) {
        let frame = wire::frame(id, message);
        if self.faults.link_down {
            if !self.faults.lose_reports && self.faults.held.len() < HELD_MAX {
                self.faults.held.push((client_id, frame));
            }
            return;
        }
        for conn in self.conns_of(client_id) {
            self.send_raw(conn, &frame);
        }
    }

    pub(super) fn tell_order_error(
        &mut self,
        client_id: i32,
        order_id: i32,
        code: i32,
        text: &str,
    ) {
        let message = self.error_message(order_id, code, text);
        self.tell_client(client_id, 4, &message);
    }

    pub(super) fn tell_order_code(&mut self, client_id: i32, order_id: i32, code: i32) {
        self.tell_order_error(client_id, order_id, code, codes::text(code));
    }

    pub(super) fn tell_open(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        if order.faults.no_open_order || order.faults.ack_ms == Some(u64::MAX) {
            return;
        }
        let (client_id, message) = (order.client_id, open_order(order));
        self.tell_client(client_id, 5, &message);
    }

    pub(super) fn tell_status(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        if order.faults.no_status || order.faults.ack_ms == Some(u64::MAX) {
            return;
        }
        let (client_id, message, times) =
            (order.client_id, self.status(order), order.faults.repeat + 1);
        for _ in 0..times {
            self.tell_client(client_id, 3, &message);
        }
    }

    pub(super) fn status(&self, order: &LiveOrder) -> OrderStatus {
        let parent = order.parent.and_then(|p| self.orders.get(p)).map_or(0, |p| p.order_id);
        OrderStatus {
            order_id: Some(order.order_id),
            status: Some(order.status.name().into()),
            filled: Some(order.filled.to_string()),
            remaining: Some(order.remaining().to_string()),
            avg_fill_price: Some(order.avg_price()),
            perm_id: Some(order.perm_id),
            parent_id: Some(parent),
            last_fill_price: Some(price_f64(order.last_fill_px)),
            client_id: Some(order.client_id),
            why_held: Some(order.why_held.into()),
            mkt_cap_price: Some(0.0),
        }
    }

    pub(super) fn tell_exec(&mut self, index: usize) {
        let Some(exec) = self.orders.execs.get(index) else { return };
        let (client_id, message) = (exec.client_id, self.exec_message(-1, exec));
        self.tell_client(client_id, 11, &message);
    }

    pub(super) fn exec_message(&self, req_id: i32, exec: &Exec) -> ExecutionDetails {
        let mut contract = self.universe.contract(exec.inst);
        contract.exchange = Some("NASDAQ".into());
        let execution = Execution {
            order_id: Some(exec.order_id),
            exec_id: Some(exec.exec_id.clone()),
            time: Some(time::stamp(exec.ns)),
            acct_number: Some(ACCOUNT.into()),
            exchange: Some("NASDAQ".into()),
            side: Some(if exec.buy { "BOT" } else { "SLD" }.into()),
            shares: Some(exec.size.to_string()),
            price: Some(price_f64(exec.px)),
            perm_id: Some(exec.perm_id),
            client_id: Some(exec.client_id),
            is_liquidation: Some(false),
            cum_qty: Some(exec.cum.to_string()),
            avg_price: Some(exec.avg_price),
            order_ref: exec.order_ref.clone(),
            ev_rule: None,
            ev_multiplier: None,
            model_code: None,
            last_liquidity: Some(exec.liquidity),
            is_price_revision_pending: Some(false),
            submitter: None,
        };
        ExecutionDetails {
            req_id: Some(req_id),
            contract: Some(contract),
            execution: Some(execution),
        }
    }

    pub(super) fn tell_commission(&mut self, index: usize) {
        let Some(exec) = self.orders.execs.get(index) else { return };
        let (client_id, message) = (exec.client_id, commission(exec));
        self.tell_client(client_id, 59, &message);
    }

    /// Tells what was held back while the link was broken.
    pub(super) fn tell_held(&mut self) {
        for (client_id, frame) in std::mem::take(&mut self.faults.held) {
            for conn in self.conns_of(client_id) {
                self.send_raw(conn, &frame);
            }
        }
    }

    pub(super) fn tell_order_to(&mut self, conn: ConnId, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        let (open, status) = (open_order(order), self.status(order));
        self.send(conn, 5, &open);
        self.send(conn, 3, &status);
    }
}

/// Returns the order as sent, with what the gateway adds.
fn echo(order: &LiveOrder) -> Order {
    Order {
        client_id: Some(order.client_id),
        order_id: Some(order.order_id),
        perm_id: Some(order.perm_id),
        account: Some(ACCOUNT.into()),
        tif: order.spec.tif.clone().filter(|t| !t.is_empty()).or(Some("DAY".into())),
        outside_rth: Some(
            order.terms.outside_rth && order.terms.kind == crate::orders::OrderType::Limit,
        ),
        trail_stop_price: order.stop_px.map(price_f64).or(order.spec.trail_stop_price),
        ..order.spec.clone()
    }
}

pub(super) fn open_order(order: &LiveOrder) -> OpenOrder {
    let state = OrderState { status: Some(order.status.name().into()), ..Default::default() };
    OpenOrder {
        order_id: Some(order.order_id),
        contract: Some(order.contract.clone()),
        order: Some(echo(order)),
        order_state: Some(state),
    }
}

/// Returns an ended order. Its quantity is what was left unfilled: zero for a filled one.
pub(super) fn completed_order(order: &LiveOrder) -> CompletedOrder {
    let left = if order.status == Status::Filled {
        "0".to_string()
    } else {
        order.remaining().to_string()
    };
    let spec = Order {
        total_quantity: Some(left),
        filled_quantity: Some(order.filled.to_string()),
        ..echo(order)
    };
    let state = OrderState {
        status: Some(order.status.name().into()),
        completed_time: Some(time::stamp(order.done_ns)),
        completed_status: Some(order.done_text.clone()),
        ..Default::default()
    };
    CompletedOrder {
        contract: Some(order.contract.clone()),
        order: Some(spec),
        order_state: Some(state),
    }
}

pub(super) fn commission(exec: &Exec) -> CommissionAndFeesReport {
    CommissionAndFeesReport {
        exec_id: Some(exec.exec_id.clone()),
        commission_and_fees: Some(exec.commission),
        currency: Some("USD".into()),
        // The protocol's "unset" where nothing was closed.
        realized_pnl: Some(exec.realized.unwrap_or(f64::MAX)),
    }
}
