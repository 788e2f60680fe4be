//! What an order asks for, read from its request.

use crate::num::{self, Shares};
use crate::proto;
use crate::time;

/// When and at what price an order may trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderType {
    /// At once at any price.
    Market,
    /// At its limit or better.
    Limit,
    /// A market order once the stop price trades.
    Stop,
    /// A limit order once the stop price trades.
    StopLimit,
    /// A stop that follows the market.
    Trail,
    /// A stop that follows the market, with a limit at a fixed offset.
    TrailLimit,
    /// A market order once the touch price trades.
    Touched,
    /// A limit order once the touch price trades.
    LimitTouched,
    /// Takes what the best price gives, the rest rests there.
    MarketToLimit,
    /// Rests at the middle of the quote, follows it, trades when it is met.
    Midpoint,
    /// At the closing price.
    OnClose,
    /// At the closing price if the limit allows.
    LimitOnClose,
}

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tif {
    /// Until the close.
    Day,
    /// Until cancelled.
    Gtc,
    /// At once, the rest is cancelled.
    Ioc,
    /// At once in full, or not at all.
    Fok,
    /// Until its own date.
    Gtd,
    /// In the opening.
    Opg,
}

/// An order's request, checked for form.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// Whether it buys.
    pub buy: bool,
    /// Whether it is a sale of borrowed shares by its own word.
    pub short: bool,
    /// Kind.
    pub kind: OrderType,
    /// Life.
    pub tif: Tif,
    /// Quantity.
    pub total: Shares,
    /// Limit, 1e-9.
    pub limit_px: Option<i64>,
    /// Stop or touch price, or trailing amount, 1e-9.
    pub aux_px: Option<i64>,
    /// Trailing amount as a percentage.
    pub trail_percent: Option<f64>,
    /// End of a good-till-date order.
    pub until_ns: Option<u64>,
    /// May trade outside regular hours.
    pub outside_rth: bool,
    /// All or none.
    pub all_or_none: bool,
}

/// Why an order is refused: code and text for the client.
pub type Refusal = (i32, String);

impl Terms {
    /// Reads an order.
    ///
    /// # Errors
    /// Code and text that the client gets.
    pub fn read(order: &proto::Order) -> Result<Terms, Refusal> {
        let invalid = |what: &str| (321, format!("Error validating request.-'b' : cause - {what}"));
        let action = order.action.as_deref().unwrap_or("");
        let (buy, short) = match action {
            "BUY" => (true, false),
            "SELL" => (false, false),
            "SSHORT" | "SLONG" => (false, action == "SSHORT"),
            _ => return Err(invalid("Invalid side")),
        };
        let total = order.total_quantity.as_deref().unwrap_or("0");
        let total = Shares::parse(total).ok_or_else(|| invalid("Invalid order size"))?;
        if total.0 <= 0 {
            return Err((434, "The order size cannot be zero.".into()));
        }
        let kind = kind(order.order_type.as_deref().unwrap_or(""));
        let kind = kind.ok_or_else(|| (387, crate::codes::text(387).to_string()))?;
        let until = order.good_till_date.as_deref().unwrap_or("");
        let tif = tif(order.tif.as_deref().unwrap_or(""));
        let tif = tif.ok_or_else(|| invalid("Invalid time in force"))?;
        let until_ns = match tif {
            Tif::Gtd => Some(time::parse(until).ok_or_else(|| invalid("Invalid good till date"))?),
            _ => None,
        };
        let terms = Terms {
            buy,
            short,
            kind,
            tif,
            total,
            limit_px: num::price(order.lmt_price),
            aux_px: num::price(order.aux_price).filter(|px| *px != 0),
            trail_percent: order
                .trailing_percent
                .filter(|p| p.is_finite() && *p > 0.0 && *p < 100.0),
            until_ns,
            outside_rth: order.outside_rth.unwrap_or(false),
            all_or_none: order.all_or_none.unwrap_or(false),
        };
        terms.complete().map_err(invalid)?;
        Ok(terms)
    }

