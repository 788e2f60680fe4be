//! The tables are all there is: nothing grows after construction.

use crate::engine::ExecutionEngine;
use crate::intent::{Intent, IntentBuf, MarketView};
use crate::parent::ParentSpec;
use ijk_core::config::ExecutionConfig;
use ijk_core::record::{Level, ParentStatus, ScheduleKind, Urgency};
use ijk_core::{
    ExchTs, ExecId, Instrument, InstrumentId, NewOrder, Px, Qty, RecvTs, ReportKind, Side, Symbol,
    TimeInForce, VenueOrderId, VenueReport,
};

fn report(order: &NewOrder, exec: u64) -> VenueReport {
    VenueReport {
        ts_exchange: ExchTs(0),
        client_order_id: order.client_order_id,
        venue_order_id: VenueOrderId(1),
        exec_id: ExecId(exec),
        px: order.px,
        qty: order.qty,
        leaves: Qty(0),
        fee_e9: 0,
        instrument: order.instrument,
        reason: 0,
        kind: ReportKind::Fill,
        side: order.side,
        maker: 0,
        reserved: 0,
    }
}

/// Many more parents and children than there are places go through the same memory.
#[test]
fn tables_are_reused_and_never_grow() {
    let instrument = Instrument::us_equity(Symbol::new("XYZ").unwrap());
    let config = ExecutionConfig::default();
    let mut engine = ExecutionEngine::new(&config, &[instrument, instrument]).unwrap();
    let memory = |e: &ExecutionEngine| {
        let desks: Vec<_> = e.desks.iter().map(|d| d.parents.as_ptr()).collect();
        let (parents, children) = (e.parents.as_ptr(), e.children.as_ptr());
        (desks, parents, children, e.changed.as_ptr(), e.changed.capacity())
    };
    let before = memory(&engine);
    let level = |px: i64| Level { px: Px(px * 10_000_000), qty: Qty(1) };
    let mut view = MarketView {
        now: RecvTs(0),
        bid: level(10_000),
        ask: level(10_001),
        two_sided: true,
        volume_qty: 0,
        aggressive_qty: [0; 2],
        session_close_ns: u64::MAX,
    };
    let mut out = IntentBuf::new();
    let (mut done, mut exec) = (0, 0);
    for round in 0..6_000u64 {
        view.now = RecvTs(round * 1_000_000);
        view.volume_qty += 1_000;
        let id = InstrumentId((round % 2) as u16);
        let spec = ParentSpec {
            instrument: id,
            side: Side::Ask,
            qty: Qty(20),
            horizon_ns: 5_000_000_000,
            // Every fortieth one rests and keeps its place for long.
            urgency: if round % 40 == 0 { Urgency::Passive } else { Urgency::Urgent },
            schedule: ScheduleKind::AlmgrenChriss,
            participation_e4: 0,
            decision_id: round,
            source_line: 0,
        };
        if engine.start_parent(view.now, &spec, &view).is_err() {
            continue;
        }
        out.clear();
        engine.on_market(id, &view, &mut out);
        for intent in out.iter() {
            if let Intent::New(order) = intent {
                engine.on_sent(&order);
                if order.tif == TimeInForce::Ioc {
                    exec += 1;
                    engine.on_report(&report(&order, exec), &view).unwrap();
                }
            }
        }
        engine.drain_changes(|r| done += u64::from(r.status == ParentStatus::Done));
    }
    assert!(done > 5_000, "{done}");
    assert_eq!(memory(&engine), before);
}
