//! What an adaptive parent does when the market is no longer what its plan assumed.

use ijk_core::config::ExecutionConfig;
use ijk_core::record::{Level, ScheduleKind, Urgency};
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

fn config() -> ExecutionConfig {
    ExecutionConfig {
        slice_interval_ms: 10_000,
        child_qty_min: 1,
        participation_max: 1.0,
        reprices_per_minute_max: 6,
        ..ExecutionConfig::default()
    }
}

impl Desk {
    fn new(config: &ExecutionConfig) -> Desk {
        let instrument = Instrument::us_equity(Symbol::new("XYZ").unwrap());
        let level = |cents: i64| Level { px: Px(cents * 10_000_000), qty: Qty(400) };
        let mut desk = Desk {
            engine: ExecutionEngine::new(config, &[instrument]).unwrap(),
            out: IntentBuf::new(),
            view: MarketView {
                now: RecvTs(0),
                bid: level(10_000),
                ask: level(10_004),
                two_sided: true,
                volume_qty: 0,
                aggressive_qty: [0; 2],
                session_close_ns: u64::MAX,
            },
            exec: 0,
        };
        // A minute of an even market.
        desk.run(60, |_| {});
        desk
    }

    /// Runs `seconds` of market in steps of 100 ms: 2 shares trade in each, bought and sold in
    /// turn, and the mid wiggles by a cent. Returns what was wanted.
    fn run(&mut self, seconds: u64, mut change: impl FnMut(&mut MarketView)) -> Vec<Intent> {
        let mut wanted = Vec::new();
        for _ in 0..seconds * 10 {
            self.view.now.0 += SECOND / 10;
            let step = self.view.now.0 / (SECOND / 10);
            self.view.volume_qty += 20;
            self.view.aggressive_qty[step as usize % 2] += 20;
            let wiggle = if step.is_multiple_of(2) { 1 } else { -1 };
            self.view.ask.px.0 += wiggle * 10_000_000;
            change(&mut self.view);
            self.out.clear();
            self.engine.on_market(ONE, &self.view, &mut self.out);
            let intents: Vec<Intent> = self.out.iter().collect();
            for intent in intents {
                match intent {
                    Intent::New(order) => {
                        self.engine.on_sent(&order);
                        self.report(&order, ReportKind::Ack, 0, order.qty.0);
                    }
                    Intent::Cancel(_) => {}
                }
            }
            wanted.extend(self.out.iter());
        }
        wanted
    }

    fn start(
        &mut self,
        qty: i64,
        kind: ScheduleKind,
        urgency: Urgency,
        horizon_s: u64,
    ) -> ParentId {
        let spec = ParentSpec {
            instrument: ONE,
            side: Side::Bid,
            qty: Qty(qty),
            horizon_ns: horizon_s * SECOND,
            urgency,
            schedule: kind,
            participation_e4: 0,
            decision_id: 0,
            source_line: 0,
        };
        self.engine.start_parent(self.view.now, &spec, &self.view).unwrap()
    }

    fn report(&mut self, order: &NewOrder, kind: ReportKind, qty: i64, leaves: i64) {
        self.exec += 1;
        let is_fill = kind == ReportKind::Fill;
        let report = VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: order.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(if is_fill { self.exec } else { 0 }),
            px: if is_fill { order.px } else { Px(0) },
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: 0,
            instrument: ONE,
            reason: 0,
            kind,
            side: order.side,
            maker: 0,
            reserved: 0,
        };
        self.engine.on_report(&report, &self.view).unwrap();
    }

    fn replans(&self, id: ParentId) -> u8 {
        self.engine.parent(id).unwrap().replan_count
    }
}

fn news(intents: &[Intent]) -> Vec<NewOrder> {
    let order = |i: &Intent| match i {
        Intent::New(o) => Some(*o),
        Intent::Cancel(_) => None,
    };
    intents.iter().filter_map(order).collect()
}

#[test]
fn an_even_market_is_never_planned_anew_and_a_changed_one_once() {
    let mut d = Desk::new(&config());
    let id = d.start(10_000, ScheduleKind::AlmgrenChriss, Urgency::Passive, 3_000);
    d.run(300, |_| {});
    assert_eq!(d.replans(id), 0);
    // The book empties to a fifth and stays so: one new plan while the average passes half, one
    // more at a fourth, then the market is what the plan assumes.
    d.run(600, |v| {
        v.bid.qty = Qty(80);
        v.ask.qty = Qty(80);
    });
    let after = d.replans(id);
    assert!((1..=3).contains(&after), "{after}");
    d.run(600, |_| {});
    assert_eq!(d.replans(id), after);
}

#[test]
fn the_new_plan_is_about_what_is_left_and_not_about_the_old_one() {
    // Volatility rises: with the same risk aversion the rest is wanted sooner.
    let released = |wild: bool| {
        let settings = ExecutionConfig {
            risk_aversion_per_usd: [1e-2; 3],
            daily_volume_qty: 10_000,
            ..config()
        };
        let mut d = Desk::new(&settings);
        let id = d.start(10_000, ScheduleKind::AlmgrenChriss, Urgency::Urgent, 1_000);
        let mut up = false;
        for _ in 0..400 {
            let wanted = d.run(1, |v| {
                if wild {
                    up = !up;
                    let jump = if up { 100_000_000 } else { -100_000_000 };
                    v.bid.px.0 += jump;
                    v.ask.px.0 += jump;
                }
            });
            for order in news(&wanted) {
                d.report(&order, ReportKind::Fill, order.qty.0, 0);
            }
        }
        (d.replans(id), d.engine.parent(id).unwrap().filled.0)
    };
    let (calm_plans, calm) = released(false);
    let (wild_plans, wild) = released(true);
    assert_eq!(calm_plans, 0);
    assert!(wild_plans > 0);
    assert!(wild > calm + 500, "{wild} of 10,000 done in a wild market, {calm} in a calm one");
}

