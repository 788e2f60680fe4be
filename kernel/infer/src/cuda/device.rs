//! What a device is to the rest of the kernel: something that takes one token of each of several
//! symbols through all members.

use super::plan::PlanError;
use super::wire::Entry;

/// Why there is no device, or why it can be used no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Driver, device or compiler are not there.
    #[error("no CUDA device: {0}")]
    None(String),
    /// The model has what the device's kernel does not compute.
    #[error("the CUDA kernel does not compute {0}; these weights run on the processor")]
    Unsupported(String),
    /// The plan does not hold.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Others hold the memory that the plan wants.
    #[error("the plan needs {needed} bytes in one arena, the driver has {free} free")]
    Memory {
        /// Bytes of the arena.
        needed: u64,
        /// Bytes the driver reports.
        free: u64,
    },
    /// The kernel's text was refused.
    #[error("the CUDA kernel does not compile: {0}")]
    Compile(String),
    /// A call of the driver failed.
    #[error("{call}: {said}")]
    Driver {
        /// The call.
        call: &'static str,
        /// What it said.
        said: String,
    },
    /// The step was not done when it had to be.
    #[error("the CUDA step missed its deadline")]
    Deadline,
    /// The caller asked for what the device was not made for.
    #[error("{0}")]
    Batch(String),
}

/// A device that holds the rings of its symbols.
pub trait TokenStep {
    /// Takes one token of each entry, all of different symbols. Writes [`super::wire::ROW`] floats
    /// for each entry and member, (entry, member). `gives_up` is asked while waiting; once it says
    /// true the step has failed.
    ///
    /// # Errors
    /// [`DeviceError`]; the device's rings are then not to be trusted and it is not asked again.
    fn step(
        &mut self,
        entries: &[Entry],
        rows: &mut [f32],
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<(), DeviceError>;

    /// Lets go of a device that has failed. Nothing here may wait for it.
    fn abandon(self)
    where
        Self: Sized,
    {
        drop(self);
    }
}

/// The device of builds without one: it cannot exist.
#[derive(Clone, Copy, Debug)]
pub enum NoDevice {}

impl TokenStep for NoDevice {
    fn step(
        &mut self,
        _: &[Entry],
        _: &mut [f32],
        _: &mut dyn FnMut() -> bool,
    ) -> Result<(), DeviceError> {
        match *self {}
    }
}
