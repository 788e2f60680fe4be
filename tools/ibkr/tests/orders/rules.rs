//! What an order must fit before it leaves: price bands, shares to sell short.

use crate::rig::Rig;
use ijk_core::config::IbkrClock;
use ijk_core::{ReportKind, Side, Symbol};
use ijk_ibkr::market::IbkrFeed;
use ijk_ibkr::orders::build::REASON_NOT_LOCATED;
use ijk_twsim::SimConfig;
use std::time::{Duration, Instant};

const AAPL: i32 = 265_598;
const SPEED: f64 = 4.0;

fn rig(script: &[&str]) -> Rig {
    let script = script.iter().map(|l| l.to_string()).collect();
    Rig::with(SimConfig { speed: SPEED, script, ..SimConfig::default() })
}

fn sent(rig: &Rig) -> usize {
    rig.server.with(|g| g.truth_orders()).len()
}

#[test]
fn a_price_goes_by_the_step_of_its_band() {
    let mut rig = rig(&["price-rule AAPL 0:0.01 98:0.05"]);
    // A cent below the edge, five cents from it on.
    for px in [94.99, 98.0, 98.05, 120.10] {
        let side = if px < 98.0 { Side::Bid } else { Side::Ask };
        let id = rig.send(side, 10, Some(px));
        rig.until_told(id, ReportKind::Ack);
    }
    assert_eq!(sent(&rig), 4);
    for px in [98.01, 98.04, 120.11, 94.995] {
        let id = rig.send(Side::Ask, 10, Some(px));
        rig.until_told(id, ReportKind::Reject);
        assert_eq!(rig.told(id).reasons, [110], "{px}");
    }
    assert_eq!(sent(&rig), 4, "what does not fit does not leave");
}

#[test]
fn a_rule_that_never_comes_leaves_the_least_step_and_the_broker() {
    let mut rig = rig(&["price-rule AAPL 0:0.01 98:0.05", "hang rules"]);
    let fits = rig.send(Side::Ask, 10, Some(98.05));
    rig.until_told(fits, ReportKind::Ack);
    let id = rig.send(Side::Ask, 10, Some(98.01));
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [110], "the broker's own");
    let below = rig.send(Side::Ask, 10, Some(98.001));
    rig.until_told(below, ReportKind::Reject);
    assert_eq!(rig.told(below).reasons, [110]);
}

#[test]
fn a_short_sale_without_located_shares_does_not_leave() {
    let mut rig = rig(&[]);
    let shorts = std::sync::Arc::clone(&rig.settings.shorts);
    let unknown = rig.send(Side::Ask, 10, Some(200.0));
    rig.until_told(unknown, ReportKind::Ack);
    rig.cancel(unknown);
    rig.until_told(unknown, ReportKind::Canceled);
    for level in [2.0, 1.0] {
        shorts.set_level(AAPL, level);
        let id = rig.send(Side::Ask, 10, Some(200.0));
        rig.until_told(id, ReportKind::Reject);
        assert_eq!(rig.told(id).reasons, [REASON_NOT_LOCATED]);
    }
    assert_eq!(sent(&rig), 1);
    // What is held may be sold, once.
    let bought = rig.buy(100);
    rig.until_filled(bought, 100);
    let sale = rig.send(Side::Ask, 60, Some(200.0));
    rig.until_told(sale, ReportKind::Ack);
    let more = rig.send(Side::Ask, 41, Some(200.0));
    rig.until_told(more, ReportKind::Reject);
    assert_eq!(rig.told(more).reasons, [REASON_NOT_LOCATED]);
    let rest = rig.send(Side::Ask, 40, Some(200.0));
    rig.until_told(rest, ReportKind::Ack);
    // Shares are there, but not so many.
    shorts.set_level(AAPL, 3.0);
    shorts.set_shares(AAPL, 5_000.0);
    let many = rig.send(Side::Ask, 5_001, Some(200.0));
    rig.until_told(many, ReportKind::Reject);
    let few = rig.send(Side::Ask, 100, Some(200.0));
    rig.until_told(few, ReportKind::Ack);
}

#[test]
fn a_position_from_before_may_be_sold_and_no_more() {
    let mut rig = rig(&["position AAPL 50 90"]);
    // The kernel compares accounts before it sends anything.
    let _ = rig.snapshot();
    rig.settings.shorts.set_level(AAPL, 1.0);
    let more = rig.send(Side::Ask, 51, None);
    rig.until_told(more, ReportKind::Reject);
    let all = rig.send(Side::Ask, 50, None);
    rig.until_filled(all, 50);
    let _ = rig.snapshot();
    let none = rig.send(Side::Ask, 1, None);
    rig.until_told(none, ReportKind::Reject);
    assert_eq!(rig.told(none).reasons, [REASON_NOT_LOCATED]);
}

#[test]
fn where_shares_must_be_located_silence_is_a_no() {
    let mut rig = rig(&[]);
    rig.settings.config.require_located = true;
    rig.start();
    let id = rig.send(Side::Ask, 10, Some(200.0));
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [REASON_NOT_LOCATED]);
    rig.settings.shorts.set_level(AAPL, 3.0);
    let id = rig.send(Side::Ask, 10, Some(200.0));
    rig.until_told(id, ReportKind::Ack);
}

#[test]
fn the_market_data_feed_tells_orders_what_can_be_borrowed() {
    let mut rig = rig(&["shortable AAPL 1"]);
    let mut settings = rig.settings.clone();
    settings.config.data.clock = IbkrClock::Gateway;
    let symbols = ["AAPL", "MSFT"].map(|s| Symbol::new(s).unwrap());
    let mut feed = IbkrFeed::open(&settings, &symbols, SPEED).unwrap();
    let (began, shorts) = (Instant::now(), std::sync::Arc::clone(&rig.settings.shorts));
    while shorts.has(AAPL, 1.0).is_none() || shorts.has(272_093, 1.0).is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "the feed says nothing of it");
        while feed.try_next().is_some() {}
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!((shorts.has(AAPL, 1.0), shorts.has(272_093, 1.0)), (Some(false), Some(true)));
    let id = rig.send(Side::Ask, 10, Some(200.0));
    rig.until_told(id, ReportKind::Reject);
    assert_eq!(rig.told(id).reasons, [REASON_NOT_LOCATED]);
    assert_eq!(sent(&rig), 0);
}
