//! The outbox: an order leaves when its intent is on the device, and after a last look.
//!
//! Orders of a venue that outlives the process wait here until the journal's durable mark has
//! passed their record: after a crash every order that can exist is written down. Cancels never
//! wait. What must not leave any more (a kill, a broken link, a cancel, old age) is withdrawn, and
//! the kernel is told that it never left.

use crate::canary::{Bug, planted};
use ijk_core::config::{OutboxMode, RiskConfig, VenueConfig};
use ijk_core::limits::OPEN_ORDER_COUNT_MAX;
use ijk_core::order::REASON_EGRESS;
use ijk_core::{
    Block, CancelOrder, ExchTs, Instrument, InstrumentId, LinkKind, MarketEvent, NewOrder,
    ParentId, Px, Qty, RecvTs, SnapshotRequest, VenueReport,
};
use ijk_risk::{Approved, EgressGate, RiskCode};
use ijk_venue::{Venue, VenueMessage};
use std::collections::VecDeque;
use zerocopy::IntoBytes;

/// Reason of an order withdrawn for any other cause.
pub const REASON_WITHDRAWN: u16 = 999;

struct Waiting {
    seq: u64,
    since: RecvTs,
    order: Approved<NewOrder>,
}

/// What the outbox did; for telemetry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// Orders handed to the venue.
    pub sent: u64,
    /// Orders withdrawn.
    pub withdrawn: u64,
    /// Orders the last check refused.
    pub refused: u64,
    /// Longest wait for the journal, nanoseconds of the kernel's time.
    pub wait_ns_max: u64,
}

/// A venue behind its outbox.
pub struct Outbox<V: Venue> {
    venue: V,
    egress: EgressGate,
    strict: bool,
    age_max_ns: u64,
    waiting: VecDeque<Waiting>,
    withdrawn: VecDeque<VenueReport>,
    /// A request for the venue's account that follows the order of this record.
    asked: Option<(u64, SnapshotRequest)>,
    counts: OutboxCounts,
}

impl<V: Venue> Outbox<V> {
    /// Puts `venue` behind an outbox.
    pub fn new(
        venue: V,
        settings: &VenueConfig,
        risk: &RiskConfig,
        instruments: &[Instrument],
    ) -> Outbox<V> {
        let strict = venue.outlives_process() && settings.outbox == OutboxMode::Strict;
        Outbox {
            venue,
            egress: EgressGate::new(risk, instruments),
            strict,
            age_max_ns: settings.intent_age_max_ms.saturating_mul(1_000_000),
            waiting: VecDeque::with_capacity(2 * OPEN_ORDER_COUNT_MAX),
            withdrawn: VecDeque::with_capacity(2 * OPEN_ORDER_COUNT_MAX),
            asked: None,
            counts: OutboxCounts::default(),
        }
    }

    /// Takes over lower limits for the last check.
    pub fn tighten(&mut self, risk: &RiskConfig) {
        self.egress.tighten(risk);
    }

    /// Takes an order whose intent is record `seq` of the journal.
    pub fn submit(&mut self, now: RecvTs, seq: u64, order: Approved<NewOrder>) {
        if self.strict && !planted(Bug::SendBeforeDurable) {
            self.waiting.push_back(Waiting { seq, since: now, order });
        } else {
            self.send(now, order, false);
        }
    }

    /// Lets every order leave whose record is below the durable mark.
    pub fn release(&mut self, now: RecvTs, durable_seq: u64) {
        while self.waiting.front().is_some_and(|w| w.seq < durable_seq) {
            let Some(w) = self.waiting.pop_front() else { return };
            let waited = now.since_ns(w.since);
            self.counts.wait_ns_max = self.counts.wait_ns_max.max(waited);
            if waited > self.age_max_ns {
                // What was decided then may not be right any more.
                self.withdraw(now, &w.order.into_inner(), REASON_WITHDRAWN);
            } else {
                self.send(now, w.order, waited > 0);
            }
        }
        self.ask_in_turn(now);
    }

