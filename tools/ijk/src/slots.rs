//! What other modalities knew: the slot files of a run or a forecast.

use crate::exit::Exit;
use ijk_core::features::FEATURE_COUNT;
use ijk_core::{EnsembleForecast, Instrument, RecvTs, SlotShape, SlotUpdate};
use ijk_data::slots::read_slots;
use ijk_infer::{Encoder, EncoderState, Weights};
use std::collections::VecDeque;
use std::path::PathBuf;

/// Reads slot files for a model and the instruments of a feed; all of them together sorted by time.
///
/// # Errors
/// Exit code 2 where there are files and no model with slots, 3 for a file that cannot be trusted.
pub fn load(
    files: &[PathBuf],
    shapes: &[SlotShape],
    instruments: &[Instrument],
) -> Result<Vec<SlotUpdate>, Exit> {
    if shapes.is_empty() && !files.is_empty() {
        return Err(Exit::usage("--slots: the weights have no slots; leave it out"));
    }
    if !shapes.is_empty() && files.is_empty() {
        tracing::warn!("the weights have slots and there is no --slots: all of them are missing");
    }
    let symbols: Vec<String> = instruments.iter().map(|i| i.symbol.to_string()).collect();
    let mut updates = Vec::new();
    for file in files {
        updates.extend(read_slots(file, shapes, &symbols)?);
    }
    updates.sort_by_key(|u| u.known_from);
    Ok(updates)
}

/// A model with slots and one instrument, told of each vector when its time has come.
pub struct Hearing {
    encoder: Encoder,
    state: EncoderState,
    updates: VecDeque<SlotUpdate>,
}

impl Hearing {
    /// Reads the slot files for the instrument at `index`; `None` for a model without slots.
    ///
    /// # Errors
    /// As [`load`].
    pub fn new(
        model: &Weights,
        files: &[PathBuf],
        instruments: &[Instrument],
        index: usize,
    ) -> Result<Option<Hearing>, Exit> {
        let shapes = &model.spec.slots;
        let updates = load(files, shapes, instruments)?;
        let mine = |u: &SlotUpdate| u.instrument.index() == index;
        Ok((!shapes.is_empty()).then(|| {
            let encoder = Encoder::new(model);
            let state = EncoderState::new(&encoder);
            Hearing { encoder, state, updates: updates.into_iter().filter(mine).collect() }
        }))
    }

    /// Takes a token that closed at `at`.
    pub fn step(&mut self, features: &[f64; FEATURE_COUNT], at: RecvTs) -> EnsembleForecast {
        while let Some(update) = self.updates.pop_front_if(|u| u.known_from <= at) {
            self.encoder.know(&mut self.state, &update);
        }
        self.encoder.step_at(&mut self.state, features, at.0)
    }
}
