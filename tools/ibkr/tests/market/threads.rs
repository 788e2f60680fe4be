//! What went wrong for others, one test each; the names are those of the simulator's scenarios.

use crate::rig::{Rig, data, sim, symbol};
use ijk_core::config::{IbkrClock, IbkrDataConfig};
use ijk_core::{EventSource, Side};
use ijk_ibkr::contracts::ContractError;
use ijk_ibkr::market::OpenError;

fn quotes(script: &[&str], symbols: &[&str]) -> Rig {
    Rig::start(sim(script), data(), symbols)
}

fn with_depth() -> IbkrDataConfig {
    IbkrDataConfig { depth_rows: 5, depth_lines: 5, tick_lines: 5, ..data() }
}

#[test]
fn quotes_price_an_instrument_and_equal_the_gateways() {
    let mut rig = quotes(&[], &["AAPL", "MSFT"]);
    rig.until_priced(0);
    rig.until_priced(1);
    rig.until("trades", |r| r.books.iter().all(|b| b.trades > 0));
    // The market stands; what was told last is what the gateway shows.
    rig.command("data stop AAPL");
    rig.for_ms(300);
    let bbo =
        rig.server.with(|g| g.best_quote(ijk_twsim::contracts::Inst { stock: 0, option: None }));
    let book = &rig.books[0];
    assert!(book.sides.iter().all(|s| s.len() == 1), "one level a side: {book:?}");
    let (bid, ask) = (book.best(Side::Bid), book.best(Side::Ask));
    // A quote at intervals may be the last but one; it is within cents of it.
    let near = |a: Option<(i64, i64)>, b: i64| a.is_some_and(|a| (a.0 - b).abs() < 500_000_000);
    assert!(near(bid, bbo.bid_px) && near(ask, bbo.ask_px), "{book:?} {bbo:?}");
    let i = rig.feed.instruments()[0];
    assert_eq!((i.tick.0, i.lot.0), (10_000_000, 1));
    assert_eq!((i.session.close_ns - i.session.open_ns) / 60_000_000_000, 390);
}

#[test]
fn unknown_contract_200_says_which_symbol() {
    let Err(e) = Rig::try_start(sim(&[]), data(), &["AAPL", "NOSUCH"]) else { panic!("it opens") };
    assert!(
        matches!(&e, OpenError::Details(ContractError::NotOne { symbol, .. })
        if symbol == "NOSUCH"),
        "{e}"
    );
}

#[test]
fn contract_hang_ends_at_the_deadline() {
    let began = std::time::Instant::now();
    let e = Rig::try_start(sim(&["hang contracts"]), data(), &["AAPL"]).err();
    let no_answer = |e: &OpenError| {
        matches!(e, OpenError::Details(ContractError::NoAnswer { waited_ms: 2_000, .. }))
    };
    assert!(e.as_ref().is_some_and(no_answer), "{e:?}");
    assert!(began.elapsed() < crate::rig::PATIENCE);
}

#[test]
fn a_gateway_of_another_day_is_refused_unless_it_is_said() {
    let machine = IbkrDataConfig { clock: IbkrClock::Machine, ..data() };
    let e = Rig::try_start(sim(&[]), machine, &["AAPL"]).err();
    assert!(matches!(e, Some(OpenError::ClockApart { .. })), "{e:?}");
}

#[test]
fn symbols_named_twice_are_refused() {
    assert!(matches!(
        Rig::try_start(sim(&[]), data(), &["AAPL", "AAPL"]),
        Err(OpenError::Symbols(_))
    ));
    assert!(matches!(Rig::try_start(sim(&[]), data(), &[]), Err(OpenError::Symbols(_))));
    assert_eq!(symbol("AAPL").as_str(), "AAPL");
}

#[test]
fn delayed_10167_10089_10090_10091_never_price_an_instrument() {
    for code in [10_089, 10_090, 10_091, 10_167] {
        let mut rig = quotes(&[&format!("data deny {code}")], &["AAPL"]);
        rig.until("the advice", |r| r.noted(&code.to_string()));
        rig.for_ms(700);
        assert!(!rig.books[0].trusted, "{code}: {:?}", rig.books[0]);
        assert_eq!((rig.books[0].quotes, rig.books[0].trades), (0, 0), "{code}");
        // It is allowed again: the next subscription is live.
        rig.command("data ok");
        rig.until_priced(0);
    }
}

#[test]
fn data_kind_frozen_in_mid_session_voids_the_book_until_it_is_live_again() {
    for kind in [2, 3, 4] {
        let mut rig = quotes(&[], &["AAPL"]);
        rig.until_priced(0);
        rig.command(&format!("data kind {kind}"));
        rig.until("the book is void", |r| !r.books[0].trusted);
        let seen = rig.books[0].quotes;
        rig.for_ms(700);
        assert_eq!(rig.books[0].quotes, seen, "no price of kind {kind}");
        rig.command("data kind 1");
        rig.command("data ok");
        rig.until_priced(0);
    }
}

