//! What one parent does, urgency by urgency, against a market that is written out.

use ijk_core::config::ExecutionConfig;
use ijk_core::record::{Level, ParentStatus, ScheduleKind, Urgency};
use ijk_core::*;
use ijk_execution::*;

const SECOND: u64 = 1_000_000_000;
const ONE: InstrumentId = InstrumentId(0);

struct Desk {
    engine: ExecutionEngine,
    out: IntentBuf,
    view: MarketView,
    exec: u64,
}

fn level(cents: i64) -> Level {
    Level { px: Px(cents * 10_000_000), qty: Qty(100) }
}

fn config() -> ExecutionConfig {
    ExecutionConfig {
        slice_interval_ms: 1_000,
        child_patience_ms: 2_000,
        child_qty_min: 1,
        participation_max: 1.0,
        risk_aversion_per_usd: [0.0, 0.0, 1e-2],
        pov_rate: 0.1,
        adaptive: false,
        ..ExecutionConfig::default()
    }
}

impl Desk {
    fn new(config: &ExecutionConfig) -> Desk {
        let instrument = Instrument::us_equity(Symbol::new("XYZ").unwrap());
        Desk {
            engine: ExecutionEngine::new(config, &[instrument]).unwrap(),
            out: IntentBuf::new(),
            view: MarketView {
                now: RecvTs(0),
                bid: level(1_000),
                ask: level(1_001),
                two_sided: true,
                volume_qty: 0,
                aggressive_qty: [0; 2],
                session_close_ns: u64::MAX,
            },
            exec: 0,
        }
    }

    fn start(
        &mut self,
        qty: i64,
        urgency: Urgency,
        horizon_s: u64,
    ) -> Result<ParentId, ParentError> {
        let spec = ParentSpec {
            instrument: ONE,
            side: Side::Bid,
            qty: Qty(qty),
            horizon_ns: horizon_s * SECOND,
            urgency,
            schedule: ScheduleKind::AlmgrenChriss,
            participation_e4: 0,
            decision_id: 4,
            source_line: 7,
        };
        self.view.volume_qty += 1_000_000;
        let id = self.engine.start_parent(self.view.now, &spec, &self.view);
        self.view.volume_qty += 1_000_000;
        id
    }

    fn at(&mut self, ms: u64) -> Vec<Intent> {
        self.view.now = RecvTs(ms * 1_000_000);
        self.out.clear();
        self.engine.on_market(ONE, &self.view, &mut self.out);
        for intent in self.out.iter() {
            if let Intent::New(order) = intent {
                self.engine.on_sent(&order);
            }
        }
        self.out.iter().collect()
    }

    /// The one new order of this moment.
    fn order_at(&mut self, ms: u64) -> NewOrder {
        match self.at(ms)[..] {
            [Intent::New(order)] => order,
            ref other => panic!("at {ms} ms: {other:?}"),
        }
    }

    fn cancel_at(&mut self, ms: u64) -> ClientOrderId {
        match self.at(ms)[..] {
            [Intent::Cancel(cancel)] => cancel.client_order_id,
            ref other => panic!("at {ms} ms: {other:?}"),
        }
    }

    fn say(
        &mut self,
        order: &NewOrder,
        kind: ReportKind,
        qty: i64,
        leaves: i64,
    ) -> Result<ReportEffect, ReportError> {
        let is_fill = kind == ReportKind::Fill;
        self.exec += u64::from(is_fill);
        let report = VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: order.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(if is_fill { self.exec } else { 0 }),
            px: if is_fill { order.px } else { Px(0) },
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: if is_fill { 5 } else { 0 },
            instrument: order.instrument,
            reason: 0,
            kind,
            side: order.side,
            maker: 0,
            reserved: 0,
        };
        self.engine.on_report(&report, &self.view)
    }

    fn fill(&mut self, order: &NewOrder) {
        self.say(order, ReportKind::Ack, 0, order.qty.0).unwrap();
        self.say(order, ReportKind::Fill, order.qty.0, 0).unwrap();
    }
}

