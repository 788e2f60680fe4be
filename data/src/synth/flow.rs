//! Arrival times (Hawkes) and the latent state (signal, reference price, volatility).

use super::math::{Deviates, exp};

/// Step of the latent state, seconds.
pub(super) const STEP_S: f64 = 0.1;
/// Length of a whole session, seconds.
pub(super) const SESSION_S: f64 = 23_400.0;

/// What arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    Limit = 0,
    Cancel = 1,
    Market = 2,
}

const ARRIVALS: [Arrival; 3] = [Arrival::Limit, Arrival::Cancel, Arrival::Market];

/// Mean children per parent: row = parent, column = child (limit, cancel, market); spectral
/// radius 0.78, so that most arrivals answer earlier ones.
const BRANCHING: [[f64; 3]; 3] = [[0.42, 0.36, 0.012], [0.42, 0.32, 0.012], [0.60, 0.50, 0.25]];
/// Share of the children in the fast kernel; the rest is slow.
const FAST_SHARE: f64 = 0.85;
/// Decay of the two exponential kernels, 1/s: milliseconds of reaction, seconds of clustering.
const DECAY: [f64; 2] = [100.0, 0.5];
/// Mean arrivals a second over the day: limit, cancel, market.
const MEAN_RATE: [f64; 3] = [2.70, 2.35, 0.34];

/// Returns activity relative to its daily mean at fraction `x` of the session: high at the open,
/// lowest after noon, rising to the close (mean 1 to three places).
pub(super) fn day_curve(x: f64) -> f64 {
    let y = x - 0.56;
    0.66 + 3.45 * y * y + 0.5 * exp(-x * 14.0)
}

/// Self-exciting arrivals of three types, simulated exactly by Ogata's thinning (Ogata 1981).
#[derive(Clone, Debug)]
pub(super) struct Hawkes {
    /// Excess intensity by kernel and type, 1/s.
    excess: [[f64; 3]; 2],
    base: [f64; 3],
}

impl Hawkes {
    pub(super) fn new() -> Hawkes {
        // Exogenous rates that give the wanted means: mu = lambda - A' lambda.
        let mut base = MEAN_RATE;
        for (parent, children) in BRANCHING.iter().enumerate() {
            for (child, mean) in children.iter().enumerate() {
                base[child] -= mean * MEAN_RATE[parent];
            }
        }
        Hawkes { excess: [[0.0; 3]; 2], base }
    }

    fn intensities(&self, activity: f64, scale: [f64; 3]) -> [f64; 3] {
        let mut rates = [0.0; 3];
        for (i, rate) in rates.iter_mut().enumerate() {
            *rate = self.base[i] * activity * scale[i] + self.excess[0][i] + self.excess[1][i];
        }
        rates
    }

    fn decay(&mut self, dt_s: f64) {
        for (kernel, rates) in self.excess.iter_mut().enumerate() {
            let factor = exp(-DECAY[kernel] * dt_s);
            rates.iter_mut().for_each(|rate| *rate *= factor);
        }
    }

    /// Returns the next arrival within `left_s` seconds and the time until it, or `None` when
    /// none falls into them. `activity` and each type's `scale` multiply the exogenous rates
    /// until then; the excited part is left alone, so that the process stays subcritical.
    pub(super) fn next(
        &mut self,
        left_s: f64,
        activity: f64,
        scale: [f64; 3],
        deviates: &mut Deviates,
    ) -> Option<(Arrival, f64)> {
        let mut passed = 0.0;
        loop {
            let bound: f64 = self.intensities(activity, scale).iter().sum();
            let wait = deviates.exponential() / bound;
            if passed + wait > left_s {
                self.decay(left_s - passed);
                return None;
            }
            passed += wait;
            self.decay(wait);
            let rates = self.intensities(activity, scale);
            let mut pick = deviates.uniform() * bound;
            for (i, rate) in rates.iter().enumerate() {
                if pick < *rate {
                    return Some((ARRIVALS[i], passed));
                }
                pick -= rate;
            }
        }
    }

