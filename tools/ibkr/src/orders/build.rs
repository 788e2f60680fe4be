//! An order of ours as the broker's. What cannot be said there is refused here, with the code the
//! broker would give.

use crate::contracts::Listed;
use crate::identity::{order_ref, to_shares};
use ibapi::orders::{Action, Order, TimeInForce as IbTif};
use ijk_core::num::E9;
use ijk_core::{NewOrder, OrderType, Side, TimeInForce};

/// Reason of a short sale that did not leave for want of located shares: our own, beside the
/// broker's 404.
pub const REASON_NOT_LOCATED: u16 = 10_404;

/// Why an order was not sent. `code` is the reason of its reject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The session has no contract for the instrument.
    #[error("no contract for the instrument")]
    Contract,
    /// The price is not on the contract's grid, or not positive.
    #[error("the limit price is not on the step of its price band")]
    Tick,
    /// Not a whole number of shares.
    #[error("the quantity is not a whole number of shares")]
    Size,
    /// A market order cannot be marked for use outside regular hours, and nothing else is known
    /// of it there.
    #[error("only limit orders rest until cancelled")]
    Kind,
    /// A short sale of shares that nobody has at hand to lend: the broker would hold it (404) or
    /// refuse it (201).
    #[error("a short sale without located shares")]
    NotLocated,
}

impl Refusal {
    /// Returns the code the broker uses for the same fault.
    pub const fn code(self) -> u16 {
        match self {
            Refusal::Contract => 200,
            Refusal::Tick => 110,
            Refusal::Size => 10_243,
            Refusal::Kind => 321,
            Refusal::NotLocated => REASON_NOT_LOCATED,
        }
    }
}

/// Returns the broker's order. The time in force is always explicit: left out, a preset of the
/// user's would decide it (message 10349).
///
/// # Errors
/// [`Refusal`].
pub fn build(
    order: &NewOrder,
    listed: Option<&Listed>,
    account: &str,
    outside_rth: bool,
) -> Result<Order, Refusal> {
    let listed = listed.ok_or(Refusal::Contract)?;
    let unit = listed.qty_unit_e9;
    if order.qty.0 <= 0 || order.qty.0.checked_mul(unit).is_none_or(|e9| e9 % E9 != 0) {
        return Err(Refusal::Size);
    }
    let is_limit = order.order_type == OrderType::Limit;
    if is_limit && !listed.steps.allow(order.px) {
        return Err(Refusal::Tick);
    }
    if !is_limit && order.tif == TimeInForce::Gtc {
        return Err(Refusal::Kind);
    }
    Ok(Order {
        action: match order.side {
            Side::Bid => Action::Buy,
            Side::Ask => Action::Sell,
        },
        total_quantity: to_shares(order.qty, unit),
        order_type: if is_limit { "LMT" } else { "MKT" }.to_string(),
        limit_price: is_limit.then(|| order.px.as_f64()),
        tif: match order.tif {
            TimeInForce::Day => IbTif::Day,
            TimeInForce::Ioc => IbTif::ImmediateOrCancel,
            TimeInForce::Gtc => IbTif::GoodTillCanceled,
        },
        order_ref: order_ref(order.client_order_id),
        account: account.to_string(),
        outside_rth: outside_rth && is_limit,
        transmit: true,
        ..Order::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{ClientOrderId, InstrumentId, ParentId, Px, Qty};

    fn listed() -> Listed {
        Listed {
            contract: ibapi::contracts::Contract::stock("A").build(),
            con_id: 1,
            steps: crate::price_steps::PriceSteps::single(Px(E9 / 100)),
            qty_unit_e9: E9,
            symbol: "A".to_string(),
        }
    }

    fn order(px: i64, qty: i64, order_type: OrderType, tif: TimeInForce) -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId(9),
            qty: Qty(qty),
            px: Px(px),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side: Side::Ask,
            order_type,
            tif,
            reserved: [0; 7],
        }
    }

    #[test]
    fn a_limit_order_says_everything() {
        let wanted = order(101_250_000_000, 30, OrderType::Limit, TimeInForce::Ioc);
        let sent = build(&wanted, Some(&listed()), "DU1", true).unwrap();
        assert_eq!(sent.action, Action::Sell);
        assert_eq!((sent.total_quantity, sent.limit_price), (30.0, Some(101.25)));
        assert_eq!((sent.order_type.as_str(), sent.tif), ("LMT", IbTif::ImmediateOrCancel));
        assert_eq!(sent.order_ref, "ijk-0000000000000009");
        assert!(sent.outside_rth && sent.transmit && sent.account == "DU1");
        let market = order(0, 1, OrderType::Market, TimeInForce::Day);
        let sent = build(&market, Some(&listed()), "DU1", true).unwrap();
        assert_eq!((sent.order_type.as_str(), sent.limit_price), ("MKT", None));
        assert!(!sent.outside_rth, "a market order has no hours of its own");
    }

    #[test]
    fn what_cannot_be_said_is_refused_with_the_brokers_code() {
        let (limit, day) = (OrderType::Limit, TimeInForce::Day);
        let cases = [
            (order(E9 + 1, 1, limit, day), 110),
            (order(0, 1, limit, day), 110),
            (order(-E9, 1, limit, day), 110),
            (order(E9, 0, limit, day), 10_243),
            (order(E9, -5, limit, day), 10_243),
            (order(0, 1, OrderType::Market, TimeInForce::Gtc), 321),
        ];
        for (order, code) in cases {
            let refusal = build(&order, Some(&listed()), "DU1", false).unwrap_err();
            assert_eq!(refusal.code(), code, "{order:?}");
        }
        let fine = order(E9, 1, limit, day);
        assert_eq!(build(&fine, None, "DU1", false).unwrap_err().code(), 200);
        // Half a share, where the unit is 1e-9.
        let coin = Listed { qty_unit_e9: 1, ..listed() };
        assert!(build(&order(E9, E9 / 2, limit, day), Some(&coin), "DU1", false).is_err());
        let two = build(&order(E9, 2 * E9, limit, day), Some(&coin), "DU1", false).unwrap();
        assert_eq!(two.total_quantity, 2.0);
    }
}
