//! The sending thread: orders in turn, cancels before them, questions after the orders that were
//! decided before.

use super::build::{Refusal, build};
use super::shared::Shared;
use crate::bucket::Weight;
use crate::connection::GatewaySettings;
use crate::contracts::ContractTable;
use crate::identity::to_shares;
use ijk_core::{CancelOrder, NewOrder, Side, SnapshotRequest};
use rtrb::Consumer;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// Longest sleep; the kernel thread wakes the sender.
const SLEEP: Duration = Duration::from_millis(50);
/// Pause while the message budget is used up.
const PAUSE: Duration = Duration::from_millis(1);
/// An order that waited this long for the message budget is not sent any more: what was decided
/// then may not be right.
const ORDER_WAIT_MAX: Duration = Duration::from_millis(500);

/// A cancel waits longer: nothing that could leave instead matters more.
const CANCEL_WAIT_MAX: Duration = Duration::from_secs(2);

/// What the kernel wants; with the number of the link it was decided on.
#[derive(Clone, Copy, Debug)]
pub enum Command {
    /// A new order, and when the kernel let it go.
    Submit(u64, NewOrder, Instant),
    /// A cancel.
    Cancel(CancelOrder),
    /// A question for everything.
    Ask(u64, SnapshotRequest),
}

enum Waiting {
    Submit(u64, NewOrder, Instant),
    Ask(u64, SnapshotRequest),
}

/// The thread.
pub struct Sending {
    /// Common state.
    pub shared: Arc<Shared>,
    /// Message budget, outside-hours flag.
    pub settings: GatewaySettings,
    /// Contracts of the session.
    pub contracts: Arc<ContractTable>,
    /// Account that orders name.
    pub account: String,
    /// From the kernel.
    pub commands: Consumer<Command>,
    /// To the control thread.
    pub questions: Sender<SnapshotRequest>,
}

impl Sending {
    /// Runs until everything ends; what waits then is withdrawn.
    pub fn run(mut self) {
        let mut waiting: VecDeque<Waiting> = VecDeque::new();
        loop {
            self.shared.heartbeat.beat();
            while let Ok(command) = self.commands.pop() {
                self.sort(command, &mut waiting);
            }
            if self.shared.stopped() && self.commands.is_empty() {
                break;
            }
            if waiting.is_empty() {
                std::thread::park_timeout(SLEEP);
            } else if !self.advance(&mut waiting) {
                std::thread::sleep(PAUSE);
            }
        }
        for w in waiting {
            if let Waiting::Submit(_, order, _) = w {
                self.shared.withdraw(&order);
            }
        }
    }

    fn sort(&mut self, command: Command, waiting: &mut VecDeque<Waiting>) {
        match command {
            Command::Submit(link, order, since) => {
                waiting.push_back(Waiting::Submit(link, order, since));
            }
            Command::Ask(link, request) => waiting.push_back(Waiting::Ask(link, request)),
            Command::Cancel(cancel) => {
                let id = cancel.client_order_id;
                let is_it =
                    |w: &Waiting| matches!(w, Waiting::Submit(_, o, _) if o.client_order_id == id);
                match waiting.iter().position(is_it).and_then(|at| waiting.remove(at)) {
                    Some(Waiting::Submit(_, order, _)) => self.shared.withdraw(&order),
                    _ => self.cancel(cancel),
                }
            }
        }
    }

    /// Deals with the first in the queue; false where it has to wait.
    fn advance(&mut self, waiting: &mut VecDeque<Waiting>) -> bool {
        match waiting.front() {
            Some(Waiting::Submit(link, order, since)) => {
                let choked = self.shared.choked.load(Ordering::Acquire);
                if choked || !self.stands(*link) || since.elapsed() > ORDER_WAIT_MAX {
                    self.shared.withdraw(order);
                } else if self.settings.bucket.take(Weight::Other) {
                    self.submit(order);
                } else {
                    return false;
                }
            }
            Some(Waiting::Ask(link, request)) if self.stands(*link) => {
                // The control thread outlives this one.
                let _ = self.questions.send(*request);
            }
            Some(Waiting::Ask(..)) | None => {}
        }
        waiting.pop_front();
        true
    }

    fn stands(&self, link: u64) -> bool {
        self.shared.up.load(Ordering::Acquire) == link
    }

    fn submit(&self, order: &NewOrder) {
        let listed = self.contracts.get(order.instrument);
        let outside_rth = self.settings.config.outside_rth;
        let built = build(order, listed, &self.account, outside_rth);
        let built = match built {
            Ok(_) if self.lacks_shares(order) => Err(Refusal::NotLocated),
            built => built,
        };
        let built = match built {
            Ok(built) => built,
            Err(refusal) => {
                return self.shared.with(|ledger| ledger.refuse(order, refusal.code()));
            }
        };
        let (Some(listed), Some(client)) = (listed, self.shared.client()) else {
            return self.shared.withdraw(order);
        };
        let order_id = self.shared.with(|ledger| ledger.on_sending(order));
        match client.submit_order(order_id, &listed.contract, &built) {
            Ok(()) => {}
            // Refused before anything was written.
            Err(
                ibapi::Error::InvalidArgument(_)
                | ibapi::Error::OrderIdInRequestRange { .. }
                | ibapi::Error::ServerVersion(..),
            ) => self.shared.with(|ledger| ledger.on_not_sent(order)),
            // Bytes may have left: only the broker knows.
            Err(e) => self.shared.set_error(&format!("an order may not have left: {e}")),
        }
    }

    /// Returns whether an order sells short what cannot be borrowed at once, as far as is known.
    fn lacks_shares(&self, order: &NewOrder) -> bool {
        let Some(listed) = self.contracts.get(order.instrument) else { return false };
        let shares = to_shares(order.qty, listed.qty_unit_e9);
        let there = match self.settings.shorts.has(listed.con_id, shares) {
            Some(there) => there,
            None => !self.settings.config.require_located,
        };
        !there && order.side == Side::Ask && self.shared.with(|ledger| ledger.is_short_sale(order))
    }

    fn cancel(&self, cancel: CancelOrder) {
        let Some(client) = self.shared.client() else { return };
        let number = self.shared.with(|ledger| ledger.on_cancelling(cancel.client_order_id));
        let Some(order_id) = number else { return };
        if !self.settings.bucket.wait(Weight::Cancel, CANCEL_WAIT_MAX) {
            return self.shared.set_error("a cancel waited in vain for the message budget");
        }
        // What becomes of it comes on the order stream.
        if let Err(e) = client.cancel_order(order_id, "") {
            self.shared.set_error(&format!("a cancel may not have left: {e}"));
        }
    }
}
