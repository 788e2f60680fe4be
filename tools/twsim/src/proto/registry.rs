//! Which message has which number, in both directions.

use super::*;

/// One message of the protocol.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Its number, without the protobuf offset.
    pub id: u32,
    /// Its name in the protocol.
    pub name: &'static str,
    /// Its fields.
    pub schema: fn() -> Schema,
}

macro_rules! table {
    ($($id:literal $name:ident $(as $like:ident)?),* $(,)?) => {
        &[$(Entry { id: $id, name: stringify!($name), schema: schema_of!($name $($like)?) }),*]
    };
}

macro_rules! schema_of {
    ($name:ident) => {
        <$name as Described>::schema
    };
    ($name:ident $like:ident) => {
        <$like as Described>::schema
    };
}

/// Requests of clients.
pub const REQUESTS: &[Entry] = table! {
    1 MarketDataRequest, 2 CancelMarketData as ReqIdOnly, 3 PlaceOrderRequest,
    4 CancelOrderRequest, 5 OpenOrdersRequest as Empty, 6 AccountDataRequest, 7 ExecutionRequest,
    8 IdsRequest, 9 ContractDataRequest, 10 MarketDepthRequest, 11 CancelMarketDepth,
    12 NewsBulletinsRequest, 13 CancelNewsBulletins as Empty, 14 SetServerLogLevelRequest,
    15 AutoOpenOrdersRequest, 16 AllOpenOrdersRequest as Empty,
    17 ManagedAccountsRequest as Empty, 20 HistoricalDataRequest, 21 ExerciseOptionsRequest,
    25 CancelHistoricalData as ReqIdOnly, 49 CurrentTimeRequest as Empty, 50 RealTimeBarsRequest,
    51 CancelRealTimeBars as ReqIdOnly, 54 CalculateImpliedVolatilityRequest,
    55 CalculateOptionPriceRequest, 56 CancelCalculateImpliedVolatility as ReqIdOnly,
    57 CancelCalculateOptionPrice as ReqIdOnly, 58 GlobalCancelRequest, 59 MarketDataTypeRequest,
    61 PositionsRequest as Empty, 62 AccountSummaryRequest, 63 CancelAccountSummary as ReqIdOnly,
    64 CancelPositions as Empty, 71 StartApiRequest, 74 PositionsMultiRequest,
    75 CancelPositionsMulti as ReqIdOnly, 76 AccountUpdatesMultiRequest,
    77 CancelAccountUpdatesMulti as ReqIdOnly, 78 SecDefOptParamsRequest,
    79 SoftDollarTiersRequest as ReqIdOnly, 80 FamilyCodesRequest as Empty,
    81 MatchingSymbolsRequest, 82 MarketDepthExchangesRequest as Empty, 83 SmartComponentsRequest,
    84 NewsArticleRequest, 85 NewsProvidersRequest as Empty, 86 HistoricalNewsRequest,
    87 HeadTimestampRequest, 88 HistogramDataRequest, 89 CancelHistogramData as ReqIdOnly,
    90 CancelHeadTimestamp as ReqIdOnly, 91 MarketRuleRequest, 92 PnLRequest,
    93 CancelPnL as ReqIdOnly, 94 PnLSingleRequest, 95 CancelPnLSingle as ReqIdOnly,
    96 HistoricalTicksRequest, 97 TickByTickRequest, 98 CancelTickByTick as ReqIdOnly,
    99 CompletedOrdersRequest, 104 UserInfoRequest as ReqIdOnly,
    105 CurrentTimeInMillisRequest as Empty, 106 CancelContractData as ReqIdOnly,
    107 CancelHistoricalTicks as ReqIdOnly,
};

/// Answers of the gateway.
pub const ANSWERS: &[Entry] = table! {
    1 TickPrice, 2 TickSize, 3 OrderStatus, 4 ErrorMessage, 5 OpenOrder, 6 AccountValue,
    7 PortfolioValue, 8 AccountUpdateTime, 9 NextValidId, 10 ContractData, 11 ExecutionDetails,
    12 MarketDepth, 13 MarketDepthL2, 14 NewsBulletin, 15 ManagedAccounts, 17 HistoricalData,
    21 TickOptionComputation, 45 TickGeneric, 46 TickString, 49 CurrentTime, 50 RealTimeBarTick,
    52 ContractDataEnd as ReqIdOnly, 53 OpenOrdersEnd as Empty, 54 AccountDataEnd,
    55 ExecutionDetailsEnd as ReqIdOnly, 57 TickSnapshotEnd as ReqIdOnly, 58 MarketDataType,
    59 CommissionAndFeesReport, 61 Position, 62 PositionEnd as Empty, 63 AccountSummary,
    64 AccountSummaryEnd as ReqIdOnly, 71 PositionMulti, 72 PositionMultiEnd as ReqIdOnly,
    73 AccountUpdateMulti, 74 AccountUpdateMultiEnd as ReqIdOnly, 75 SecDefOptParameter,
    76 SecDefOptParameterEnd as ReqIdOnly, 77 SoftDollarTiers, 78 FamilyCodes, 79 SymbolSamples,
    80 MarketDepthExchanges, 81 TickReqParams, 82 SmartComponents, 83 NewsArticle, 84 TickNews,
    85 NewsProviders, 86 HistoricalNews, 87 HistoricalNewsEnd, 88 HeadTimestamp,
    89 HistogramData, 90 HistoricalDataUpdate, 93 MarketRule, 94 PnL, 95 PnLSingle,
    96 HistoricalTicks, 97 HistoricalTicksBidAsk, 98 HistoricalTicksLast, 99 TickByTickData,
    100 OrderBound, 101 CompletedOrder, 102 CompletedOrdersEnd as Empty, 106 HistoricalSchedule,
    107 UserInfo, 108 HistoricalDataEnd, 109 CurrentTimeInMillis,
};

/// Returns the entry of message `id` in one of the tables.
pub fn find(table: &'static [Entry], id: u32) -> Option<&'static Entry> {
    table.iter().find(|entry| entry.id == id)
}

#[test]
fn tables_are_in_order_without_doubles() {
    for table in [REQUESTS, ANSWERS] {
        assert!(table.windows(2).all(|w| w[0].id < w[1].id));
    }
    for entry in REQUESTS.iter().chain(ANSWERS) {
        let schema = (entry.schema)();
        let mut tags: Vec<u32> = schema.fields.iter().map(|f| f.tag).collect();
        tags.sort_unstable();
        tags.dedup();
        assert_eq!(tags.len(), schema.fields.len(), "{}", entry.name);
    }
}
