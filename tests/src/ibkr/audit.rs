//! What the kernel would have booked, against what really is so at the simulator.

use ijk_core::{ClientOrderId, InstrumentId, NewOrder, ReportKind, Side, VenueReport};
use ijk_twsim::Server;
use std::collections::{BTreeMap, BTreeSet};

/// One of our orders as it was booked.
#[derive(Debug, Default)]
struct Booked {
    filled: i64,
    /// Money of the fills, 1e-9.
    cost_e9: i128,
    end: Option<ReportKind>,
}

/// The books.
#[derive(Debug, Default)]
pub struct Audit {
    sent: BTreeMap<ClientOrderId, NewOrder>,
    booked: BTreeMap<ClientOrderId, Booked>,
    executions: BTreeSet<(u64, i64)>,
    fees_e9: i128,
    /// What was found.
    pub failures: Vec<String>,
}

fn reference(id: ClientOrderId) -> String {
    format!("ijk-{:016x}", id.0)
}

impl Audit {
    /// An order is handed over.
    pub fn on_sent(&mut self, order: &NewOrder) {
        self.sent.insert(order.client_order_id, *order);
    }

    /// Returns the orders that were sent and did not end.
    pub fn open(&self) -> Vec<NewOrder> {
        let is_over = |o: &NewOrder| {
            let booked = self.booked.get(&o.client_order_id);
            booked.is_some_and(|b| b.end.is_some() || b.filled >= o.qty.0)
        };
        self.sent.values().filter(|o| !is_over(o)).copied().collect()
    }

    /// Returns the position of an instrument as booked.
    pub fn position(&self, instrument: InstrumentId) -> i64 {
        let mut held = 0;
        for (id, b) in &self.booked {
            if let Some(o) = self.sent.get(id).filter(|o| o.instrument == instrument) {
                held += if o.side == Side::Bid { b.filled } else { -b.filled };
            }
        }
        held
    }

    /// A report passed order truth. An end is compared with the truth at once.
    pub fn on_booked(&mut self, r: &VenueReport, server: &Server) {
        let id = r.client_order_id;
        if !self.sent.contains_key(&id) {
            return self.failures.push(format!("invented: {r:?}"));
        }
        let booked = self.booked.entry(id).or_default();
        let sign = match r.kind {
            ReportKind::Fill => 1,
            ReportKind::Bust => -1,
            ReportKind::Commission => {
                self.fees_e9 += i128::from(r.fee_e9);
                return;
            }
            ReportKind::Ack | ReportKind::CancelReject => return,
            end => {
                booked.end = Some(end);
                return self.check_end(id, end, server);
            }
        };
        self.fees_e9 += i128::from(r.fee_e9) * i128::from(sign);
        booked.filled += sign * r.qty.0;
        booked.cost_e9 += i128::from(sign * r.qty.0) * i128::from(r.px.0);
        if !self.executions.insert((r.exec_id.0, sign)) {
            self.failures.push(format!("booked twice: {r:?}"));
        }
    }

    fn check_end(&mut self, id: ClientOrderId, end: ReportKind, server: &Server) {
        let name = reference(id);
        let orders = server.with(|g| g.truth_orders());
        let found = orders.iter().find(|o| o.order_ref.as_ref() == Some(&name));
        let lives = found.is_some_and(|o| {
            !matches!(o.status, "Filled" | "Cancelled" | "ApiCancelled" | "Inactive")
        });
        if lives {
            self.failures.push(format!("{end:?} of an order that lives: {found:?}"));
        }
        if matches!(end, ReportKind::Absent | ReportKind::Reject) && found.is_some() {
            self.failures.push(format!("{end:?} of an order that arrived: {found:?}"));
        }
    }

