//! Where an encoder runs: on this processor or on a CUDA device.

use crate::exit::{self, Exit};
use ijk_core::EnsembleForecast;
use ijk_core::infer_config::VRAM_BUDGET_BYTES;
use ijk_engine::runtime::forecaster::STEP_MAX;
use ijk_infer::Weights;
use ijk_infer::cuda::{self, Native, Placed, SymbolToken};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Rounds of the comparison at start, and the time they have in all.
const ROUNDS: usize = 50;
const COMPARISON: Duration = Duration::from_secs(5);

/// What the user asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Choice {
    /// Whichever takes a token faster.
    Auto,
    /// The processor.
    Cpu,
    /// A CUDA device, or an error.
    Cuda,
}

/// An encoder in its place, for one symbol, with what became of it.
pub struct Place {
    placed: Placed<Native>,
    /// Where it began: `cpu` or `cuda`.
    pub name: &'static str,
    /// Token at which a device failed and the processor went on.
    pub left_at: Option<u64>,
}

/// Puts a model where it was asked for, for one symbol.
///
/// # Errors
/// As [`placed`].
pub fn place(weights: &Weights, choice: Choice) -> Result<Place, Exit> {
    let placed = placed(weights, 1, choice, VRAM_BUDGET_BYTES)?;
    let name = if placed.is_on_device() { "cuda" } else { "cpu" };
    Ok(Place { placed, name, left_at: None })
}

/// Puts a model where it was asked for, for `symbols` symbols whose tokens come one at a time. A
/// device may take `budget_bytes` of its memory.
///
/// # Errors
/// 2 where a device was asked for by name and cannot be had.
pub fn placed(
    weights: &Weights,
    symbols: usize,
    choice: Choice,
    budget_bytes: u64,
) -> Result<Placed<Native>, Exit> {
    let device = match choice {
        Choice::Cpu => None,
        _ => match cuda::open(weights, symbols, budget_bytes, cache().as_deref()) {
            Ok(device) => Some(device),
            Err(e) if choice == Choice::Cuda => return Err(Exit::usage(e)),
            Err(e) => {
                tracing::info!("the encoder runs on the processor: {e}");
                None
            }
        },
    };
    let mut placed = Placed::new(weights, symbols, device);
    if choice == Choice::Auto && placed.is_on_device() {
        let start = Instant::now();
        let mut clock_ns = || start.elapsed().as_nanos() as u64;
        let timing = placed.measure(1, ROUNDS, &mut clock_ns, &mut overdue(COMPARISON));
        match timing {
            Ok(Some(t)) if t.device_ns < t.processor_ns => {}
            Ok(_) => {
                tracing::info!("the processor takes a token faster than the device ({timing:?})");
                placed.stay_on_processor();
            }
            Err(e) => {
                tracing::warn!("the encoder runs on the processor: {e}");
                placed = Placed::new(weights, symbols, None);
            }
        }
    }
    Ok(placed)
}

impl Place {
    /// Takes the token of index `at`; the forecast is appended.
    ///
    /// # Errors
    /// 70 for a batch that is none.
    pub fn step(
        &mut self,
        at: u64,
        tokens: &[SymbolToken],
        forecasts: &mut Vec<EnsembleForecast>,
    ) -> Result<(), Exit> {
        let left = self.placed.step(tokens, forecasts, &mut overdue(STEP_MAX));
        if let Some(error) = left.map_err(|e| Exit::new(exit::BUG, e))? {
            tracing::warn!("token {at}: {error}; the processor goes on");
            self.left_at = Some(at);
        }
        Ok(())
    }
}

fn overdue(after: Duration) -> impl FnMut() -> bool {
    let start = Instant::now();
    move || start.elapsed() > after
}

/// Folder of compiled kernels.
fn cache() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?;
    Some(base.join("ijk"))
}
