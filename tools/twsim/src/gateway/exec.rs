//! Executions: what a fill does to the order, the account and the orders tied to it.

use super::{Gateway, Timer};
use crate::account;
use crate::num::{Shares, price_f64};
use crate::orders::{Exec, Status};

impl Gateway {
    /// Books a fill and tells it.
    pub(super) fn fill(&mut self, perm: i64, px: i64, size: Shares, liquidity: i32) {
        let now_ns = self.now_ns;
        let Some(order) = self.orders.get_mut(perm).filter(|o| !o.status.is_final()) else {
            return;
        };
        let size = Shares(size.0.min(order.remaining().0));
        if size.0 <= 0 {
            return;
        }
        order.filled.0 += size.0;
        order.cost += i128::from(px) * i128::from(size.0);
        order.last_fill_px = px;
        order.exec_count += 1;
        let done = order.filled.0 >= order.terms.total.0;
        let (inst, buy, first) = (order.inst, order.terms.buy, order.exec_count == 1);
        let price = price_f64(px);
        let commission = account::commission(inst, size, price, first);
        let realized = self.account.fill(inst, buy, size, price, commission);
        self.exec_count += 1;
        let exec = Exec {
            exec_id: format!("0000e1a7.{:08x}.01.01", self.exec_count),
            perm_id: perm,
            client_id: order.client_id,
            order_id: order.order_id,
            inst,
            buy,
            size,
            px,
            ns: now_ns,
            cum: order.filled,
            avg_price: order.avg_price(),
            commission,
            realized,
            order_ref: order.spec.order_ref.clone(),
            liquidity,
            superseded: false,
        };
        if done {
            order.status = Status::Filled;
            order.done_ns = now_ns;
            order.done_text = format!("Filled Size: {}", order.filled);
            self.orders.ended(perm);
        }
        self.orders.execs.push(exec);
        self.report(perm);
        self.tell_positions();
        if done {
            self.family_after_fill(perm);
        }
        self.group_after_fill(perm, size);
        self.happened("fill", self.exec_count);
    }

    /// Tells the last execution of an order, and its state.
    fn report(&mut self, perm: i64) {
        let index = self.orders.execs.len() - 1;
        let Some(order) = self.orders.get(perm) else { return };
        let f = order.faults.clone();
        self.tell_exec(index);
        self.tell_open(perm);
        self.tell_status(perm);
        if !f.no_commission {
            let ms = f.commission_ms.unwrap_or(self.config.commission_delay_ms);
            self.timer_in(ms, Timer::Commission(index));
        }
        if let Some(ms) = f.correct_ms {
            self.timer_in(ms, Timer::Correct(index));
        }
    }

    fn family_after_fill(&mut self, perm: i64) {
        for child in self.children(perm) {
            self.timer_in(self.config.order_delay_ms, Timer::Arrive(child));
        }
        // The sibling of a bracket's filled child goes, as one-cancels-all.
        let parent = self.orders.get(perm).and_then(|o| o.parent);
        for sibling in parent.map(|p| self.children(p)).unwrap_or_default() {
            if sibling != perm {
                self.end_order(sibling, "");
            }
        }
    }

    /// One-cancels-all groups: the others go (type 1), or shrink by what was filled (2 and 3).
    fn group_after_fill(&mut self, perm: i64, size: Shares) {
        let Some(order) = self.orders.get(perm) else { return };
        let Some(group) = order.spec.oca_group.clone().filter(|g| !g.is_empty()) else { return };
        for other in self.orders.open(None) {
            let Some(o) = self.orders.get_mut(other).filter(|o| o.perm_id != perm) else {
                continue;
            };
            if o.spec.oca_group.as_ref() != Some(&group) {
                continue;
            }
            let left = Shares(o.remaining().0 - size.0);
            if o.spec.oca_type.unwrap_or(1) >= 2 && left.0 > 0 {
                o.terms.total.0 -= size.0;
                o.spec.total_quantity = Some(o.terms.total.to_string());
                self.tell_open(other);
                self.tell_status(other);
            } else {
                self.end_order(other, "");
            }
        }
    }

    /// Tells an execution again, a cent worse: same number but for its last part.
    pub(super) fn correct(&mut self, index: usize) {
        let Some(old) = self.orders.execs.get_mut(index) else { return };
        old.superseded = true;
        let mut new = old.clone();
        let by = if new.buy { 10_000_000 } else { -10_000_000 };
        new.px += by;
        new.superseded = false;
        let version: u32 = new.exec_id.rsplit('.').next().and_then(|v| v.parse().ok()).unwrap_or(1);
        let cut = new.exec_id.len().saturating_sub(3);
        new.exec_id = format!("{}.{:02}", &new.exec_id[..cut], version + 1);
        self.account.amend_cash(new.inst, new.buy, new.size, price_f64(by));
        if let Some(order) = self.orders.get_mut(new.perm_id) {
            order.cost += i128::from(by) * i128::from(new.size.0);
            new.avg_price = order.avg_price();
        }
        self.orders.execs.push(new);
        let index = self.orders.execs.len() - 1;
        self.tell_exec(index);
        self.timer_in(self.config.commission_delay_ms, Timer::Commission(index));
    }
}
