//! An account kept from fills alone, apart from the risk gate's, so that one checks the other.

use ijk_core::{Instrument, VenueReport};

/// Cash, positions and round trips of a run.
#[derive(Clone, Debug)]
pub struct Ledger {
    instruments: Vec<Instrument>,
    position: Vec<i64>,
    cash: Vec<f64>,
    mark: Vec<f64>,
    /// Cash at the start of the open round trip, fees in.
    trip_cash: Vec<f64>,
    fees_usd: f64,
    turnover_usd: f64,
    fills: u64,
    maker_fills: u64,
    trips: u64,
    winning_trips: u64,
}

impl Ledger {
    /// Returns an empty account.
    pub fn new(instruments: &[Instrument]) -> Ledger {
        let n = instruments.len();
        Ledger {
            instruments: instruments.to_vec(),
            position: vec![0; n],
            cash: vec![0.0; n],
            mark: vec![0.0; n],
            trip_cash: vec![0.0; n],
            fees_usd: 0.0,
            turnover_usd: 0.0,
            fills: 0,
            maker_fills: 0,
            trips: 0,
            winning_trips: 0,
        }
    }

    /// Books a fill. A round trip goes from flat to flat; a fill through zero ends one and starts
    /// the next, its fee counting with the first.
    pub fn fill(&mut self, report: &VenueReport) {
        let i = report.instrument.index();
        let signed = report.side.sign() * report.qty.0;
        let before = self.position[i];
        let after = before + signed;
        let px = report.px.as_f64();
        let value = |qty: i64| px * self.instruments[i].qty_as_f64(ijk_core::Qty(qty));
        let fee = report.fee_e9 as f64 * 1e-9;
        let total = value(signed);
        let closes = before != 0 && before.signum() != after.signum();
        if closes {
            let flat_cash = self.cash[i] + value(before) - fee;
            self.trips += 1;
            self.winning_trips += u64::from(flat_cash > self.trip_cash[i]);
            self.trip_cash[i] = flat_cash;
        } else if before == 0 {
            self.trip_cash[i] = self.cash[i];
        }
        self.cash[i] -= total + fee;
        self.fees_usd += fee;
        self.turnover_usd += total.abs();
        self.fills += 1;
        self.maker_fills += u64::from(report.maker);
        self.position[i] = after;
    }

    /// Marks an instrument.
    pub fn mark(&mut self, i: usize, mid: f64) {
        self.mark[i] = mid;
    }

    fn value(&self, i: usize) -> f64 {
        self.mark[i] * self.instruments[i].qty_as_f64(ijk_core::Qty(self.position[i]))
    }

    /// Result at the marks, fees taken off, dollars.
    pub fn pnl_usd(&self) -> f64 {
        (0..self.position.len()).map(|i| self.cash[i] + self.value(i)).sum()
    }

    /// Sum of absolute position values at the marks, dollars.
    pub fn gross_usd(&self) -> f64 {
        (0..self.position.len()).map(|i| self.value(i).abs()).sum()
    }

    /// Position in whole units.
    pub fn position(&self, i: usize) -> f64 {
        self.instruments[i].qty_as_f64(ijk_core::Qty(self.position[i]))
    }

    /// Fees so far, dollars.
    pub fn fees_usd(&self) -> f64 {
        self.fees_usd
    }

    /// Traded value so far, dollars.
    pub fn turnover_usd(&self) -> f64 {
        self.turnover_usd
    }

    /// Fills and fills that added liquidity.
    pub fn fill_counts(&self) -> (u64, u64) {
        (self.fills, self.maker_fills)
    }

    /// Closed round trips and those that won after fees.
    pub fn trips(&self) -> (u64, u64) {
        (self.trips, self.winning_trips)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{
        ClientOrderId, ExchTs, ExecId, InstrumentId, Px, Qty, ReportKind, Side, Symbol,
        VenueOrderId,
    };

    fn fill(side: Side, qty: i64, px: i64, fee_cents: i64) -> VenueReport {
        VenueReport {
            ts_exchange: ExchTs(0),
            client_order_id: ClientOrderId(1),
            venue_order_id: VenueOrderId(1),
            exec_id: ExecId(1),
            px: Px(px * 1_000_000_000),
            qty: Qty(qty),
            leaves: Qty(0),
            fee_e9: fee_cents * 10_000_000,
            instrument: InstrumentId(0),
            reason: 0,
            kind: ReportKind::Fill,
            side,
            maker: 0,
            reserved: 0,
        }
    }

    #[test]
    fn a_winning_and_a_losing_trip_and_a_flip() {
        let mut l = Ledger::new(&[Instrument::us_equity(Symbol::new("X").unwrap())]);
        l.fill(&fill(Side::Bid, 100, 10, 35));
        l.mark(0, 10.5);
        assert!((l.pnl_usd() - (50.0 - 0.35)).abs() < 1e-9);
        // Sells through flat to short 50: the first trip wins 100 - 0.70.
        l.fill(&fill(Side::Ask, 150, 11, 35));
        assert_eq!(l.trips(), (1, 1));
        assert_eq!(l.position(0), -50.0);
        // Covers higher: the second trip loses 50 and its fee.
        l.fill(&fill(Side::Bid, 50, 12, 35));
        assert_eq!(l.trips(), (2, 1));
        assert!((l.pnl_usd() - (100.0 - 50.0 - 1.05)).abs() < 1e-9);
        assert!((l.fees_usd() - 1.05).abs() < 1e-9);
        assert!((l.turnover_usd() - (1000.0 + 1650.0 + 600.0)).abs() < 1e-9);
    }

    #[test]
    fn a_trip_that_only_pays_fees_loses() {
        let mut l = Ledger::new(&[Instrument::us_equity(Symbol::new("X").unwrap())]);
        l.fill(&fill(Side::Bid, 10, 10, 1));
        l.fill(&fill(Side::Ask, 10, 10, 1));
        assert_eq!(l.trips(), (1, 0));
        assert!((l.pnl_usd() + 0.02).abs() < 1e-12);
    }
}
