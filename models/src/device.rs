//! Where a fit computes: this machine's processor, or a CUDA device where the build has the
//! feature `cuda` and the machine a driver.
//!
//! The device is asked for before Burn is: without a driver its first operation would end a
//! worker thread in a panic instead of an error.

use crate::checkpoint::Checkpoints;
use crate::fit::{FitError, FitSettings, Fitted, Provenance, fit};
use crate::session::Session;
use crate::train::Progress;

/// What the user asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The processor.
    Cpu,
    /// A CUDA device, or an error.
    Cuda,
    /// A CUDA device where there is one, else the processor.
    #[default]
    Auto,
}

/// Where a fit computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// The first CUDA device, by name.
    Cuda(String),
}

/// Why there is no CUDA device.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDevice {
    /// The program was built without it.
    #[error("this build has no CUDA; build it with --features cuda, or take --device cpu")]
    NotBuilt,
    /// The driver's library is missing or answers with an error, or it knows of no device.
    #[error("no CUDA device: {0}; take --device cpu")]
    NotThere(String),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Device::Cpu => f.write_str("cpu"),
            Device::Cuda(name) => write!(f, "cuda ({name})"),
        }
    }
}

/// Returns the device of a choice.
///
/// # Errors
/// [`NoDevice`] where CUDA was asked for by name and cannot be had.
pub fn choose(choice: Choice) -> Result<Device, NoDevice> {
    match choice {
        Choice::Cpu => Ok(Device::Cpu),
        Choice::Cuda => probe().map(Device::Cuda),
        Choice::Auto => Ok(probe().map_or(Device::Cpu, Device::Cuda)),
    }
}

/// As [`crate::fit::fit`], on a chosen device. Devices sum in another order: the bits are their
/// own.
///
/// # Errors
/// As [`crate::fit::fit`].
pub fn fit_on_device(
    device: &Device,
    sessions: &[Session],
    settings: &FitSettings,
    provenance: &Provenance,
    checkpoints: Option<&Checkpoints>,
    report: &mut dyn FnMut(&Progress),
) -> Result<Fitted, FitError> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(_) => {
            use burn::backend::{Autodiff, Cuda};
            let device = Default::default();
            let fit = crate::fit::fit_on::<Autodiff<Cuda>>;
            fit(sessions, settings, provenance, checkpoints, &device, report)
        }
        // Without the feature no device was found to be asked for.
        _ => fit(sessions, settings, provenance, checkpoints, report),
    }
}

#[cfg(not(feature = "cuda"))]
fn probe() -> Result<String, NoDevice> {
    Err(NoDevice::NotBuilt)
}

/// Returns the first device's name if driver, device and kernel compiler all answer.
#[cfg(feature = "cuda")]
fn probe() -> Result<String, NoDevice> {
    use cudarc::driver::CudaContext;
    let said = |e: &dyn std::fmt::Debug| NoDevice::NotThere(format!("{e:?}"));
    let count = loaded("the CUDA driver (libcuda)", CudaContext::device_count)?;
    if count.map_err(|e| said(&e))? < 1 {
        return Err(NoDevice::NotThere("the driver knows of none".into()));
    }
    let compiled = loaded("the kernel compiler (libnvrtc)", || {
        cudarc::nvrtc::compile_ptx("extern \"C\" __global__ void probe() {}")
    })?;
    compiled.map_err(|e| said(&e))?;
    let context = CudaContext::new(0).map_err(|e| said(&e))?;
    context.name().map_err(|e| said(&e))
}

/// Calls into a library that is loaded by the first call, which panics where it is not there.
#[cfg(feature = "cuda")]
fn loaded<R>(what: &str, call: impl FnOnce() -> R + std::panic::UnwindSafe) -> Result<R, NoDevice> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let result = std::panic::catch_unwind(call);
    std::panic::set_hook(hook);
    result.map_err(|_| NoDevice::NotThere(format!("{what} cannot be loaded")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asks_for_cuda_by_name_is_refused() {
        assert_eq!(choose(Choice::Cpu), Ok(Device::Cpu));
        match probe() {
            Ok(name) => assert_eq!(choose(Choice::Auto), Ok(Device::Cuda(name))),
            Err(e) => {
                assert_eq!(choose(Choice::Auto), Ok(Device::Cpu));
                assert_eq!(choose(Choice::Cuda), Err(e));
            }
        }
    }
}