#[test]
fn not_subscribed_354_and_10168_leave_the_instrument_alone_for_good() {
    for code in [354, 10_168] {
        let mut rig = quotes(&[&format!("data deny {code}")], &["AAPL"]);
        rig.until("the refusal", |r| r.noted(&code.to_string()));
        rig.command("data ok");
        rig.for_ms(2_500);
        assert!(!rig.books[0].trusted && rig.books[0].quotes == 0, "{code}");
        let asked = rig.notes.iter().filter(|n| n.contains(&code.to_string())).count();
        assert_eq!(asked, 1, "never asked again: {:?}", rig.notes);
    }
}

#[test]
fn data_refused_10186_prices_nothing() {
    let mut rig = quotes(&["data deny 10186"], &["AAPL"]);
    rig.until("the refusal", |r| r.noted("10186"));
    rig.for_ms(1_000);
    assert!(!rig.books[0].is_priced() && rig.books[0].quotes == 0);
}

#[test]
fn competing_10197_blocks_and_asks_slowly() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("data compete");
    rig.until("void", |r| !r.books[0].trusted && r.noted("10197"));
    rig.for_ms(1_000);
    let asked = rig.notes.iter().filter(|n| n.contains("10197")).count();
    assert!(asked <= 2, "never fights for the data: {:?}", rig.notes);
    rig.command("data ok");
    rig.until_priced(0);
}

#[test]
fn farm_flap_2103_voids_data_only_when_it_is_silent_and_2104_brings_it_back() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("farm usfarm down");
    rig.until("void", |r| !r.books[0].trusted);
    rig.command("farm usfarm connecting");
    rig.command("farm usfarm up");
    rig.until_priced(0);
    assert!(rig.noted("2103"));
}

#[test]
fn farms_of_history_and_contracts_and_inactive_ones_change_nothing() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    let gaps = rig.books[0].gaps;
    for line in ["farm ushmds down", "farm secdefil down", "farm ushmds up", "farm usfarm inactive"]
    {
        rig.command(line);
    }
    rig.for_ms(1_000);
    assert!(rig.books[0].is_priced() && rig.books[0].gaps == gaps, "{:?}", rig.notes);
}

#[test]
fn farm_ok_but_silent_is_asked_again_until_it_speaks() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("farm usfarm down");
    rig.command("farm usfarm up silent");
    rig.until("void", |r| !r.books[0].trusted);
    rig.command("data go");
    rig.until_priced(0);
}

#[test]
fn farm_silent_one_symbol_voids_that_one_alone() {
    let mut rig = quotes(&[], &["AAPL", "MSFT"]);
    rig.until_priced(0);
    rig.until_priced(1);
    rig.command("data stop AAPL");
    rig.until("AAPL is void", |r| !r.books[0].trusted);
    assert!(rig.books[1].trusted, "{:?}", rig.notes);
    rig.command("data go");
    rig.until_priced(0);
}

#[test]
fn link_1101_data_lost_and_1102_data_kept_tell_every_book_anew() {
    for (how, code) in [("lost", 1_101), ("kept", 1_102)] {
        let mut rig = quotes(&[], &["AAPL", "MSFT"]);
        rig.until_priced(0);
        rig.until_priced(1);
        rig.command("link down");
        rig.until("void", |r| r.books.iter().all(|b| !b.trusted));
        let clears: Vec<u64> = rig.books.iter().map(|b| b.clears).collect();
        rig.command(&format!("link up {how}"));
        rig.until_priced(0);
        rig.until_priced(1);
        assert!(rig.noted(&code.to_string()));
        assert!(rig.books.iter().zip(clears).all(|(b, c)| b.clears > c));
    }
}

#[test]
fn server_link_2110_is_treated_as_1100() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("notice 2110");
    rig.until("void", |r| !r.books[0].trusted);
    rig.command("notice 2104");
    rig.until_priced(0);
}

#[test]
fn trading_halt_of_tick_49_halts_and_resumes() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("halt AAPL");
    rig.until("halted", |r| r.books[0].halted);
    assert!(!rig.books[0].is_priced());
    rig.command("resume AAPL");
    rig.until("resumed", |r| !r.books[0].halted);
    rig.until_priced(0);
}

#[test]
fn absurd_price_is_never_told() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("spike 1337581200");
    rig.until("refused", |r| r.feed.monitor().counts().prices_refused > 0);
    rig.for_ms(1_000);
    let worst = rig.books[0].sides.iter().flat_map(|s| s.keys()).max().copied();
    assert!(worst.is_none_or(|px| px < 10_000_000_000_000), "{:?}", rig.books[0]);
    rig.command("spike off");
    rig.until_priced(0);
}

