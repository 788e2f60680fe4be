//! What a venue reports of the orders, right and wrong.

use super::Pair;
use crate::LedgerError;
use ijk_core::{
    ClientOrderId, ExchTs, ExecId, NewOrder, Px, Qty, RecvTs, ReportKind, VenueOrderId, VenueReport,
};

impl Pair {
    fn report_of(
        &self,
        kind: ReportKind,
        o: &NewOrder,
        qty: i64,
        leaves: i64,
        px: Px,
    ) -> VenueReport {
        let is_fill = kind == ReportKind::Fill;
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: o.client_order_id,
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(if is_fill { self.exec } else { 0 }),
            px,
            qty: Qty(qty),
            leaves: Qty(leaves),
            fee_e9: if is_fill { 350_000_000 } else { 0 },
            instrument: o.instrument,
            reason: 0,
            kind,
            side: o.side,
            maker: 0,
            reserved: 0,
        }
    }

    /// Tells all four of a report; the gate must answer as expected.
    fn tell(&mut self, r: &VenueReport, expect: Result<(), ()>) -> Result<(), String> {
        let got = self.gate.on_report(RecvTs(self.now), r);
        self.oracle.on_report(self.now, r);
        self.egress.on_report(r);
        self.egress_oracle.on_report(r);
        if got.is_ok() != expect.is_ok() {
            return Err(format!("report {r:?}: the gate says {got:?}"));
        }
        if r.kind == ReportKind::Fill && !self.fills.iter().any(|f| f.exec_id == r.exec_id) {
            self.fills.push(*r);
        }
        Ok(())
    }

    fn price_near(&mut self, o: &NewOrder) -> Px {
        let index = o.instrument.index();
        let ticks = self.mids[index] + self.rng.within(30);
        Px(ticks * self.instruments[index].tick.0)
    }

    pub(super) fn fill(&mut self) -> Result<(), String> {
        let Some((order, open)) = self.rng.pick(&self.open) else { return Ok(()) };
        let lot = self.instruments[order.instrument.index()].lot.0;
        let part = open / lot * self.rng.below(100) as i64 / 100 * lot;
        let qty = if self.rng.one_in(3) || part == 0 { open } else { part };
        let px = self.price_near(&order);
        self.exec += 1;
        let report = self.report_of(ReportKind::Fill, &order, qty, open - qty, px);
        self.tell(&report, Ok(()))?;
        self.take_off(&order, qty);
        Ok(())
    }

    fn take_off(&mut self, order: &NewOrder, qty: i64) {
        for o in self.open.iter_mut().filter(|o| o.0.client_order_id == order.client_order_id) {
            o.1 -= qty;
        }
        let ended = &mut self.ended;
        self.open.retain(|o| {
            if o.1 <= 0 {
                ended.push(o.0);
            }
            o.1 > 0
        });
    }

    pub(super) fn end(&mut self) -> Result<(), String> {
        let Some((order, open)) = self.rng.pick(&self.open) else { return Ok(()) };
        let untouched = open == order.qty.0;
        let kind = match self.rng.below(5) {
            0 | 1 if untouched => ReportKind::Reject,
            2 if untouched => ReportKind::Absent,
            3 => ReportKind::Expired,
            _ => ReportKind::Canceled,
        };
        let all = matches!(kind, ReportKind::Reject | ReportKind::Absent);
        let report = self.report_of(kind, &order, if all { 0 } else { open }, 0, Px(0));
        self.tell(&report, Ok(()))?;
        self.take_off(&order, open);
        Ok(())
    }

    pub(super) fn note(&mut self) -> Result<(), String> {
        let Some((order, open)) = self.rng.pick(&self.open) else { return Ok(()) };
        let refused = self.rng.one_in(2);
        let kind = if refused { ReportKind::CancelReject } else { ReportKind::Ack };
        self.tell(&self.report_of(kind, &order, 0, open, Px(0)), Ok(()))
    }

    pub(super) fn repeat(&mut self) -> Result<(), String> {
        let Some(fill) = self.rng.pick(&self.fills) else { return Ok(()) };
        let got = self.gate.on_report(RecvTs(self.now), &fill);
        self.oracle.on_report(self.now, &fill);
        self.egress.on_report(&fill);
        self.egress_oracle.on_report(&fill);
        match got {
            Err(LedgerError::RepeatedExecution(_)) => Ok(()),
            other => Err(format!("{fill:?} again: the gate says {other:?}")),
        }
    }

    pub(super) fn bust(&mut self) -> Result<(), String> {
        let unknown = self.rng.one_in(12);
        let Some(fill) = self.rng.pick(&self.fills) else { return Ok(()) };
        let exec_id = if unknown { ExecId(1 << 40) } else { fill.exec_id };
        let report = VenueReport { kind: ReportKind::Bust, exec_id, fee_e9: 0, ..fill };
        let fresh = !unknown && !self.oracle.was_busted(fill.exec_id.0);
        self.tell(&report, if fresh { Ok(()) } else { Err(()) })
    }

    pub(super) fn commission(&mut self) -> Result<(), String> {
        let unknown = self.rng.one_in(12);
        let Some(fill) = self.rng.pick(&self.fills) else { return Ok(()) };
        let exec_id = if unknown { ExecId(1 << 41) } else { fill.exec_id };
        let fee_e9 = self.rng.within(500_000_000);
        let report = VenueReport { kind: ReportKind::Commission, exec_id, fee_e9, ..fill };
        self.tell(&report, if unknown { Err(()) } else { Ok(()) })
    }

    /// Reports that reconciliation must settle.
    pub(super) fn faulty(&mut self) -> Result<(), String> {
        self.exec += 1;
        let (late, open) = (self.rng.pick(&self.ended), self.rng.pick(&self.open));
        let report = match (self.rng.below(5), late, open) {
            (0, Some(o), _) => {
                let px = self.price_near(&o);
                self.report_of(ReportKind::Fill, &o, o.qty.0, 0, px)
            }
            (1, _, Some((o, open))) => {
                let px = self.price_near(&o);
                self.take_off(&o, open);
                self.report_of(ReportKind::Fill, &o, open + o.qty.0, 0, px)
            }
            (2, _, Some((o, open))) => {
                let px = self.price_near(&o);
                self.take_off(&o, open / 2);
                let rest = open - open / 2;
                self.report_of(ReportKind::Fill, &o, open / 2, rest + 1, px)
            }
            (3, _, Some((o, open))) => self.report_of(ReportKind::Canceled, &o, open + 1, 0, Px(0)),
            (_, _, Some((o, open))) => {
                let stranger = NewOrder { client_order_id: ClientOrderId(u64::MAX), ..o };
                let px = self.price_near(&o);
                self.report_of(ReportKind::Fill, &stranger, open, 0, px)
            }
            _ => return Ok(()),
        };
        if report.kind == ReportKind::Fill && report.qty.0 <= 0 {
            return Ok(());
        }
        self.tell(&report, Err(()))
    }
}