#[test]
fn children_that_fill_at_once_add_up_to_twap() {
    let mut d = Desk::new(&config());
    let id = d.start(103, Urgency::Normal, 10).unwrap();
    let mut sent = Vec::new();
    for second in 0..10 {
        let order = d.order_at(second * 1_000);
        let crosses = second == 9;
        assert_eq!(order.tif, if crosses { TimeInForce::Ioc } else { TimeInForce::Day });
        assert_eq!(order.px, if crosses { d.view.ask.px } else { d.view.bid.px });
        assert_eq!(order.client_order_id.0, second + 1);
        sent.push(order.qty.0);
        d.fill(&order);
        assert!(d.at(second * 1_000 + 500).is_empty());
    }
    assert_eq!(sent, [10, 11, 10, 10, 11, 10, 10, 10, 11, 10]);
    let r = d.engine.parent(id).unwrap();
    assert_eq!((r.status, r.filled, r.fee_e9), (ParentStatus::Done, Qty(103), 50));
    assert!((r.filled_value - (93.0 * 10.0 + 10.0 * 10.01)).abs() < 1e-9);
    assert_eq!(d.engine.next_deadline(), None);
}

#[test]
fn urgent_parents_take_and_are_front_loaded() {
    let mut d = Desk::new(&config());
    d.start(1_000, Urgency::Urgent, 1_000).unwrap();
    let mut done = 0;
    for second in 0..100 {
        if let [Intent::New(order)] = d.at(second * 1_000)[..] {
            assert_eq!((order.tif, order.px), (TimeInForce::Ioc, d.view.ask.px));
            done += order.qty.0;
            d.fill(&order);
        }
    }
    assert!(done > 300, "a tenth of the time, {done} of 1000 done");
}

#[test]
fn an_unfilled_immediate_order_is_tried_again_after_a_pause() {
    let mut d = Desk::new(&config());
    d.start(10, Urgency::Urgent, 1).unwrap();
    let order = d.order_at(0);
    d.say(&order, ReportKind::Expired, 10, 0).unwrap();
    assert!(d.at(50).is_empty());
    assert_eq!(d.order_at(100).qty, Qty(10));
}

#[test]
fn passive_rests_follows_a_touch_that_left_and_crosses_at_the_end_only() {
    let mut d = Desk::new(&ExecutionConfig { slice_interval_ms: 100_000, ..config() });
    let id = d.start(10, Urgency::Passive, 20).unwrap();
    let first = d.order_at(0);
    d.say(&first, ReportKind::Ack, 0, 10).unwrap();
    d.view.bid = level(1_000);
    assert!(d.at(5_000).is_empty(), "at the touch it keeps its place");
    d.view.ask = level(1_003);
    d.view.bid = level(1_002);
    assert!(d.at(6_000).is_empty());
    assert!(d.at(7_999).is_empty());
    assert_eq!(d.cancel_at(8_000), first.client_order_id);
    assert!(d.at(8_500).is_empty(), "one cancel at a time");
    d.say(&first, ReportKind::Canceled, 10, 0).unwrap();
    let second = d.order_at(8_600);
    assert_eq!((second.px, second.tif), (level(1_002).px, TimeInForce::Day));
    d.say(&second, ReportKind::Ack, 0, 10).unwrap();
    d.say(&second, ReportKind::Fill, 4, 6).unwrap();
    assert!(d.at(17_999).is_empty());
    assert_eq!(d.engine.next_deadline(), Some(RecvTs(18 * SECOND)));
    assert_eq!(d.cancel_at(18_000), second.client_order_id);
    d.say(&second, ReportKind::Canceled, 6, 0).unwrap();
    let last = d.order_at(18_001);
    assert_eq!((last.px, last.tif, last.qty), (level(1_003).px, TimeInForce::Ioc, Qty(6)));
    d.say(&last, ReportKind::Expired, 6, 0).unwrap();
    d.view.two_sided = false;
    assert!(d.at(19_000).is_empty(), "no price, no order");
    assert!(d.at(20_000).is_empty());
    let r = d.engine.parent(id).unwrap();
    assert_eq!((r.filled, r.abandoned, r.status), (Qty(4), Qty(6), ParentStatus::Abandoned));
    assert_eq!(d.engine.abandon_reason(id), Some(AbandonReason::Horizon));
}

#[test]
fn normal_crosses_once_it_was_behind_for_the_patience() {
    let mut d = Desk::new(&ExecutionConfig { slice_interval_ms: 100_000, ..config() });
    d.start(10, Urgency::Normal, 100).unwrap();
    let first = d.order_at(0);
    d.say(&first, ReportKind::Ack, 0, 10).unwrap();
    assert!(d.at(1).is_empty());
    assert!(d.at(2_000).is_empty());
    assert_eq!(d.cancel_at(2_001), first.client_order_id);
    // It fills on the way: what is ahead of the schedule rests again.
    d.say(&first, ReportKind::Fill, 3, 7).unwrap();
    d.say(&first, ReportKind::Canceled, 7, 0).unwrap();
    assert_eq!(d.order_at(2_002).tif, TimeInForce::Day);
}

