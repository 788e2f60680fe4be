//! Feed, data quality, halts, bands, the market as a whole, the clock, the day's end, lists.

use crate::rig::*;
use crate::sizes::outcome;
use ijk_core::config::RiskConfig;
use ijk_core::record::Level;
use ijk_core::{
    AlarmCode, Block, InstrumentId, NewOrder, Px, Qty, RecvTs, Session, Side, TimeInForce,
};
use ijk_risk::{Gate, InstrumentBlock, MarketState, Quote, RiskCode, TradingState};

fn alarms(gate: &mut Gate) -> Vec<AlarmCode> {
    let mut codes = vec![];
    gate.take_alarms(|a| codes.push(a.code));
    codes
}

fn next(rig: &mut Rig, instrument: InstrumentId) -> Result<(), RiskCode> {
    rig.wait(10);
    let order = rig.order(Side::Bid, 1, dollars(100));
    let quote = rig.quote();
    rig.check_on(NewOrder { instrument, ..order }, &quote).map(|_| ())
}

#[test]
fn a_silent_feed_stops_orders() {
    let c = RiskConfig { feed_heartbeat_ms: 100, quote_max_age_ms: 10_000, ..wide() };
    let after = |ns: u64, heard: bool| {
        let mut rig = Rig::new(&c);
        let quote = rig.quote();
        rig.now = rig.now.plus_ns(ns);
        if heard {
            // Another instrument shows that the feed lives.
            rig.gate.on_mark(rig.now, B, 100.0);
        }
        let order = rig.order(Side::Bid, 1, dollars(100));
        rig.check_on(order, &quote).map(|_| ())
    };
    let limit = 100 * MS;
    assert_eq!(after(limit - 1, false), Ok(()));
    assert_eq!(after(limit, false), Ok(()));
    assert_eq!(after(limit + 1, false), Err(RiskCode::FeedSilent));
    assert_eq!(after(limit + 1, true), Ok(()));
    let unset = RiskConfig { feed_heartbeat_ms: 0, ..wide() };
    assert_eq!(outcome(&unset, Side::Bid, 1, dollars(100)), Err(RiskCode::FeedSilent));
    let longest = RiskConfig { feed_heartbeat_ms: u64::MAX, ..wide() };
    assert_eq!(outcome(&longest, Side::Bid, 1, dollars(100)), Ok(()));
}

fn data() -> RiskConfig {
    RiskConfig {
        data_jump_bps: 1_000.0,
        data_jump_sigma: 10.0,
        data_sigma_floor_bps: 10.0,
        data_good_quotes: 3,
        ..wide()
    }
}

fn see(rig: &mut Rig, bid: i64, ask: i64, had_trade: bool) -> bool {
    rig.wait(1);
    let quote = rig.quote_at(cents(bid), cents(ask));
    rig.gate.on_quote(rig.now, A, &quote, had_trade);
    rig.gate.instrument_blocks(A) & InstrumentBlock::Quarantine.bit() != 0
}

#[test]
fn bad_quotes_put_an_instrument_into_quarantine() {
    type Spoil = fn(&mut Quote);
    let rows: [(Spoil, bool); 9] = [
        (|_| {}, false),
        (|q| q.bid.px = q.ask.px, true),
        (|q| q.bid.px = dollars(101), true),
        (|q| q.bid.px = Px(0), true),
        (|q| q.ask.px = Px(-1), true),
        (|q| q.ask.px = Px(i64::MIN), true),
        (|q| q.ask.qty = Qty(-1), true),
        (|q| q.ask = Level::default(), false),
        (|q| q.trusted = false, false),
    ];
    for (row, (spoil, bad)) in rows.into_iter().enumerate() {
        let mut rig = Rig::new(&data());
        let mut quote = rig.quote();
        spoil(&mut quote);
        rig.gate.on_quote(rig.now, A, &quote, true);
        let want = if bad { Err(RiskCode::InstrumentQuarantine) } else { Ok(()) };
        assert_eq!(next(&mut rig, A), want, "{row}");
        assert_eq!(next(&mut rig, B), Ok(()), "{row}");
        assert_eq!(alarms(&mut rig.gate).contains(&AlarmCode::DataBad), bad, "{row}");
    }
}