#[test]
fn a_normal_parent_takes_when_the_price_runs_and_rests_when_it_does_not() {
    let taken = |bid: i64, ask: i64| {
        let mut d = Desk::new(&config());
        // A market that goes where the touch leans: up while the bid is heavy, then down.
        for phase in 0..300 {
            let heavy = phase % 2 == 0;
            d.run(6, |v| {
                v.bid.qty = Qty(if heavy { 9_000 } else { 10 });
                v.ask.qty = Qty(if heavy { 10 } else { 9_000 });
            });
            let jump = if heavy { 40_000_000 } else { -40_000_000 };
            d.view.bid.px.0 += jump;
            d.view.ask.px.0 += jump;
        }
        d.run(60, |_| {});
        d.start(1_000, ScheduleKind::Twap, Urgency::Normal, 1_000);
        let wanted = d.run(3, |v| {
            v.bid.qty = Qty(bid);
            v.ask.qty = Qty(ask);
        });
        let orders = news(&wanted);
        assert!(!orders.is_empty());
        orders.iter().filter(|o| o.tif == TimeInForce::Ioc).count()
    };
    // A bid that piles up before a nearly empty ask: nothing will trade down to us.
    assert!(taken(9_000, 10) > 0);
    assert_eq!(taken(400, 400), 0);
    assert_eq!(taken(10, 9_000), 0);
    // Where the price does not follow it, the same book is no reason to pay.
    let mut d = Desk::new(&config());
    d.start(1_000, ScheduleKind::Twap, Urgency::Normal, 1_000);
    let wanted = d.run(3, |v| {
        v.bid.qty = Qty(9_000);
        v.ask.qty = Qty(10);
    });
    assert!(news(&wanted).iter().all(|o| o.tif == TimeInForce::Day));
}

#[test]
fn a_child_whose_touch_left_is_pegged_after_it_sparingly() {
    let mut d = Desk::new(&config());
    d.start(10, ScheduleKind::Twap, Urgency::Passive, 10_000);
    let first = news(&d.run(1, |_| {}));
    assert_eq!(first.len(), 1);
    // The bid steps up every second for a minute: six messages a minute are allowed.
    let mut cancels = 0;
    let mut live = first[0];
    for second in 0..60 {
        d.view.bid.px.0 += 10_000_000;
        d.view.ask.px.0 += 10_000_000;
        for intent in d.run(1, |_| {}) {
            match intent {
                Intent::Cancel(c) => {
                    assert_eq!(c.client_order_id, live.client_order_id);
                    cancels += 1;
                    assert!(cancels <= 1 + second / 10, "{cancels} after {second} s");
                    d.report(&live.clone(), ReportKind::Canceled, live.qty.0, 0);
                }
                Intent::New(order) => {
                    assert!(order.px > live.px, "pegged to the touch");
                    live = order;
                }
            }
        }
    }
    assert!((5..=7).contains(&cancels), "{cancels}");
}

#[test]
fn pov_follows_the_volume_and_nothing_else() {
    let mut d = Desk::new(&ExecutionConfig { pov_rate: 0.1, ..config() });
    let id = d.start(100_000, ScheduleKind::Pov, Urgency::Urgent, 100);
    let start = d.view.volume_qty;
    let mut filled = 0;
    for _ in 0..90 {
        for order in news(&d.run(1, |_| {})) {
            filled += order.qty.0;
            d.report(&order, ReportKind::Fill, order.qty.0, 0);
        }
        let traded = d.view.volume_qty - start;
        let target = traded as f64 * 0.1;
        assert!((filled as f64 - target).abs() <= 0.1 * 200.0 + 2.0, "{filled} of {target}");
    }
    d.run(20, |_| {});
    assert_eq!(d.engine.abandon_reason(id), Some(AbandonReason::ParticipationCap));
}

#[test]
fn auctions_are_kept_clear_of() {
    let session = Session { open_ns: 100 * SECOND, close_ns: 1_000 * SECOND };
    let us = Instrument::us_equity(Symbol::new("XYZ").unwrap());
    let settings = ExecutionConfig {
        start_after_open_s: 30,
        end_before_close_s: 60,
        no_new_before_close_s: 0,
        ..config()
    };
    let mut d = Desk::new(&settings);
    d.engine = ExecutionEngine::new(&settings, &[Instrument { session, ..us }]).unwrap();
    d.view.session_close_ns = session.close_ns;
    let id = d.start(1_000, ScheduleKind::Twap, Urgency::Urgent, 5_000);
    assert_eq!(d.engine.parent(id).unwrap().ts_end, RecvTs(940 * SECOND));
    assert_eq!(d.engine.next_deadline(), Some(d.view.now));
    assert!(d.run(69, |_| {}).is_empty(), "before 130 s");
    assert_eq!(d.engine.next_deadline(), Some(RecvTs(130 * SECOND)));
    assert!(!d.run(2, |_| {}).is_empty());
    d.run(809, |_| {});
    assert_eq!(d.view.now, RecvTs(940 * SECOND));
    assert_eq!(d.engine.parent(id).unwrap().unsent, Qty(0));
}
