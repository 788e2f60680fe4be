//! Reason codes of refusals.

use ijk_core::Block;

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
        "A loss, drawdown, losers' or rejects' limit or a ledger fault halted trading for the run.";
    ReduceOnly = 3, "reduce_only",
        "Only orders that shrink the position pass, working orders included.";
    SlippageReduceOnly = 4, "slippage_reduce_only",
        "The instrument's slippage passed slippage_limit_bps: only reducing orders pass.";
    EntryReduceOnly = 5, "entry_reduce_only",
        "The instrument passed max_entries_per_window before: only reducing orders pass.";
    MarketWideHalt = 6, "market_wide_halt",
        "The index fell to a level of the market-wide circuit breaker.";
    UnknownInstrument = 10, "unknown_instrument",
        "The instrument is not in the run's table.";
    UnsupportedCurrency = 11, "unsupported_currency",
        "Prices are not in dollars, so dollar limits cannot be applied.";
    OutOfSession = 12, "out_of_session",
        "The time is outside the instrument's trading hours.";
    TimeReversal = 13, "time_reversal",
        "Time ran backwards, or the quote is from the future.";
    NotAllowed = 14, "not_allowed",
        "The symbol is not in allow_symbols.";
    Restricted = 15, "restricted",
        "The symbol is in restricted_symbols.";
    EndOfDay = 16, "end_of_day",
        "The session ends within eod_no_new_s.";
    EndOfDayReduceOnly = 17, "end_of_day_reduce_only",
        "The session ends within eod_reduce_only_s: only reducing orders pass.";
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
    TimeInForce = 26, "time_in_force",
        "The order would outlive the day, which allow_gtc forbids.";
    UntrustedQuote = 30, "untrusted_quote",
        "The book lost messages and was not rebuilt.";
    OneSidedQuote = 31, "one_sided_quote",
        "The book lacks a bid or an ask.";
    CrossedQuote = 32, "crossed_quote",
        "The best bid is not below the best ask.";
    StaleQuote = 33, "stale_quote",
        "The quote is older than quote_max_age_ms, or that limit is unset.";
    FeedSilent = 34, "feed_silent",
        "Nothing came from the feed for feed_heartbeat_ms, or that limit is unset.";
    OrderQty = 40, "order_qty",
        "The quantity, in whole units, is above max_order_qty.";
    OrderNotional = 41, "order_notional",
        "The value is above the limit in dollars or equity (market order: far touch plus collar).";
    PriceCollar = 42, "price_collar",
        "The price is further from the mid than the collar of its price range.";
    AdvUnknown = 43, "adv_unknown",
        "The symbol's average daily volume is not set, so its share cannot be judged.";
    AdvShare = 44, "adv_share",
        "The quantity is above max_order_adv_fraction of the average daily volume.";
    LuldBand = 45, "luld_band",
        "The price lies outside the limit-up limit-down band.";
    PositionLimit = 50, "position_limit",
        "The position with working orders at worst case would pass the position limit.";
    GrossLimit = 51, "gross_limit",
        "Gross exposure with working orders at worst case would pass the gross limit.";
    MissingMark = 52, "missing_mark",
        "A position or working order has no valid mark: loss unknown, only reducing passes.";
    NetLimit = 53, "net_limit",
        "Net exposure with working orders at worst case would pass the net limit.";
    SectorUnknown = 54, "sector_unknown",
        "Sectors are limited and the symbol has none in the table.";
    SectorLimit = 55, "sector_limit",
        "The sector's gross exposure at worst case would pass max_sector_equity_fraction.";
    ShortSale = 56, "short_sale",
        "The sale could make the position short, which allow_short forbids.";
    ShortSaleRestricted = 57, "short_sale_restricted",
        "A short sale not above the best bid while the short sale restriction holds.";
    BuyingPower = 58, "buying_power",
        "Settled cash, less today's buys, fees and working buys, does not pay for the order.";
    OpenOrders = 60, "open_orders",
        "max_open_orders are already working.";
    SelfMatch = 61, "self_match",
        "The order could trade with an own working order.";
    DuplicateOrder = 62, "duplicate_order",
        "An equal order passed within duplicate_window_ms.";
    MessageRate = 63, "message_rate",
        "More new orders than max_orders_per_s and order_burst allow.";
    OpenOrdersPerSide = 64, "open_orders_per_side",
        "max_open_orders_per_side already work on this side of the instrument.";
    IdenticalOrders = 65, "identical_orders",
        "max_identical_orders equal orders passed within identical_window_ms.";
    MinuteRate = 66, "minute_rate",
        "max_orders_per_min passed within the last 60 seconds.";
    OrderRatio = 67, "order_ratio",
        "Too many messages per fill: orders pass only every order_ratio_interval_ms.";
    EntriesPerDay = 68, "entries_per_day",
        "max_entries_per_day is reached; the account is reduce-only from now on.";
    EntriesPerWindow = 69, "entries_per_window",
        "max_entries_per_window is reached; the instrument is reduce-only from now on.";
    Overflow = 70, "overflow",
        "A price, quantity or exposure does not fit the arithmetic.";
    BlockedRecovery = 80, "blocked_recovery",
        "What an earlier run left has not been taken over yet.";
    BlockedReconcile = 81, "blocked_reconcile",
        "The venue's account and ours have not been compared, or were found to differ.";
    BlockedLink = 82, "blocked_link",
        "There is no link to the venue.";
    BlockedClock = 83, "blocked_clock",
        "The clock is off, stepped, ran backwards, or its offset is not known.";
    BlockedJournal = 84, "blocked_journal",
        "The journal is late.";
    BlockedOverload = 85, "blocked_overload",
        "A ring is half full or the loop lags.";
    BlockedOperator = 86, "blocked_operator",
        "A person has not armed trading, or has disarmed it.";
    BlockedData = 87, "blocked_data",
        "The feed is silent.";
    InstrumentUnknownOrder = 90, "instrument_unknown_order",
        "An order of the instrument is in an unknown state, or one that is not ours appeared.";
    InstrumentPositionMismatch = 91, "instrument_position_mismatch",
        "The venue's position or open quantity of the instrument is not the ledger's.";
    InstrumentLateFill = 92, "instrument_late_fill",
        "A fill of the instrument came after its order's end or was larger than its rest.";
    InstrumentQuarantine = 93, "instrument_quarantine",
        "Quotes of the instrument were crossed, zero or jumped; too few good ones came since.";
    InstrumentMarketHalt = 94, "instrument_market_halt",
        "The instrument is halted, in an auction, or too few quotes came since it resumed.";
    InstrumentLimitState = 95, "instrument_limit_state",
        "The best bid is at the upper band or the best ask at the lower one.";
    InstrumentData = 96, "instrument_data",
        "The instrument's data is distrusted by the caller.";
    MalformedOrder = 100, "malformed_order",
        "Egress gate: the bytes are no order.";
    UnknownParent = 101, "unknown_parent",
        "Egress gate: the order's parent is none it was told of.";
    ParentQuantity = 102, "parent_quantity",
        "Egress gate: the children would be more than their parent.";
    TableFull = 103, "table_full",
        "Egress gate: a table of fixed size is full.";
}

impl RiskCode {
    /// Returns the code with this number.
    pub fn from_raw(raw: u16) -> Option<RiskCode> {
        RiskCode::ALL.iter().copied().find(|c| *c as u16 == raw)
    }
}

impl RiskCode {
    /// Returns the code of orders refused for this reason.
    pub const fn of_block(block: Block) -> RiskCode {
        match block {
            Block::Recovery => RiskCode::BlockedRecovery,
            Block::Reconcile => RiskCode::BlockedReconcile,
            Block::Link => RiskCode::BlockedLink,
            Block::Clock => RiskCode::BlockedClock,
            Block::Journal => RiskCode::BlockedJournal,
            Block::Overload => RiskCode::BlockedOverload,
            Block::Operator => RiskCode::BlockedOperator,
            Block::Data => RiskCode::BlockedData,
        }
    }
}

impl core::fmt::Display for RiskCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.name())
    }
}
