//! A venue with its own books, a wire that loses, repeats and reorders, and order truth between.

use super::*;
use ijk_core::{ParentId, Side};
use ijk_core::{SnapshotItem, SnapshotKind, VenueOrderStatus};
use ijk_venue::rng::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};

const MS: u64 = 1_000_000;

fn truth() -> OrderTruth {
    let mut truth = OrderTruth::new(&VenueConfig::default(), true);
    truth.on_link(RecvTs(1), &LinkEvent::new(LinkKind::Up));
    drain(&mut truth);
    truth
}

fn drain(truth: &mut OrderTruth) -> Vec<Effect> {
    let mut effects = Vec::new();
    while let Some(effect) = truth.take(effects.len()) {
        effects.push(effect);
    }
    effects
}

fn order(id: u64, side: Side, qty: i64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId(id),
        qty: Qty(qty),
        px: Px(100),
        parent_id: ParentId(1),
        instrument: InstrumentId(0),
        side,
        order_type: OrderType::Limit,
        tif: TimeInForce::Day,
        reserved: [0; 7],
    }
}

#[derive(Clone, Copy)]
struct Theirs {
    order: NewOrder,
    filled: i64,
    status: VenueOrderStatus,
}

/// The venue's own books.
#[derive(Default)]
struct Model {
    orders: BTreeMap<u64, Theirs>,
    execs: Vec<(u64, u64, i64, bool)>,
    next_exec: u64,
}

impl Model {
    fn report(&self, id: u64, kind: ReportKind, qty: i64) -> VenueReport {
        let t = &self.orders[&id];
        let leaves = match t.status {
            VenueOrderStatus::Working => t.order.qty.0 - t.filled,
            _ => 0,
        };
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: ClientOrderId(id),
            venue_order_id: VenueOrderId(id),
            exec_id: ExecId(0),
            px: Px(if kind == ReportKind::Fill { 100 } else { 0 }),
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: 0,
            instrument: InstrumentId(0),
            reason: 0,
            kind,
            side: t.order.side,
            maker: 0,
            reserved: 0,
        }
    }

    fn accept(&mut self, order: &NewOrder) -> VenueReport {
        let id = order.client_order_id.0;
        let theirs = Theirs { order: *order, filled: 0, status: VenueOrderStatus::Working };
        assert!(self.orders.insert(id, theirs).is_none(), "an id was used twice");
        self.report(id, ReportKind::Ack, 0)
    }

    fn working(&self, id: u64) -> bool {
        self.orders.get(&id).is_some_and(|t| t.status == VenueOrderStatus::Working)
    }

    fn fill(&mut self, id: u64, qty: i64) -> VenueReport {
        self.next_exec += 1;
        let t = self.orders.get_mut(&id).unwrap();
        let qty = qty.min(t.order.qty.0 - t.filled);
        t.filled += qty;
        if t.filled == t.order.qty.0 {
            t.status = VenueOrderStatus::Filled;
        }
        self.execs.push((self.next_exec, id, qty, false));
        VenueReport { exec_id: ExecId(self.next_exec), ..self.report(id, ReportKind::Fill, qty) }
    }

    fn cancel(&mut self, id: u64) -> VenueReport {
        let t = self.orders.get_mut(&id).unwrap();
        t.status = VenueOrderStatus::Canceled;
        let rest = t.order.qty.0 - t.filled;
        self.report(id, ReportKind::Canceled, rest)
    }

    fn bust(&mut self, at: usize) -> Option<VenueReport> {
        let (exec, id, qty, busted) = self.execs.get_mut(at)?;
        if std::mem::replace(busted, true) {
            return None;
        }
        let (exec, id, qty) = (*exec, *id, *qty);
        let px = Px(100);
        Some(VenueReport { exec_id: ExecId(exec), px, ..self.report(id, ReportKind::Bust, qty) })
    }

    fn position(&self) -> i64 {
        let sign = |id: &u64| self.orders[id].order.side.sign();
        self.execs.iter().filter(|e| !e.3).map(|(_, id, qty, _)| sign(id) * qty).sum()
    }

    fn snapshot(&self, request_id: u64) -> Vec<SnapshotItem> {
        let mut items = vec![SnapshotItem::new(request_id, SnapshotKind::Begin)];
        for (exec, id, qty, busted) in &self.execs {
            let mut item = SnapshotItem::new(request_id, SnapshotKind::Execution);
            item.client_order_id = ClientOrderId(*id);
            (item.exec_id, item.qty, item.px) = (ExecId(*exec), Qty(*qty), Px(100));
            item.side = self.orders[id].order.side;
            if *busted {
                item.status = VenueOrderStatus::Canceled;
            }
            items.push(item);
        }
        for (id, t) in &self.orders {
            let mut item = SnapshotItem::new(request_id, SnapshotKind::Order);
            item.client_order_id = ClientOrderId(*id);
            (item.qty, item.filled, item.px) = (t.order.qty, Qty(t.filled), t.order.px);
            (item.side, item.status) = (t.order.side, t.status);
            if t.status == VenueOrderStatus::Working {
                item.leaves = Qty(t.order.qty.0 - t.filled);
            }
            items.push(item);
        }
        let mut item = SnapshotItem::new(request_id, SnapshotKind::Position);
        item.qty = Qty(self.position());
        items.push(item);
        let mut end = SnapshotItem::new(request_id, SnapshotKind::End);
        end.qty = Qty(items.len() as i64 - 1);
        items.push(end);
        items
    }
}

