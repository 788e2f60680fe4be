//! An order that is only imagined, and, where it is allowed, one far from the market.

use super::{Answer, Asker, Outcome};
use ibapi::contracts::Contract;
use ibapi::market_data::realtime::TickTypes;
use ibapi::orders::{Action, Order, OrderStatus, OrderUpdate, order_builder};
use ibapi::subscriptions::SubscriptionItem;
use std::time::{Duration, Instant};

impl Asker<'_> {
    pub(super) fn orders(&mut self) {
        let stock = Contract::stock(self.options.symbol.as_str()).build();
        self.ask("imagined order", |s, a| {
            // Nothing is placed: the gateway only says what it would cost.
            let state = s.client.order(&stock).buy(1.0).limit(1.0).analyze();
            match state {
                Ok(state) => {
                    a.fact("margin_told", state.initial_margin_change.is_some());
                    Outcome::Good
                }
                // Read-only access and the precautions of TWS show here.
                Err(e) => a.error(&e),
            }
        });
        let place = self.options.place_order;
        self.ask("order far from the market", |s, a| match place {
            true => far_order(s, &stock, a),
            false => Outcome::NotAsked,
        });
    }
}

/// Places one share at half the price and cancels it; says what came, in order.
fn far_order(s: &Asker<'_>, stock: &Contract, a: &mut Answer) -> Outcome {
    let deadline = s.options.deadline;
    let Some(price) = half_price(s, stock) else {
        a.note("no price to stay away from: nothing was placed");
        return Outcome::Bad;
    };
    let updates = match s.client.order_update_stream() {
        Ok(updates) => updates,
        Err(e) => return a.error(&e),
    };
    let order: Order = order_builder::limit_order(Action::Buy, 1.0, price);
    let id = match s.client.next_valid_order_id() {
        Ok(id) => id,
        Err(e) => return a.error(&e),
    };
    if let Err(e) = s.client.submit_order(id, stock, &order) {
        return a.error(&e);
    }
    let mut seen = Vec::new();
    let is_working =
        |u: &OrderStatus| matches!(u.status.to_string().as_str(), "Submitted" | "PreSubmitted");
    let mut next = || updates.next_timeout(Duration::from_millis(200));
    let working = follow(&mut next, id, deadline, &mut seen, a, &is_working);
    let cancel = s.client.cancel_order(id, "");
    let ended = |u: &OrderStatus| {
        matches!(u.status.to_string().as_str(), "Cancelled" | "ApiCancelled" | "Inactive")
    };
    let gone = cancel.is_ok() && follow(&mut next, id, deadline, &mut seen, a, &ended);
    seen.dedup();
    a.fact("messages", seen.join(", "));
    a.fact("working", working);
    a.fact("cancelled", gone);
    if !gone {
        a.note("THE ORDER MAY STILL WORK: cancel it by hand");
    }
    if working && gone { Outcome::Good } else { Outcome::Bad }
}

type Updates<'a> =
    &'a mut dyn FnMut() -> Option<Result<SubscriptionItem<OrderUpdate>, ibapi::Error>>;

fn follow(
    next: Updates<'_>,
    id: i32,
    deadline: Duration,
    seen: &mut Vec<String>,
    a: &mut Answer,
    is_there: &dyn Fn(&OrderStatus) -> bool,
) -> bool {
    let end = Instant::now() + deadline;
    while Instant::now() < end {
        match next() {
            Some(Ok(SubscriptionItem::Data(OrderUpdate::OrderStatus(u)))) if u.order_id == id => {
                seen.push(format!("status {}", u.status));
                if is_there(&u) {
                    return true;
                }
            }
            Some(Ok(SubscriptionItem::Data(OrderUpdate::OpenOrder(o)))) if o.order_id == id => {
                seen.push("open order".to_string());
            }
            Some(Ok(SubscriptionItem::Data(OrderUpdate::ExecutionData(_)))) => {
                a.note("IT FILLED: half the market's price was not far enough");
            }
            Some(Ok(SubscriptionItem::Data(_))) | None => {}
            Some(Ok(SubscriptionItem::Notice(n))) => seen.push(format!("code {}", n.code)),
            Some(Err(e)) => {
                let _ = a.error(&e);
                return false;
            }
        }
    }
    false
}

/// Returns half the last or best price, in whole cents.
fn half_price(s: &Asker<'_>, stock: &Contract) -> Option<f64> {
    let ticks = s.client.market_data(stock).snapshot_once(Duration::from_secs(12)).ok()?;
    let price = |t: &TickTypes| match t {
        TickTypes::Price(p) => Some((p.tick_type as i32, p.price)),
        TickTypes::PriceSize(p) => Some((p.price_tick_type as i32, p.price)),
        _ => None,
    };
    // Bid, last, close, and their delayed kin.
    let known = |(kind, px): &(i32, f64)| matches!(kind, 1 | 4 | 9 | 66 | 68 | 75) && *px > 0.0;
    let px = ticks.iter().filter_map(price).find(known)?.1;
    Some(((px * 50.0).floor() / 100.0).max(0.01))
}
