//! Single steps of the record path. Every first half warms up, every second half is measured.

use crate::Done;
use ijk_benches::{STRIDE, Session};
use ijk_core::config::{ExecutionConfig, JournalBackend, JournalConfig, RiskConfig, SizingConfig};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::forecast::HorizonForecast;
use ijk_core::record::{Level, ScheduleKind, Urgency};
use ijk_core::{
    ClientOrderId, DepthKind, EnsembleForecast, Instrument, InstrumentId, NewOrder, OrderType,
    ParentId, Px, Qty, RecvTs, Side, SlotShape, SlotUpdate, Symbol, TimeInForce,
};
use ijk_execution::{ExecutionEngine, Intent, IntentBuf, MarketView, ParentSpec};
use ijk_infer::shape::WINDOW;
use ijk_infer::{Encoder, EncoderState, Level as Instructions, Packing};
use ijk_journal::{Durability, Writer};
use ijk_market::FeatureEngine;
use ijk_risk::{Gate, Quote};
use ijk_sizing::{Sizer, SizingInput};
use std::hint::black_box;

/// Minutes of the synthetic session.
const MINUTES: u32 = 8;
/// Calls of the steps that need no market.
const CALLS: u64 = 4_000;
/// Tokens of the encoder: its work does not depend on them, and the counting tool is slow.
const TOKENS: usize = 10;
/// Beginning of a trading day, nanoseconds UTC.
const DAY_NS: u64 = 1_741_012_200_000_000_000;

fn book(kind: DepthKind) -> Box<dyn FnMut() -> Done> {
    let session = Session::synthetic(MINUTES);
    let mut book = session.book(kind);
    let middle = session.events.len() / 2;
    session.events[..middle].iter().for_each(|event| {
        book.apply(event);
    });
    Box::new(move || {
        let late = &session.events[middle..];
        let mut answer = 0u64;
        for event in late {
            book.apply(black_box(event));
            let best = book.best(Side::Bid).map_or(0, |l| l.px.0 as u64);
            answer = answer.wrapping_mul(31).wrapping_add(best);
        }
        Done { units: late.len() as u64, answer }
    })
}

pub fn book_level() -> Box<dyn FnMut() -> Done> {
    book(DepthKind::L2)
}

pub fn book_order() -> Box<dyn FnMut() -> Done> {
    book(DepthKind::L3)
}

pub fn features() -> Box<dyn FnMut() -> Done> {
    let session = Session::synthetic(MINUTES);
    let mut book = session.book(DepthKind::L3);
    let mut engine = FeatureEngine::new(STRIDE);
    let middle = session.events.len() / 2;
    for event in &session.events[..middle] {
        book.apply(event);
        black_box(engine.on_record(event, &book));
    }
    Box::new(move || {
        let (mut answer, late) = (0u64, &session.events[middle..]);
        for event in late {
            book.apply(black_box(event));
            if let Some(token) = engine.on_record(event, &book) {
                answer = answer.wrapping_mul(31).wrapping_add(token.features[0].to_bits());
            }
        }
        Done { units: late.len() as u64, answer }
    })
}

fn encoder(
    level: Instructions,
    slots: &[SlotShape],
    heard: &[SlotUpdate],
) -> Box<dyn FnMut() -> Done> {
    let weights = ijk_benches::weights_with_slots(1, slots);
    let encoder = Encoder::with(&weights, level, Packing::F32);
    let mut state = EncoderState::new(&encoder);
    let features = |i: usize| -> [f64; FEATURE_COUNT] { ijk_benches::features(i) };
    for i in 0..WINDOW {
        encoder.step_at(&mut state, &features(i), DAY_NS);
    }
    heard.iter().for_each(|update| assert!(encoder.know(&mut state, update)));
    Box::new(move || {
        let mut answer = 0u64;
        for i in WINDOW..WINDOW + TOKENS {
            let at_ns = DAY_NS + 1_000_000_000 * i as u64;
            let forecast = encoder.step_at(&mut state, black_box(&features(i)), at_ns);
            let mean = forecast.members[0][0].mean_bps.to_bits();
            answer = answer.wrapping_mul(31).wrapping_add(u64::from(mean));
        }
        Done { units: TOKENS as u64, answer }
    })
}

pub fn encoder_portable() -> Box<dyn FnMut() -> Done> {
    encoder(Instructions::PORTABLE, &[], &[])
}

/// Vectors of 256 bits where there are any; else the portable form, and another count.
pub fn encoder_wide() -> Box<dyn FnMut() -> Done> {
    encoder(wide(), &[], &[])
}

/// The model of `encoder_wide` with two slots that are missing: its answer, at its cost.
pub fn encoder_slots_missing() -> Box<dyn FnMut() -> Done> {
    encoder(wide(), &two_slots(), &[])
}

/// The same with both slots known.
pub fn encoder_slots() -> Box<dyn FnMut() -> Done> {
    let update = |slot: u16| SlotUpdate {
        known_from: RecvTs(DAY_NS),
        instrument: InstrumentId(0),
        slot,
        values: vec![0.5; two_slots()[usize::from(slot)].width],
    };
    encoder(wide(), &two_slots(), &[update(0), update(1)])
}

fn two_slots() -> [SlotShape; 2] {
    [("news", 32), ("macro", 8)].map(|(name, width)| SlotShape {
        name: name.into(),
        width,
        stale_after_s: 3_600.0,
    })
}

fn wide() -> Instructions {
    Instructions::all().find(|l| l.name() == "avx2").unwrap_or(Instructions::PORTABLE)
}