#[test]
fn depth_reset_317_clears_and_comes_again() {
    let mut rig = Rig::start(sim(&[]), with_depth(), &["AAPL"]);
    rig.until("depth", |r| r.books[0].is_priced() && r.books[0].sides.iter().all(|s| s.len() > 1));
    let clears = rig.books[0].clears;
    rig.command("depth reset");
    rig.until("cleared", |r| r.books[0].clears > clears);
    rig.until("depth", |r| r.books[0].is_priced() && r.books[0].sides.iter().all(|s| s.len() > 1));
}

#[test]
fn depth_halted_316_is_asked_for_again() {
    let mut rig = Rig::start(sim(&[]), with_depth(), &["AAPL"]);
    rig.until("depth", |r| r.books[0].is_priced());
    rig.command("depth halt");
    rig.until("noted", |r| r.noted("316"));
    rig.until("depth", |r| r.books[0].is_priced() && r.books[0].sides.iter().all(|s| s.len() > 1));
}

#[test]
fn depth_cap_309_falls_back_to_quotes() {
    let mut rig = Rig::start(sim(&["limit depth 1"]), with_depth(), &["AAPL", "MSFT"]);
    rig.until_priced(0);
    rig.until("MSFT by quotes", |r| {
        r.books[1].is_priced() && r.books[1].sides.iter().all(|s| s.len() == 1)
    });
    assert!(rig.noted("309"));
}

#[test]
fn ticks_cap_10190_falls_back_to_quotes() {
    let mut rig = Rig::start(
        sim(&["limit ticks 1"]),
        IbkrDataConfig { tick_lines: 4, ..data() },
        &["AAPL", "MSFT"],
    );
    rig.until_priced(0);
    rig.until_priced(1);
    rig.until("trades of both", |r| r.books.iter().all(|b| b.trades > 0));
    assert!(rig.noted("10190"));
}

#[test]
fn tick_streams_that_live_are_never_asked_for_again() {
    let ticks = IbkrDataConfig { tick_lines: 1, ..data() };
    let mut rig = Rig::start(sim(&["limit ticks 1"]), ticks, &["AAPL"]);
    rig.until_priced(0);
    rig.for_ms(17_000);
    assert!(!rig.noted("10190"), "{:?}", rig.notes);
}

#[test]
fn lines_cap_101_leaves_the_rest_alone_and_asks_slowly() {
    let mut rig = quotes(&["limit lines 1"], &["AAPL", "MSFT"]);
    rig.until_priced(0);
    rig.until("refused", |r| r.noted("101"));
    rig.for_ms(2_000);
    assert!(rig.books[0].trusted && !rig.books[1].trusted);
    let asked = rig.notes.iter().filter(|n| n.contains("101:")).count();
    assert!(asked <= 6, "{asked}: never a loop of requests");
    rig.command("limit lines 0");
    rig.until_priced(1);
}

#[test]
fn half_open_connection_is_noticed_and_replaced() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("mute 600000");
    rig.until("void", |r| !r.books[0].trusted);
    // The muted connection never speaks again: only a new one can.
    rig.until_priced(0);
    assert!(rig.noted("connected again"), "{:?}", rig.notes);
}

#[test]
fn daily_restart_and_dropped_sockets_are_survived() {
    let mut rig = quotes(&[], &["AAPL", "MSFT"]);
    rig.until_priced(0);
    for line in ["restart 1500", "drop"] {
        let gaps = rig.books[0].gaps;
        rig.command(line);
        rig.until("void", |r| r.books[0].gaps > gaps);
        rig.until_priced(0);
        rig.until_priced(1);
    }
}

#[test]
fn client_id_326_after_drop_waits_for_the_same_id() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("drop ghost");
    rig.until("held by the old session", |r| r.noted("client id 72 is in use"));
    rig.command("unghost");
    rig.until_priced(0);
}

#[test]
fn slow_drip_inside_frames_breaks_nothing() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    rig.command("drip 1");
    rig.for_ms(1_000);
    rig.command("drip off");
    rig.until_priced(0);
    let refused = rig.feed.monitor().counts().prices_refused;
    assert_eq!(refused, 0);
}

#[test]
fn bad_frame_ends_at_worst_a_stream_and_never_the_feed() {
    let mut rig = quotes(&[], &["AAPL"]);
    rig.until_priced(0);
    for line in ["frame 201 ffffffff", "frame 258 0801", "frame 9999 00"] {
        rig.command(line);
    }
    rig.for_ms(500);
    rig.until_priced(0);
}
