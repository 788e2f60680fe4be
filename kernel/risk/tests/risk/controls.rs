//! The table of controls in the documentation: what each does, where, at which setting, with
//! which code, and which test shows it.

use ijk_core::config::RiskConfig;
use ijk_risk::RiskCode;
use ijk_risk::RiskCode::*;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// One control.
struct Control {
    name: &'static str,
    /// A: the gate. B: the egress gate. Else the place in words.
    layer: &'static str,
    text: &'static str,
    settings: &'static [&'static str],
    codes: &'static [RiskCode],
    /// Functions of `kernel/risk/tests`.
    tests: &'static [&'static str],
}

const fn control(
    name: &'static str,
    layer: &'static str,
    text: &'static str,
    settings: &'static [&'static str],
    codes: &'static [RiskCode],
    tests: &'static [&'static str],
) -> Control {
    Control { name, layer, text, settings, codes, tests }
}

/// In the order of their numbers, from 1.
const CONTROLS: [Control; 35] = [
    control(
        "Order quantity",
        "A, B",
        "Refused above the limit in whole units or above a share of the 20-day average daily \
         volume. The volume is a setting, there is no feed of it: a symbol without one is refused.",
        &["max_order_qty", "max_order_adv_fraction", "adv_qty", "adv_qty_default"],
        &[OrderQty, AdvUnknown, AdvShare, BadQuantity, OffLot],
        &["order_quantity", "share_of_daily_volume", "malformed_orders", "off_lot"],
    ),
    control(
        "Order value",
        "A, B",
        "Refused above the lower of the limit in dollars and the fraction of equity; a market \
         order counts at the far touch plus the collar, a sale at no less than the bid. The \
         egress gate allows 5 % more, for its own mark.",
        &["max_order_notional_usd", "max_order_equity_fraction", "start_equity_usd"],
        &[OrderNotional, Overflow, UnsupportedCurrency],
        &[
            "order_notional_of_limit_orders",
            "order_notional_of_market_orders_adds_the_collar",
            "order_value_as_a_fraction_of_equity",
            "hard_limits_at_their_edges",
        ],
    ),
    control(
        "Price collar",
        "A (soft), B (hard)",
        "There is no person to ask, so the soft collar refuses in the gate and the hard one in \
         the egress gate, on its own mark. Own collars below a price. Without a mid: refused. \
         Never beyond the limit-up limit-down band where its reference is known.",
        &[
            "price_collar_bps",
            "price_collar_hard_bps",
            "low_price_usd",
            "price_collar_low_bps",
            "price_collar_low_hard_bps",
        ],
        &[PriceCollar, BadPrice, OffTick, OneSidedQuote, LuldBand],
        &[
            "price_collar",
            "price_collar_holds_back_market_orders_in_a_wide_market",
            "the_hard_collar_binds_the_soft_one",
            "low_prices_have_their_own_collar",
            "hard_limits_at_their_edges",
        ],
    ),
    control(
        "Collar over a period",
        "A",
        "The adverse slippage of an instrument's fills against the mid, added up over a sliding \
         window (in sixteenths); above the limit the instrument is reduce-only for the run.",
        &["slippage_limit_bps", "slippage_window_ms"],
        &[SlippageReduceOnly],
        &["slippage_makes_an_instrument_reduce_only"],
    ),
    control(
        "Position of an instrument",
        "A",
        "With all working orders of the worse side at worst case, at the dearer of mid and order \
         price.",
        &["max_position_notional_usd", "max_position_equity_fraction"],
        &[PositionLimit],
        &[
            "position_counts_fills_and_working_orders",
            "position_is_valued_at_the_dearer_of_mid_and_order",
            "working_orders_of_both_sides_count_apart",
            "position_gross_and_net_as_fractions_of_equity",
        ],
    ),
    control(
        "Gross and net exposure",
        "A",
        "Over all instruments at their marks, working orders at worst case.",
        &[
            "max_gross_notional_usd",
            "max_gross_equity_fraction",
            "max_net_notional_usd",
            "max_net_equity_fraction",
        ],
        &[GrossLimit, NetLimit],
        &["gross_adds_up_instruments", "net_exposure_lets_the_other_side_grow"],
    ),
    control(
        "Concentration by sector",
        "A",
        "Off while the table of sectors is empty: there is no source of sectors. With one, every \
         symbol traded needs an entry.",
        &["sector", "max_sector_equity_fraction"],
        &[SectorUnknown, SectorLimit],
        &["sectors"],
    ),
    control(
        "Cash, short sales",
        "A",
        "Buys are paid from the day's settled cash; sales do not refill it. No short position \
         unless allowed; locates are the person's word, given by that setting. The pattern day \
         trader rule does not apply to cash accounts and is not counted: a margin account below \
         its threshold must not be traded with these settings.",
        &["settled_cash_usd", "allow_short"],
        &[BuyingPower, ShortSale, ShortSaleRestricted],
        &[
            "buys_are_paid_from_settled_cash",
            "a_cover_is_never_refused_for_cash",
            "short_sales_need_permission",
            "the_short_sale_restriction_asks_for_a_better_price",
        ],
    ),
    control(
        "Daily loss",
        "A",
        "Realised, unrealised and fees. First reduce-only, then halted for the run. An exposed \
         instrument without a mark lets only reducing orders pass until it has one.",
        &[
            "reduce_only_loss_usd",
            "reduce_only_loss_fraction",
            "halt_loss_usd",
            "halt_loss_fraction",
        ],
        &[ReduceOnly, Halted, MissingMark],
        &[
            "unrealised_loss_trips_at_the_limit",
            "realised_loss_and_fees_count",
            "losses_as_fractions_of_equity",
            "senseless_loss_limits_start_tripped",
            "a_missing_mark_stops_new_risk_everywhere",
        ],
    ),
    control(
        "Drawdown, losers, rejects",
        "A",
        "A fall from the day's highest result, positions closed at a loss in a row, orders \
         refused by the venue in a row: halted for the run.",
        &[
            "max_drawdown_usd",
            "max_drawdown_fraction",
            "max_consecutive_losers",
            "max_consecutive_rejects",
        ],
        &[Halted],
        &[
            "drawdown_from_the_peak_halts",
            "losers_in_a_row_halt",
            "a_turn_through_zero_ends_a_round_trip",
            "rejects_in_a_row_halt",
        ],
    ),
    control(
        "Kill switch",
        "A, B, `ijk kill`",
        "Latches in both gates; the latch file is written first and no kernel starts past it. \
         The sweep of cancels ignores every rate.",
        &[],
        &[Killed],
        &["kill_latches", "kill_and_blocks", "cancels_have_a_reserve_of_their_own"],
    ),
    control(
        "Message throttle",
        "A, B (twice the rate)",
        "A token bucket and an exact sliding minute; refused, never queued. Cancels have a \
         reserve of their own.",
        &[
            "max_orders_per_s",
            "order_burst",
            "max_orders_per_min",
            "max_cancels_per_s",
            "cancel_burst",
        ],
        &[MessageRate, MinuteRate],
        &[
            "message_rate",
            "orders_of_a_minute",
            "cancels_have_a_reserve_of_their_own",
            "the_hard_rate_is_twice_the_soft_one",
        ],
    ),
    control(
        "Repeated execution",
        "A",
        "Entries are parents whose first order adds risk. Above the day's number the account, \
         above the window's the instrument is reduce-only until a person starts a new run.",
        &["max_entries_per_day", "max_entries_per_window", "entry_window_ms"],
        &[EntriesPerDay, EntriesPerWindow, EntryReduceOnly],
        &["entries_of_the_day", "entries_within_the_window"],
    ),
    control(
        "Duplicate order",
        "A",
        "Equal in instrument, side, type, quantity and price within a short window, or too often \
         within a longer one; client order ids must rise, over restarts too.",
        &["duplicate_window_ms", "max_identical_orders", "identical_window_ms"],
        &[DuplicateOrder, IdenticalOrders, DuplicateClientId, BadClientId],
        &[
            "duplicate_window",
            "duplicates_differ_in_any_field",
            "identical_orders",
            "client_ids_rise",
            "ids_rise",
        ],
    ),
    control(
        "Parent and children",
        "B",
        "The sum of the children that left, less what ended unfilled, never passes the parent, \
         on the bytes that leave. A child without a parent is refused.",
        &[],
        &[ParentQuantity, UnknownParent, TableFull, MalformedOrder],
        &[
            "children_never_exceed_their_parent",
            "an_overfill_counts_against_the_parent",
            "a_full_table_refuses_until_a_child_ends",
            "many_parents_and_children_pass_through",
            "orders_that_make_no_sense",
        ],
    ),
    control(
        "Open orders",
        "A",
        "Per instrument and side, and in all.",
        &["max_open_orders", "max_open_orders_per_side"],
        &[OpenOrders, OpenOrdersPerSide],
        &["open_orders", "open_orders_never_pass_the_table", "open_orders_of_a_side"],
    ),
    control(
        "Self-match",
        "A",
        "The newer order is refused if it could trade with an own working one.",
        &[],
        &[SelfMatch],
        &["self_match", "self_match_is_per_instrument_and_ends_with_the_order"],
    ),
    control(
        "Messages per fill",
        "A",
        "An alarm at the lower ratio; above the higher one orders pass only after a pause. A run \
         without fills counts as one fill.",
        &[
            "order_ratio_alarm",
            "order_ratio_throttle",
            "order_ratio_min_messages",
            "order_ratio_interval_ms",
        ],
        &[OrderRatio],
        &["messages_per_fill_slow_orders_down"],
    ),
    control(
        "Stale quote, silent feed",
        "A, kernel",
        "No new orders on an old or untrusted quote or a silent feed; a gap in the sequence makes \
         the book untrusted. The runtime blocks on `venue.feed_silence_max_ms` as well, and then \
         what rests is cancelled; nothing is liquidated.",
        &["quote_max_age_ms", "feed_heartbeat_ms"],
        &[StaleQuote, UntrustedQuote, FeedSilent, BlockedData, InstrumentData],
        &[
            "quote_age",
            "a_silent_feed_stops_orders",
            "quotes_that_cannot_be_priced_on",
            "marks_must_be_there_and_fresh",
        ],
    ),
    control(
        "Bad data",
        "A",
        "Crossed, locked or senseless quotes and jumps without a trade put the instrument into \
         quarantine; good quotes in a row lift it. Judged on the quotes that the gate is told.",
        &["data_jump_bps", "data_jump_sigma", "data_sigma_floor_bps", "data_good_quotes"],
        &[InstrumentQuarantine, CrossedQuote],
        &[
            "bad_quotes_put_an_instrument_into_quarantine",
            "a_jump_without_a_trade_is_bad_and_good_quotes_lift_it",
            "ten_deviations_are_bad_once_the_deviation_is_known",
        ],
    ),
    control(
        "Clock",
        "A, runtime",
        "Time that runs backwards refuses. A step (`venue.clock_step_max_ms`) blocks in the \
         runtime. At a real venue the clock is compared with `venue.time_server`; the gate \
         blocks until its first answer, on too large an offset, and on an unknown one.",
        &["clock_warn_ms", "clock_block_ms"],
        &[TimeReversal, BlockedClock],
        &["time_never_runs_backwards", "a_clock_that_is_off_blocks_until_it_is_right"],
    ),
    control(
        "Market state",
        "A",
        "Sessions come with the instrument and hold half days; halts and auctions block until \
         fresh quotes came. Bands lie around the mean of the last five minutes' trades (tier 1 5 \
         %, tier 2 10 % above 3 dollars; the wider bands near the open and the close are not \
         used: the narrow ones hold all day); before the first trade there is no band to check. \
         The short sale restriction follows a fall of a tenth from `last_close`, the list, or \
         `ijk tell`; the market-wide breaker (7, 13, 20 %) the index of the feed, until `ijk tell \
         market-resumed`.",
        &[
            "luld_bands",
            "luld_tier1_symbols",
            "resume_good_quotes",
            "last_close",
            "market_index",
            "short_sale_restricted_symbols",
        ],
        &[OutOfSession, InstrumentMarketHalt, InstrumentLimitState, LuldBand, MarketWideHalt],
        &[
            "session_hours",
            "a_halt_ends_with_fresh_quotes",
            "a_touch_at_the_band_is_the_limit_state",
            "prices_outside_the_band_are_refused",
            "a_falling_index_stops_the_market",
        ],
    ),
    control(
        "Lists of symbols",
        "A, B",
        "A symbol must be allowed by name and not be restricted. The wildcard is refused outside \
         the simulated exchange.",
        &["allow_symbols", "restricted_symbols"],
        &[NotAllowed, Restricted, UnknownInstrument],
        &["lists_of_symbols", "orders_that_make_no_sense"],
    ),
    control(
        "Cancel on disconnect",
        "A, kernel",
        "Orders may not outlive the day unless allowed. What the venue offers is the gateway's \
         to switch on; orders of a run that died are cancelled by the next one.",
        &["allow_gtc"],
        &[TimeInForce],
        &["orders_may_not_outlive_the_day"],
    ),
    control(
        "Disconnect and reconnect",
        "kernel, A, B",
        "A lost link blocks until the accounts agree; nothing is sent again.",
        &[],
        &[BlockedLink, BlockedReconcile],
        &["every_block_has_its_code_and_is_lifted_by_itself", "kill_and_blocks"],
    ),
    control(
        "Reconciliation",
        "kernel, A",
        "`venue.reconcile_interval_ms`. A report or position that does not agree blocks its \
         instrument until it does; the second disagreement of a run halts the account. Fills are \
         never made up.",
        &["halt_mismatches"],
        &[InstrumentPositionMismatch, BlockedReconcile, Halted],
        &[
            "faulty_reports_block_or_halt",
            "faulty_ends_block_and_keep_the_worst_case",
            "a_second_disagreement_halts_the_account",
        ],
    ),
    control(
        "Unknown order state",
        "kernel, A",
        "Counts at worst case, its instrument is blocked, and only the venue's word resolves it. \
         A refused cancel resolves nothing.",
        &[],
        &[InstrumentUnknownOrder],
        &["a_life_of_an_order", "an_adopted_order_counts_and_lives_like_our_own"],
    ),
    control(
        "Late and over fills, busts",
        "A",
        "Booked, then the instrument is blocked until reconciled. A bust takes the execution out \
         with its fees; one that was never booked halts.",
        &[],
        &[InstrumentLateFill, Halted],
        &[
            "a_fill_after_the_end_is_booked_and_blocks",
            "a_bust_undoes_its_execution",
            "an_absent_order_frees_its_rest_and_is_no_reject",
            "a_repeated_execution_is_booked_once",
        ],
    ),
    control(
        "Restart",
        "kernel, A",
        "A start is blocked until what the last run left was taken over and the accounts agree. \
         Positions, results, executions and ids go on.",
        &[],
        &[BlockedRecovery, BlockedOperator],
        &[
            "an_account_survives_the_run",
            "an_account_that_contradicts_itself_halts",
            "remembered_executions_are_not_booked_again",
            "an_adopted_order_that_cannot_be_counted_halts",
        ],
    ),
    control(
        "Change of settings",
        "A, B, `ijk tighten`",
        "What is stricter holds at once, in both gates, and is on record; nothing is raised: a \
         raise takes a new run. Unknown keys refuse the start.",
        &[],
        &[],
        &[
            "limits_are_lowered_at_once_and_never_raised",
            "hard_limits_are_lowered_at_once_and_never_raised",
        ],
    ),
    control(
        "Paper and live",
        "settings",
        "The venue alone chooses the profile of limits; every venue but the simulated exchange \
         gets the defaults below and must name equity, cash, symbols and volumes. Brokers' own \
         accounts are not routed to by this build. Tests: `tools/ijk/src/settings.rs`.",
        &[],
        &[],
        &[],
    ),
    control(
        "End of the day",
        "A, kernel",
        "From the first cut-off only reducing orders pass, parents that add risk are stopped and \
         the forecast's position is flattened; from the second none. Closing auctions are not \
         used.",
        &["eod_reduce_only_s", "eod_no_new_s"],
        &[EndOfDayReduceOnly, EndOfDay],
        &["the_end_of_the_day"],
    ),
    control(
        "Overload",
        "runtime, A, B",
        "A late journal or a ring that is half full blocks new orders; nothing is dropped.",
        &[],
        &[BlockedJournal, BlockedOverload],
        &["every_block_has_its_code_and_is_lifted_by_itself"],
    ),
    control(
        "Alarms",
        "A, kernel",
        "Every trip raises an alarm once; a full buffer says how many were lost. \
         `docs/operating.md` has them all.",
        &[],
        &[],
        &["alarms_are_bounded_and_counted"],
    ),
    control(
        "Override",
        "none",
        "There is none: no setting and no argument lets an order past a gate.",
        &[],
        &[],
        &["nothing_bypasses_the_gates"],
    ),
];