fn forecast(i: u64) -> EnsembleForecast {
    let mut made = EnsembleForecast { member_count: 5, ..EnsembleForecast::default() };
    for (m, member) in made.members.iter_mut().enumerate() {
        let mean = ((i * 7 + m as u64) % 11) as f32 - 5.0;
        let horizon =
            HorizonForecast { logits: [0.1, 0.2, 0.3], mean_bps: 4.0 * mean, log_var: 1.0 };
        member.iter_mut().for_each(|h| *h = horizon);
    }
    made
}

pub fn sizing() -> Box<dyn FnMut() -> Done> {
    let sizer = Sizer::new(&SizingConfig::default()).expect("the defaults");
    let decide = move |i: u64| {
        let input = SizingInput {
            forecast: &forecast(i),
            mid: 100.0,
            spread_bps: 1.0,
            fee_bps_per_side: 0.1,
            position: Qty((i % 7) as i64 * 100),
            equity_usd: 1e6,
            peak_equity_usd: 1e6,
            notional_per_unit_usd: 100.0,
            lot: Qty(1),
            vol_bps_per_day: 150.0,
            tokens_per_day: 10_000.0,
            may_add_risk: true,
            distrust: 0.2,
            interval_z90: Some(2.0),
        };
        sizer.decide(black_box(&input)).target.0 as u64
    };
    Box::new(move || {
        let mut answer = 1u64;
        for i in 0..CALLS {
            answer = answer.wrapping_mul(31).wrapping_add(decide(i));
        }
        Done { units: CALLS, answer }
    })
}

fn level(cents: i64, qty: i64) -> Level {
    Level { px: Px(cents * 10_000_000), qty: Qty(qty) }
}

pub fn slicer() -> Box<dyn FnMut() -> Done> {
    let instrument = Instrument::us_equity(Symbol::new("XYZ").expect("a symbol"));
    let mut engine =
        ExecutionEngine::new(&ExecutionConfig::default(), &[instrument]).expect("the defaults");
    let view = |i: u64| MarketView {
        now: RecvTs(DAY_NS + i * 1_000_000),
        bid: level(10_000 + (i / 50 % 7) as i64, 300),
        ask: level(10_001 + (i / 50 % 7) as i64, 300),
        two_sided: true,
        volume_qty: i as i64 * 40,
        aggressive_qty: [i as i64 * 20; 2],
        session_close_ns: u64::MAX,
    };
    let spec = ParentSpec {
        instrument: InstrumentId(0),
        side: Side::Bid,
        qty: Qty(5_000),
        horizon_ns: 60_000_000_000,
        urgency: Urgency::Normal,
        schedule: ScheduleKind::AlmgrenChriss,
        participation_e4: 0,
        decision_id: 1,
        source_line: 0,
    };
    engine.start_parent(view(0).now, &spec, &view(0)).expect("a parent");
    let mut out = IntentBuf::new();
    let mut step = move |i: u64| {
        out.clear();
        engine.on_market(InstrumentId(0), black_box(&view(i)), &mut out);
        let mut answer = 0;
        for intent in out.iter() {
            answer += 1;
            if let Intent::New(order) = intent {
                engine.on_sent(&order);
            }
        }
        answer
    };
    let warm: u64 = (1..CALLS).map(&mut step).sum();
    Box::new(move || Done {
        units: CALLS,
        answer: warm + (CALLS..2 * CALLS).map(&mut step).sum::<u64>(),
    })
}

pub fn gate() -> Box<dyn FnMut() -> Done> {
    let instrument = Instrument::us_equity(Symbol::new("XYZ").expect("a symbol"));
    let config = RiskConfig { start_equity_usd: 1e6, ..RiskConfig::simulation() };
    let mut gate = Gate::new(&config, &[instrument]).expect("the simulation's limits");
    let mut step = move |i: u64| {
        let now = RecvTs(DAY_NS + i * 20_000_000);
        let quote =
            Quote { bid: level(10_000, 500), ask: level(10_001, 500), ts: now, trusted: true };
        let order = NewOrder {
            client_order_id: ClientOrderId(i + 1),
            qty: Qty(1 + (i % 3) as i64),
            px: Px(100_000_000_000 + (i % 5) as i64 * 10_000_000),
            parent_id: ParentId(1),
            instrument: InstrumentId(0),
            side: if i.is_multiple_of(2) { Side::Bid } else { Side::Ask },
            order_type: OrderType::Limit,
            tif: TimeInForce::Day,
            reserved: [0; 7],
        };
        // A refusal is as much work as a pass, and both are in the count.
        match gate.check(now, black_box(order), &quote) {
            Ok(_) => 1_000_003,
            Err(code) => code as u64 + 1,
        }
    };
    let warm: u64 = (0..CALLS).map(&mut step).sum();
    Box::new(move || Done {
        units: CALLS,
        answer: warm + (CALLS..2 * CALLS).map(&mut step).sum::<u64>(),
    })
}

pub fn journal() -> Box<dyn FnMut() -> Done> {
    let dir = std::env::temp_dir().join(format!("ijk-instructions-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).expect("a temporary folder");
    let config = JournalConfig {
        backend: JournalBackend::Plain,
        segment_bytes: 16 << 20,
        ..JournalConfig::default()
    };
    let mut writer = Writer::create(&dir, &config, Durability::Buffered).expect("a journal");
    let session = Session::synthetic(2);
    let records = session.events.iter().cycle().take(4_000).copied().collect::<Vec<_>>();
    for event in &records[..2_000] {
        writer.append_record(event.ts_receive.0, event).expect("room");
    }
    // The open files live on; nobody reads them.
    let _ = std::fs::remove_dir_all(&dir);
    Box::new(move || {
        let mut answer = 0;
        for event in &records[2_000..] {
            answer = writer.append_record(event.ts_receive.0, black_box(event)).expect("room");
        }
        Done { units: 2_000, answer }
    })
}
