//! Forecasts of an encoder outside the core, as inputs.

use super::super::ports::{Clock, FeedPort, JournalSink};
use super::Driver;
use crate::decision::Input;
use ijk_core::Condition;
use ijk_core::record::{ForecastRecord, RecordKind};
use ijk_venue::Venue;
use zerocopy::IntoBytes;

impl<V: Venue, F: FeedPort, J: JournalSink, C: Clock> Driver<V, F, J, C> {
    /// Puts on record where the encoder runs, where it is not the core's own.
    pub(super) fn tell_place(&mut self) {
        if self.s.forecaster.is_some() {
            self.tell_condition(&Condition::device(None));
        }
    }

    /// Answers the token that the core waits for, if it waits. Where the device was left with it,
    /// that is told first.
    pub(super) fn answer_token(&mut self) {
        let Some(&(instrument, token)) = self.s.kernel.waiting() else { return };
        let Some(forecaster) = &mut self.s.forecaster else { return };
        let (forecast, left) = forecaster.forecast(instrument, &token.features);
        if left.is_some() {
            self.tell_condition(&Condition::device(left));
        }
        let record = ForecastRecord {
            token_index: token.index,
            instrument,
            reserved: [0; 6],
            forecast,
            reserved2: 0,
        };
        self.input(RecordKind::Forecast, record.as_bytes(), &Input::Forecast(&record));
    }

    fn tell_condition(&mut self, condition: &Condition) {
        self.input(RecordKind::Condition, condition.as_bytes(), &Input::Condition(condition));
    }
}
