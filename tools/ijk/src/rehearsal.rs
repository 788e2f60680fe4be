//! A rehearsal before the session: a kernel of the same settings trades invented records against a
//! simulated exchange, and is thrown away with all that it did. The session's first records then
//! find the code in the caches and its branches known.

use crate::commands::bench::Trading;
use ijk_core::config::{Config, RiskConfig};
use ijk_core::features::FEATURE_COUNT;
use ijk_core::{EventSource, MarketEvent};
use ijk_engine::runtime::wait::pin;
use ijk_infer::{Encoder, EncoderState};
use std::hint::black_box;

/// The invented session: one symbol's.
const FEED: &str = "synth:1:10";
/// Its records; tokens, decisions and a dozen parents among them.
const RECORDS_MAX: usize = 4_000;
/// Tokens through the session's own weights.
const STEPS: usize = 64;

/// A kernel that only rehearses.
pub struct Rehearsal {
    trading: Trading,
    records: Vec<MarketEvent>,
    core: i32,
}

impl Rehearsal {
    /// Prepares a rehearsal with the settings and the encoder of a session, but for the limits:
    /// those of a simulation, so that orders pass. `None` where no kernel can be had for that:
    /// nothing depends on it.
    pub fn new(config: &Config, encoder: Option<Encoder>) -> Option<Rehearsal> {
        let mut source = ijk_data::open_feed(&FEED.parse().ok()?, 1).ok()?;
        let depth = source.depth_kind(0);
        let settings = Config { risk: RiskConfig::simulation(), ..config.clone() };
        let trading = Trading::new(&settings, source.instruments(), &[depth], encoder).ok()?;
        let mut records = Vec::with_capacity(RECORDS_MAX);
        while records.len() < RECORDS_MAX {
            records.push(source.next_event().ok()??);
        }
        Some(Rehearsal { trading, records, core: config.runtime.kernel_core })
    }

    /// Rehearses on the calling thread, where the session's kernel is to run with `encoder`.
    /// Returns how many records there were out of which an order left.
    pub fn run(mut self, encoder: Option<&Encoder>) -> usize {
        pin(self.core);
        let mut orders = 0;
        for record in &self.records {
            self.trading.take(record);
            orders += usize::from(self.trading.settle(record));
        }
        if let Some(encoder) = encoder {
            // The session's own weights; what they are stepped with is thrown away.
            let mut rings = EncoderState::new(encoder);
            for _ in 0..STEPS {
                black_box(encoder.step(&mut rings, &[0.0; FEATURE_COUNT]));
            }
        }
        orders
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn orders_leave_in_rehearsal() {
        let rehearsal = Rehearsal::new(&Config::default(), None).unwrap();
        assert!(rehearsal.run(None) > 10);
    }

    #[test]
    fn settings_that_no_kernel_takes_are_not_rehearsed() {
        let mut config = Config::default();
        config.features.stride = 0;
        assert!(Rehearsal::new(&config, None).is_none());
    }
}