#[test]
fn a_jump_without_a_trade_is_bad_and_good_quotes_lift_it() {
    // The mid is 100.00; 1000 bps are ten dollars.
    for (mid, trade, bad) in [
        (10_999, false, false),
        (11_000, false, false),
        (11_001, false, true),
        (8_999, false, true),
        (11_001, true, false),
        (50_000, true, false),
    ] {
        let mut rig = Rig::new(&data());
        assert!(!see(&mut rig, 9_999, 10_001, false));
        assert_eq!(see(&mut rig, mid - 1, mid + 1, trade), bad, "{mid} {trade}");
        if bad {
            // Three good ones at the new level, a bad one between starts anew.
            assert!(see(&mut rig, mid - 1, mid + 1, false));
            assert!(see(&mut rig, mid - 1, mid + 1, false));
            assert!(see(&mut rig, mid + 1, mid - 1, false));
            assert!(see(&mut rig, mid - 1, mid + 1, false));
            assert!(see(&mut rig, mid - 1, mid + 1, false));
            assert!(!see(&mut rig, mid - 1, mid + 1, false));
        }
    }
    for bad in crate::sizes::SENSELESS {
        for set in [
            (|c, v| c.data_jump_bps = v) as fn(&mut RiskConfig, f64),
            |c, v| c.data_jump_sigma = v,
            |c, v| c.data_sigma_floor_bps = v,
        ] {
            let mut c = data();
            set(&mut c, bad);
            assert!(see(&mut Rig::new(&c), 9_999, 10_001, true), "{bad}: nothing is believed");
        }
    }
}

#[test]
fn ten_deviations_are_bad_once_the_deviation_is_known() {
    // Moves of 20 cents are 20 bps each: ten deviations are about 2 %.
    let mut rig = Rig::new(&data());
    for n in 0..40 {
        let mid = 10_000 + 20 * (n % 2);
        assert!(!see(&mut rig, mid - 1, mid + 1, false));
    }
    assert!(!see(&mut rig, 10_149, 10_151, false), "1.3 %");
    assert!(see(&mut rig, 10_649, 10_651, false), "4.9 %");
    // Before that only the jump counts.
    let mut rig = Rig::new(&data());
    see(&mut rig, 9_999, 10_001, false);
    assert!(!see(&mut rig, 10_499, 10_501, false));
    // A quiet book: the floor of 10 bps allows moves of 1 %.
    let mut rig = Rig::new(&data());
    (0..40).for_each(|_| assert!(!see(&mut rig, 9_999, 10_001, false)));
    assert!(!see(&mut rig, 10_099, 10_101, false));
    let mut rig = Rig::new(&data());
    (0..40).for_each(|_| assert!(!see(&mut rig, 9_999, 10_001, false)));
    assert!(see(&mut rig, 10_101, 10_103, false));
}

#[test]
fn a_halt_ends_with_fresh_quotes() {
    for state in [MarketState::Halted, MarketState::Auction] {
        let mut rig = Rig::new(&RiskConfig { resume_good_quotes: 2, ..data() });
        rig.gate.on_market_state(rig.now, A, MarketState::Open);
        assert_eq!(next(&mut rig, A), Ok(()));
        rig.gate.on_market_state(rig.now, A, state);
        assert_eq!(next(&mut rig, A), Err(RiskCode::InstrumentMarketHalt));
        assert_eq!(next(&mut rig, B), Ok(()));
        (0..5).for_each(|_| assert!(!see(&mut rig, 9_999, 10_001, false)));
        assert_eq!(next(&mut rig, A), Err(RiskCode::InstrumentMarketHalt), "still halted");
        rig.gate.on_market_state(rig.now, A, MarketState::Open);
        see(&mut rig, 9_999, 10_001, false);
        assert_eq!(next(&mut rig, A), Err(RiskCode::InstrumentMarketHalt));
        see(&mut rig, 9_999, 10_001, false);
        assert_eq!(next(&mut rig, A), Ok(()));
    }
    // The first price after a halt may lie anywhere.
    let mut rig = Rig::new(&data());
    see(&mut rig, 9_999, 10_001, false);
    rig.gate.on_market_state(rig.now, A, MarketState::Halted);
    rig.gate.on_market_state(rig.now, A, MarketState::Open);
    assert!(!see(&mut rig, 19_999, 20_001, false));
}