    fn send(&mut self, now: RecvTs, order: Approved<NewOrder>, waited: bool) {
        let mut bytes = [0u8; size_of::<NewOrder>()];
        bytes.copy_from_slice(order.get().as_bytes());
        match self.egress.check(now, &bytes) {
            Ok(()) => {
                self.counts.sent += 1;
                self.venue.submit(now, order);
            }
            Err(code) => {
                self.counts.refused += 1;
                self.withdraw(now, &order.into_inner(), egress_reason(code, waited));
            }
        }
    }

    /// Sends a cancel at once, and keeps its order from leaving if it has not left.
    pub fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        let id = cancel.client_order_id;
        let at = self.waiting.iter().position(|w| w.order.get().client_order_id == id);
        match at.and_then(|at| self.waiting.remove(at)) {
            Some(w) => {
                self.withdraw(now, w.order.get(), REASON_WITHDRAWN);
                if planted(Bug::WithdrawnLeaves) {
                    self.venue.submit(now, w.order);
                }
            }
            None => self.venue.cancel(now, cancel),
        }
    }

    /// Keeps everything that has not left from leaving.
    pub fn withdraw_all(&mut self, now: RecvTs) {
        while let Some(w) = self.waiting.pop_front() {
            self.withdraw(now, &w.order.into_inner(), REASON_WITHDRAWN);
        }
    }

    fn withdraw(&mut self, now: RecvTs, order: &NewOrder, reason: u16) {
        self.counts.withdrawn += 1;
        self.withdrawn.push_back(VenueReport::absent(ExchTs(now.0), order, reason));
    }

    /// Returns the next message: what was withdrawn here first, then the venue's own.
    pub fn poll(&mut self, now: RecvTs) -> Option<(RecvTs, VenueMessage)> {
        if let Some(report) = self.withdrawn.pop_front() {
            return Some((now, VenueMessage::Report(report)));
        }
        let (due, message) = self.venue.poll(now)?;
        match &message {
            VenueMessage::Link(event) => {
                self.on_block(now, Block::Link, event.kind == LinkKind::Down);
            }
            VenueMessage::Report(_) | VenueMessage::Snapshot(_) => {}
        }
        Some((due, message))
    }

    /// Returns when something next happens at the venue by itself, or at once where something
    /// was withdrawn.
    pub fn next_due(&self, now: RecvTs) -> Option<RecvTs> {
        if self.withdrawn.is_empty() { self.venue.next_due() } else { Some(now) }
    }

    /// The kill switch: nothing waits, nothing leaves any more.
    pub fn kill(&mut self, now: RecvTs) {
        self.egress.kill();
        self.withdraw_all(now);
    }

    /// Tells the last check of a block, set or lifted.
    pub fn on_block(&mut self, now: RecvTs, block: Block, set: bool) {
        if set {
            self.egress.block(block);
            self.withdraw_all(now);
        } else {
            self.egress.unblock(block);
        }
    }

    /// Tells the last check what a parent may have outstanding in all.
    pub fn on_parent(&mut self, parent: ParentId, qty: Qty) {
        // A total that changed refuses the parent's children when they come.
        self.egress.on_parent(parent, qty);
    }

    /// Tells the last check what became of an order: what the core booked, each fact once.
    pub fn on_booked(&mut self, report: &VenueReport) {
        self.egress.on_report(report);
    }

    /// Tells the last check where the market is.
    pub fn on_mark(&mut self, now: RecvTs, instrument: InstrumentId, mid: f64) {
        if let Some(mid) = Px::from_f64(mid) {
            self.egress.on_mark(now, instrument, mid);
        }
    }

    /// Passes a market record to the venue.
    pub fn on_market(&mut self, ev: &MarketEvent) {
        self.venue.on_market(ev);
    }

    /// Asks the venue for its account, after every order that was decided before: an answer that
    /// does not list one of them means something.
    pub fn request_snapshot(&mut self, now: RecvTs, request: SnapshotRequest) {
        self.asked = Some((self.waiting.back().map_or(0, |w| w.seq), request));
        self.ask_in_turn(now);
    }

    fn ask_in_turn(&mut self, now: RecvTs) {
        let Some((seq, request)) = self.asked else { return };
        if self.waiting.front().is_none_or(|w| w.seq > seq) {
            self.asked = None;
            self.venue.request_snapshot(now, request);
        }
    }

    /// Lets the venue's own time pass.
    pub fn advance(&mut self, to: RecvTs) {
        self.venue.advance(to);
    }

    /// Ends the venue's session.
    pub fn finish(&mut self, now: RecvTs) {
        self.venue.finish(now);
    }

    /// Returns how long the oldest order has waited for the journal, nanoseconds.
    pub fn oldest_wait_ns(&self, now: RecvTs) -> u64 {
        self.waiting.front().map_or(0, |w| now.since_ns(w.since))
    }

    /// Returns whether orders at the venue outlive this process.
    pub fn outlives_process(&self) -> bool {
        self.venue.outlives_process()
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> OutboxCounts {
        self.counts
    }

    /// Returns the venue.
    pub fn venue_mut(&mut self) -> &mut V {
        &mut self.venue
    }
}

