//! What the encoder says, in the units everything downstream uses.

use crate::limits::MEMBER_COUNT_MAX;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// Horizons of the heads, in tokens.
pub const HORIZONS: [u32; HORIZON_COUNT] = [1, 5, 10, 20];
/// Number of horizons.
pub const HORIZON_COUNT: usize = 4;

/// One member's forecast of the smoothed return over one horizon.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct HorizonForecast {
    /// Unnormalised scores of down, flat, up.
    pub logits: [f32; 3],
    /// Mean of the label in basis points.
    pub mean_bps: f32,
    /// Natural logarithm of the variance of the label in squared basis points.
    pub log_var: f32,
}

impl HorizonForecast {
    /// Returns the probabilities of down, flat, up.
    pub fn probabilities(&self) -> [f32; 3] {
        let max = self.logits.iter().fold(f32::NEG_INFINITY, |m, &v| m.max(v));
        let e = self.logits.map(|v| (v - max).exp());
        let sum: f32 = e.iter().sum();
        e.map(|v| v / sum)
    }

    /// Returns the standard deviation in basis points.
    pub fn sd_bps(&self) -> f32 {
        (0.5 * self.log_var).exp()
    }

    /// Returns whether every number is finite.
    pub fn is_finite(&self) -> bool {
        self.logits.iter().chain([&self.mean_bps, &self.log_var]).all(|v| v.is_finite())
    }
}

/// The ensemble's forecast at one token: `members[m][h]`; members at or past `member_count` are
/// zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct EnsembleForecast {
    /// Forecast per member and horizon.
    pub members: [[HorizonForecast; HORIZON_COUNT]; MEMBER_COUNT_MAX],
    /// Members in use, 1 to [`MEMBER_COUNT_MAX`]; 0 means "no forecast".
    pub member_count: u32,
}

/// Mean and the two variances at one horizon, pooled over members.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pooled {
    /// Mean of the members' means, basis points.
    pub mean_bps: f64,
    /// Variance of the members' means (unbiased, 0 for one member): what the ensemble does not
    /// know, squared basis points.
    pub epistemic_var: f64,
    /// Mean of the members' variances: what cannot be known, squared basis points.
    pub aleatoric_var: f64,
}

impl EnsembleForecast {
    /// Returns the pooled moments at horizon index `h`, or `None` without members or where any
    /// number is not finite.
    pub fn pooled(&self, h: usize) -> Option<Pooled> {
        let n = self.member_count as usize;
        if n == 0 || n > MEMBER_COUNT_MAX || h >= HORIZON_COUNT {
            return None;
        }
        let column = || self.members[..n].iter().map(move |m| &m[h]);
        if !column().all(HorizonForecast::is_finite) {
            return None;
        }
        let mean = column().map(|f| f64::from(f.mean_bps)).sum::<f64>() / n as f64;
        let spread = column().map(|f| (f64::from(f.mean_bps) - mean).powi(2)).sum::<f64>();
        let aleatoric = column().map(|f| f64::from(f.log_var).exp()).sum::<f64>() / n as f64;
        aleatoric.is_finite().then_some(Pooled {
            mean_bps: mean,
            epistemic_var: if n > 1 { spread / (n - 1) as f64 } else { 0.0 },
            aleatoric_var: aleatoric,
        })
    }
}
