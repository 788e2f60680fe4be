//! The gateway's message codes: what each one means for orders and data, and the right response.
//!
//! Client libraries class codes as "error" or "warning"; that is not enough to trade on. A 404
//! (shares are being located) or a 10349 (a preset changed the time in force) reads like a
//! failure while the order lives on and may fill.

/// How bad a message is for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing to do.
    Info,
    /// Something works less well, or needs a look.
    Warning,
    /// A request, an order or a data stream is lost.
    Error,
    /// No new orders until it is resolved.
    Critical,
}

/// What is to be done about a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response {
    /// Log it.
    Note,
    /// Send fewer messages (cancels count too, and keep a reserve for them); alarm.
    SlowDown,
    /// Give up subscriptions by priority; never retry in a loop.
    ReduceLines,
    /// Our own ids are wrong: report a bug.
    ReportBug,
    /// The id is taken and its order may live: never resend; query open orders, raise the next id
    /// over every one seen.
    ReplaceOrderId,
    /// The modify or cancel came too late: no failure; the executions tell, reconcile by permId.
    AwaitExecution,
    /// The order breaks a rule of the contract: reject it, and check the rule before sending.
    CheckOrder,
    /// What we believe of the order is wrong: reconcile with the gateway's snapshot.
    Reconcile,
    /// Ask again later, paced; "no data" is an answer, not an error.
    RetryPaced,
    /// The request is over and a repetition would end the same way.
    FailRequest,
    /// The order is over: count it for the kill switch, never retry by itself.
    RejectOrder,
    /// What was left of the order is cancelled; fills may still arrive.
    ConfirmCancel,
    /// The order lives, held until shares are located; its risk stays open.
    HoldForLocate,
    /// The order lives on; record what it became from the next open-order message.
    KeepWorking,
    /// Another session has our client id: at the start fail, after a drop retry slowly; never
    /// take another id (its orders would be orphaned).
    RefuseClientId,
    /// The data stream is over: no trading in this instrument.
    MarkUntradeable,
    /// The stream lives on with delayed or partial data: it must not price an order.
    MarkDelayed,
    /// Another login took the data: no trading on it, retry slowly, tell the user.
    BlockTrading,
    /// Cancel the stream and subscribe again.
    Resubscribe,
    /// Empty the book and ignore it until inserts arrive.
    ClearBook,
    /// No new orders; what rests at the exchange lives on, so keep taking executions.
    FreezeOrders,
    /// Subscribe everything again, rebuild the books, reconcile orders, executions, positions.
    RebuildAll,
    /// Data went on; reconcile executions and open orders before new ones.
    ReconcileOrders,
    /// Freeze, connect again, reconcile before unfreezing; orders of unknown fate stay in doubt.
    Reconnect,
    /// Data of one farm is suspect: start its staleness clock, leave the order channel alone.
    DegradeData,
    /// Data is back: if no tick follows soon, subscribe again.
    WatchFeed,
}

impl Response {
    /// Returns whether the order the message names is over.
    pub const fn ends_order(self) -> bool {
        matches!(self, Response::RejectOrder | Response::CheckOrder | Response::ConfirmCancel)
    }

    /// Returns whether new orders must wait after it.
    pub const fn blocks_new_orders(self) -> bool {
        matches!(
            self,
            Response::FreezeOrders
                | Response::RebuildAll
                | Response::ReconcileOrders
                | Response::Reconnect
                | Response::RefuseClientId
                | Response::BlockTrading
        )
    }
}

/// One code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodeInfo {
    /// The code.
    pub code: i32,
    /// How bad it is.
    pub severity: Severity,
    /// What to do.
    pub response: Response,
    /// What it means, in a few words.
    pub meaning: &'static str,
    /// Whether the meaning was checked against the broker's pages, a client library or users'
    /// reports; otherwise it is general knowledge.
    pub checked: bool,
}

/// Returns what is known of `code`, or `None`: then treat the request as failed and its order as
/// in doubt until reconciled.
pub fn describe(code: i32) -> Option<&'static CodeInfo> {
    TABLE.binary_search_by_key(&code, |info| info.code).ok().map(|i| &TABLE[i])
}

/// Returns every code known, ascending.
pub fn all() -> &'static [CodeInfo] {
    &TABLE
}

const fn code(
    code: i32,
    severity: Severity,
    response: Response,
    meaning: &'static str,
) -> CodeInfo {
    CodeInfo { code, severity, response, meaning, checked: true }
}

const fn unchecked(
    number: i32,
    severity: Severity,
    response: Response,
    meaning: &'static str,
) -> CodeInfo {
    CodeInfo { checked: false, ..code(number, severity, response, meaning) }
}

use Response as R;
use Severity::{Critical, Error, Info, Warning};

