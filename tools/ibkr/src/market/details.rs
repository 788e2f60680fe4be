//! The contract behind a symbol, found before anything is subscribed: exactly one, with a deadline.

use super::hours::{self, Hours};
use crate::connection::GatewaySettings;
use crate::contracts::{ContractError, the_stock};
use crate::price_steps::{PriceRules, PriceSteps};
use ibapi::client::blocking::Client;
use ibapi::contracts::{Contract, ContractDetails};
use ijk_core::num::E9;
use ijk_core::{Instrument, Px, Qty, Session, Symbol};

/// A stock at the broker.
#[derive(Clone, Debug)]
pub struct Details {
    /// The whole contract, routed SMART.
    pub contract: Contract,
    /// The instrument as the kernel knows it: price step, whole shares, today's regular hours.
    pub instrument: Instrument,
    /// Smallest order and step of its size, shares, where the broker says so.
    pub size_increment: Option<f64>,
    /// See `size_increment`.
    pub min_size: Option<f64>,
    /// Price steps by band.
    pub steps: PriceSteps,
    /// What a person should know of it.
    pub note: Option<String>,
}

/// Asks for the contract of a US stock and its price rule; `now_ns` says which day's hours count,
/// `extended` takes those before and after the regular session too.
///
/// # Errors
/// [`ContractError`].
pub fn resolve(
    client: &Client,
    rules: &mut PriceRules,
    symbol: &Symbol,
    now_ns: u64,
    extended: bool,
    settings: &GatewaySettings,
) -> Result<Details, ContractError> {
    let details = the_stock(client, &symbol.to_string(), "USD", settings)?;
    let least = least_step(symbol, &details)?;
    let (steps, note) = rules.of(client, settings, &details, least);
    let read = read(symbol, details, steps, now_ns, extended)?;
    Ok(Details { note, ..read })
}

fn least_step(symbol: &Symbol, details: &ContractDetails) -> Result<Px, ContractError> {
    let tick = Px::from_f64(details.min_tick).filter(|t| t.0 > 0);
    tick.ok_or_else(|| ContractError::Rule {
        symbol: symbol.to_string(),
        field: "minimum tick",
        found: details.min_tick.to_string(),
        expected: "a positive step of 1e-9 or more",
    })
}

fn read(
    symbol: &Symbol,
    details: ContractDetails,
    steps: PriceSteps,
    now_ns: u64,
    extended: bool,
) -> Result<Details, ContractError> {
    let rule = |field, found: String, expected| ContractError::Rule {
        symbol: symbol.to_string(),
        field,
        found,
        expected,
    };
    let id = details.contract.contract_id;
    if id <= 0 {
        return Err(rule("contract id", id.to_string(), "a positive number"));
    }
    // One that every price band allows, so that no order of ours falls between two steps; stocks
    // above a dollar go by cents.
    let common = steps.common().0;
    let tick = Px((E9 / 100 + common - 1) / common * common);
    let step = details.size_increment.filter(|s| s.is_finite() && *s > 0.0);
    let lot = step.map_or(1.0, f64::ceil).max(1.0);
    if lot > 1e6 {
        return Err(rule("size increment", lot.to_string(), "at most 1e6 shares"));
    }
    let parts = if extended { &details.trading_hours } else { &details.liquid_hours };
    let session = match hours::today(parts, &details.time_zone_id, now_ns) {
        Hours::Open(session) => session,
        // The calendar of the settings says what it can.
        Hours::Unknown => Session::ALWAYS,
        Hours::Closed => {
            let (symbol, hours) = (symbol.to_string(), parts.join(";"));
            return Err(ContractError::ClosedToday { symbol, hours });
        }
    };
    let instrument =
        Instrument { tick, lot: Qty(lot as i64), session, ..Instrument::us_equity(*symbol) };
    Ok(Details {
        contract: details.contract,
        instrument,
        size_increment: details.size_increment,
        min_size: details.min_size,
        steps,
        note: None,
    })
}
