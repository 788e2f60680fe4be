//! Reason codes of refusals.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $meaning:literal;)*) => {
        /// Why the gate refused an order. The numbers are stable: they stand in journals.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum RiskCode {
            $(#[doc = $meaning] $name = $number,)*
        }

        impl RiskCode {
            /// Every code, in the order of its number.
            pub const ALL: &'static [RiskCode] = &[$(RiskCode::$name),*];

            /// Returns the stable name used in tables.
            pub const fn name(self) -> &'static str {
                match self { $(RiskCode::$name => $text,)* }
            }

            /// Returns what the code means, as one sentence.
            pub const fn describe(self) -> &'static str {
                match self { $(RiskCode::$name => $meaning,)* }
            }
        }
    };
}

codes! {
    Killed = 1, "killed",
        "The kill switch is latched; nothing leaves until a restart by a person.";
    Halted = 2, "halted",
        "The loss limit or a ledger fault halted trading; it stays halted.";
    ReduceOnly = 3, "reduce_only",
        "Only orders that shrink the position pass, working orders included.";
    UnknownInstrument = 10, "unknown_instrument",
        "The instrument is not in the run's table.";
    UnsupportedCurrency = 11, "unsupported_currency",
        "Prices are not in dollars, so dollar limits cannot be applied.";
    OutOfSession = 12, "out_of_session",
        "The time is outside the instrument's trading hours.";
    TimeReversal = 13, "time_reversal",
        "Time ran backwards, or the quote is from the future.";
    BadClientId = 20, "bad_client_id",
        "The client order id is zero.";
    DuplicateClientId = 21, "duplicate_client_id",
        "The client order id is not above every id accepted before.";
    BadQuantity = 22, "bad_quantity",
        "The quantity is zero or negative.";
    OffLot = 23, "off_lot",
        "The quantity is not a multiple of the lot.";
    BadPrice = 24, "bad_price",
        "The limit price is zero or negative, or a market order carries a price.";
    OffTick = 25, "off_tick",
        "The limit price is not on the tick grid.";
    UntrustedQuote = 30, "untrusted_quote",
        "The book lost messages and was not rebuilt.";
    OneSidedQuote = 31, "one_sided_quote",
        "The book lacks a bid or an ask.";
    CrossedQuote = 32, "crossed_quote",
        "The best bid is not below the best ask.";
    StaleQuote = 33, "stale_quote",
        "The quote is older than quote_max_age_ms, or that limit is unset.";
    OrderQty = 40, "order_qty",
        "The quantity, in whole units, is above max_order_qty.";
    OrderNotional = 41, "order_notional",
        "The value is above max_order_notional_usd (market order: far touch plus collar).";
    PriceCollar = 42, "price_collar",
        "The price is further from the mid than price_collar_bps.";
    PositionLimit = 50, "position_limit",
        "The position with working orders at worst case would pass max_position_notional_usd.";
    GrossLimit = 51, "gross_limit",
        "Gross exposure with working orders at worst case would pass max_gross_notional_usd.";
    MissingMark = 52, "missing_mark",
        "A position or working order has no valid mark: loss unknown, only reducing passes.";
    OpenOrders = 60, "open_orders",
        "max_open_orders are already working.";
    SelfMatch = 61, "self_match",
        "The order could trade with an own working order.";
    DuplicateOrder = 62, "duplicate_order",
        "An equal order passed within duplicate_window_ms.";
    MessageRate = 63, "message_rate",
        "More new orders than max_orders_per_s and order_burst allow.";
    Overflow = 70, "overflow",
        "A price, quantity or exposure does not fit the arithmetic.";
}

impl RiskCode {
    /// Returns the code with this number.
    pub fn from_raw(raw: u16) -> Option<RiskCode> {
        RiskCode::ALL.iter().copied().find(|c| *c as u16 == raw)
    }
}

impl core::fmt::Display for RiskCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