#[test]
fn the_participation_cap_holds_and_the_rest_is_given_up() {
    let mut d =
        Desk::new(&ExecutionConfig { participation_max: 0.1, child_qty_min: 20, ..config() });
    let id = d.start(1_000, Urgency::Urgent, 10).unwrap();
    d.view.volume_qty -= 1_000_000;
    let mut filled = 0;
    for step in 0..100 {
        for intent in d.at(step * 100) {
            if let Intent::New(order) = intent {
                d.fill(&order);
                filled += order.qty.0;
            }
        }
        let traded = step as i64 * 40;
        d.view.volume_qty += 40;
        assert!(filled as f64 <= 20.0 + 0.1 * traded as f64, "{filled} of {traded}");
    }
    assert!(filled > 300);
    d.at(10_000);
    assert_eq!(d.engine.abandon_reason(id), Some(AbandonReason::ParticipationCap));
}

#[test]
fn refused_children_come_back_ever_more_slowly() {
    let mut d = Desk::new(&config());
    let id = d.start(10, Urgency::Urgent, 100).unwrap();
    let mut refused = Vec::new();
    for ms in (0..100_000).step_by(10) {
        d.view.now = RecvTs(ms * 1_000_000);
        d.out.clear();
        d.engine.on_market(ONE, &d.view, &mut d.out);
        if let Some(Intent::New(order)) = d.out.get(0) {
            d.engine.on_refused(&order);
            refused.push(ms);
        }
    }
    assert!((4..=9).contains(&refused.len()), "{refused:?}");
    assert_eq!(d.engine.parent(id).unwrap().unsent, Qty(10));
}

#[test]
fn limits_of_a_child_split_the_parent() {
    let mut d = Desk::new(&ExecutionConfig { child_qty_min: 20, ..config() });
    d.engine.set_child_limits(Qty(1_000), 5_000.0);
    let id = d.start(1_200, Urgency::Urgent, 1).unwrap();
    for ms in [0, 100, 200] {
        let order = d.order_at(ms);
        // 5,000 dollars at a bid of 10.00.
        assert!(order.qty.0 <= 500);
        d.fill(&order);
    }
    assert_eq!(d.engine.parent(id).unwrap().status, ParentStatus::Done);
}

#[test]
fn what_contradicts_is_an_error_and_accounts_stay_right() {
    let mut d = Desk::new(&config());
    let id = d.start(10, Urgency::Urgent, 1).unwrap();
    let order = d.order_at(0);
    let stranger = NewOrder { client_order_id: ClientOrderId(77), ..order };
    let mirrored = NewOrder { side: Side::Ask, ..order };
    use ReportKind::*;
    assert!(matches!(d.say(&stranger, Ack, 0, 10), Err(ReportError::UnknownOrder(_))));
    assert!(matches!(d.say(&mirrored, Ack, 0, 10), Err(ReportError::Mismatch(_))));
    assert!(matches!(d.say(&order, Fill, 0, 10), Err(ReportError::BadFill(_))));
    let free = NewOrder { px: Px(0), ..order };
    assert!(matches!(d.say(&free, Fill, 1, 9), Err(ReportError::BadFill(_))));
    assert_eq!(d.engine.parent(id).unwrap().working, Qty(10));
    let over = d.say(&order, Fill, 15, 0);
    let expected = ReportError::Overfill { order: order.client_order_id, applied: 10, excess: 5 };
    assert_eq!(over, Err(expected));
    assert!(matches!(d.say(&order, Canceled, 3, 0), Err(ReportError::Illegal { .. })));
    let r = d.engine.parent(id).unwrap();
    assert_eq!((r.filled, r.working, r.abandoned), (Qty(10), Qty(0), Qty(0)));

    let id = d.start(100, Urgency::Urgent, 2).unwrap();
    let order = d.order_at(1);
    let all = order.qty.0;
    let too_many = d.say(&order, Canceled, all + 1, 0);
    assert!(matches!(too_many, Err(ReportError::BadQuantity { .. })));
    assert_eq!(d.engine.parent(id).unwrap().unsent, Qty(100));
    // Reported after the cancel that claimed all of it: still counted.
    assert_eq!(d.say(&order, Fill, 5, 0).unwrap().filled, Qty(5));
    assert_eq!(d.engine.parent(id).unwrap().unsent, Qty(95));
    // More than the order was: counted as far as the parent has room, and nothing more is sent.
    assert!(matches!(d.say(&order, Fill, all, 0), Err(ReportError::Overfill { excess: 0, .. })));
    let r = *d.engine.parent(id).unwrap();
    assert_eq!((r.filled.0, r.unsent.0), (5 + all, 0));
    assert_eq!(d.engine.abandon_reason(id), Some(AbandonReason::Overfill));
    assert!(d.at(1_000).is_empty());
}