    fn complete(&self) -> Result<(), &'static str> {
        use OrderType as T;
        let limit =
            matches!(self.kind, T::Limit | T::StopLimit | T::LimitTouched | T::LimitOnClose);
        if limit && self.limit_px.is_none_or(|px| px <= 0) {
            return Err("Limit price must be given and above zero");
        }
        let stop = matches!(self.kind, T::Stop | T::StopLimit | T::Touched | T::LimitTouched);
        if stop && self.aux_px.is_none_or(|px| px <= 0) {
            return Err("Stop price must be given and above zero");
        }
        let trails = matches!(self.kind, T::Trail | T::TrailLimit);
        if trails && self.trail_percent.is_none() && self.aux_px.is_none_or(|px| px <= 0) {
            return Err("Trailing amount or percent must be given");
        }
        Ok(())
    }

    /// Returns whether the order waits for a price before it may trade.
    pub fn waits_for_trigger(&self) -> bool {
        use OrderType as T;
        matches!(
            self.kind,
            T::Stop | T::StopLimit | T::Trail | T::TrailLimit | T::Touched | T::LimitTouched
        )
    }

    /// Returns the limit that binds a working order now; `None` for any price.
    pub fn binding_limit(&self, mid_px: Option<i64>) -> Option<i64> {
        use OrderType as T;
        match self.kind {
            T::Market | T::Stop | T::Trail | T::Touched | T::OnClose => None,
            T::MarketToLimit => self.limit_px.filter(|px| *px > 0),
            T::Midpoint => mid_px.or(self.limit_px),
            _ => self.limit_px,
        }
    }
}

fn kind(text: &str) -> Option<OrderType> {
    use OrderType as T;
    Some(match text.to_ascii_uppercase().as_str() {
        "MKT" | "MIDPX" | "MKT PRT" => T::Market,
        // A relative order rests at a limit of its own here: the client's, or none.
        "LMT" | "LIMIT" => T::Limit,
        "STP" | "STP PRT" => T::Stop,
        "STP LMT" | "STPLMT" => T::StopLimit,
        "TRAIL" => T::Trail,
        "TRAIL LIMIT" | "TRAILLMT" => T::TrailLimit,
        "MIT" => T::Touched,
        "LIT" => T::LimitTouched,
        "MTL" => T::MarketToLimit,
        "MIDPRICE" | "PEG MID" | "REL" => T::Midpoint,
        "MOC" => T::OnClose,
        "LOC" => T::LimitOnClose,
        _ => return None,
    })
}

fn tif(text: &str) -> Option<Tif> {
    Some(match text {
        "" | "DAY" => Tif::Day,
        "GTC" => Tif::Gtc,
        "IOC" => Tif::Ioc,
        "FOK" => Tif::Fok,
        "GTD" => Tif::Gtd,
        "OPG" => Tif::Opg,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(kind: &str) -> proto::Order {
        proto::Order {
            action: Some("BUY".into()),
            total_quantity: Some("100".into()),
            order_type: Some(kind.into()),
            lmt_price: Some(10.0),
            aux_price: Some(9.0),
            ..proto::Order::default()
        }
    }

    #[test]
    fn orders_are_read() {
        let terms = Terms::read(&order("STP LMT")).unwrap();
        assert_eq!((terms.kind, terms.tif, terms.buy), (OrderType::StopLimit, Tif::Day, true));
        assert_eq!((terms.limit_px, terms.aux_px), (Some(10_000_000_000), Some(9_000_000_000)));
        let unset = proto::Order { aux_price: Some(f64::MAX), ..order("LMT") };
        assert_eq!(Terms::read(&unset).unwrap().aux_px, None);
    }

    #[test]
    fn what_no_exchange_takes_is_refused_with_its_code() {
        let base = order("LMT");
        let text = |t: &str| Some(t.to_string());
        for (order, code) in [
            (proto::Order::default(), 321),
            (proto::Order { total_quantity: text("0"), ..base.clone() }, 434),
            (proto::Order { total_quantity: text("-5"), ..base.clone() }, 434),
            (proto::Order { total_quantity: text("many"), ..base.clone() }, 321),
            (proto::Order { order_type: text("BOGUS"), ..base.clone() }, 387),
            (proto::Order { lmt_price: Some(f64::NAN), ..base.clone() }, 321),
            (proto::Order { lmt_price: Some(-1.0), ..base.clone() }, 321),
            (proto::Order { tif: text("SOMETIME"), ..base.clone() }, 321),
            (proto::Order { tif: text("GTD"), ..base.clone() }, 321),
            (proto::Order { aux_price: None, ..order("STP") }, 321),
            (proto::Order { aux_price: None, ..order("TRAIL") }, 321),
        ] {
            assert_eq!(Terms::read(&order).unwrap_err().0, code, "{order:?}");
        }
    }
}
