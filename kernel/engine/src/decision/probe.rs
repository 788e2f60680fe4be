//! Stage boundaries, so that a runtime can time them without the core knowing a clock.

/// Stages of the hot path, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Stage {
    /// Event into the book.
    Book = 0,
    /// Book into features.
    Features = 1,
    /// Features into a forecast.
    Encoder = 2,
    /// Forecast into a target position.
    Sizing = 3,
    /// Target into child orders.
    Slicer = 4,
    /// Child orders through the risk gate.
    Risk = 5,
}

impl Stage {
    /// Number of stages.
    pub const COUNT: usize = 6;

    /// Every stage, in order.
    pub const ALL: [Stage; Stage::COUNT] =
        [Stage::Book, Stage::Features, Stage::Encoder, Stage::Sizing, Stage::Slicer, Stage::Risk];

    /// Returns the name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Stage::Book => "book",
            Stage::Features => "features",
            Stage::Encoder => "encoder",
            Stage::Sizing => "sizing",
            Stage::Slicer => "slicer",
            Stage::Risk => "risk",
        }
    }
}

/// Watches the core pass its stage boundaries. Must not influence it.
pub trait Probe {
    /// An input enters.
    fn enter(&mut self);
    /// `stage` is complete for this input.
    fn stamp(&mut self, stage: Stage);
    /// The input is complete; `decision_id` is not zero where it led to a decision.
    fn leave(&mut self, decision_id: u64);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProbe;

impl Probe for NoProbe {
    fn enter(&mut self) {}
    fn stamp(&mut self, _: Stage) {}
    fn leave(&mut self, _: u64) {}
}
