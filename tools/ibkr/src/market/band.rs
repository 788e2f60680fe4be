//! The price sanity band. A frame read out of step gives plausible numbers: a price of
//! 1,337,581,200 dollars was traded upon elsewhere. No price leaves here that is far from the ones
//! before it, unless many in a row agree.

use ijk_core::Px;

/// Prices in a row, outside the band and close to each other, after which they are believed.
const AGREEING: u32 = 20;
/// A price this many times the last one, or its inverse, is never believed.
const NEVER: f64 = 10.0;

/// Band about the last price believed.
#[derive(Clone, Copy, Debug)]
pub struct Band {
    /// Largest distance, parts of the price.
    width: f64,
    believed: Option<Px>,
    rival: Px,
    rivals: u32,
}

impl Band {
    /// Returns a band; a width that is not positive and finite believes every positive price.
    pub fn new(width: f64) -> Band {
        let width = if width > 0.0 && width.is_finite() { width } else { f64::INFINITY };
        Band { width, believed: None, rival: Px(0), rivals: 0 }
    }

    /// Forgets what was believed: after a halt or a reconnection prices may lie anywhere.
    pub fn forget(&mut self) {
        (self.believed, self.rivals) = (None, 0);
    }

    /// Returns the price if it may be used.
    pub fn check(&mut self, price: f64) -> Option<Px> {
        let px = Px::from_f64(price).filter(|px| px.0 > 0)?;
        let near = |a: Px| (px.as_f64() / a.as_f64() - 1.0).abs() <= self.width;
        match self.believed {
            Some(old) if !(1.0 / NEVER..=NEVER).contains(&(px.as_f64() / old.as_f64())) => {
                self.rivals = 0;
                return (self.width == f64::INFINITY).then_some(px);
            }
            Some(old) if !near(old) => {
                self.rivals = if self.rivals > 0 && near(self.rival) { self.rivals + 1 } else { 1 };
                self.rival = px;
                if self.rivals < AGREEING {
                    return None;
                }
            }
            _ => {}
        }
        (self.believed, self.rivals) = (Some(px), 0);
        Some(px)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_out_of_step_is_not_believed_and_a_real_move_is_in_the_end() {
        let mut band = Band::new(0.2);
        assert_eq!(band.check(100.0), Some(Px(100_000_000_000)));
        for wrong in [1_337_581_200.0, 0.0, -1.0, f64::NAN, f64::INFINITY, 121.0, 79.0] {
            assert_eq!(band.check(wrong), None, "{wrong}");
        }
        assert_eq!(band.check(119.0), Some(Px(119_000_000_000)));
        let seen = (0..AGREEING).map(|i| band.check(30.0 + f64::from(i) / 100.0).is_some());
        assert_eq!(seen.filter(|ok| *ok).count(), 1, "the last of them");
        assert!(band.check(30.2).is_some());
        assert!((0..100).all(|_| band.check(1_337_581_200.0).is_none()), "however often");
        band.forget();
        assert!(band.check(500.0).is_some());
    }

    #[test]
    fn rivals_that_do_not_agree_are_never_believed() {
        let mut band = Band::new(0.2);
        assert!(band.check(100.0).is_some());
        for i in 0..1_000 {
            let wrong = if i % 2 == 0 { 1_000.0 } else { 1.0 };
            assert_eq!(band.check(wrong), None);
        }
    }

    #[test]
    fn without_a_width_every_positive_price_passes() {
        let mut band = Band::new(0.0);
        assert!(band.check(1.0).is_some() && band.check(1e6).is_some());
        assert_eq!(band.check(1e30), None, "off the scale");
    }
}