/// What the accounts behind order truth hear.
#[derive(Default)]
struct Heard {
    position: i64,
    execs: BTreeSet<u64>,
    busts: BTreeSet<u64>,
    absent: BTreeSet<u64>,
    rejected: BTreeSet<u64>,
    request: Option<u64>,
    faults: BTreeMap<u8, bool>,
}

impl Heard {
    fn take(&mut self, truth: &mut OrderTruth, now: RecvTs) {
        truth.on_time(now);
        for effect in drain(truth) {
            match effect {
                Effect::Report { report, .. } => self.report(&report),
                Effect::Request(r) => self.request = Some(r.request_id),
                Effect::Instrument { fault, set, .. } => {
                    self.faults.insert(fault as u8, set);
                }
                _ => {}
            }
        }
    }

    fn report(&mut self, r: &VenueReport) {
        match r.kind {
            ReportKind::Fill => {
                assert!(self.execs.insert(r.exec_id.0), "a fill was booked twice");
                self.position += r.side.sign() * r.qty.0;
            }
            ReportKind::Bust => {
                assert!(self.execs.contains(&r.exec_id.0), "busted what was never booked");
                assert!(self.busts.insert(r.exec_id.0), "a bust was booked twice");
                self.position -= r.side.sign() * r.qty.0;
            }
            ReportKind::Absent => {
                self.absent.insert(r.client_order_id.0);
            }
            ReportKind::Reject => {
                self.rejected.insert(r.client_order_id.0);
            }
            _ => {}
        }
    }
}

/// Reports under way: each is lost, repeated, or overtaken.
fn through_the_wire(rng: &mut SplitMix64, wire: &mut Vec<VenueReport>, report: VenueReport) {
    let dice = rng.next_u64() % 100;
    let copies = if dice < 15 { 0 } else { 1 + usize::from(dice >= 80) };
    for _ in 0..copies {
        let at = rng.next_u64() as usize % (wire.len() + 1);
        wire.insert(at, report);
    }
}

