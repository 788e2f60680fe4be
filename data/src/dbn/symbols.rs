//! Instruments of a DBN stream, from the symbol mappings of its metadata.

use super::error;
use crate::databento::mapping::Fault;
use ::dbn::{Metadata, SType};
use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{FeedError, FeedErrorKind, Instrument, InstrumentId, Symbol};

/// The vendor's numbers and our instruments.
pub(super) struct SymbolTable {
    instruments: Vec<Instrument>,
    /// Sorted by the vendor's number.
    by_number: Vec<(u32, InstrumentId)>,
    last: (u32, InstrumentId),
    /// Without mappings (live captures) the first record names the only instrument.
    open: bool,
}

impl SymbolTable {
    /// Reads the mappings. One symbol may have several numbers over the days.
    pub(super) fn from_metadata(metadata: &Metadata, name: &str) -> Result<Self, FeedError> {
        let mut table = SymbolTable {
            instruments: Vec::new(),
            by_number: Vec::new(),
            last: (0, InstrumentId(0)),
            open: false,
        };
        let out_is_number = metadata.stype_out == SType::InstrumentId;
        for mapping in &metadata.mappings {
            for interval in &mapping.intervals {
                let (symbol, number) = if out_is_number {
                    (&mapping.raw_symbol, &interval.symbol)
                } else {
                    (&interval.symbol, &mapping.raw_symbol)
                };
                if let Ok(number) = number.parse() {
                    table.insert(symbol, number, name)?;
                }
            }
        }
        table.by_number.sort_by_key(|&(number, _)| number);
        table.by_number.dedup_by_key(|&mut (number, _)| number);
        table.open = table.instruments.is_empty();
        if let Some(&first) = table.by_number.first() {
            table.last = first;
        }
        Ok(table)
    }

    fn insert(&mut self, symbol: &str, number: u32, name: &str) -> Result<(), FeedError> {
        let symbol = Symbol::new(symbol).map_err(|e| {
            error(FeedErrorKind::Field, name, 0, "symbol", format!("'{symbol}': {e}"))
        })?;
        let at = match self.instruments.iter().position(|i| i.symbol == symbol) {
            Some(at) => at,
            None if self.instruments.len() == INSTRUMENT_COUNT_MAX => {
                let detail = format!(
                    "the metadata name more than {INSTRUMENT_COUNT_MAX} symbols; split the file \
                     by symbol"
                );
                return Err(error(FeedErrorKind::Range, name, 0, "symbol", detail));
            }
            None => {
                self.instruments.push(Instrument::us_equity(symbol));
                self.instruments.len() - 1
            }
        };
        self.by_number.push((number, InstrumentId(at as u16)));
        Ok(())
    }

    /// Returns the instruments in the order of the metadata.
    pub(super) fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// Returns the instrument with the vendor's number.
    pub(super) fn instrument(&mut self, number: u32) -> Result<InstrumentId, Fault> {
        if self.last.0 == number && !self.open {
            return Ok(self.last.1);
        }
        if self.open {
            self.open = false;
            // "ID" and at most ten digits: always a symbol.
            if let Ok(symbol) = Symbol::new(&format!("ID{number}")) {
                self.instruments.push(Instrument::us_equity(symbol));
                self.by_number.push((number, InstrumentId(0)));
            }
        }
        match self.by_number.binary_search_by_key(&number, |&(n, _)| n) {
            Ok(at) => {
                self.last = self.by_number[at];
                Ok(self.last.1)
            }
            Err(_) => Err(Fault {
                kind: FeedErrorKind::Inconsistent,
                field: "instrument_id",
                detail: format!("{number} is not among the symbols of the metadata"),
            }),
        }
    }
}