#[rustfmt::skip]
static TABLE: [CodeInfo; 59] = [
    code(0, Warning, R::SlowDown, "approaching the maximum message rate"),
    code(100, Error, R::SlowDown, "maximum message rate exceeded; a disconnect follows"),
    code(101, Error, R::ReduceLines, "all market data lines are in use"),
    code(102, Error, R::ReportBug, "duplicate ticker id"),
    code(103, Error, R::ReplaceOrderId, "duplicate order id"),
    unchecked(104, Warning, R::AwaitExecution, "a filled order cannot be modified"),
    unchecked(105, Warning, R::AwaitExecution, "the modification does not match the order"),
    code(110, Error, R::CheckOrder, "the price is not on the contract's price step"),
    unchecked(135, Error, R::Reconcile, "no order with this id"),
    unchecked(136, Error, R::Reconcile, "the order cannot be cancelled: not found"),
    unchecked(161, Warning, R::AwaitExecution, "the order is not in a state to be cancelled"),
    code(162, Warning, R::RetryPaced, "historical data: pacing or no data"),
    code(165, Warning, R::RetryPaced, "historical data service message"),
    code(200, Error, R::FailRequest, "no contract, or more than one, fits the description"),
    code(201, Error, R::RejectOrder, "the order was rejected"),
    code(202, Info, R::ConfirmCancel, "the order was cancelled"),
    code(300, Error, R::ReportBug, "unknown ticker id"),
    code(309, Error, R::ReduceLines, "all market depth lines are in use"),
    code(316, Warning, R::Resubscribe, "market depth was halted"),
    code(317, Warning, R::ClearBook, "market depth was reset"),
    code(321, Error, R::CheckOrder, "the request breaks a rule, or the API is read-only"),
    code(326, Critical, R::RefuseClientId, "the client id is in use"),
    code(354, Error, R::MarkUntradeable, "market data is not subscribed"),
    code(366, Warning, R::RetryPaced, "no historical query with this id"),
    code(399, Warning, R::KeepWorking, "warning on an order; it may wait for the open"),
    code(404, Warning, R::HoldForLocate, "held while shares to sell short are located"),
    unchecked(504, Critical, R::Reconnect, "not connected"),
    unchecked(509, Critical, R::Reconnect, "the socket broke"),
    code(1100, Critical, R::FreezeOrders, "the gateway lost its link to the broker"),
    code(1101, Critical, R::RebuildAll, "link restored, data subscriptions lost"),
    code(1102, Warning, R::ReconcileOrders, "link restored, data subscriptions kept"),
    code(1300, Critical, R::Reconnect, "the gateway's port changed"),
    code(2103, Warning, R::DegradeData, "a market data farm is broken"),
    code(2104, Info, R::WatchFeed, "a market data farm is connected"),
    code(2105, Warning, R::DegradeData, "a historical data farm is broken"),
    code(2106, Info, R::WatchFeed, "a historical data farm is connected"),
    code(2107, Info, R::Note, "a historical data farm is inactive, available on demand"),
    code(2108, Info, R::Note, "a market data farm is inactive, available on demand"),
    code(2109, Warning, R::KeepWorking, "outside-hours flag ignored"),
    unchecked(2110, Critical, R::FreezeOrders, "gateway and server are disconnected"),
    code(2119, Info, R::Note, "a market data farm is connecting"),
    unchecked(2148, Warning, R::KeepWorking, "warning on an order"),
    code(2157, Warning, R::DegradeData, "the contract data farm is broken"),
    code(2158, Info, R::WatchFeed, "the contract data farm is connected"),
    unchecked(2161, Warning, R::KeepWorking, "warning on an order"),
    code(2176, Warning, R::KeepWorking, "warning on an order's size"),
    code(10089, Warning, R::MarkDelayed, "part of the data needs a subscription; delayed instead"),
    code(10090, Warning, R::MarkDelayed, "part of the market data is not subscribed"),
    code(10091, Warning, R::MarkDelayed, "part of the data needs a subscription for the API"),
    unchecked(10147, Warning, R::AwaitExecution, "the order to cancel is not found"),
    unchecked(10148, Warning, R::AwaitExecution, "the order cannot be cancelled in its state"),
    code(10167, Warning, R::MarkDelayed, "not subscribed; delayed data instead"),
    code(10168, Error, R::MarkUntradeable, "not subscribed, and delayed data is not enabled"),
    unchecked(10186, Error, R::ReduceLines, "the data request cannot be served"),
    code(10190, Error, R::ReduceLines, "all tick-by-tick requests are in use"),
    code(10197, Critical, R::BlockTrading, "another session uses the market data"),
    unchecked(10225, Warning, R::Resubscribe, "bust event: the stream ended"),
    unchecked(10243, Error, R::CheckOrder, "the size breaks the contract's size rule"),
    code(10349, Info, R::KeepWorking, "a preset changed the time in force"),
];
