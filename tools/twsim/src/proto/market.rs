//! Quotes, ticks, depth, bars and history.

use super::{Contract, messages};

messages! {
    MarketDataRequest {
        req_id: i32 = 1, contract: {Contract} = 2, generic_tick_list: text = 3, snapshot: bool = 4,
        regulatory_snapshot: bool = 5, market_data_options: map = 6,
    }
    MarketDataType { req_id: i32 = 1, market_data_type: i32 = 2 }
    TickReqParams {
        req_id: i32 = 1, min_tick: text = 2, bbo_exchange: text = 3, snapshot_permissions: i32 = 4,
    }
    TickPrice {
        req_id: i32 = 1, tick_type: i32 = 2, price: f64 = 3, size: text = 4, attr_mask: i32 = 5,
    }
    TickSize { req_id: i32 = 1, tick_type: i32 = 2, size: text = 3 }
    TickGeneric { req_id: i32 = 1, tick_type: i32 = 2, value: f64 = 3 }
    TickString { req_id: i32 = 1, tick_type: i32 = 2, value: text = 3 }
    TickOptionComputation {
        req_id: i32 = 1, tick_type: i32 = 2, tick_attrib: i32 = 3, implied_vol: f64 = 4,
        delta: f64 = 5, opt_price: f64 = 6, pv_dividend: f64 = 7, gamma: f64 = 8, vega: f64 = 9,
        theta: f64 = 10, und_price: f64 = 11,
    }
    TickByTickRequest {
        req_id: i32 = 1, contract: {Contract} = 2, tick_type: text = 3, number_of_ticks: i32 = 4,
        ignore_size: bool = 5,
    }
    TickAttribLast { past_limit: bool = 1, unreported: bool = 2 }
    TickAttribBidAsk { bid_past_low: bool = 1, ask_past_high: bool = 2 }
    HistoricalTick { time: i64 = 1, price: f64 = 2, size: text = 3 }
    HistoricalTickLast {
        time: i64 = 1, tick_attrib_last: {TickAttribLast} = 2, price: f64 = 3, size: text = 4,
        exchange: text = 5, special_conditions: text = 6,
    }
    HistoricalTickBidAsk {
        time: i64 = 1, tick_attrib_bid_ask: {TickAttribBidAsk} = 2, price_bid: f64 = 3,
        price_ask: f64 = 4, size_bid: text = 5, size_ask: text = 6,
    }
    /// Exactly one of the last three is given.
    TickByTickData {
        req_id: i32 = 1, tick_type: i32 = 2, historical_tick_last: {HistoricalTickLast} = 3,
        historical_tick_bid_ask: {HistoricalTickBidAsk} = 4,
        historical_tick_mid_point: {HistoricalTick} = 5,
    }
    MarketDepthRequest {
        req_id: i32 = 1, contract: {Contract} = 2, num_rows: i32 = 3, is_smart_depth: bool = 4,
    }
    CancelMarketDepth { req_id: i32 = 1, is_smart_depth: bool = 2 }
    MarketDepthData {
        position: i32 = 1, operation: i32 = 2, side: i32 = 3, price: f64 = 4, size: text = 5,
        market_maker: text = 6, is_smart_depth: bool = 7,
    }
    MarketDepth { req_id: i32 = 1, market_depth_data: {MarketDepthData} = 2 }
    MarketDepthL2 { req_id: i32 = 1, market_depth_data: {MarketDepthData} = 2 }
    RealTimeBarsRequest {
        req_id: i32 = 1, contract: {Contract} = 2, bar_size: i32 = 3, what_to_show: text = 4,
        use_rth: bool = 5,
    }
    RealTimeBarTick {
        req_id: i32 = 1, time: i64 = 2, open: f64 = 3, high: f64 = 4, low: f64 = 5, close: f64 = 6,
        volume: text = 7, wap: text = 8, count: i32 = 9,
    }
    HistoricalDataRequest {
        req_id: i32 = 1, contract: {Contract} = 2, end_date_time: text = 3,
        bar_size_setting: text = 4, duration: text = 5, use_rth: bool = 6, what_to_show: text = 7,
        format_date: i32 = 8, keep_up_to_date: bool = 9,
    }
    HistoricalDataBar {
        date: text = 1, open: f64 = 2, high: f64 = 3, low: f64 = 4, close: f64 = 5,
        volume: text = 6, wap: text = 7, bar_count: i32 = 8,
    }
    HistoricalData { req_id: i32 = 1, historical_data_bars: [HistoricalDataBar] = 2 }
    HistoricalDataUpdate { req_id: i32 = 1, historical_data_bar: {HistoricalDataBar} = 2 }
    HistoricalDataEnd { req_id: i32 = 1, start_date_str: text = 2, end_date_str: text = 3 }
    HeadTimestampRequest {
        req_id: i32 = 1, contract: {Contract} = 2, use_rth: bool = 3, what_to_show: text = 4,
        format_date: i32 = 5,
    }
    HeadTimestamp { req_id: i32 = 1, head_timestamp: text = 2 }
    HistogramDataRequest {
        req_id: i32 = 1, contract: {Contract} = 2, use_rth: bool = 3, time_period: text = 4,
    }
    HistogramDataEntry { price: f64 = 1, size: text = 2 }
    HistogramData { req_id: i32 = 1, histogram_data_entries: [HistogramDataEntry] = 2 }
    HistoricalTicksRequest {
        req_id: i32 = 1, contract: {Contract} = 2, start_date_time: text = 3,
        end_date_time: text = 4, number_of_ticks: i32 = 5, what_to_show: text = 6,
        use_rth: bool = 7, ignore_size: bool = 8,
    }
    HistoricalTicks { req_id: i32 = 1, historical_ticks: [HistoricalTick] = 2, is_done: bool = 3 }
    HistoricalTicksBidAsk {
        req_id: i32 = 1, historical_ticks_bid_ask: [HistoricalTickBidAsk] = 2, is_done: bool = 3,
    }
    HistoricalTicksLast {
        req_id: i32 = 1, historical_ticks_last: [HistoricalTickLast] = 2, is_done: bool = 3,
    }
    HistoricalSession { start_date_time: text = 1, end_date_time: text = 2, ref_date: text = 3 }
    HistoricalSchedule {
        req_id: i32 = 1, start_date_time: text = 2, end_date_time: text = 3, time_zone: text = 4,
        historical_sessions: [HistoricalSession] = 5,
    }
}