    /// Counts an arrival: its children become likelier.
    pub(super) fn excite(&mut self, arrival: Arrival) {
        for (child, mean) in BRANCHING[arrival as usize].iter().enumerate() {
            self.excess[0][child] += mean * FAST_SHARE * DECAY[0];
            self.excess[1][child] += mean * (1.0 - FAST_SHARE) * DECAY[1];
        }
    }
}

/// Half-life of the signal, seconds of mean activity.
pub(super) const SIGNAL_HALF_LIFE_S: f64 = 30.0;
/// Drift of the reference price per unit of signal, ticks a second.
const DRIFT_TICKS_PER_S: f64 = 0.35;
/// Unpredictable part of the reference price, ticks per root second: own and common.
const NOISE_TICKS: [f64; 2] = [1.85, 0.45];
/// Log-volatility: standard deviation and half-life, seconds.
const VOL_OF_VOL: f64 = 0.40;
const VOL_HALF_LIFE_S: f64 = 300.0;

/// The latent state. Time runs with activity, so that a row means the same at noon and at the
/// open.
#[derive(Clone, Debug)]
pub(super) struct Latent {
    /// The signal: Ornstein-Uhlenbeck, mean 0, variance 1.
    pub(super) signal: f64,
    /// Reference price, ticks.
    pub(super) reference: f64,
    volatility: f64,
    common: Deviates,
}

impl Latent {
    pub(super) fn new(reference: f64, common: Deviates, own: &mut Deviates) -> Latent {
        Latent { signal: own.normal(), reference, volatility: own.normal(), common }
    }

    /// Moves the state by one [`STEP_S`] at the given activity; `strength` scales the drift.
    pub(super) fn step(&mut self, activity: f64, strength: f64, own: &mut Deviates) {
        let dt = STEP_S * activity;
        let keep = |half_life: f64| exp(-core::f64::consts::LN_2 * dt / half_life);
        let (rho, phi) = (keep(SIGNAL_HALF_LIFE_S), keep(VOL_HALF_LIFE_S));
        let scale = exp(VOL_OF_VOL * self.volatility - VOL_OF_VOL * VOL_OF_VOL);
        let noise = NOISE_TICKS[0] * own.normal() + NOISE_TICKS[1] * self.common.normal();
        self.reference +=
            scale * (DRIFT_TICKS_PER_S * strength * self.signal * dt + noise * dt.sqrt());
        self.signal = rho * self.signal + (1.0 - rho * rho).sqrt() * own.normal();
        self.volatility = phi * self.volatility + (1.0 - phi * phi).sqrt() * own.normal();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_curve_has_mean_one_and_the_shape_of_a_u() {
        let mean = (0..1000).map(|i| day_curve((f64::from(i) + 0.5) / 1000.0)).sum::<f64>() / 1e3;
        assert!((mean - 1.0).abs() < 0.01, "{mean}");
        assert!(day_curve(0.0) > 2.0 && day_curve(1.0) > 1.2 && day_curve(0.5) < 0.7);
    }

    #[test]
    fn arrivals_have_their_mean_rate_and_cluster() {
        let (mut hawkes, mut deviates) = (Hawkes::new(), Deviates::new(5, 0));
        let (steps, mut counts) = (200_000, vec![0f64; 20_000]);
        let mut by_type = [0f64; 3];
        for step in 0..steps {
            let mut left = STEP_S;
            while let Some((arrival, wait)) = hawkes.next(left, 1.0, [1.0; 3], &mut deviates) {
                hawkes.excite(arrival);
                left -= wait;
                counts[step / 10] += 1.0;
                by_type[arrival as usize] += 1.0;
            }
        }
        let seconds = steps as f64 * STEP_S;
        for (count, rate) in by_type.iter().zip(MEAN_RATE) {
            assert!((count / seconds / rate - 1.0).abs() < 0.05, "{by_type:?}");
        }
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let var = counts.iter().map(|c| (c - mean) * (c - mean)).sum::<f64>() / counts.len() as f64;
        assert!(var / mean > 2.0, "Poisson counts would have a ratio of one: {}", var / mean);
    }
}
