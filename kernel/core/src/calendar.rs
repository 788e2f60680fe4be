//! Settings of the trading calendar. The calendar itself is no part of the kernel: what follows
//! from it are the sessions of the instruments, which a run's header keeps.

use serde::{Deserialize, Serialize};

/// Which days an instrument trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalendarName {
    /// New York Stock Exchange and Nasdaq, for instruments that trade whole shares in dollars.
    UsEquities,
    /// None: what the feed and the `[[instrument]]` entries say.
    None,
}

/// When orders may leave, for venues that outlive the process and for live feeds. A simulated
/// exchange lives on the day of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarConfig {
    /// Holidays and half days.
    pub exchange: CalendarName,
    /// Begin of the daily hours in which the broker's systems restart, local time `HH:MM`; no
    /// session reaches into them. Empty: there are none.
    pub no_order_from: String,
    /// Their end; the next day's where it is not later than the begin.
    pub no_order_until: String,
    /// IANA time zone of the two.
    pub no_order_tz: String,
}

impl Default for CalendarConfig {
    fn default() -> Self {
        CalendarConfig {
            exchange: CalendarName::UsEquities,
            no_order_from: "23:45".to_string(),
            no_order_until: "00:45".to_string(),
            no_order_tz: "America/New_York".to_string(),
        }
    }
}
