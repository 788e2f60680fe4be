//! Texts that go with the codes of error messages.

/// Returns the text of a code, as clients see it.
pub fn text(code: i32) -> &'static str {
    TEXTS.iter().find(|t| t.0 == code).map_or("Simulated message", |t| t.1)
}

const TEXTS: &[(i32, &str)] = &[
    (0, "Warning: Approaching max rate of 50 messages per second"),
    (100, "Max rate of messages per second has been exceeded"),
    (101, "Max number of tickers has been reached"),
    (102, "Duplicate ticker ID"),
    (103, "Duplicate order id"),
    (104, "Cannot modify a filled order"),
    (105, "Order being modified does not match original order"),
    (110, "The price does not conform to the minimum price variation for this contract."),
    (135, "Can't find order with ID"),
    (136, "This order cannot be cancelled."),
    (161, "Cancel attempted when order is not in a cancellable state."),
    (162, "Historical Market Data Service error message:HMDS query returned no data"),
    (
        165,
        "Historical Market Data Service query message:HMDS server disconnect occurred. \
           Attempting reconnection...",
    ),
    (200, "No security definition has been found for the request"),
    (201, "Order rejected - reason:"),
    (202, "Order Canceled - reason:"),
    (300, "Can't find EId with tickerId"),
    (309, "Max number of market depth requests has been reached"),
    (310, "Can't find the subscribed market depth with tickerId"),
    (316, "Market depth data has been HALTED. Please re-subscribe."),
    (
        317,
        "Market depth data has been RESET. Please empty deep book contents before applying any \
           new entries.",
    ),
    (320, "Error reading request"),
    (321, "Error validating request"),
    (326, "Unable to connect as the client id is already in use. Retry with a unique client id."),
    (354, "Requested market data is not subscribed."),
    (366, "No historical data query found for ticker id"),
    (387, "Unsupported order type for this exchange and security type."),
    (
        399,
        "Order Message:\nWarning: your order will not be placed at the exchange until \
           2025-03-03 09:30:00 US/Eastern",
    ),
    (404, "Order held while securities are located."),
    (434, "The order size cannot be zero."),
    (1100, "Connectivity between IBKR and Trader Workstation has been lost."),
    (1101, "Connectivity between IBKR and Trader Workstation has been restored - data lost."),
    (
        1102,
        "Connectivity between IBKR and Trader Workstation has been restored - data \
            maintained. All data farms are connected: usfarm; ushmds; secdefil.",
    ),
    (
        1300,
        "Socket port has been reset and this connection is being dropped. Please reconnect on \
            the new port -",
    ),
    (2103, "Market data farm connection is broken:usfarm"),
    (2104, "Market data farm connection is OK:usfarm"),
    (2105, "HMDS data farm connection is broken:ushmds"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2107, "HMDS data farm connection is inactive but should be available upon demand.ushmds"),
    (2108, "Market data farm connection is inactive but should be available upon demand.usfarm"),
    (
        2109,
        "Order Event Warning:Attribute 'Outside Regular Trading Hours' is ignored based on \
            the order type and destination. PlaceOrder is now being processed.",
    ),
    (
        2110,
        "Connectivity between Trader Workstation and server is broken. It will be restored \
            automatically.",
    ),
    (2119, "Market data farm is connecting:usfarm"),
    (2148, "Exchange is closed. The order will be sent at the open."),
    (2157, "Sec-def data farm connection is broken:secdefil"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
    (
        2161,
        "In accordance with our regulatory obligations as a broker, the price of this order \
            may be capped.",
    ),
    (
        2176,
        "Warning: Your API version does not support fractional share size rules. Please \
            upgrade to a minimum version 163.",
    ),
    (
        10089,
        "Requested market data requires additional subscription for API. See link in \
             'Market Data Connections' dialog for more details. Delayed market data is available.",
    ),
    (
        10090,
        "Part of requested market data is not subscribed. Subscription-independent ticks are \
             still active. Delayed market data is available.",
    ),
    (10091, "Part of requested market data requires additional subscription for API."),
    (10147, "OrderId that needs to be cancelled is not found."),
    (10148, "OrderId that needs to be cancelled can not be cancelled, state: Filled."),
    (10167, "Requested market data is not subscribed. Displaying delayed market data."),
    (10168, "Requested market data is not subscribed. Delayed market data is not enabled."),
    (10186, "Requested market data is not subscribed. Delayed market data is not enabled."),
    (10190, "Max number of tick-by-tick requests has been reached."),
    (10197, "No market data during competing live session"),
    (
        10225,
        "Bust event occurred, current subscription is deactivated. Please resubscribe \
             real-time bars immediately.",
    ),
    (
        10243,
        "The size value cannot be used: it does not conform to the size rules of this \
             contract.",
    ),
    (10349, "Order TIF was set to DAY based on order preset."),
];

#[test]
fn every_code_stands_once() {
    let mut codes: Vec<i32> = TEXTS.iter().map(|t| t.0).collect();
    let sorted = codes.clone();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes, sorted);
}
