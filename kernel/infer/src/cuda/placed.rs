//! Where the encoder runs: on a device as long as it keeps its promises, else on the processor.
//!
//! A device that fails or misses its deadline is left for good, in the middle of a session, and
//! every symbol continues on the processor with its next token, the one at hand included. The
//! processor keeps no state while the device works (that would cost what the device saves); it
//! makes it again from the last tokens, symbol by symbol, when the symbol's next token comes.
//! From there on every bit is that of a session that ran on the processor alone.

use super::device::{DeviceError, TokenStep};
use super::history::History;
use super::wire::{Entry, ROW, Wire};
use crate::encoder::Encoder;
use crate::state::EncoderState;
use crate::weights::Weights;
use ijk_core::EnsembleForecast;
use ijk_core::features::FEATURE_COUNT;

/// How long one step takes, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// On the device, the host's waiting included.
    pub device_ns: u64,
    /// On this thread.
    pub processor_ns: u64,
}

/// One token of one symbol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SymbolToken {
    /// Index of the symbol.
    pub symbol: u32,
    /// Features in the units of [`ijk_core::features`].
    pub features: [f64; FEATURE_COUNT],
}

/// An encoder for several symbols, on a device or on the processor. All memory is taken at
/// construction, the processor's rings included: falling back allocates nothing.
#[derive(Debug)]
pub struct Placed<D> {
    encoder: Encoder,
    wire: Wire,
    device: Option<D>,
    symbols: Vec<Symbol>,
    entries: Vec<Entry>,
    rows: Vec<f32>,
}

#[derive(Debug)]
struct Symbol {
    history: History,
    state: EncoderState,
    /// The processor's state has taken every token.
    is_current: bool,
    /// Is part of the batch at hand.
    in_batch: bool,
}

impl<D: TokenStep> Placed<D> {
    /// Places `weights` for `symbols` symbols on `device`, or on the processor.
    pub fn new(weights: &Weights, symbols: usize, device: Option<D>) -> Placed<D> {
        let encoder = Encoder::new(weights);
        let is_current = device.is_none();
        let symbol = || Symbol {
            history: History::new(),
            state: EncoderState::new(&encoder),
            is_current,
            in_batch: false,
        };
        let symbols: Vec<Symbol> = std::iter::repeat_with(symbol).take(symbols).collect();
        Placed {
            wire: Wire::new(&weights.spec),
            entries: Vec::with_capacity(symbols.len()),
            rows: vec![0.0; symbols.len() * encoder.member_count() * ROW],
            encoder,
            device,
            symbols,
        }
    }

    /// Returns whether a device is at work.
    pub fn is_on_device(&self) -> bool {
        self.device.is_some()
    }

    /// Returns the tokens that a symbol has taken; 0 for one that does not exist.
    pub fn token_count(&self, symbol: u32) -> u64 {
        self.symbols.get(symbol as usize).map_or(0, |s| match s.is_current {
            true => s.state.token_count(),
            false => s.history.token_count(),
        })
    }

