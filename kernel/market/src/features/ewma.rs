//! Exponentially weighted moving average whose first value initialises it.

use ijk_core::features::ewma_alpha;

/// `x̄₁ = x₁`, `x̄ₖ = x̄ₖ₋₁ + α(xₖ − x̄ₖ₋₁)` with a half-life of 100 tokens.
#[derive(Clone, Debug)]
pub(super) struct Ewma {
    alpha: f64,
    value: Option<f64>,
}

impl Ewma {
    pub(super) fn new() -> Ewma {
        Ewma { alpha: ewma_alpha(), value: None }
    }

    /// Takes the next value in and returns the average.
    pub(super) fn update(&mut self, x: f64) -> f64 {
        let value = match self.value {
            None => x,
            Some(mean) => mean + self.alpha * (x - mean),
        };
        self.value = Some(value);
        value
    }
}
