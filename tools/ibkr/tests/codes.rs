//! One test a code: the response the operating guide relies on.

use ijk_ibkr::codes::all;
use ijk_ibkr::{Response as R, Severity, describe};

/// `name: code => response, the order is over, new orders wait`.
macro_rules! codes {
    ($($name:ident: $code:literal => $response:expr, $ends:literal, $blocks:literal;)*) => {
        $(#[test]
        fn $name() {
            let info = describe($code).expect("known");
            assert_eq!((info.code, info.response), ($code, $response));
            assert_eq!(info.response.ends_order(), $ends, "ends the order");
            assert_eq!(info.response.blocks_new_orders(), $blocks, "blocks new orders");
        })*

        const TESTED: &[i32] = &[$($code),*];
    };
}

codes! {
    approaching_rate: 0 => R::SlowDown, false, false;
    rate_exceeded: 100 => R::SlowDown, false, false;
    line_cap: 101 => R::ReduceLines, false, false;
    duplicate_ticker_id: 102 => R::ReportBug, false, false;
    duplicate_order_id_never_ends_the_order: 103 => R::ReplaceOrderId, false, false;
    modify_filled: 104 => R::AwaitExecution, false, false;
    modify_mismatch: 105 => R::AwaitExecution, false, false;
    min_tick: 110 => R::CheckOrder, true, false;
    order_not_found: 135 => R::Reconcile, false, false;
    cancel_not_found: 136 => R::Reconcile, false, false;
    cancel_wrong_state: 161 => R::AwaitExecution, false, false;
    history_pacing: 162 => R::RetryPaced, false, false;
    history_service: 165 => R::RetryPaced, false, false;
    no_contract: 200 => R::FailRequest, false, false;
    rejected: 201 => R::RejectOrder, true, false;
    cancelled: 202 => R::ConfirmCancel, true, false;
    unknown_ticker_id: 300 => R::ReportBug, false, false;
    depth_cap: 309 => R::ReduceLines, false, false;
    depth_halted: 316 => R::Resubscribe, false, false;
    depth_reset: 317 => R::ClearBook, false, false;
    rule_or_read_only: 321 => R::CheckOrder, true, false;
    client_id_in_use: 326 => R::RefuseClientId, false, true;
    not_subscribed: 354 => R::MarkUntradeable, false, false;
    no_history_query: 366 => R::RetryPaced, false, false;
    order_warning: 399 => R::KeepWorking, false, false;
    locating_shares_does_not_end_the_order: 404 => R::HoldForLocate, false, false;
    not_connected: 504 => R::Reconnect, false, true;
    socket_broke: 509 => R::Reconnect, false, true;
    link_lost: 1100 => R::FreezeOrders, false, true;
    link_restored_data_lost: 1101 => R::RebuildAll, false, true;
    link_restored_data_kept: 1102 => R::ReconcileOrders, false, true;
    port_changed: 1300 => R::Reconnect, false, true;
    market_farm_broken: 2103 => R::DegradeData, false, false;
    market_farm_ok: 2104 => R::WatchFeed, false, false;
    history_farm_broken: 2105 => R::DegradeData, false, false;
    history_farm_ok: 2106 => R::WatchFeed, false, false;
    history_farm_inactive: 2107 => R::Note, false, false;
    market_farm_inactive: 2108 => R::Note, false, false;
    outside_hours_ignored: 2109 => R::KeepWorking, false, false;
    server_link_broken: 2110 => R::FreezeOrders, false, true;
    farm_connecting: 2119 => R::Note, false, false;
    order_warning_2148: 2148 => R::KeepWorking, false, false;
    contract_farm_broken: 2157 => R::DegradeData, false, false;
    contract_farm_ok: 2158 => R::WatchFeed, false, false;
    order_warning_2161: 2161 => R::KeepWorking, false, false;
    order_size_warning: 2176 => R::KeepWorking, false, false;
    partly_delayed: 10089 => R::MarkDelayed, false, false;
    partly_unsubscribed: 10090 => R::MarkDelayed, false, false;
    partly_unsubscribed_api: 10091 => R::MarkDelayed, false, false;
    cancel_unknown: 10147 => R::AwaitExecution, false, false;
    cancel_too_late: 10148 => R::AwaitExecution, false, false;
    delayed: 10167 => R::MarkDelayed, false, false;
    no_delayed: 10168 => R::MarkUntradeable, false, false;
    data_request_refused: 10186 => R::ReduceLines, false, false;
    tick_by_tick_cap: 10190 => R::ReduceLines, false, false;
    competing_session: 10197 => R::BlockTrading, false, true;
    bust_event: 10225 => R::Resubscribe, false, false;
    size_rule: 10243 => R::CheckOrder, true, false;
    preset_tif_does_not_end_the_order: 10349 => R::KeepWorking, false, false;
}

#[test]
fn every_known_code_is_tested_and_in_order() {
    let known: Vec<i32> = all().iter().map(|info| info.code).collect();
    assert_eq!(known, TESTED);
    assert!(known.is_sorted_by(|a, b| a < b));
}

#[test]
fn unknown_codes_are_unknown() {
    for code in [-1, 1, 99, 2100, 9_999, i32::MIN, i32::MAX] {
        assert_eq!(describe(code), None);
    }
}

#[test]
fn what_blocks_orders_is_never_mere_information() {
    for info in all() {
        assert!(!info.meaning.is_empty());
        if info.response.blocks_new_orders() {
            assert!(info.severity >= Severity::Warning, "{}", info.code);
        }
    }
}
