//! The contracts behind a session's instruments: found once, by symbol, at the start; afterwards
//! only the broker's contract number counts.

use crate::bucket::Weight;
use crate::connection::GatewaySettings;
use crate::price_steps::{PriceRules, PriceSteps};
use ibapi::client::blocking::Client;
use ibapi::contracts::{Contract, ContractDetails};
use ijk_core::num::E9;
use ijk_core::{Currency, Instrument, InstrumentId, Px};
use std::collections::BTreeMap;

/// One instrument at the broker.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The whole contract, as the broker gave it, routed SMART.
    pub contract: Contract,
    /// The broker's number of it.
    pub con_id: i32,
    /// Price steps on the broker's side, by band.
    pub steps: PriceSteps,
    /// The instrument's own quantity unit, 1e9 for whole shares.
    pub qty_unit_e9: i64,
    /// Symbol, for messages.
    pub symbol: String,
}

/// Why an instrument has no contract.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// No contract or several fit: message 200, or more than one row.
    #[error("{symbol}: {text}: expected exactly one stock routed SMART in {currency}")]
    NotOne {
        /// Symbol looked for.
        symbol: String,
        /// Currency looked for.
        currency: &'static str,
        /// What the broker said.
        text: String,
    },
    /// The broker did not answer.
    #[error("{symbol}: no contract details within {waited_ms} ms: {text}")]
    NoAnswer {
        /// Symbol looked for.
        symbol: String,
        /// Time waited, milliseconds.
        waited_ms: u128,
        /// What the library said.
        text: String,
    },
    /// The broker's rules for it cannot be used.
    #[error("{symbol}: {field} {found}: expected {expected}")]
    Rule {
        /// Symbol.
        symbol: String,
        /// Field of the contract's details.
        field: &'static str,
        /// Value found.
        found: String,
        /// What it may be.
        expected: &'static str,
    },
    /// The broker says that nothing trades today.
    #[error("{symbol}: does not trade today, says the broker ({hours})")]
    ClosedToday {
        /// Symbol.
        symbol: String,
        /// The hours as the broker wrote them.
        hours: String,
    },
}

/// The contracts of a session, in the order of its instruments.
#[derive(Clone, Debug, Default)]
pub struct ContractTable {
    rows: Vec<Listed>,
    by_con_id: BTreeMap<i32, InstrumentId>,
    notes: Vec<String>,
}

impl ContractTable {
    /// Returns the table of the rows, in the order of the instruments.
    pub fn new(rows: Vec<Listed>) -> ContractTable {
        let ids = rows.iter().enumerate().map(|(i, r)| (r.con_id, InstrumentId(i as u16)));
        let by_con_id = ids.collect();
        ContractTable { rows, by_con_id, notes: Vec::new() }
    }

    /// Asks the broker for every instrument; each answer may take the settings' time.
    ///
    /// # Errors
    /// The first [`ContractError`].
    pub fn resolve(
        client: &Client,
        instruments: &[Instrument],
        settings: &GatewaySettings,
    ) -> Result<ContractTable, ContractError> {
        let mut rules = PriceRules::default();
        let mut notes = Vec::new();
        let rows = instruments.iter().map(|i| {
            let (row, note) = resolve_one(client, i, &mut rules, settings)?;
            notes.extend(note);
            if i.tick.0 % row.steps.common().0 != 0 {
                let (symbol, ours, theirs) = (&row.symbol, i.tick, row.steps.common());
                notes.push(format!(
                    "{symbol}: our price step is {ours}, in some band the broker's is not: orders \
                     between its steps are refused here (110); {theirs} fits every band"
                ));
            }
            Ok(row)
        });
        let rows = rows.collect::<Result<Vec<_>, ContractError>>()?;
        Ok(ContractTable { notes, ..ContractTable::new(rows) })
    }

    /// Returns what a person should know of the contracts, a sentence each.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Returns an instrument's row.
    pub fn get(&self, instrument: InstrumentId) -> Option<&Listed> {
        self.rows.get(instrument.index())
    }

