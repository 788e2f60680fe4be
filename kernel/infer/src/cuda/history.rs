//! The tokens from which the processor's state can be made again, to the bit.
//!
//! Through six layers a token reaches 6 · 63 tokens on and not one further, and a key or value of
//! layer l is right once l · 63 tokens stand before it. A state made from the last 378 tokens
//! therefore forecasts what the uninterrupted one does. For equal bits the tokens must also lie in
//! the same slots, because sums over the ring go by slot: the first token taken is one whose
//! position is a multiple of the window, which costs at most 63 tokens more.

use crate::encoder::Encoder;
use crate::shape::{LAYERS, WINDOW};
use crate::state::EncoderState;
use ijk_core::features::FEATURE_COUNT;

/// Tokens before a token that its forecast depends on.
pub const REACH: usize = LAYERS * (WINDOW - 1);
/// Tokens kept a symbol: the reach and the way back to a multiple of the window.
pub const KEPT: usize = (REACH + WINDOW).next_multiple_of(WINDOW);

/// The last tokens of one symbol, about 43 KB; all memory is taken at construction.
#[derive(Clone, Debug)]
pub struct History {
    tokens: Box<[[f64; FEATURE_COUNT]]>,
    position: u64,
}

impl History {
    /// Makes an empty history.
    pub fn new() -> History {
        History { tokens: vec![[0.0; FEATURE_COUNT]; KEPT].into(), position: 0 }
    }

    /// Notes a token that was taken.
    pub fn push(&mut self, features: &[f64; FEATURE_COUNT]) {
        self.tokens[(self.position % KEPT as u64) as usize] = *features;
        self.position += 1;
    }

    /// Returns the tokens taken since the start.
    pub fn token_count(&self) -> u64 {
        self.position
    }

    /// Makes the state that `encoder` would be in had it taken every token: every forecast from
    /// here on has the same bits. Takes up to 441 tokens' time.
    pub fn rebuild(&self, encoder: &Encoder, state: &mut EncoderState) {
        state.reset();
        let window = WINDOW as u64;
        let from = self.position.saturating_sub(REACH as u64) / window * window;
        for position in from..self.position {
            encoder.step(state, &self.tokens[(position % KEPT as u64) as usize]);
        }
        state.continue_at(self.position);
    }
}

impl Default for History {
    fn default() -> History {
        History::new()
    }
}