fn sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/risk");
    let mut text = String::new();
    for entry in std::fs::read_dir(root).unwrap() {
        text += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
    }
    text
}

fn as_json(config: &RiskConfig) -> BTreeMap<String, serde_json::Value> {
    match serde_json::to_value(config).unwrap() {
        serde_json::Value::Object(map) => map.into_iter().collect(),
        other => panic!("{other}"),
    }
}

fn table() -> String {
    let mut text = String::from(
        "# Controls\n\n\
         Written by `UPDATE_DOCS=1 cargo test -p ijk-risk`; do not edit. A is the gate \
         (`ijk_risk::Gate`), which reserves an order's worst\ncase before it leaves; B is the \
         egress gate (`ijk_risk::EgressGate`), which checks the bytes again with nothing but its \
         own knowledge. A limit that is\nmissing, zero, negative or not a number refuses. The \
         codes stand in `docs/risk-codes.md`; the tests are functions in `kernel/risk/tests/risk`, \
         and\n`kernel/risk/tests/oracle.rs` compares both gates with an independent oracle.\n\n\
         | # | control | layer | what it does | settings (`[risk]`) | codes | tests |\n\
         |---:|---|---|---|---|---|---|\n",
    );
    let code =
        |names: Vec<&str>| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" ");
    for (index, c) in CONTROLS.iter().enumerate() {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} |\n",
            index + 1,
            c.name,
            c.layer,
            c.text,
            code(c.settings.to_vec()),
            code(c.codes.iter().map(|c| c.name()).collect()),
            code(c.tests.to_vec()),
        );
    }
    text += "\n## Defaults\n\n\
             A real venue gets the first column, the simulated exchange the second; a settings \
             file changes single keys. A value of 0 for equity and cash, and an empty list of\n\
             symbols, refuse every order: the person who trades must name them. What a key means \
             stands in `kernel/core/src/risk_config.rs`.\n\n\
             | key | real venue | simulation |\n|---|---:|---:|\n";
    let simulation = as_json(&RiskConfig::simulation());
    for (key, value) in as_json(&RiskConfig::default()) {
        text += &format!("| `{key}` | {value} | {} |\n", simulation[&key]);
    }
    text
}

