//! Instrument definitions: symbol, currency, tick, lot, session.

use crate::num::{E9, Px, Qty};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A symbol of up to sixteen ASCII bytes, padded with zeros.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol([u8; 16]);

/// Why a text is no symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a symbol has 1 to 16 printable ASCII characters without spaces")]
pub struct SymbolError;

impl Symbol {
    /// Returns the symbol for `text`.
    ///
    /// # Errors
    /// [`SymbolError`] unless `text` is 1 to 16 printable ASCII characters without spaces.
    pub fn new(text: &str) -> Result<Symbol, SymbolError> {
        let bytes = text.as_bytes();
        if bytes.is_empty() || bytes.len() > 16 || !bytes.iter().all(u8::is_ascii_graphic) {
            return Err(SymbolError);
        }
        let mut raw = [0u8; 16];
        raw[..bytes.len()].copy_from_slice(bytes);
        Ok(Symbol(raw))
    }

    /// Returns the symbol as text.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&b| b == 0).unwrap_or(16);
        core::str::from_utf8(&self.0[..end]).unwrap_or("?")
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Symbol {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Symbol {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        Symbol::new(&text).map_err(serde::de::Error::custom)
    }
}

/// Currency of prices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Currency {
    /// US dollar.
    Usd,
    /// Tether; counted one to one as dollars in reports.
    Usdt,
    /// Euro.
    Eur,
    /// Any other: reports refuse to add it to dollars.
    Other,
}

/// Trading hours of one instrument as nanoseconds UTC of one day. Trading is allowed in
/// `open_ns..close_ns`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Session {
    /// First nanosecond of trading, UTC since 1970.
    pub open_ns: u64,
    /// First nanosecond after trading, UTC since 1970.
    pub close_ns: u64,
}

impl Session {
    /// A session without an end: venues that never close.
    pub const ALWAYS: Session = Session { open_ns: 0, close_ns: u64::MAX };

    /// Returns whether `ts_ns` lies inside.
    pub const fn contains(&self, ts_ns: u64) -> bool {
        self.open_ns <= ts_ns && ts_ns < self.close_ns
    }
}

/// What the kernel must know of an instrument before its first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instrument {
    /// Exchange symbol.
    pub symbol: Symbol,
    /// Currency of its prices.
    pub currency: Currency,
    /// Smallest price step, positive.
    pub tick: Px,
    /// Smallest order quantity and step, positive, in quantity units.
    pub lot: Qty,
    /// Size of one quantity unit in 1e-9: 1e9 where `Qty(1)` is one share, 1 where it is 1e-9 of
    /// a coin.
    pub qty_unit_e9: i64,
    /// Trading hours of the run's day.
    pub session: Session,
}

impl Instrument {
    /// Returns the US equity default: one-cent tick, one share, dollars, no session bound.
    pub fn us_equity(symbol: Symbol) -> Instrument {
        Instrument {
            symbol,
            currency: Currency::Usd,
            tick: Px(E9 / 100),
            lot: Qty(1),
            qty_unit_e9: E9,
            session: Session::ALWAYS,
        }
    }

    /// Returns price times quantity in currency units.
    pub fn notional(&self, px: Px, qty: Qty) -> f64 {
        px.as_f64() * self.qty_as_f64(qty)
    }

    /// Returns the quantity in whole units (shares, coins).
    pub fn qty_as_f64(&self, qty: Qty) -> f64 {
        qty.0 as f64 * (self.qty_unit_e9 as f64 / E9 as f64)
    }

    /// Returns `px` moved down (`Bid`) or up (`Ask`) to the tick grid: never a more aggressive
    /// price than asked for.
    pub fn round_passive(&self, px: Px, side: crate::Side) -> Px {
        let down = px.0.div_euclid(self.tick.0) * self.tick.0;
        match side {
            crate::Side::Bid => Px(down),
            crate::Side::Ask if down == px.0 => px,
            crate::Side::Ask => Px(down + self.tick.0),
        }
    }
}