#[test]
fn parents_that_cannot_start_say_why() {
    let mut d = Desk::new(&config());
    assert!(matches!(d.start(0, Urgency::Normal, 1), Err(ParentError::Quantity { .. })));
    assert!(matches!(d.start(i64::MAX, Urgency::Normal, 1), Err(ParentError::Quantity { .. })));
    assert_eq!(d.start(1, Urgency::Normal, 0), Err(ParentError::Horizon));
    d.view.two_sided = false;
    assert_eq!(d.start(1, Urgency::Normal, 1), Err(ParentError::NoBook));
    d.view.two_sided = true;
    d.view.session_close_ns = 600 * SECOND;
    assert_eq!(d.start(1, Urgency::Normal, 1), Err(ParentError::TooCloseToEnd));
    d.view.session_close_ns = 601 * SECOND;
    let id = d.start(1, Urgency::Normal, 9_999).unwrap();
    assert_eq!(d.engine.parent(id).unwrap().ts_end, RecvTs(601 * SECOND));
    for _ in 1..ijk_core::limits::PARENT_COUNT_MAX {
        d.start(1, Urgency::Passive, 5).unwrap();
    }
    assert_eq!(d.start(1, Urgency::Normal, 1), Err(ParentError::Full));
    d.engine.stop_all(&mut d.out);
    assert_eq!(d.start(1, Urgency::Normal, 1), Err(ParentError::Stopped));
    d.engine.resume();
    let mut count = 0;
    d.engine.drain_changes(|_| count += 1);
    assert_eq!(count, ijk_core::limits::PARENT_COUNT_MAX);
    d.start(1, Urgency::Normal, 1).unwrap();
}

#[test]
fn open_orders_stay_within_the_limit_and_stop_all_cancels_every_one() {
    let mut d = Desk::new(&ExecutionConfig { slice_interval_ms: 1_000_000, ..config() });
    for _ in 0..400 {
        d.start(1, Urgency::Passive, 1_000).unwrap();
    }
    let mut sent = 0;
    for ms in 0..5 {
        sent += d.at(ms * 1_000).len();
    }
    assert_eq!(sent, ijk_core::limits::OPEN_ORDER_COUNT_MAX);
    assert_eq!(d.engine.open_order_count(), sent);
    let mut canceled = 0;
    for ms in 0..3 {
        d.out.clear();
        d.engine.stop_all(&mut d.out);
        canceled += d.out.len();
        canceled += d.at(5_000 + ms).len();
    }
    assert_eq!(canceled, sent, "each once");
}

#[test]
fn settings_out_of_range_are_named() {
    let instrument = Instrument::us_equity(Symbol::new("XYZ").unwrap());
    let bad = [
        (
            "risk_aversion_per_usd",
            ExecutionConfig { risk_aversion_per_usd: [0.0, f64::NAN, 0.0], ..config() },
        ),
        ("temporary_impact", ExecutionConfig { temporary_impact: 0.0, ..config() }),
        ("daily_volatility_bps", ExecutionConfig { daily_volatility_bps: -1.0, ..config() }),
        ("daily_volume_qty", ExecutionConfig { daily_volume_qty: 0, ..config() }),
        ("slice_interval_ms", ExecutionConfig { slice_interval_ms: 0, ..config() }),
        ("child_qty_min", ExecutionConfig { child_qty_min: 0, ..config() }),
        ("participation_max", ExecutionConfig { participation_max: 1.1, ..config() }),
        ("child_patience_ms", ExecutionConfig { child_patience_ms: 0, ..config() }),
    ];
    for (name, c) in bad {
        let error = ExecutionEngine::new(&c, &[instrument]).unwrap_err();
        assert!(matches!(error, ExecutionConfigError::Range { key, .. } if key == name), "{error}");
    }
    let broken = Instrument { lot: Qty(0), ..instrument };
    let error = ExecutionEngine::new(&config(), &[instrument, broken]).unwrap_err();
    assert_eq!(error, ExecutionConfigError::Instrument(InstrumentId(1)));
    let many = vec![instrument; 65];
    let error = ExecutionEngine::new(&config(), &many).unwrap_err();
    assert_eq!(error, ExecutionConfigError::InstrumentCount(65));
}
