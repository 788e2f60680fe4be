//! Contract details, rules, news, option parameters.

use super::{Contract, messages};

messages! {
    ContractDataRequest { req_id: i32 = 1, contract: {Contract} = 2 }
    ContractDetails {
        market_name: text = 1, min_tick: text = 2, order_types: text = 3, valid_exchanges: text = 4,
        price_magnifier: i32 = 5, under_con_id: i32 = 6, long_name: text = 7,
        contract_month: text = 8, industry: text = 9, category: text = 10, subcategory: text = 11,
        time_zone_id: text = 12, trading_hours: text = 13, liquid_hours: text = 14,
        sec_id_list: map = 17, agg_group: i32 = 18, under_symbol: text = 19,
        under_sec_type: text = 20, market_rule_ids: text = 21, real_expiration_date: text = 22,
        stock_type: text = 23, min_size: text = 24, size_increment: text = 25,
        suggested_size_increment: text = 26,
    }
    ContractData {
        req_id: i32 = 1, contract: {Contract} = 2, contract_details: {ContractDetails} = 3,
    }
    MatchingSymbolsRequest { req_id: i32 = 1, pattern: text = 2 }
    ContractDescription { contract: {Contract} = 1, derivative_sec_types: [text] = 2 }
    SymbolSamples { req_id: i32 = 1, contract_descriptions: [ContractDescription] = 2 }
    MarketRuleRequest { market_rule_id: i32 = 1 }
    PriceIncrement { low_edge: f64 = 1, increment: f64 = 2 }
    MarketRule { market_rule_id: i32 = 1, price_increments: [PriceIncrement] = 2 }
    DepthMarketDataDescription {
        exchange: text = 1, sec_type: text = 2, listing_exch: text = 3, service_data_type: text = 4,
        agg_group: i32 = 5,
    }
    MarketDepthExchanges { depth_market_data_descriptions: [DepthMarketDataDescription] = 1 }
    SmartComponentsRequest { req_id: i32 = 1, bbo_exchange: text = 2 }
    SmartComponent { bit_number: i32 = 1, exchange: text = 2, exchange_letter: text = 3 }
    SmartComponents { req_id: i32 = 1, smart_components: [SmartComponent] = 2 }
    SecDefOptParamsRequest {
        req_id: i32 = 1, underlying_symbol: text = 2, fut_fop_exchange: text = 3,
        underlying_sec_type: text = 4, underlying_con_id: i32 = 5,
    }
    SecDefOptParameter {
        req_id: i32 = 1, exchange: text = 2, underlying_con_id: i32 = 3, trading_class: text = 4,
        multiplier: text = 5, expirations: [text] = 6, strikes: [f64] = 7,
    }
    CalculateImpliedVolatilityRequest {
        req_id: i32 = 1, contract: {Contract} = 2, option_price: f64 = 3, under_price: f64 = 4,
    }
    CalculateOptionPriceRequest {
        req_id: i32 = 1, contract: {Contract} = 2, volatility: f64 = 3, under_price: f64 = 4,
    }
    NewsProvider { provider_code: text = 1, provider_name: text = 2 }
    NewsProviders { news_providers: [NewsProvider] = 1 }
    NewsArticleRequest { req_id: i32 = 1, provider_code: text = 2, article_id: text = 3 }
    NewsArticle { req_id: i32 = 1, article_type: i32 = 2, article_text: text = 3 }
    HistoricalNewsRequest {
        req_id: i32 = 1, con_id: i32 = 2, provider_codes: text = 3, start_date_time: text = 4,
        end_date_time: text = 5, total_results: i32 = 6,
    }
    HistoricalNews {
        req_id: i32 = 1, time: text = 2, provider_code: text = 3, article_id: text = 4,
        headline: text = 5,
    }
    HistoricalNewsEnd { req_id: i32 = 1, has_more: bool = 2 }
    TickNews {
        req_id: i32 = 1, timestamp: i64 = 2, provider_code: text = 3, article_id: text = 4,
        headline: text = 5, extra_data: text = 6,
    }
}