fn day(seed: u64) {
    let mut rng = SplitMix64::new(seed);
    let (mut truth, mut model, mut heard) = (truth(), Model::default(), Heard::default());
    let mut wire = Vec::new();
    let mut now = RecvTs(MS);
    let mut next_id = 1;
    let mut lost = BTreeSet::new();
    for _ in 0..120 {
        now = now.plus_ns(rng.next_u64() % (200 * MS));
        let some = 1 + rng.next_u64() % next_id;
        match rng.next_u64() % 8 {
            0 | 1 => {
                let side = if rng.next_u64().is_multiple_of(2) { Side::Bid } else { Side::Ask };
                let new = order(next_id, side, 1 + (rng.next_u64() % 500) as i64);
                truth.on_sent(now, &new);
                if rng.next_u64() % 10 < 2 {
                    lost.insert(next_id);
                } else {
                    let ack = model.accept(&new);
                    through_the_wire(&mut rng, &mut wire, ack);
                }
                next_id += 1;
            }
            2 | 3 if model.working(some) => {
                let fill = model.fill(some, 1 + (rng.next_u64() % 200) as i64);
                through_the_wire(&mut rng, &mut wire, fill);
            }
            4 if model.working(some) => {
                truth.on_cancel_sent(now, ClientOrderId(some));
                let end = model.cancel(some);
                through_the_wire(&mut rng, &mut wire, end);
            }
            5 if rng.next_u64().is_multiple_of(4) && !model.execs.is_empty() => {
                let at = rng.next_u64() as usize % model.execs.len();
                if let Some(bust) = model.bust(at) {
                    through_the_wire(&mut rng, &mut wire, bust);
                }
            }
            _ => {
                if let Some(report) = wire.pop() {
                    truth.on_report(now, &report);
                }
            }
        }
        heard.take(&mut truth, now);
        answer(&mut truth, &mut heard, &model, now, rng.next_u64() % 10);
    }
    for report in wire {
        truth.on_report(now, &report);
        heard.take(&mut truth, now);
    }
    for _ in 0..200 {
        now = now.plus_ns(500 * MS);
        heard.take(&mut truth, now);
        answer(&mut truth, &mut heard, &model, now, 0);
    }
    assert_eq!(heard.position, model.position(), "seed {seed}");
    let live: Vec<u64> = truth.table.live().iter().map(|e| e.id.0).collect();
    let theirs: Vec<u64> = model.orders.keys().copied().filter(|id| model.working(*id)).collect();
    assert_eq!(live, theirs, "seed {seed}");
    assert_eq!(truth.unknown_count(), 0, "seed {seed}");
    assert!(truth.is_reconciled(), "seed {seed}");
    assert!(heard.absent.iter().all(|id| lost.contains(id)), "seed {seed}: {:?}", heard.absent);
    assert!(heard.rejected.is_empty(), "nothing was rejected: seed {seed}");
    assert!(heard.faults.values().all(|set| !set), "seed {seed}: {:?}", heard.faults);
    let booked = |e: &(u64, u64, i64, bool)| heard.execs.contains(&e.0) || e.3;
    assert!(model.execs.iter().all(booked), "an execution was lost: seed {seed}");
    let busted = |e: &&(u64, u64, i64, bool)| e.3;
    assert!(model.execs.iter().filter(busted).all(|e| truth.is_busted(e.0)));
}

/// Lets the venue answer a request; now and then not, or without the last item.
fn answer(truth: &mut OrderTruth, heard: &mut Heard, model: &Model, now: RecvTs, dice: u64) {
    let Some(request_id) = heard.request.take() else { return };
    if dice == 1 {
        return;
    }
    let mut items = model.snapshot(request_id);
    if dice == 2 {
        let at = items.len() / 2;
        items.remove(at);
    }
    for item in items {
        let position = heard.position;
        truth.on_snapshot(now, &item, |i| if i.0 == 0 { position } else { 0 });
        heard.take(truth, now);
    }
}

#[test]
fn the_venues_books_win_whatever_the_wire_does() {
    (0..2_000).for_each(day);
}

