//! Scores as a table for people.

use ijk_core::forecast::{HORIZON_COUNT, HORIZONS};
use ijk_models::conformal::Tracked;
use ijk_models::evaluate::HorizonReport;
use ijk_models::metrics::Interval;
use std::fmt::Write;

/// Returns one line a horizon under a header.
pub fn scores(reports: &[HorizonReport]) -> String {
    let mut out = String::from(
        "horizon    rows      R2 [95 %]                   IC   macro-F1  log loss (prior)     \
         Brier (prior)        90 %    z2\n",
    );
    for r in reports {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:7} {:7}  {:7.4} [{:7.4}, {:7.4}]  {:7.4}    {:.4}   {:.4} ({:.4})    {:.4} ({:.4})  \
             {:.4}  {:.3}",
            r.horizon_tokens,
            r.rows,
            r.mean.r2.value,
            r.mean.r2.low,
            r.mean.r2.high,
            r.mean.ic.value,
            r.class.macro_f1,
            r.class.log_loss,
            r.class_prior.log_loss,
            r.class.brier,
            r.class_prior.brier,
            r.variance.coverage_90,
            r.variance.mean_z2
        );
    }
    out
}

/// Returns what the 90 % intervals hold, one line a horizon under a header.
pub fn intervals(
    half_width: &[f64; HORIZON_COUNT],
    coverage: &[Interval; HORIZON_COUNT],
    tracked: &Tracked,
) -> String {
    let show = |i: &Interval| format!("{:.4} [{:.4}, {:.4}]", i.value, i.low, i.high);
    let mut out = String::from(
        "\nhorizon  half width sd  coverage [95 %]           tracked: mean width, coverage\n",
    );
    for h in 0..HORIZON_COUNT {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{:7}  {:13.3}  {}  {:.3}, {}",
            HORIZONS[h],
            half_width[h],
            show(&coverage[h]),
            tracked.half_width[h],
            show(&tracked.coverage[h])
        );
    }
    out
}