    /// Takes one token of each of some symbols; forecasts are appended in their order. As with
    /// [`Encoder::step`] a token that is not finite has no forecast and leaves no trace; `gives_up`
    /// is asked while a device works.
    ///
    /// Returns why the device was left, if it was left in this call; the forecasts are then the
    /// processor's.
    ///
    /// # Errors
    /// A symbol that does not exist or stands in the batch twice; nothing was taken.
    pub fn step(
        &mut self,
        tokens: &[SymbolToken],
        forecasts: &mut Vec<EnsembleForecast>,
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<Option<DeviceError>, DeviceError> {
        self.check(tokens)?;
        let mut left = None;
        if let Some(mut device) = self.device.take() {
            match self.on_device(&mut device, tokens, forecasts, gives_up) {
                Ok(()) => {
                    self.device = Some(device);
                    return Ok(None);
                }
                Err(error) => {
                    device.abandon();
                    left = Some(error);
                }
            }
        }
        for token in tokens {
            forecasts.push(self.on_processor(token));
        }
        Ok(left)
    }

    /// Measures a step of `count` symbols on the device and on the processor: the least of `rounds`
    /// rounds each, by a clock that tells nanoseconds. The rings hold nothing afterwards that a
    /// session reads: a slot is written before it is in use. `None` without a device.
    ///
    /// # Errors
    /// The device failed; it is left.
    pub fn measure(
        &mut self,
        count: usize,
        rounds: usize,
        clock_ns: &mut dyn FnMut() -> u64,
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Timing>, DeviceError> {
        let Some(mut device) = self.device.take() else { return Ok(None) };
        let count = count.min(self.symbols.len());
        let features = [0.0; FEATURE_COUNT];
        let entries: Vec<Entry> =
            (0..count as u32).filter_map(|s| self.wire.entry(s, 63, &features)).collect();
        let mut states = vec![EncoderState::new(&self.encoder); count];
        let mut rows = vec![0.0; entries.len() * self.encoder.member_count() * ROW];
        let mut best = Timing { device_ns: u64::MAX, processor_ns: u64::MAX };
        for _ in 0..rounds.max(1) {
            let start = clock_ns();
            if let Err(error) = device.step(&entries, &mut rows, gives_up) {
                device.abandon();
                return Err(error);
            }
            let middle = clock_ns();
            for state in &mut states {
                std::hint::black_box(self.encoder.step(state, &features));
            }
            let end = clock_ns();
            best.device_ns = best.device_ns.min(middle.saturating_sub(start));
            best.processor_ns = best.processor_ns.min(end.saturating_sub(middle));
        }
        self.device = Some(device);
        Ok(Some(best))
    }

    /// Leaves a device that works, before the first token: every symbol starts on the processor.
    /// Panics once a token was taken.
    pub fn stay_on_processor(&mut self) {
        let unused = self.symbols.iter().all(|s| s.history.token_count() == 0);
        assert!(unused, "Condition failed: nothing was taken yet");
        self.device = None;
        self.symbols.iter_mut().for_each(|s| s.is_current = true);
    }

    fn check(&mut self, tokens: &[SymbolToken]) -> Result<(), DeviceError> {
        let mut fault = None;
        for token in tokens {
            match self.symbols.get_mut(token.symbol as usize) {
                Some(symbol) if !symbol.in_batch => symbol.in_batch = true,
                Some(_) => fault = Some(format!("symbol {} is in the batch twice", token.symbol)),
                None => fault = Some(format!("symbol {} was not planned for", token.symbol)),
            }
        }
        for token in tokens {
            if let Some(symbol) = self.symbols.get_mut(token.symbol as usize) {
                symbol.in_batch = false;
            }
        }
        fault.map_or(Ok(()), |fault| Err(DeviceError::Batch(fault)))
    }

    /// Nothing is noted and no forecast is given unless the device answered for all of them.
    fn on_device(
        &mut self,
        device: &mut D,
        tokens: &[SymbolToken],
        forecasts: &mut Vec<EnsembleForecast>,
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<(), DeviceError> {
        self.entries.clear();
        for token in tokens {
            let position = self.symbols[token.symbol as usize].history.token_count();
            self.entries.extend(self.wire.entry(token.symbol, position, &token.features));
        }
        let members = self.encoder.member_count();
        let rows = &mut self.rows[..self.entries.len() * members * ROW];
        if !self.entries.is_empty() {
            device.step(&self.entries, rows, gives_up)?;
            if !rows.chunks(ROW).all(|row| self.wire.is_sound(row)) {
                return Err(DeviceError::Batch("the device's forecast is not finite".into()));
            }
        }
        let mut answered = self.entries.iter().zip(rows.chunks_exact(members * ROW)).peekable();
        for token in tokens {
            let mut forecast = EnsembleForecast::default();
            if let Some((_, rows)) = answered.next_if(|(e, _)| e.symbol == token.symbol) {
                for (member, row) in forecast.members.iter_mut().zip(rows.chunks_exact(ROW)) {
                    *member = self.wire.forecast(row).unwrap_or_default();
                }
                forecast.member_count = members as u32;
                self.symbols[token.symbol as usize].history.push(&token.features);
            }
            forecasts.push(forecast);
        }
        Ok(())
    }

    fn on_processor(&mut self, token: &SymbolToken) -> EnsembleForecast {
        let symbol = &mut self.symbols[token.symbol as usize];
        if !symbol.is_current {
            symbol.history.rebuild(&self.encoder, &mut symbol.state);
            symbol.is_current = true;
        }
        self.encoder.step(&mut symbol.state, &token.features)
    }
}