    /// Compares everything, once all is quiet.
    pub fn finish(&mut self, server: &Server) {
        let (orders, execs, positions) =
            server.with(|g| (g.truth_orders(), g.truth_execs(), g.truth_positions()));
        let mut references = BTreeSet::new();
        let mut held: BTreeMap<String, i64> = BTreeMap::new();
        for o in &orders {
            let Some(name) = &o.order_ref else { continue };
            if !references.insert(name.clone()) {
                self.failures.push(format!("sent twice: {o:?}"));
            }
            let id = self.sent.keys().find(|id| reference(**id) == *name).copied();
            let Some(id) = id else {
                self.failures.push(format!("never handed over: {o:?}"));
                continue;
            };
            let booked = self.booked.entry(id).or_default();
            if booked.filled != o.filled as i64 {
                self.failures.push(format!("filled {}, truly {o:?}", booked.filled));
            }
            let mine = execs.iter().filter(|e| e.perm_id == o.perm_id && !e.superseded);
            let cost =
                |e: &ijk_twsim::TruthExec| (e.price * 1e9).round() as i128 * e.shares as i128;
            let truly: i128 = mine.map(cost).sum();
            if truly != booked.cost_e9 {
                self.failures.push(format!("cost {}, truly {truly}: {o:?}", booked.cost_e9));
            }
            let sign = if o.buy { 1 } else { -1 };
            *held.entry(o.symbol.clone()).or_default() += sign * booked.filled;
        }
        for (id, booked) in &self.booked {
            if booked.filled != 0 && !references.contains(&reference(*id)) {
                self.failures.push(format!("fills of an order that never arrived: {id:?}"));
            }
        }
        held.retain(|_, qty| *qty != 0);
        let truly: BTreeMap<String, i64> =
            positions.into_iter().map(|(_, symbol, shares)| (symbol, shares as i64)).collect();
        if held != truly {
            self.failures.push(format!("positions {held:?}, truly {truly:?}"));
        }
        let live = execs.iter().filter(|e| !e.superseded);
        let fees: f64 = live.map(|e| e.commission).sum();
        if (self.fees_e9 as f64 / 1e9 - fees).abs() > 1e-6 {
            self.failures.push(format!("fees {}, truly {fees}", self.fees_e9 as f64 / 1e9));
        }
        // Sent, not at the broker, and told as nothing: an order lost.
        for order in self.open() {
            self.failures.push(format!("lost: {order:?}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{ExchTs, ExecId, OrderType, ParentId, Px, Qty, TimeInForce, VenueOrderId};
    use ijk_twsim::SimConfig;

    fn order() -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId::first_of(1),
            qty: Qty(10),
            px: Px(50_000_000_000),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side: Side::Bid,
            order_type: OrderType::Limit,
            tif: TimeInForce::Day,
            reserved: [0; 7],
        }
    }

    fn report(kind: ReportKind, exec_id: u64, qty: i64) -> VenueReport {
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: order().client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(exec_id),
            px: Px(50_000_000_000),
            qty: Qty(qty),
            leaves: Qty(0),
            fee_e9: 0,
            instrument: InstrumentId(0),
            reason: 0,
            kind,
            side: Side::Bid,
            maker: 0,
            reserved: 0,
        }
    }

    /// What the auditor says of these reports of an order that the simulator never had.
    fn said(told: &[VenueReport], sent: bool) -> String {
        let config = SimConfig { fixed_time_s: Some(1_767_364_200), ..SimConfig::default() };
        let server = Server::start(0, config).unwrap();
        let mut audit = Audit::default();
        if sent {
            audit.on_sent(&order());
        }
        told.iter().for_each(|r| audit.on_booked(r, &server));
        audit.finish(&server);
        audit.failures.join("; ")
    }

    #[test]
    fn every_kind_of_lie_is_found() {
        let fill = |exec_id, qty| report(ReportKind::Fill, exec_id, qty);
        assert_eq!(said(&[], false), "");
        assert_eq!(said(&[report(ReportKind::Absent, 0, 0)], true), "");
        assert!(said(&[], true).contains("lost"));
        assert!(said(&[fill(1, 10)], false).contains("invented"));
        assert!(said(&[fill(1, 10)], true).contains("never arrived"));
        assert!(said(&[fill(1, 3), fill(1, 3)], true).contains("booked twice"));
        let fee = VenueReport { fee_e9: 5, ..report(ReportKind::Commission, 1, 0) };
        assert_eq!(said(&[fee, report(ReportKind::Absent, 0, 0)], true), "", "a rounding");
        let fee = VenueReport { fee_e9: 1_000_000_000, ..fee };
        assert!(said(&[fee, report(ReportKind::Absent, 0, 0)], true).contains("fees"));
    }
}