#[test]
fn a_lost_order_is_unknown_until_two_answers_half_a_minute_apart() {
    let (mut truth, mut model, mut heard) = (truth(), Model::default(), Heard::default());
    let mut now = RecvTs(10 * MS);
    truth.on_sent(now, &order(1, Side::Bid, 100));
    heard.take(&mut truth, now);
    assert_eq!(truth.unknown_count(), 0);
    now = now.plus_ns(2_000 * MS);
    heard.take(&mut truth, now);
    assert_eq!(truth.unknown_count(), 1, "no answer for the timeout");
    let began = now;
    while heard.absent.is_empty() {
        answer(&mut truth, &mut heard, &model, now, 0);
        now = now.plus_ns(100 * MS);
        heard.take(&mut truth, now);
        assert!(now.since_ns(began) < 40_000 * MS, "resolved in the end");
    }
    assert!(now.since_ns(began) >= 30_000 * MS, "not before it was quiet for long enough");
    // It surfaces after all: counted, cancelled, looked into.
    let ack = model.accept(&order(1, Side::Bid, 100));
    truth.on_report(now, &ack);
    let effects = drain(&mut truth);
    let adopted = |e: &Effect| matches!(e, Effect::Adopt { leaves: Qty(100), .. });
    assert!(effects.iter().any(adopted), "{effects:?}");
    assert!(effects.iter().any(|e| matches!(e, Effect::Cancel(_))), "{effects:?}");
}

#[test]
fn a_broken_link_puts_what_was_under_way_in_doubt_and_stops_orders() {
    let mut truth = truth();
    truth.on_sent(RecvTs(MS), &order(1, Side::Bid, 100));
    truth.on_link(RecvTs(2 * MS), &LinkEvent::new(LinkKind::Down));
    let effects = drain(&mut truth);
    let blocked = |b: Block| effects.contains(&Effect::Account { block: b, set: true });
    assert!(blocked(Block::Link) && blocked(Block::Reconcile));
    assert_eq!(truth.unknown_count(), 1);
    truth.on_time(RecvTs(3_000 * MS));
    let asked = |e: &Effect| matches!(e, Effect::Request(_));
    assert!(!drain(&mut truth).iter().any(asked), "nobody to ask");
    truth.on_link(RecvTs(4_000 * MS), &LinkEvent::new(LinkKind::Up));
    assert!(drain(&mut truth).iter().any(asked));
    assert!(!truth.is_reconciled());
}

#[test]
fn an_order_of_ours_that_nobody_remembers_is_counted_and_cancelled() {
    let (mut truth, mut model, mut heard) = (truth(), Model::default(), Heard::default());
    let _ = model.accept(&order(77, Side::Ask, 50));
    heard.request = None;
    truth.ask(RecvTs(5 * MS));
    truth.on_time(RecvTs(5 * MS));
    truth.pending = None;
    truth.ask(RecvTs(6 * MS));
    truth.on_time(RecvTs(6 * MS));
    let request = drain(&mut truth).iter().rev().find_map(|e| match e {
        Effect::Request(r) => Some(r.request_id),
        _ => None,
    });
    let mut effects = Vec::new();
    for item in model.snapshot(request.unwrap()) {
        truth.on_snapshot(RecvTs(7 * MS), &item, |_| 0);
        effects.extend(drain(&mut truth));
    }
    assert!(effects.iter().any(|e| matches!(e, Effect::Cancel(c) if c.client_order_id.0 == 77)));
    assert_eq!(truth.live_count(), 1);
}

#[test]
fn ids_that_the_venue_has_seen_are_not_used() {
    let seen =
        |id: u64| LinkEvent { highest_seen: ClientOrderId(id), ..LinkEvent::new(LinkKind::Up) };
    let first = |epoch: u32| ClientOrderId::first_of(epoch).0;
    let blocked = |own: u32, sent: bool, highest: u64| {
        let mut truth = OrderTruth::new(&VenueConfig::default(), true);
        truth.set_epoch(own);
        if sent {
            truth.on_sent(RecvTs(1), &order(first(own), Side::Bid, 1));
        }
        truth.on_link(RecvTs(2), &seen(highest));
        drain(&mut truth).contains(&Effect::Account { block: Block::Operator, set: true })
    };
    assert!(!blocked(3, false, first(2) + 500), "ids of earlier starts");
    assert!(blocked(3, false, first(3)), "an id of this start before it sent any");
    assert!(!blocked(3, true, first(3)), "our own");
    assert!(blocked(3, true, first(4)), "a later start is, or was, about");
    assert!(!blocked(3, false, 0), "a venue that does not say");
}
