//! What people and watchers outside tell a running kernel, over a ring: facts, lower limits, and
//! whether it may trade. Each becomes an input on record before anything follows from it.

use ijk_core::Condition;
use ijk_core::config::RiskConfig;
use ijk_core::limits::RECORD_PAYLOAD_BYTES_MAX;
use rtrb::Consumer;

/// Orders of the desk that may wait; the kernel thread takes all of them at each step.
pub const DESK_SLOTS: usize = 64;

/// Where the kernel thread takes them from.
pub type Desk = Consumer<DeskOrder>;

/// One order of the desk.
#[derive(Clone, Debug)]
pub enum DeskOrder {
    /// What somebody outside knows.
    Condition(Condition),
    /// Limits of which the stricter ones hold from now on. Boxed away from the hot path; freed
    /// there, which is rare.
    Limits(Box<Limits>),
    /// A person forbids new orders (true), or allows them again.
    Hold(bool),
}

/// Why limits cannot be handed over.
#[derive(Debug, thiserror::Error)]
pub enum LimitsError {
    /// The text is not what it should be.
    #[error("limits: {0}")]
    Text(#[from] serde_json::Error),
    /// A journal record cannot hold them.
    #[error("limits: {0} bytes of text, a journal record holds {RECORD_PAYLOAD_BYTES_MAX}")]
    TooLong(usize),
}

/// Limits with the very text that goes on record: the kernel acts on what the text says, as a
/// replay does.
#[derive(Clone, Debug)]
pub struct Limits {
    text: Vec<u8>,
    config: RiskConfig,
}

impl Limits {
    /// Writes `config` down and reads it back.
    ///
    /// # Errors
    /// [`LimitsError`].
    pub fn new(config: &RiskConfig) -> Result<Limits, LimitsError> {
        let text = serde_json::to_vec(config)?;
        if text.len() > RECORD_PAYLOAD_BYTES_MAX {
            return Err(LimitsError::TooLong(text.len()));
        }
        let config = Limits::read(&text)?;
        Ok(Limits { text, config })
    }

    /// Reads the payload of a record.
    ///
    /// # Errors
    /// [`LimitsError::Text`].
    pub fn read(text: &[u8]) -> Result<RiskConfig, LimitsError> {
        Ok(serde_json::from_slice(text)?)
    }

    /// Returns the text that goes on record.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns the limits.
    pub fn config(&self) -> &RiskConfig {
        &self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_survive_their_text_to_the_last_bit() {
        for config in [RiskConfig::default(), RiskConfig::simulation()] {
            let odd = RiskConfig { max_order_equity_fraction: 0.1 + 0.2, ..config };
            let limits = Limits::new(&odd).unwrap();
            assert_eq!(limits.config(), &odd);
            assert_eq!(Limits::new(limits.config()).unwrap().text(), limits.text());
        }
    }

    #[test]
    fn text_that_is_no_limits_is_refused() {
        for bad in ["", "{", "7", "{\"no_such_limit\": 1}", "{\"max_order_qty\": \"x\"}"] {
            assert!(Limits::read(bad.as_bytes()).is_err(), "{bad}");
        }
        let long = RiskConfig {
            restricted_symbols: vec!["A".repeat(RECORD_PAYLOAD_BYTES_MAX)],
            ..RiskConfig::default()
        };
        assert!(matches!(Limits::new(&long), Err(LimitsError::TooLong(_))));
        // JSON has no infinity: what cannot be written cannot be handed over.
        let endless = RiskConfig { halt_loss_usd: f64::INFINITY, ..RiskConfig::default() };
        assert!(Limits::new(&endless).is_err());
    }
}
