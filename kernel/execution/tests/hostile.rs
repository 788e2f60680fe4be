//! Reports and markets that make no sense: errors, never a panic, never a crooked account.

use ijk_core::config::ExecutionConfig;
use ijk_core::record::{Level, ScheduleKind, Urgency};
use ijk_core::*;
use ijk_execution::*;
use proptest::prelude::*;

fn instruments() -> [Instrument; 2] {
    let share = Instrument::us_equity(Symbol::new("XYZ").unwrap());
    [share, Instrument { lot: Qty(10), ..share }]
}

fn wild() -> impl Strategy<Value = i64> {
    prop_oneof![
        4 => -5i64..200,
        1 => any::<i64>(),
        1 => Just(i64::MAX),
        1 => Just(i64::MIN),
        1 => Just(0),
    ]
}

fn kind() -> impl Strategy<Value = ReportKind> {
    use ReportKind::*;
    prop::sample::select(vec![Ack, Reject, Fill, Fill, Canceled, Expired, CancelReject])
}

prop_compose! {
    fn report()(
        id in prop_oneof![0u64..12, any::<u64>()],
        (exec, px, qty, leaves, fee) in (0u64..40, wild(), wild(), wild(), wild()),
        (instrument, kind, sells) in (0u16..3, kind(), prop::bool::weighted(0.1)),
    ) -> VenueReport {
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: ClientOrderId(id),
            venue_order_id: VenueOrderId(0),
            exec_id: ExecId(exec),
            px: Px(px),
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: fee,
            instrument: InstrumentId(instrument),
            reason: 0,
            kind,
            side: if sells { Side::Ask } else { Side::Bid },
            maker: 0,
            reserved: 0,
        }
    }
}

prop_compose! {
    fn view()(
        // Times jump back as well.
        now in prop_oneof![0u64..20_000_000_000, any::<u64>()],
        (bid, ask, volume) in (wild(), wild(), wild()),
        close in prop_oneof![3 => Just(u64::MAX), 1 => any::<u64>()],
        sane in any::<bool>(),
        two_sided in any::<bool>(),
    ) -> MarketView {
        let level = |px| Level { px: Px(px), qty: Qty(1) };
        let (bid, ask) = if sane { (100 * 10_000_000, 101 * 10_000_000) } else { (bid, ask) };
        MarketView {
            now: RecvTs(now),
            bid: level(bid),
            ask: level(ask),
            two_sided: two_sided || sane,
            volume_qty: volume,
            aggressive_qty: [volume, bid],
            session_close_ns: close,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 5_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_from_outside_panics_or_unbalances(
        steps in prop::collection::vec((report(), view(), 0u8..8, wild()), 1..80),
    ) {
        let mut engine =
            ExecutionEngine::new(&ExecutionConfig::default(), &instruments()).unwrap();
        let mut out = IntentBuf::new();
        let mut last = std::collections::BTreeMap::new();
        for (report, view, op, qty) in steps {
            let urgency = [Urgency::Passive, Urgency::Normal, Urgency::Urgent];
            let spec = ParentSpec {
                instrument: InstrumentId(u16::from(op) % 3),
                side: Side::Bid,
                qty: Qty(qty),
                horizon_ns: report.exec_id.0 * 1_000_000_000,
                urgency: urgency[usize::from(op) % 3],
                schedule: ScheduleKind::NAMES[qty.rem_euclid(7) as usize].1,
                participation_e4: qty as u16,
                decision_id: 0,
                source_line: 0,
            };
            if op < 3 {
                let _ = engine.start_parent(view.now, &spec, &view);
            }
            out.clear();
            engine.on_market(spec.instrument, &view, &mut out);
            for intent in out.iter() {
                if let Intent::New(order) = intent {
                    let lot = instruments()[order.instrument.index()].lot.0;
                    prop_assert!(order.qty.0 > 0 && order.qty.0 % lot == 0 && order.px.0 > 0);
                    engine.on_sent(&order);
                }
            }
            let _ = engine.on_report(&report, &view);
            if op == 7 && qty % 7 == 0 {
                engine.stop_all(&mut out);
                engine.resume();
            }
            engine.drain_changes(|r| { last.insert(r.parent_id, *r); });
            let mut signed = [0i64; 2];
            for (id, r) in &last {
                prop_assert_eq!(engine.parent(*id), Some(r), "every change is drained");
                prop_assert_eq!(r.qty.0, r.filled.0 + r.working.0 + r.unsent.0 + r.abandoned.0);
                signed[r.instrument.index()] += r.working.0;
            }
            for (i, signed) in signed.into_iter().enumerate() {
                prop_assert_eq!(engine.signed_working(InstrumentId(i as u16)), Qty(signed));
            }
        }
    }
}
