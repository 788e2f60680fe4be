//! What the simulated exchange tells of orders.

use crate::exchange::SimExchange;
use crate::own::OwnOrder;
use crate::reject::RejectReason;
use ijk_core::{
    CancelOrder, ClientOrderId, ExchTs, ExecId, InstrumentId, NewOrder, Px, Qty, ReportKind, Side,
    VenueOrderId, VenueReport,
};

/// Who a report is about.
#[derive(Clone, Copy)]
pub(crate) struct Party {
    pub client_order_id: ClientOrderId,
    pub venue_order_id: VenueOrderId,
    pub instrument: InstrumentId,
    pub side: Side,
}

impl From<&OwnOrder> for Party {
    fn from(o: &OwnOrder) -> Party {
        Party {
            client_order_id: o.client_order_id,
            venue_order_id: o.venue_order_id,
            instrument: o.instrument,
            side: o.side,
        }
    }
}

impl SimExchange {
    fn blank(&self, who: Party, kind: ReportKind) -> VenueReport {
        VenueReport {
            ts_exchange: ExchTs(self.clock.0),
            client_order_id: who.client_order_id,
            venue_order_id: who.venue_order_id,
            exec_id: ExecId(0),
            px: Px(0),
            qty: Qty::ZERO,
            leaves: Qty::ZERO,
            fee_e9: 0,
            instrument: who.instrument,
            reason: 0,
            kind,
            side: who.side,
            maker: 0,
            reserved: 0,
        }
    }

    fn deliver(&mut self, report: VenueReport) {
        self.wire.report(self.clock.plus_ns(self.report_latency_ns), report);
    }

    pub(crate) fn report(&mut self, who: Party, kind: ReportKind, qty: i64, leaves: i64) {
        let report = VenueReport { qty: Qty(qty), leaves: Qty(leaves), ..self.blank(who, kind) };
        self.deliver(report);
    }

    pub(crate) fn report_fill(&mut self, o: &OwnOrder, px: Px, qty: i64, fee_e9: i64, maker: bool) {
        assert!(qty > 0 && o.leaves >= 0, "a fill fills something and never too much");
        self.exec_id_last += 1;
        let report = VenueReport {
            exec_id: ExecId(self.exec_id_last),
            px,
            qty: Qty(qty),
            leaves: Qty(o.leaves),
            fee_e9,
            maker: u8::from(maker),
            ..self.blank(Party::from(o), ReportKind::Fill)
        };
        self.deliver(report);
    }

    pub(crate) fn reject(&mut self, o: &NewOrder, reason: RejectReason) {
        let who = Party {
            client_order_id: o.client_order_id,
            venue_order_id: VenueOrderId(0),
            instrument: o.instrument,
            side: o.side,
        };
        let reason = reason as u16;
        let report = VenueReport { reason, ..self.blank(who, ReportKind::Reject) };
        self.deliver(report);
    }

    pub(crate) fn reject_cancel(&mut self, c: CancelOrder, reason: RejectReason) {
        let resting = self.own.find(c.client_order_id).map(|i| *self.own.get(i));
        let who = resting.as_ref().map_or(
            Party {
                client_order_id: c.client_order_id,
                venue_order_id: VenueOrderId(0),
                instrument: c.instrument,
                side: Side::Bid,
            },
            Party::from,
        );
        let report = VenueReport {
            reason: reason as u16,
            leaves: Qty(resting.map_or(0, |o| o.leaves)),
            ..self.blank(who, ReportKind::CancelReject)
        };
        self.deliver(report);
    }
}