#[test]
fn the_documented_controls_are_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/controls.md");
    let want = table();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &want).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == want,
        "docs/controls.md is out of date: run `UPDATE_DOCS=1 cargo test -p ijk-risk` and commit it"
    );
}

#[test]
fn the_table_of_controls_is_complete() {
    let keys = as_json(&RiskConfig::default());
    let settings: HashSet<&str> = CONTROLS.iter().flat_map(|c| c.settings).copied().collect();
    for key in &settings {
        assert!(keys.contains_key(*key), "{key} is no setting");
    }
    for key in keys.keys() {
        assert!(settings.contains(key.as_str()), "no control uses {key}");
    }
    let codes: HashSet<RiskCode> = CONTROLS.iter().flat_map(|c| c.codes).copied().collect();
    for code in RiskCode::ALL {
        assert!(codes.contains(code), "no control has {code}");
    }
    let sources = sources();
    for test in CONTROLS.iter().flat_map(|c| c.tests) {
        assert!(sources.contains(&format!("fn {test}()")), "no test {test}");
    }
    for code in RiskCode::ALL {
        let name = format!("{code:?}");
        // The blocks' codes are all tested in one loop.
        let of_block = name.starts_with("Blocked") || name.starts_with("Instrument");
        assert!(of_block || sources.contains(&format!("RiskCode::{name}")), "{name} is not tested");
    }
}

/// Every way to an order's approval goes through the checks: the constructors of an approval and
/// of the gates take nothing that switches one off, and no setting is named after such a switch.
#[test]
fn nothing_bypasses_the_gates() {
    let words = ["bypass", "override", "disable", "skip", "force", "unsafe", "ignore", "dry"];
    for key in as_json(&RiskConfig::default()).keys() {
        assert!(!words.iter().any(|w| key.contains(w)), "{key}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut makers = vec![];
    for entry in
        std::fs::read_dir(&root).unwrap().chain(std::fs::read_dir(root.join("egress")).unwrap())
    {
        let path = entry.unwrap().path();
        // The type's own documentation shows that others cannot make one.
        if path.extension().is_none_or(|e| e != "rs") || path.ends_with("approved.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        assert!(!text.contains("env::var") && !text.contains("unsafe {"), "{name}");
        makers.extend(text.matches("Approved::new(").map(|_| name.clone()));
    }
    assert_eq!(makers, ["gate.rs"], "approvals are made in one place");
}
