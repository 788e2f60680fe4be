//! Visible executions: of the open token by aggressor, of the session for its VWAP.

use ijk_core::{MarketEvent, Side};

/// Sums over visible executions.
#[derive(Clone, Debug, Default)]
pub(super) struct Trades {
    bought: f64,
    sold: f64,
    /// With and without known aggressor.
    volume: f64,
    /// Σ price × quantity of the session in 1e-9 units: an integer, so without drift.
    session_notional: i128,
    session_volume: i128,
}

impl Trades {
    /// Takes one record in; those that are no visible trade change nothing.
    #[inline]
    pub(super) fn take(&mut self, ev: &MarketEvent) {
        let Some((qty, aggressor)) = ev.visible_trade() else { return };
        if qty.0 <= 0 {
            return;
        }
        let size = qty.0 as f64;
        match aggressor {
            Some(Side::Bid) => self.bought += size,
            Some(Side::Ask) => self.sold += size,
            None => {}
        }
        self.volume += size;
        let notional = i128::from(ev.px.0) * i128::from(qty.0);
        self.session_notional = self.session_notional.saturating_add(notional);
        self.session_volume = self.session_volume.saturating_add(i128::from(qty.0));
    }

    /// Returns the visible volume of the open token.
    pub(super) fn volume(&self) -> f64 {
        self.volume
    }

    /// Returns (Vbuy−Vsell)/(Vbuy+Vsell) of the open token, 0 without volume.
    pub(super) fn imbalance(&self) -> f64 {
        super::imbalance(self.bought, self.sold)
    }

    /// Returns the session's VWAP in 1e-9 units, `None` before the first visible trade.
    pub(super) fn session_vwap(&self) -> Option<f64> {
        (self.session_volume > 0).then(|| self.session_notional as f64 / self.session_volume as f64)
    }

    /// Starts the next token.
    pub(super) fn close(&mut self) {
        self.bought = 0.0;
        self.sold = 0.0;
        self.volume = 0.0;
    }
}
