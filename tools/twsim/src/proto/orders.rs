//! Orders, their states, executions.

use super::{Contract, SoftDollarTier, messages};

messages! {
    OrderCondition {
        is_conjunction_connection: bool = 2, is_more: bool = 3, con_id: i32 = 4,
        exchange: text = 5, symbol: text = 6, sec_type: text = 7, percent: i32 = 8,
        change_percent: f64 = 9, price: f64 = 10, trigger_method: i32 = 11, time: text = 12,
        volume: i32 = 13,
        // Number 1 as declared by the protocol: which of the kinds above this is.
        r#type: i32 = 1,
    }
    /// An order as sent and as told back.
    Order {
        client_id: i32 = 1, order_id: i32 = 2, perm_id: i64 = 3, parent_id: i32 = 4,
        action: text = 5, total_quantity: text = 6, display_size: i32 = 7, order_type: text = 8,
        lmt_price: f64 = 9, aux_price: f64 = 10, tif: text = 11, account: text = 12,
        settling_firm: text = 13, clearing_account: text = 14, clearing_intent: text = 15,
        all_or_none: bool = 16, block_order: bool = 17, hidden: bool = 18,
        outside_rth: bool = 19, sweep_to_fill: bool = 20, percent_offset: f64 = 21,
        trailing_percent: f64 = 22, trail_stop_price: f64 = 23, min_qty: i32 = 24,
        good_after_time: text = 25, good_till_date: text = 26, oca_group: text = 27,
        order_ref: text = 28, rule80_a: text = 29, oca_type: i32 = 30, trigger_method: i32 = 31,
        active_start_time: text = 32, active_stop_time: text = 33, fa_group: text = 34,
        fa_method: text = 35, fa_percentage: text = 36, volatility: f64 = 37,
        volatility_type: i32 = 38, continuous_update: bool = 39, reference_price_type: i32 = 40,
        delta_neutral_order_type: text = 41, delta_neutral_aux_price: f64 = 42,
        delta_neutral_con_id: i32 = 43, delta_neutral_open_close: text = 44,
        delta_neutral_short_sale: bool = 45, delta_neutral_short_sale_slot: i32 = 46,
        delta_neutral_designated_location: text = 47, scale_init_level_size: i32 = 48,
        scale_subs_level_size: i32 = 49, scale_price_increment: f64 = 50,
        scale_price_adjust_value: f64 = 51, scale_price_adjust_interval: i32 = 52,
        scale_profit_offset: f64 = 53, scale_auto_reset: bool = 54, scale_init_position: i32 = 55,
        scale_init_fill_qty: i32 = 56, scale_random_percent: bool = 57, scale_table: text = 58,
        hedge_type: text = 59, hedge_param: text = 60, algo_strategy: text = 61,
        algo_params: map = 62, algo_id: text = 63, smart_combo_routing_params: map = 64,
        what_if: bool = 65, transmit: bool = 66, override_percentage_constraints: bool = 67,
        open_close: text = 68, origin: i32 = 69, short_sale_slot: i32 = 70,
        designated_location: text = 71, exempt_code: i32 = 72,
        delta_neutral_settling_firm: text = 73, delta_neutral_clearing_account: text = 74,
        delta_neutral_clearing_intent: text = 75, discretionary_amt: f64 = 76,
        opt_out_smart_routing: bool = 77, starting_price: f64 = 78, stock_ref_price: f64 = 79,
        delta: f64 = 80, stock_range_lower: f64 = 81, stock_range_upper: f64 = 82,
        not_held: bool = 83, order_misc_options: map = 84, solicited: bool = 85,
        randomize_size: bool = 86, randomize_price: bool = 87, reference_contract_id: i32 = 88,
        pegged_change_amount: f64 = 89, is_pegged_change_amount_decrease: bool = 90,
        reference_change_amount: f64 = 91, reference_exchange_id: text = 92,
        adjusted_order_type: text = 93, trigger_price: f64 = 94, adjusted_stop_price: f64 = 95,
        adjusted_stop_limit_price: f64 = 96, adjusted_trailing_amount: f64 = 97,
        adjustable_trailing_unit: i32 = 98, lmt_price_offset: f64 = 99,
        conditions: [OrderCondition] = 100, conditions_cancel_order: bool = 101,
        conditions_ignore_rth: bool = 102, model_code: text = 103, ext_operator: text = 104,
        soft_dollar_tier: {SoftDollarTier} = 105, cash_qty: f64 = 106,
        mifid2_decision_maker: text = 107, mifid2_decision_algo: text = 108,
        mifid2_execution_trader: text = 109, mifid2_execution_algo: text = 110,
        dont_use_auto_price_for_hedge: bool = 111, is_oms_container: bool = 112,
        discretionary_up_to_limit_price: bool = 113, auto_cancel_date: text = 114,
        filled_quantity: text = 115, ref_futures_con_id: i32 = 116, auto_cancel_parent: bool = 117,
        shareholder: text = 118, imbalance_only: bool = 119, route_marketable_to_bbo: i32 = 120,
        parent_perm_id: i64 = 121, use_price_mgmt_algo: i32 = 122, duration: i32 = 123,
        post_to_ats: i32 = 124, advanced_error_override: text = 125, manual_order_time: text = 126,
        min_trade_qty: i32 = 127, min_compete_size: i32 = 128,
        compete_against_best_offset: f64 = 129, mid_offset_at_whole: f64 = 130,
        mid_offset_at_half: f64 = 131, customer_account: text = 132,
        professional_customer: bool = 133, bond_accrued_interest: text = 134,
        include_overnight: bool = 135, manual_order_indicator: i32 = 136, submitter: text = 137,
        deactivate: bool = 138, post_only: bool = 139, allow_pre_open: bool = 140,
        ignore_open_auction: bool = 141, seek_price_improvement: i32 = 142, what_if_type: i32 = 143,
    }
    AttachedOrders {
        sl_order_id: i32 = 1, sl_order_type: text = 2, pt_order_id: i32 = 3,
        pt_order_type: text = 4,
    }
    PlaceOrderRequest {
        order_id: i32 = 1, contract: {Contract} = 2, order: {Order} = 3,
        attached_orders: {AttachedOrders} = 4,
    }
    OrderCancel {
        manual_order_cancel_time: text = 1, ext_operator: text = 2, manual_order_indicator: i32 = 3,
    }
    CancelOrderRequest { order_id: i32 = 1, order_cancel: {OrderCancel} = 2 }
    GlobalCancelRequest { order_cancel: {OrderCancel} = 1 }
    OrderState {
        status: text = 1, init_margin_before: f64 = 2, maint_margin_before: f64 = 3,
        equity_with_loan_before: f64 = 4, init_margin_change: f64 = 5, maint_margin_change: f64 = 6,
        equity_with_loan_change: f64 = 7, init_margin_after: f64 = 8, maint_margin_after: f64 = 9,
        equity_with_loan_after: f64 = 10, commission_and_fees: f64 = 11,
        min_commission_and_fees: f64 = 12, max_commission_and_fees: f64 = 13,
        commission_and_fees_currency: text = 14, margin_currency: text = 15,
        suggested_size: text = 25, reject_reason: text = 26, warning_text: text = 28,
        completed_time: text = 29, completed_status: text = 30,
    }
    OpenOrder {
        order_id: i32 = 1, contract: {Contract} = 2, order: {Order} = 3,
        order_state: {OrderState} = 4,
    }
    OrderStatus {
        order_id: i32 = 1, status: text = 2, filled: text = 3, remaining: text = 4,
        avg_fill_price: f64 = 5, perm_id: i64 = 6, parent_id: i32 = 7, last_fill_price: f64 = 8,
        client_id: i32 = 9, why_held: text = 10, mkt_cap_price: f64 = 11,
    }
    OrderBound { perm_id: i64 = 1, client_id: i32 = 2, order_id: i32 = 3 }
    AutoOpenOrdersRequest { auto_bind: bool = 1 }
    CompletedOrdersRequest { api_only: bool = 1 }
    CompletedOrder { contract: {Contract} = 1, order: {Order} = 2, order_state: {OrderState} = 3 }
    ExecutionFilter {
        client_id: i32 = 1, acct_code: text = 2, time: text = 3, symbol: text = 4,
        sec_type: text = 5, exchange: text = 6, side: text = 7, last_n_days: i32 = 8,
        specific_dates: [i32] = 9,
    }
    ExecutionRequest { req_id: i32 = 1, execution_filter: {ExecutionFilter} = 2 }
    Execution {
        order_id: i32 = 1, exec_id: text = 2, time: text = 3, acct_number: text = 4,
        exchange: text = 5, side: text = 6, shares: text = 7, price: f64 = 8, perm_id: i64 = 9,
        client_id: i32 = 10, is_liquidation: bool = 11, cum_qty: text = 12, avg_price: f64 = 13,
        order_ref: text = 14, ev_rule: text = 15, ev_multiplier: f64 = 16, model_code: text = 17,
        last_liquidity: i32 = 18, is_price_revision_pending: bool = 19, submitter: text = 20,
    }
    ExecutionDetails { req_id: i32 = 1, contract: {Contract} = 2, execution: {Execution} = 3 }
    CommissionAndFeesReport {
        exec_id: text = 1, commission_and_fees: f64 = 2, currency: text = 3, realized_pnl: f64 = 4,
    }
    ExerciseOptionsRequest {
        order_id: i32 = 1, contract: {Contract} = 2, exercise_action: i32 = 3,
        exercise_quantity: i32 = 4, account: text = 5, r#override: bool = 6,
    }
}
