//! Orders put aside (status Inactive), and shares to borrow for short sales.

use super::{Gateway, Timer};
use crate::codes;
use crate::contracts::Inst;
use crate::orders::terms::Refusal;
use crate::orders::{OrderFaults, Status, Terms};

/// How long shares are looked for where they are not at hand, milliseconds.
const LOCATE_MS: u64 = 2_000;
const NO_SHARES: &str = "The contract is not available for short sale.";

impl Gateway {
    /// How easily shares for a sale can be borrowed; `None` where it needs none.
    fn level_needed(&self, inst: Inst, terms: &Terms) -> Option<f64> {
        let held = self.account.position(inst).shares;
        let is_short = !terms.buy && held.0 < terms.total.0 && inst.option.is_none();
        is_short.then(|| self.faults.shortable(inst.stock))
    }

    /// Refuses a change or a question about a short sale that has no shares.
    pub(super) fn check_shares(&self, inst: Inst, terms: Terms) -> Result<Terms, Refusal> {
        match self.level_needed(inst, &terms) {
            Some(level) if level <= 1.5 => {
                Err((201, format!("Order rejected - reason:{NO_SHARES}")))
            }
            _ => Ok(terms),
        }
    }

    /// A short sale without shares is received and put aside at once; one whose shares must be
    /// located is held so long.
    pub(super) fn borrow_for(&self, inst: Inst, terms: &Terms, faults: &mut OrderFaults) {
        match self.level_needed(inst, terms) {
            Some(level) if level <= 1.5 => {
                faults.inactive_ms = Some(0);
                faults.reject = Some(201);
                faults.text = Some(NO_SHARES.to_string());
            }
            Some(level) if level <= 2.5 && faults.hold_ms.is_none() => {
                faults.hold_ms = Some(LOCATE_MS);
            }
            _ => {}
        }
    }

    /// Puts an order aside: it does not work any more, and is listed as it is.
    pub(super) fn put_aside(&mut self, perm: i64) {
        let Some(order) = self.orders.get_mut(perm).filter(|o| o.status.can_arrive()) else {
            return;
        };
        order.status = Status::Inactive;
        order.why_held = "";
        order.at_exchange = false;
        let (client_id, order_id, faults) = (order.client_id, order.order_id, order.faults.clone());
        self.tell_open(perm);
        self.tell_status(perm);
        if let Some(code) = faults.reject {
            let reason = faults.text.unwrap_or_else(|| "Simulated rejection".into());
            let text = match code {
                201 => format!("Order rejected - reason:{reason}"),
                _ => codes::text(code).to_string(),
            };
            self.tell_order_error(client_id, order_id, code, &text);
        }
        if let Some(ms) = faults.revive_ms {
            self.timer_in(ms, Timer::Revive(perm));
        }
    }

    /// An order put aside goes on its way.
    pub(super) fn revive(&mut self, perm: i64) {
        if let Some(order) = self.orders.get_mut(perm).filter(|o| o.status == Status::Inactive) {
            order.status = Status::PreSubmitted;
            self.tell_open(perm);
            self.tell_status(perm);
            self.timer_in(self.config.order_delay_ms, Timer::Arrive(perm));
        }
    }
}
