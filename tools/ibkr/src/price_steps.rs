//! Price steps by band: which prices an order of a contract may have.
//!
//! A contract's least step says what its finest band has; its price rule says where each band
//! begins. A price on the least step alone is refused by the broker (110) in a coarser band.

use crate::bucket::Weight;
use crate::connection::GatewaySettings;
use ibapi::client::blocking::Client;
use ibapi::contracts::{ContractDetails, PriceIncrement};
use ijk_core::Px;
use std::collections::BTreeMap;

/// Most bands of a rule that is believed.
const BAND_COUNT_MAX: usize = 1_000;
/// Coarsest common step that is believed: a thousand dollars.
const COMMON_STEP_MAX: i128 = 1_000_000_000_000;

/// The bands of one contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceSteps {
    /// Least price of each band and its step, rising; the first begins at 0.
    bands: Vec<(Px, Px)>,
    common: Px,
}

impl PriceSteps {
    /// Returns one step for every price; it must be positive.
    pub fn single(step: Px) -> PriceSteps {
        let step = Px(step.0.max(1));
        PriceSteps { bands: vec![(Px(0), step)], common: step }
    }

    /// Returns the steps of a price rule.
    ///
    /// # Errors
    /// What is wrong with it: no band from 0 on, edges that are no prices or come twice, a step
    /// that is not positive, steps without a common multiple of reasonable size.
    pub fn of_rule(rule: &[PriceIncrement]) -> Result<PriceSteps, String> {
        let mut bands = Vec::with_capacity(rule.len().min(BAND_COUNT_MAX));
        for band in rule.iter().take(BAND_COUNT_MAX + 1) {
            let low = Px::from_f64(band.low_edge).filter(|px| px.0 >= 0);
            let step = Px::from_f64(band.increment).filter(|px| px.0 > 0);
            let (Some(low), Some(step)) = (low, step) else {
                return Err(format!("step {} from {} on", band.increment, band.low_edge));
            };
            bands.push((low, step));
        }
        bands.sort_unstable();
        let twice = bands.windows(2).any(|w| w[0].0 == w[1].0);
        if twice || bands.len() > BAND_COUNT_MAX || bands.first().is_none_or(|b| b.0 != Px(0)) {
            return Err(format!("{} bands that do not rise from 0", bands.len()));
        }
        let common = bands.iter().try_fold(1i128, |all, b| {
            let step = i128::from(b.1.0);
            Some(all / gcd(all, step) * step).filter(|c| *c <= COMMON_STEP_MAX)
        });
        let common = common.ok_or("steps without a common multiple".to_string())?;
        Ok(PriceSteps { bands, common: Px(common as i64) })
    }

    /// Returns the step at a price.
    pub fn at(&self, px: Px) -> Px {
        let band = self.bands.iter().rev().find(|b| b.0 <= px);
        band.or(self.bands.first()).map_or(Px(1), |b| b.1)
    }

    /// Returns whether an order may have this price.
    pub fn allow(&self, px: Px) -> bool {
        px.0 > 0 && px.0 % self.at(px).0 == 0
    }

    /// Returns the least step whose multiples every band allows.
    pub fn common(&self) -> Px {
        self.common
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Asks for price rules, for each of them once.
#[derive(Default)]
pub struct PriceRules {
    known: BTreeMap<i32, PriceSteps>,
}

impl PriceRules {
    /// Returns the steps of a contract that is routed SMART. A contract that names no rule, and one
    /// whose rule the gateway does not tell in time or tells wrongly, goes by its least step
    /// alone, which must be positive; the sentence then says so.
    pub fn of(
        &mut self,
        client: &Client,
        settings: &GatewaySettings,
        details: &ContractDetails,
        least: Px,
    ) -> (PriceSteps, Option<String>) {
        let smart = details.valid_exchanges.iter().position(|e| e == "SMART").unwrap_or(0);
        let named = details.market_rule_ids.get(smart).map(|id| id.trim());
        let Some(id) = named.and_then(|id| id.parse::<i32>().ok()) else {
            return (PriceSteps::single(least), None);
        };
        if let Some(steps) = self.known.get(&id) {
            return (steps.clone(), None);
        }
        let told = if settings.bucket.wait(Weight::Other, settings.answer_timeout()) {
            client.market_rule(id).map_err(|e| e.to_string())
        } else {
            Err("the message budget is used up".to_string())
        };
        match told.and_then(|rule| PriceSteps::of_rule(&rule.price_increments)) {
            Ok(steps) => (self.known.entry(id).or_insert(steps).clone(), None),
            Err(text) => {
                let symbol = &details.contract.symbol;
                let note =
                    format!("{symbol}: price rule {id}: {text}: only its least step is known");
                (PriceSteps::single(least), Some(note))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CENT: i64 = 10_000_000;

    fn rule(bands: &[(f64, f64)]) -> Vec<PriceIncrement> {
        let band = |&(low_edge, increment)| PriceIncrement { low_edge, increment };
        bands.iter().map(band).collect()
    }

    #[test]
    fn each_side_of_an_edge_has_its_own_step() {
        let steps =
            PriceSteps::of_rule(&rule(&[(98.0, 0.05), (0.0, 0.0001), (1.0, 0.01)])).unwrap();
        let allowed = |px: f64| steps.allow(Px::from_f64(px).unwrap());
        for px in [0.0001, 0.9999, 1.0, 1.01, 97.99, 98.0, 98.05, 1_234.55] {
            assert!(allowed(px), "{px}");
        }
        for px in [0.0, -0.01, 0.00005, 1.0001, 97.995, 98.01, 98.04, 1_234.56] {
            assert!(!allowed(px), "{px}");
        }
        assert_eq!(steps.common(), Px(5 * CENT));
        assert_eq!(steps.at(Px(97 * 100 * CENT)), Px(CENT));
    }

    #[test]
    fn a_rule_that_is_none_is_refused() {
        let nan = f64::NAN;
        let cases: &[&[(f64, f64)]] = &[
            &[],
            &[(1.0, 0.01)],
            &[(0.0, 0.0)],
            &[(0.0, -0.01)],
            &[(0.0, nan)],
            &[(nan, 0.01)],
            &[(0.0, f64::INFINITY)],
            &[(0.0, 0.01), (0.0, 0.05)],
            &[(0.0, 0.01), (-1.0, 0.05)],
            &[(0.0, 0.000_000_017), (1.0, 999.999_999_999)],
        ];
        for bands in cases {
            assert!(PriceSteps::of_rule(&rule(bands)).is_err(), "{bands:?}");
        }
    }

    proptest! {
        #[test]
        fn a_multiple_of_the_common_step_fits_every_band(
            steps in prop::collection::vec(1i64..=20, 1..6),
            n in 1i64..100_000,
        ) {
            let bands: Vec<_> = steps
                .iter()
                .enumerate()
                .map(|(i, s)| (i as f64 * 7.0, *s as f64 / 100.0))
                .collect();
            // Some steps have no common multiple that is believed.
            if let Ok(steps) = PriceSteps::of_rule(&rule(&bands)) {
                prop_assert!(steps.allow(Px(n * steps.common().0)));
            }
        }
    }
}