    /// Returns the instrument of a contract number.
    pub fn instrument(&self, con_id: i32) -> Option<InstrumentId> {
        self.by_con_id.get(&con_id).copied()
    }

    /// Returns all rows, in the order of the instruments.
    pub fn rows(&self) -> &[Listed] {
        &self.rows
    }
}

fn currency_code(currency: Currency) -> &'static str {
    match currency {
        Currency::Eur => "EUR",
        Currency::Usd | Currency::Usdt | Currency::Other => "USD",
    }
}

/// Asks for the one stock of a symbol that is routed SMART in `currency`.
///
/// # Errors
/// [`ContractError::NotOne`] or [`ContractError::NoAnswer`].
pub(crate) fn the_stock(
    client: &Client,
    symbol: &str,
    currency: &'static str,
    settings: &GatewaySettings,
) -> Result<ContractDetails, ContractError> {
    let deadline = settings.answer_timeout();
    let no_answer = |text| ContractError::NoAnswer {
        symbol: symbol.to_string(),
        waited_ms: deadline.as_millis(),
        text,
    };
    if !settings.bucket.wait(Weight::Other, deadline) {
        return Err(no_answer("the message budget is used up".to_string()));
    }
    let not_one = |text| ContractError::NotOne { symbol: symbol.to_string(), currency, text };
    let mut wanted = Contract::stock(symbol).build();
    wanted.currency = currency.into();
    let found = client
        .contract_details_stream(&wanted)
        .subscribe()
        .and_then(|s| s.collect_to_end_within(deadline));
    let mut rows = match found {
        Ok(rows) => rows,
        Err(ibapi::Error::Notice(n)) if n.code == 200 => return Err(not_one(n.to_string())),
        Err(e) => return Err(no_answer(e.to_string())),
    };
    let count = rows.len();
    match rows.pop() {
        Some(mut one) if count == 1 => {
            one.contract.exchange = "SMART".into();
            Ok(one)
        }
        _ => Err(not_one(format!("{count} contracts fit"))),
    }
}

fn resolve_one(
    client: &Client,
    instrument: &Instrument,
    rules: &mut PriceRules,
    settings: &GatewaySettings,
) -> Result<(Listed, Option<String>), ContractError> {
    let symbol = instrument.symbol.to_string();
    let details = the_stock(client, &symbol, currency_code(instrument.currency), settings)?;
    let mut row = listed(symbol, instrument, &details)?;
    let (steps, note) = rules.of(client, settings, &details, row.steps.common());
    row.steps = steps;
    Ok((row, note))
}

fn listed(
    symbol: String,
    instrument: &Instrument,
    details: &ContractDetails,
) -> Result<Listed, ContractError> {
    let con_id = details.contract.contract_id;
    let rule = |field, found: String, expected| ContractError::Rule {
        symbol: symbol.clone(),
        field,
        found,
        expected,
    };
    if con_id <= 0 {
        return Err(rule("contract id", con_id.to_string(), "a positive number"));
    }
    let min_tick = Px::from_f64(details.min_tick).filter(|px| px.0 > 0);
    let Some(min_tick) = min_tick else {
        return Err(rule("minimum tick", details.min_tick.to_string(), "1e-9 or more"));
    };
    if instrument.tick.0 % min_tick.0 != 0 {
        let found = format!("{min_tick} against our {}", instrument.tick);
        return Err(rule("minimum tick", found, "a divisor of the instrument's tick"));
    }
    let unit = instrument.qty_unit_e9;
    if unit <= 0 || instrument.lot.0.saturating_mul(unit) % E9 != 0 {
        let found = format!("lot {} of {unit}e-9 shares", instrument.lot.0);
        return Err(rule("lot", found, "whole shares"));
    }
    let (contract, steps) = (details.contract.clone(), PriceSteps::single(min_tick));
    Ok(Listed { contract, con_id, steps, qty_unit_e9: unit, symbol })
}
