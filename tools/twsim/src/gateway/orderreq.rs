//! Orders as clients send, change and cancel them.

use super::{ConnId, Gateway, Timer};
use crate::account;
use crate::codes;
use crate::config::ACCOUNT;
use crate::contracts::Inst;
use crate::num::{Shares, price_f64};
use crate::orders::terms::Refusal;
use crate::orders::{LiveOrder, OrderFaults, OrderType, Status, Terms};
use crate::proto;

/// Part of a position's value that must be there as equity.
const MARGIN: f64 = 0.5;

impl Gateway {
    pub(super) fn place(&mut self, conn: ConnId, r: proto::PlaceOrderRequest) {
        let client_id = self.conn(conn).and_then(|c| c.client_id).unwrap_or(0);
        let order_id = r.order_id.unwrap_or(0);
        let spec = r.order.unwrap_or_default();
        if self.config.read_only || self.faults.read_only {
            let text = "Error validating request.-'cD' : cause - The API interface is currently in \
                        Read-Only mode.";
            self.error(conn, order_id, 321, text);
            return;
        }
        if let Some(perm) = self.orders.find(client_id, order_id) {
            self.modify(conn, perm, spec);
            return;
        }
        let contract = r.contract.unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, order_id, &contract) else { return };
        let checked = Terms::read(&spec).and_then(|t| self.check_terms(inst, t));
        let checked = match spec.what_if {
            Some(true) => checked.and_then(|t| self.check_shares(inst, t)),
            _ => checked,
        };
        let terms = match checked {
            Ok(terms) => terms,
            Err((code, text)) => {
                self.error(conn, order_id, code, &text);
                return;
            }
        };
        if spec.what_if == Some(true) {
            self.analyze(conn, order_id, inst, &terms, spec);
            return;
        }
        let mut faults = self.faults.next_order.take().unwrap_or_default();
        self.borrow_for(inst, &terms, &mut faults);
        if self.faulted_on_arrival(conn, order_id, &faults) {
            return;
        }
        let mut echo = self.universe.contract(inst);
        echo.exchange = contract.exchange.filter(|e| !e.is_empty()).or(echo.exchange);
        let (drop_after, parent_id) = (faults.drop_after, spec.parent_id.unwrap_or(0));
        let order = LiveOrder {
            perm_id: self.orders.next_perm(),
            client_id,
            order_id,
            inst,
            contract: echo,
            transmitted: spec.transmit.unwrap_or(true),
            spec,
            terms,
            status: Status::PendingSubmit,
            filled: Shares::ZERO,
            cost: 0,
            last_fill_px: 0,
            why_held: "",
            at_exchange: false,
            triggered: false,
            stop_px: None,
            queue_ahead: Shares::ZERO,
            parent: self.orders.find(client_id, parent_id).filter(|_| parent_id != 0),
            done_ns: 0,
            done_text: String::new(),
            faults,
            exec_count: 0,
            version: 0,
        };
        self.accept(order);
        if drop_after {
            self.cut(conn);
        }
    }

    /// Lets the fault of an order happen that keeps it from being accepted; returns whether one
    /// did.
    fn faulted_on_arrival(&mut self, conn: ConnId, order_id: i32, f: &OrderFaults) -> bool {
        if f.drop_before {
            self.cut(conn);
        }
        if let Some(code) = f.reject.filter(|_| !f.is_refused_after()) {
            let reason = f.text.clone().unwrap_or_else(|| "Simulated rejection".into());
            let text = match code {
                201 => format!("Order rejected - reason:{reason}"),
                _ => f.text.clone().unwrap_or_else(|| codes::text(code).into()),
            };
            let mut message = self.error_message(order_id, code, &text);
            message.advanced_order_reject_json = f.json.clone();
            self.send(conn, 4, &message);
        }
        f.drop_before || f.swallow || (f.reject.is_some() && !f.is_refused_after())
    }

    /// Checks what only the market and the account can say.
    fn check_terms(&self, inst: Inst, terms: Terms) -> Result<Terms, Refusal> {
        let off_tick = |px: Option<i64>| px.is_some_and(|px| !self.universe.is_on_step(inst, px));
        let trails = matches!(terms.kind, OrderType::Trail | OrderType::TrailLimit);
        if off_tick(terms.limit_px.filter(|_| !trails)) || off_tick(terms.aux_px) {
            return Err((110, codes::text(110).into()));
        }
        let least = if inst.option.is_some() { 100_000_000 } else { 10_000 };
        if terms.total.0 % least != 0 {
            return Err((10_243, codes::text(10_243).into()));
        }
        if !self.orders.has_room() {
            return Err((201, "Order rejected - reason:The simulator keeps no more orders".into()));
        }
        let position = self.account.position(inst).shares;
        let px = terms.limit_px.filter(|_| !trails).or(self.market.stocks()[inst.stock].mark_px());
        let price = if inst.option.is_some() {
            price_f64(self.quote(inst).ask_px)
        } else {
            price_f64(px.unwrap_or(0))
        };
        let value = terms.total.as_f64() * price * account::multiplier(inst);
        let reduces =
            position.0 != 0 && (position.0 > 0) != terms.buy && terms.total.0 <= position.0.abs();
        if !reduces && value * MARGIN > self.equity() {
            let text = "Order rejected - reason:We are unable to accept your order. Your Available \
                        Funds are insufficient.";
            return Err((201, text.into()));
        }
        Ok(terms)
    }

    /// Takes an order into the account and sets it on its way.
    fn accept(&mut self, order: LiveOrder) {
        let (perm, transmitted) = (order.perm_id, order.transmitted);
        let ack_ms = order.faults.ack_ms;
        self.orders.insert(order);
        self.faults.order_count += 1;
        if self.faults.link_down {
            self.faults.waiting.push(perm);
        } else if transmitted {
            self.transmit_family(perm);
            match ack_ms {
                None => self.acknowledge(perm),
                Some(u64::MAX) => {
                    // Never a word, but the order lives.
                    self.timer_in(self.config.order_delay_ms, Timer::Arrive(perm));
                }
                Some(ms) => self.timer_in(ms, Timer::Acknowledge(perm)),
            }
        }
        self.happened("order", self.faults.order_count);
    }

    /// A transmitted order sets the untransmitted ones of its family on their way before it.
    fn transmit_family(&mut self, perm: i64) {
        let Some(order) = self.orders.get(perm) else { return };
        let Some(head) = order.parent else { return };
        for sibling in self.orders.open(None) {
            let Some(o) = self.orders.get_mut(sibling) else { continue };
            if !o.transmitted && (sibling == head || o.parent == Some(head)) {
                o.transmitted = true;
                self.acknowledge(sibling);
            }
        }
    }

    /// The first word about an order.
    pub(super) fn acknowledge(&mut self, perm: i64) {
        let Some(order) = self.orders.get_mut(perm) else { return };
        let (faults, order_id, client_id) = (order.faults.clone(), order.order_id, order.client_id);
        let until_ns = order.terms.until_ns;
        for code in &faults.warn_before {
            self.tell_order_code(client_id, order_id, *code);
        }
        if let Some(ms) = faults.hold_ms {
            self.tell_order_code(client_id, order_id, 404);
            self.timer_in(ms, Timer::Located(perm));
            if let Some(order) = self.orders.get_mut(perm) {
                order.status = Status::PreSubmitted;
                order.why_held = "locate";
            }
        }
        if !faults.exec_first {
            self.tell_open(perm);
            self.tell_status(perm);
        }
        for code in &faults.warn_after {
            self.tell_order_code(client_id, order_id, *code);
        }
        if let Some(ns) = until_ns {
            self.timer(ns.max(self.now_ns), Timer::Expire(perm));
        }
        if let Some(ms) = faults.inactive_ms {
            if ms == 0 {
                return self.put_aside(perm);
            }
            self.timer_in(ms, Timer::PutAside(perm));
        }
        if faults.hold_ms.is_none() {
            self.timer_in(self.config.order_delay_ms, Timer::Arrive(perm));
        }
    }

    pub(super) fn located(&mut self, perm: i64) {
        if let Some(order) = self.orders.get_mut(perm).filter(|o| o.status.can_arrive()) {
            order.why_held = "";
            self.timer_in(self.config.order_delay_ms, Timer::Arrive(perm));
        }
    }

    fn modify(&mut self, conn: ConnId, perm: i64, spec: proto::Order) {
        let Some(order) = self.orders.get(perm).cloned() else { return };
        let order_id = order.order_id;
        if let Some(code) = order.faults.modify_code {
            self.error_code(conn, order_id, code);
            return;
        }
        let terms = match Terms::read(&spec)
            .and_then(|t| self.check_terms(order.inst, t))
            .and_then(|t| self.check_shares(order.inst, t))
        {
            Ok(terms) => terms,
            Err((code, text)) => return self.error(conn, order_id, code, &text),
        };
        match order.status {
            Status::Filled if terms != order.terms => return self.error_code(conn, order_id, 104),
            status if status.is_final() => return self.error_code(conn, order_id, 103),
            Status::PendingCancel => return self.error_code(conn, order_id, 161),
            _ => {}
        }
        if terms.buy != order.terms.buy
            || terms.kind != order.terms.kind
            || terms.total.0 <= order.filled.0
        {
            return self.error_code(conn, order_id, 105);
        }
        if order.faults.modify_twins {
            let twin = LiveOrder { perm_id: self.orders.next_perm(), terms, spec, ..order };
            let perm = twin.perm_id;
            self.orders.insert_twin(twin);
            self.acknowledge(perm);
            return;
        }
        let Some(o) = self.orders.get_mut(perm) else { return };
        o.terms = terms;
        o.spec = spec;
        o.version += 1;
        o.transmitted |= o.spec.transmit.unwrap_or(true);
        o.stop_px = None;
        let released = !order.transmitted && o.transmitted;
        o.at_exchange = false;
        if self.faults.link_down {
            self.faults.waiting.push(perm);
        } else if released {
            self.acknowledge(perm);
        } else {
            self.tell_open(perm);
            self.tell_status(perm);
            self.timer_in(self.config.order_delay_ms, Timer::Arrive(perm));
        }
    }

    pub(super) fn cancel(&mut self, conn: ConnId, order_id: i32) {
        let client_id = self.conn(conn).and_then(|c| c.client_id).unwrap_or(0);
        self.faults.cancel_count += 1;
        let found = self.orders.find(client_id, order_id);
        let Some(order) = found.and_then(|perm| self.orders.get(perm)) else {
            let text = format!("OrderId {order_id} that needs to be cancelled is not found.");
            self.error(conn, order_id, 10_147, &text);
            return;
        };
        let (perm, faults, status) = (order.perm_id, order.faults.clone(), order.status);
        if status.is_final() {
            self.too_late(conn, order_id, status);
        } else if let Some(code) = faults.cancel_code {
            self.error_code(conn, order_id, code);
        } else if faults.cancel_fills {
            self.fill_rest(perm);
            self.too_late(conn, order_id, Status::Filled);
        } else if !faults.cancel_ignored {
            self.begin_cancel(perm);
        }
        self.happened("cancel", self.faults.cancel_count);
    }

    fn too_late(&mut self, conn: ConnId, order_id: i32, status: Status) {
        let text = format!(
            "OrderId {order_id} that needs to be cancelled can not be cancelled, state: {}.",
            status.name()
        );
        self.error(conn, order_id, 10_148, &text);
    }

    pub(super) fn begin_cancel(&mut self, perm: i64) {
        let Some(order) = self.orders.get_mut(perm).filter(|o| !o.status.is_final()) else {
            return;
        };
        if !order.transmitted {
            self.end_order(perm, "");
            return;
        }
        order.status = Status::PendingCancel;
        self.tell_status(perm);
        self.timer_in(self.config.order_delay_ms, Timer::CancelArrives(perm));
    }

    pub(super) fn cancel_arrives(&mut self, perm: i64) {
        if self.faults.link_down {
            // The cancel waits for the link as orders do.
            self.timer_in(1_000, Timer::CancelArrives(perm));
            return;
        }
        let Some(order) = self.orders.get(perm) else { return };
        if order.status == Status::Filled {
            for conn in self.conns_of(order.client_id) {
                let order_id = self.orders.get(perm).map_or(0, |o| o.order_id);
                self.too_late(conn, order_id, Status::Filled);
            }
            return;
        }
        self.end_order(perm, "");
    }

    pub(super) fn global_cancel(&mut self) {
        for perm in self.orders.open(None) {
            let ignored = self.orders.get(perm).is_some_and(|o| o.faults.cancel_ignored);
            if !ignored {
                self.begin_cancel(perm);
            }
        }
    }

    /// Cancels an order for a reason of the gateway's own, or as asked.
    pub(super) fn end_order(&mut self, perm: i64, reason: &str) {
        let now_ns = self.now_ns;
        let Some(order) = self.orders.get_mut(perm).filter(|o| !o.status.is_final()) else {
            return;
        };
        order.status = Status::Cancelled;
        order.done_ns = now_ns;
        order.done_text = format!("Cancelled {reason}").trim().to_string();
        let (client_id, order_id) = (order.client_id, order.order_id);
        self.orders.ended(perm);
        self.tell_status(perm);
        self.tell_order_error(
            client_id,
            order_id,
            202,
            &format!("Order Canceled - reason:{reason}"),
        );
        for child in self.children(perm) {
            self.end_order(child, "Parent order was cancelled");
        }
    }

    pub(super) fn children(&self, perm: i64) -> Vec<i64> {
        let of = |p: &i64| self.orders.get(*p).is_some_and(|o| o.parent == Some(perm));
        self.orders.open(None).into_iter().filter(of).collect()
    }

    /// Answers what an order would do to the margin.
    fn analyze(
        &mut self,
        conn: ConnId,
        order_id: i32,
        inst: Inst,
        terms: &Terms,
        mut spec: proto::Order,
    ) {
        let mark = price_f64(self.market.stocks()[inst.stock].mark_px().unwrap_or(0));
        let value = terms.total.as_f64() * mark * account::multiplier(inst) * MARGIN;
        let (before, equity) = (self.margin(), self.equity());
        let fee = account::commission(inst, terms.total, mark, true);
        spec.order_id = Some(order_id);
        spec.client_id = self.conn(conn).and_then(|c| c.client_id);
        let state = proto::OrderState {
            status: Some("PreSubmitted".into()),
            init_margin_before: Some(before),
            maint_margin_before: Some(before),
            equity_with_loan_before: Some(equity),
            init_margin_change: Some(value),
            maint_margin_change: Some(value),
            equity_with_loan_change: Some(0.0),
            init_margin_after: Some(before + value),
            maint_margin_after: Some(before + value),
            equity_with_loan_after: Some(equity),
            commission_and_fees: Some(fee),
            commission_and_fees_currency: Some("USD".into()),
            margin_currency: Some("USD".into()),
            ..Default::default()
        };
        let message = proto::OpenOrder {
            order_id: Some(order_id),
            contract: Some(self.universe.contract(inst)),
            order: Some(spec),
            order_state: Some(state),
        };
        self.send(conn, 5, &message);
    }

    /// Ends a connection at once: what waits is lost.
    pub(super) fn cut(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
    }

    /// Exercises are accepted and booked at once: options leave, shares come at the strike.
    pub(super) fn exercise(&mut self, conn: ConnId, r: &proto::ExerciseOptionsRequest) {
        let order_id = r.order_id.unwrap_or(0);
        let contract = r.contract.clone().unwrap_or_default();
        let Some(inst) = self.one_instrument(conn, order_id, &contract) else { return };
        let held = self.account.position(inst).shares;
        let size = Shares::whole(i64::from(r.exercise_quantity.unwrap_or(0)));
        let Some(option) = inst.option.filter(|_| size.0 > 0 && held.0 >= size.0) else {
            let text =
                "Error processing request.-'bM' : cause - No such option position to exercise";
            self.error(conn, order_id, 322, text);
            return;
        };
        self.account.fill(inst, false, size, 0.0, 0.0);
        if r.exercise_action == Some(1) {
            let stock = Inst { stock: inst.stock, option: None };
            let shares = Shares(size.0 * 100);
            self.account.fill(stock, option.call, shares, f64::from(option.strike), 0.0);
        }
        self.tell_positions();
    }

    /// Returns the account as a client names it; `None` if it is another, which has been told.
    pub(super) fn own_account(&mut self, conn: ConnId, req_id: i32, account: Option<&str>) -> bool {
        let own = matches!(account, None | Some("" | "All" | ACCOUNT));
        if !own {
            let text = "Error validating request.-'b' : cause - Invalid account code";
            self.error(conn, req_id, 321, text);
        }
        own
    }
}