#[test]
fn a_touch_at_the_band_is_the_limit_state() {
    let mut rig = Rig::new(&wide());
    rig.gate.on_luld_reference(rig.now, A, Some(dollars(100)));
    let limit = |rig: &mut Rig, bid, ask| {
        see(rig, bid, ask, true);
        rig.gate.instrument_blocks(A) & InstrumentBlock::LimitState.bit() != 0
    };
    assert!(!limit(&mut rig, 10_999, 11_001));
    assert!(limit(&mut rig, 11_000, 11_001));
    assert_eq!(next(&mut rig, A), Err(RiskCode::InstrumentLimitState));
    assert!(!limit(&mut rig, 9_000, 9_001));
    assert!(limit(&mut rig, 8_999, 9_000));
    rig.gate.on_luld_reference(rig.now, A, None);
    assert_eq!(rig.gate.instrument_blocks(A) & InstrumentBlock::LimitState.bit(), 0);
}

#[test]
fn a_falling_index_stops_the_market() {
    let close = dollars(1_000);
    for (cents_now, stops, resumes) in [
        (93_001, false, true),
        (93_000, true, true),
        (92_999, true, true),
        (87_000, true, true),
        (80_001, true, true),
        (80_000, true, false),
        (79_999, true, false),
    ] {
        let mut rig = Rig::new(&wide());
        rig.gate.on_index(rig.now, cents(cents_now), close);
        // A recovery alone does not reopen it.
        rig.gate.on_index(rig.now, close, close);
        let want = if stops { Err(RiskCode::MarketWideHalt) } else { Ok(()) };
        assert_eq!(next(&mut rig, A), want, "{cents_now}");
        rig.gate.on_market_wide_resume(rig.now);
        let want = if resumes { Ok(()) } else { Err(RiskCode::MarketWideHalt) };
        assert_eq!(next(&mut rig, A), want, "{cents_now}");
    }
    let mut rig = Rig::new(&wide());
    for (now, close) in [(Px(0), close), (close, Px(0)), (Px(-1), close), (Px(i64::MIN), Px(1))] {
        rig.gate.on_index(rig.now, now, close);
    }
    assert_eq!(next(&mut rig, A), Ok(()), "no index is no fall");
}

#[test]
fn a_clock_that_is_off_blocks_until_it_is_right() {
    let c = RiskConfig { clock_warn_ms: 10, clock_block_ms: 50, ..wide() };
    for sign in [1, -1] {
        for (us, warns, blocks) in [
            (9_999, false, false),
            (10_000, false, false),
            (10_001, true, false),
            (49_999, true, false),
            (50_000, true, false),
            (50_001, true, true),
        ] {
            let mut rig = Rig::new(&c);
            rig.gate.on_clock_offset(rig.now, Some(sign * us * 1_000));
            let want = if blocks { Err(RiskCode::BlockedClock) } else { Ok(()) };
            assert_eq!(next(&mut rig, A), want, "{us}");
            assert_eq!(alarms(&mut rig.gate).contains(&AlarmCode::ClockOff), warns, "{us}");
        }
    }
    let mut rig = Rig::new(&c);
    for (offset, blocked) in [
        (Some(0), false),
        (None, true),
        (Some(40_000_000), true),
        (Some(10_000_000), false),
        (Some(i64::MIN), true),
        (Some(0), false),
        (Some(i64::MAX), true),
    ] {
        rig.gate.on_clock_offset(rig.now, offset);
        assert_eq!(rig.gate.blocks() == Block::Clock.bit(), blocked, "{offset:?}");
    }
    // A step and an offset are two reasons.
    rig.gate.block(rig.now, Block::Clock);
    rig.gate.on_clock_offset(rig.now, Some(0));
    assert_eq!(rig.gate.blocks(), Block::Clock.bit());
    rig.gate.on_clock_offset(rig.now, None);
    rig.gate.unblock(rig.now, Block::Clock);
    assert_eq!(rig.gate.blocks(), Block::Clock.bit());
    rig.gate.on_clock_offset(rig.now, Some(0));
    assert_eq!(rig.gate.blocks(), 0);
    rig.gate.require_clock_offset();
    assert_eq!(rig.gate.blocks(), Block::Clock.bit(), "nobody has told it yet");
    rig.gate.on_clock_offset(rig.now, Some(0));
    assert_eq!(rig.gate.blocks(), 0);
    let mut rig = Rig::new(&RiskConfig { clock_block_ms: 0, clock_warn_ms: 0, ..wide() });
    rig.gate.on_clock_offset(rig.now, Some(1));
    assert_eq!(next(&mut rig, A), Err(RiskCode::BlockedClock));
}