/// Returns the reason that the kernel hears. What the gate let pass and the last check refuses is a
/// contradiction, unless something happened in between: a kill, a block, or a market that moved
/// while the order waited.
fn egress_reason(code: RiskCode, waited: bool) -> u16 {
    use RiskCode::{Killed, MissingMark, OrderNotional, PriceCollar, StaleQuote};
    let moved = matches!(code, MissingMark | OrderNotional | PriceCollar | StaleQuote);
    let stopped = code == Killed || Block::ALL.iter().any(|b| RiskCode::of_block(*b) == code);
    if stopped || (waited && moved) { REASON_WITHDRAWN } else { REASON_EGRESS + code as u16 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::record::Level;
    use ijk_core::{ClientOrderId, OrderType, Side, Symbol, TimeInForce};
    use ijk_risk::{Gate, Quote};

    /// Notes what reaches it.
    #[derive(Default)]
    struct Noted {
        wire: Vec<String>,
    }

    impl Venue for Noted {
        fn outlives_process(&self) -> bool {
            true
        }
        fn on_market(&mut self, _: &MarketEvent) {}
        fn submit(&mut self, _: RecvTs, order: Approved<NewOrder>) {
            self.wire.push(format!("new {}", order.get().client_order_id.0));
        }
        fn cancel(&mut self, _: RecvTs, cancel: CancelOrder) {
            self.wire.push(format!("cancel {}", cancel.client_order_id.0));
        }
        fn request_snapshot(&mut self, _: RecvTs, request: SnapshotRequest) {
            self.wire.push(format!("ask {}", request.request_id));
        }
        fn advance(&mut self, _: RecvTs) {}
        fn next_due(&self) -> Option<RecvTs> {
            None
        }
        fn poll(&mut self, _: RecvTs) -> Option<(RecvTs, VenueMessage)> {
            None
        }
        fn finish(&mut self, _: RecvTs) {}
    }

    struct Rig {
        gate: Gate,
        outbox: Outbox<Noted>,
        next_id: u64,
    }

    const NOW: RecvTs = RecvTs(1_000_000_000);

    impl Rig {
        fn new() -> Rig {
            let risk = RiskConfig::simulation();
            let table = [Instrument::us_equity(Symbol::new("T").unwrap())];
            let venue = VenueConfig::default();
            let mut outbox = Outbox::new(Noted::default(), &venue, &risk, &table);
            outbox.on_mark(NOW, InstrumentId(0), 100.5);
            outbox.on_parent(ParentId(1), Qty(1_000));
            Rig { gate: Gate::new(&risk, &table).unwrap(), outbox, next_id: 1 }
        }

        fn submit(&mut self, seq: u64, qty: i64) {
            let order = NewOrder {
                client_order_id: ClientOrderId(self.next_id),
                qty: Qty(qty),
                px: Px(100_000_000_000 + 10_000_000 * self.next_id as i64),
                parent_id: ParentId(1),
                instrument: InstrumentId(0),
                side: Side::Bid,
                order_type: OrderType::Limit,
                tif: TimeInForce::Day,
                reserved: [0; 7],
            };
            self.next_id += 1;
            let level = |dollars: i64| Level { px: Px(dollars * 1_000_000_000), qty: Qty(100) };
            let quote = Quote { bid: level(100), ask: level(101), ts: NOW, trusted: true };
            let approved = self.gate.check(NOW, order, &quote).unwrap();
            self.outbox.submit(NOW, seq, approved);
        }

        fn wire(&mut self) -> Vec<String> {
            std::mem::take(&mut self.outbox.venue_mut().wire)
        }

        fn withdrawn(&mut self) -> Vec<(u64, u16)> {
            let mut found = Vec::new();
            while let Some((_, VenueMessage::Report(r))) = self.outbox.poll(NOW) {
                assert_eq!(r.kind, ijk_core::ReportKind::Absent);
                found.push((r.client_order_id.0, r.reason));
            }
            found
        }
    }

    fn cancel(id: u64) -> CancelOrder {
        CancelOrder {
            client_order_id: ClientOrderId(id),
            instrument: InstrumentId(0),
            reserved: [0; 6],
        }
    }

    #[test]
    fn an_order_leaves_when_its_record_is_on_the_device_and_not_before() {
        let mut rig = Rig::new();
        rig.submit(10, 100);
        rig.submit(20, 100);
        rig.outbox.release(NOW, 10);
        assert!(rig.wire().is_empty(), "record 10 is the eleventh");
        rig.outbox.release(NOW, 11);
        assert_eq!(rig.wire(), ["new 1"]);
        rig.outbox.release(NOW, 21);
        assert_eq!(rig.wire(), ["new 2"]);
        assert!(rig.withdrawn().is_empty());
    }

    #[test]
    fn a_cancel_never_waits_and_keeps_its_order_from_leaving() {
        let mut rig = Rig::new();
        rig.submit(10, 100);
        rig.outbox.cancel(NOW, cancel(1));
        rig.outbox.cancel(NOW, cancel(7));
        rig.outbox.release(NOW, 100);
        assert_eq!(rig.wire(), ["cancel 7"]);
        assert_eq!(rig.withdrawn(), [(1, REASON_WITHDRAWN)]);
    }

    #[test]
    fn old_intents_broken_links_and_kills_withdraw() {
        let mut rig = Rig::new();
        rig.submit(10, 100);
        rig.outbox.release(NOW.plus_ns(1_000_000_001), 11);
        assert_eq!(rig.withdrawn(), [(1, REASON_WITHDRAWN)], "decided a second ago");
        rig.submit(12, 100);
        rig.outbox.on_block(NOW, Block::Link, true);
        assert_eq!(rig.withdrawn(), [(2, REASON_WITHDRAWN)]);
        rig.outbox.on_block(NOW, Block::Link, false);
        rig.submit(14, 100);
        rig.outbox.kill(NOW);
        assert_eq!(rig.withdrawn(), [(3, REASON_WITHDRAWN)]);
        rig.submit(16, 100);
        rig.outbox.release(NOW, 17);
        assert_eq!(rig.withdrawn(), [(4, REASON_WITHDRAWN)]);
        assert!(rig.wire().is_empty());
    }

    #[test]
    fn the_last_check_refuses_what_exceeds_the_parent() {
        let mut rig = Rig::new();
        rig.submit(1, 900);
        rig.submit(2, 200);
        rig.outbox.release(NOW, 3);
        assert_eq!(rig.wire(), ["new 1"]);
        let withdrawn = rig.withdrawn();
        assert_eq!(withdrawn.len(), 1);
        assert!(withdrawn[0].1 >= REASON_EGRESS, "{withdrawn:?}");
        assert_eq!(rig.outbox.counts().refused, 1);
    }

    #[test]
    fn the_account_is_asked_for_after_the_orders_decided_before() {
        let mut rig = Rig::new();
        rig.submit(10, 100);
        rig.outbox.request_snapshot(NOW, SnapshotRequest { request_id: 5 });
        rig.submit(12, 100);
        assert!(rig.wire().is_empty());
        rig.outbox.release(NOW, 11);
        assert_eq!(rig.wire(), ["new 1", "ask 5"]);
        rig.outbox.release(NOW, 13);
        assert_eq!(rig.wire(), ["new 2"]);
    }
}
