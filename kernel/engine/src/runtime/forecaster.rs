//! Who forecasts where the core does not: an encoder on a device, with the processor behind it.
//!
//! A device's numbers are not the processor's, bit for bit, and cannot be made again without it. So
//! each forecast enters the core as an input of its own, written down before anything is decided
//! on it, and a replay needs no device.

use hdrhistogram::Histogram;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::{DeviceLeft, EnsembleForecast, InstrumentId};
use ijk_infer::cuda::{DeviceError, Placed, SymbolToken, TokenStep};
use std::time::{Duration, Instant};

/// A step that takes longer has failed, and the processor goes on.
pub const STEP_MAX: Duration = Duration::from_millis(100);
/// Longest step that the histogram tells apart, nanoseconds.
const MAX_NS: u64 = 10_000_000_000;

/// An encoder outside the core.
pub trait Forecaster: Send {
    /// Returns the forecast of an instrument's next token, and why the device was left, if it was
    /// left with this token; the forecast is the processor's then. A token that is not finite has
    /// no forecast.
    fn forecast(
        &mut self,
        instrument: InstrumentId,
        features: &[f64; FEATURE_COUNT],
    ) -> (EnsembleForecast, Option<DeviceLeft>);

    /// Returns what is to be told at the end of a run.
    fn report(&self) -> PlaceReport;
}

/// Where tokens were forecast and how long that took.
#[derive(Clone, Debug)]
pub struct PlaceReport {
    /// Tokens forecast in all.
    pub token_count: u64,
    /// Tokens that the device had forecast before it was left, and why it was.
    pub left: Option<(u64, String)>,
    /// Time of a token, waiting for the device included, nanoseconds.
    pub step_ns: Histogram<u64>,
}

/// An encoder in its place: the symbols are the instruments of the run.
pub struct PlacedForecaster<D> {
    placed: Placed<D>,
    forecasts: Vec<EnsembleForecast>,
    report: PlaceReport,
    step_max: Duration,
}

impl<D: TokenStep> PlacedForecaster<D> {
    /// Takes over an encoder that was placed for every instrument of a run and has taken no token.
    /// A step longer than `step_max`, or [`STEP_MAX`], ends the device's part.
    pub fn new(placed: Placed<D>, step_max: Option<Duration>) -> PlacedForecaster<D> {
        let step_ns = Histogram::new_with_bounds(1, MAX_NS, 3).expect("Condition failed: bounds.");
        PlacedForecaster {
            placed,
            forecasts: Vec::with_capacity(1),
            report: PlaceReport { token_count: 0, left: None, step_ns },
            step_max: step_max.unwrap_or(STEP_MAX),
        }
    }
}

impl<D: TokenStep + Send> Forecaster for PlacedForecaster<D> {
    fn forecast(
        &mut self,
        instrument: InstrumentId,
        features: &[f64; FEATURE_COUNT],
    ) -> (EnsembleForecast, Option<DeviceLeft>) {
        let began = Instant::now();
        let longest = self.step_max;
        self.forecasts.clear();
        let token = SymbolToken { symbol: u32::from(instrument.0), features: *features };
        let stepped =
            self.placed.step(&[token], &mut self.forecasts, &mut || began.elapsed() > longest);
        // An instrument that was not planned for cannot be: the run's table made the plan.
        let left = stepped.unwrap_or_default();
        if let Some(error) = &left {
            self.report.left = Some((self.report.token_count, error.to_string()));
        }
        self.report.token_count += 1;
        self.report.step_ns.saturating_record(began.elapsed().as_nanos() as u64);
        let forecast = self.forecasts.first().copied().unwrap_or_default();
        (forecast, left.map(|error| why(&error)))
    }

    fn report(&self) -> PlaceReport {
        self.report.clone()
    }
}

fn why(error: &DeviceError) -> DeviceLeft {
    match error {
        DeviceError::Deadline => DeviceLeft::Late,
        DeviceError::Batch(_) => DeviceLeft::Nonsense,
        _ => DeviceLeft::Failed,
    }
}