#[test]
fn the_end_of_the_day() {
    let c = RiskConfig { eod_reduce_only_s: 600, eod_no_new_s: 300, ..wide() };
    let close_ns = 100_000 * 1_000 * MS;
    let mut list = instruments();
    list[0].session = Session { open_ns: 0, close_ns };
    let at = |before_ns: u64, side: Side| {
        let mut rig = Rig::with(&c, &list);
        rig.now = RecvTs(close_ns - 3_600_000 * MS);
        rig.hold(Side::Bid, 10, dollars(100));
        rig.now = RecvTs(close_ns - before_ns);
        assert_eq!(rig.gate.must_flatten(rig.now, A), before_ns <= 600_000 * MS);
        let order = rig.order(side, 5, dollars(100));
        rig.check(order).map(|_| ())
    };
    let s = 1_000 * MS;
    assert_eq!(at(600 * s + 1, Side::Bid), Ok(()));
    assert_eq!(at(600 * s, Side::Bid), Err(RiskCode::EndOfDayReduceOnly));
    assert_eq!(at(600 * s, Side::Ask), Ok(()), "closing is allowed");
    assert_eq!(at(300 * s + 1, Side::Ask), Ok(()));
    assert_eq!(at(300 * s, Side::Ask), Err(RiskCode::EndOfDay));
    assert_eq!(at(1, Side::Ask), Err(RiskCode::EndOfDay));
    let forever = RiskConfig { eod_no_new_s: u64::MAX, ..wide() };
    assert_eq!(outcome(&forever, Side::Bid, 1, dollars(100)), Err(RiskCode::EndOfDay));
    let rig = Rig::with(&c, &list);
    assert!(!rig.gate.must_flatten(RecvTs(u64::MAX), InstrumentId(9)));
}

