//! The pre-trade risk gate.
//!
//! [`Gate::check`] is the only maker of [`Approved`] orders, and a venue takes nothing else, so no
//! order can leave without having passed every control. The gate keeps its own ledger from the
//! venue's reports and shares no state with the code that decides: a wrong belief there does not
//! move a limit here.
//!
//! Controls follow SEC rule 15c3-5 and Commission Delegated Regulation (EU) 2017/589 (RTS 6): size,
//! value, collar, position and exposure with all working orders at worst case, loss, message rate,
//! duplicates, stale data, self-match, hours, kill switch. A limit or an input that is missing,
//! zero, negative or not a number refuses. The codes stand in `docs/risk-codes.md`, the controls in
//! `docs/controls.md`.
//!
//! [`EgressGate`] is the second layer: it shares no code with the gate and checks the bytes that
//! are about to leave. The feature `oracle` compiles the independent oracle of both and its random
//! streams, the feature `canary` planted bugs that the oracle must catch.
//!
//! No clock, no allocation after [`Gate::new`], exact integer money (1e-18 dollars in 128 bits).

#![forbid(unsafe_code)]

/// Whether a planted bug is active; `false` at compile time without the feature `canary`.
macro_rules! bug {
    ($name:ident) => {{
        #[cfg(feature = "canary")]
        let active = crate::canary::is(crate::canary::Bug::$name);
        #[cfg(not(feature = "canary"))]
        let active = false;
        active
    }};
}

mod account;
mod adopt;
mod alarms;
mod approved;
mod blocks;
mod booking;
#[cfg(feature = "canary")]
pub mod canary;
mod code;
mod data;
pub mod egress;
mod execs;
mod exposure;
mod gate;
mod ledger;
mod limits;
#[cfg(feature = "oracle")]
pub mod oracle;
mod recent;
mod traffic;
mod view;
mod watch;
mod window;
mod working;

pub use approved::Approved;
pub use blocks::InstrumentBlock;
pub use code::RiskCode;
pub use data::MarketState;
pub use egress::EgressGate;
pub use gate::{Gate, Quote, TradingState};
pub use ledger::LedgerError;
pub use limits::RiskConfigError;