#[test]
fn lists_of_symbols() {
    let with = |allow: &[&str], restrict: &[&str]| RiskConfig {
        allow_symbols: allow.iter().map(|s| s.to_string()).collect(),
        restricted_symbols: restrict.iter().map(|s| s.to_string()).collect(),
        ..wide()
    };
    type Row<'a> = (&'a [&'a str], &'a [&'a str], Result<(), RiskCode>);
    let rows: [Row<'_>; 7] = [
        (&["A"], &[], Ok(())),
        (&["B", "A"], &["B"], Ok(())),
        (&[], &[], Err(RiskCode::NotAllowed)),
        (&["B"], &[], Err(RiskCode::NotAllowed)),
        (&["a", "A ", "AA", "A*", ""], &[], Err(RiskCode::NotAllowed)),
        (&["A"], &["A"], Err(RiskCode::Restricted)),
        (&["*"], &["A"], Err(RiskCode::Restricted)),
    ];
    for (allow, restrict, want) in rows {
        let c = with(allow, restrict);
        assert_eq!(outcome(&c, Side::Bid, 1, dollars(100)), want, "{allow:?} {restrict:?}");
    }
}

#[test]
fn orders_may_not_outlive_the_day() {
    for (allow_gtc, tif, ok) in [
        (false, TimeInForce::Day, true),
        (false, TimeInForce::Ioc, true),
        (false, TimeInForce::Gtc, false),
        (true, TimeInForce::Gtc, true),
    ] {
        let mut rig = Rig::new(&RiskConfig { allow_gtc, ..wide() });
        let order = NewOrder { tif, ..rig.order(Side::Bid, 1, dollars(100)) };
        let want = if ok { Ok(order) } else { Err(RiskCode::TimeInForce) };
        assert_eq!(rig.check(order), want);
    }
}

#[test]
fn every_block_has_its_code_and_is_lifted_by_itself() {
    let mut rig = Rig::new(&wide());
    assert_eq!(rig.gate.blocks(), 0, "a new gate has none");
    for block in Block::ALL {
        rig.gate.block(rig.now, block);
        assert_eq!(rig.gate.blocks(), block.bit());
        assert_eq!(next(&mut rig, A), Err(RiskCode::of_block(block)));
        rig.gate.unblock(rig.now, block);
        assert_eq!(next(&mut rig, A), Ok(()));
    }
    rig.gate.block(rig.now, Block::Data);
    rig.gate.block(rig.now, Block::Link);
    assert_eq!(next(&mut rig, A), Err(RiskCode::BlockedLink), "the lowest number speaks");
    rig.gate.unblock(rig.now, Block::Link);
    assert_eq!(next(&mut rig, A), Err(RiskCode::BlockedData));
    let codes: std::collections::HashSet<_> = Block::ALL.map(RiskCode::of_block).into();
    assert_eq!(codes.len(), Block::ALL.len());
    for block in InstrumentBlock::ALL {
        let mut rig = Rig::new(&wide());
        rig.gate.block_instrument(rig.now, A, block);
        assert_eq!(rig.gate.instrument_blocks(A), block.bit());
        assert_eq!(next(&mut rig, A), Err(block.code()));
        assert_eq!(next(&mut rig, B), Ok(()));
        rig.gate.unblock_instrument(rig.now, A, block);
        assert_eq!(next(&mut rig, A), Ok(()));
    }
    rig.gate.block_instrument(rig.now, InstrumentId(9), InstrumentBlock::Data);
    assert_eq!(rig.gate.instrument_blocks(InstrumentId(9)), 0x7f);
}

#[test]
fn alarms_are_bounded_and_counted() {
    let mut rig = Rig::new(&RiskConfig { clock_warn_ms: 1, clock_block_ms: 1_000, ..wide() });
    for _ in 0..200 {
        rig.gate.on_clock_offset(rig.now, Some(2_000_000));
    }
    let mut all = vec![];
    rig.gate.take_alarms(|a| all.push(a));
    assert_eq!(all.len(), 128);
    assert_eq!((all[127].code, all[127].value), (AlarmCode::TableFull, 73));
    assert!(all[..127].iter().all(|a| a.code == AlarmCode::ClockOff && a.ts == rig.now));
    assert_eq!(alarms(&mut rig.gate), []);
    rig.gate.kill(rig.now);
    rig.gate.kill(rig.now);
    assert_eq!(alarms(&mut rig.gate), [AlarmCode::Killed], "a state is told when it is entered");
}

#[test]
fn limits_are_lowered_at_once_and_never_raised() {
    let strict = RiskConfig {
        max_order_qty: 50,
        max_order_notional_usd: 4_000.0,
        price_collar_bps: 100.0,
        max_position_notional_usd: 3_000.0,
        max_net_notional_usd: 2_000.0,
        allow_short: false,
        max_open_orders: 1,
        quote_max_age_ms: 5,
        duplicate_window_ms: 50,
        allow_symbols: vec!["A".into()],
        adv_qty_default: 1_900,
        max_order_adv_fraction: 0.01,
        ..wide()
    };
    // The strict one, however it is reached, refuses what it refuses.
    let tried = |first: &RiskConfig, later: &[&RiskConfig]| {
        let probes: [(Side, i64, i64, InstrumentId); 8] = [
            (Side::Bid, 51, 100, A),
            (Side::Bid, 45, 100, A),
            (Side::Bid, 35, 102, A),
            (Side::Bid, 35, 100, A),
            (Side::Bid, 20, 100, A),
            (Side::Bid, 19, 100, A),
            (Side::Ask, 5, 101, A),
            (Side::Bid, 5, 100, B),
        ];
        let mut rig = Rig::new(first);
        later.iter().for_each(|c| rig.gate.tighten(c));
        probes.map(|(side, qty, px, instrument)| {
            let order = rig.order(side, qty, dollars(px));
            let quote = rig.quote();
            rig.wait(1);
            rig.check_on(NewOrder { instrument, ..order }, &quote).map(|_| ())
        })
    };
    let want = tried(&strict, &[]);
    assert_eq!(tried(&wide(), &[&strict]), want);
    assert_eq!(tried(&strict, &[&wide()]), want, "raises take a new run");
    assert_eq!(tried(&wide(), &[&strict, &wide(), &wide()]), want);
    assert!(want.iter().filter(|v| v.is_err()).count() >= 5 && want.contains(&Ok(())));
    for bad in [f64::NAN, 0.0, -1.0] {
        let mut rig = Rig::new(&wide());
        rig.gate.tighten(&RiskConfig { halt_loss_usd: bad, ..wide() });
        assert_eq!(rig.gate.state(), TradingState::Halted);
    }
    // Rates, too: two more at once, not the burst of a thousand.
    let mut rig = Rig::new(&wide());
    rig.gate.tighten(&RiskConfig { max_orders_per_s: 1, order_burst: 2, ..wide() });
    let mut one = |qty| {
        let order = rig.order(Side::Bid, qty, dollars(100));
        rig.check(order).map(|_| ())
    };
    assert_eq!([one(1), one(2), one(3)], [Ok(()), Ok(()), Err(RiskCode::MessageRate)]);
}
