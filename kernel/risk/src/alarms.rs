//! Alarms the gate raises.

use crate::gate::{Gate, TradingState};
use ijk_core::{AlarmCode, AlarmRecord, ClientOrderId, InstrumentId, RecvTs};

/// Alarms kept until they are taken.
const ALARM_COUNT_MAX: usize = 128;

/// What was raised since the last call of [`Gate::take_alarms`]. The first ones matter most: when
/// the buffer is full, later ones are counted in its last entry's value and dropped.
#[derive(Debug)]
pub(crate) struct Alarms(Vec<AlarmRecord>);

impl Alarms {
    pub(crate) fn new() -> Alarms {
        Alarms(Vec::with_capacity(ALARM_COUNT_MAX))
    }

    fn push(&mut self, alarm: AlarmRecord) {
        if self.0.len() + 1 < ALARM_COUNT_MAX {
            self.0.push(alarm);
        } else if self.0.len() < ALARM_COUNT_MAX {
            self.0.push(AlarmRecord { code: AlarmCode::TableFull, value: 1, ..alarm });
        } else if let Some(last) = self.0.last_mut() {
            last.value = last.value.saturating_add(1);
        }
    }
}

impl Gate {
    /// Hands over the alarms raised since the last call, oldest first. The buffer holds 128; were
    /// there more, the last one is [`AlarmCode::TableFull`] and its value counts those lost.
    pub fn take_alarms(&mut self, take: impl FnMut(AlarmRecord)) {
        self.alarms.0.drain(..).for_each(take);
    }

    /// Raises an alarm about an instrument.
    pub(crate) fn alarm(
        &mut self,
        code: AlarmCode,
        instrument: InstrumentId,
        id: ClientOrderId,
        value: i64,
    ) {
        let alarm = AlarmRecord {
            ts: self.now,
            client_order_id: id,
            value,
            instrument,
            code,
            reserved: [0; 5],
        };
        self.alarms.push(alarm);
    }

    /// Raises an alarm about the account.
    pub(crate) fn alarm_account(&mut self, code: AlarmCode, value: i64) {
        self.alarm(code, AlarmRecord::NO_INSTRUMENT, ClientOrderId(0), value);
    }

    /// Moves the state down, never up, and says so once.
    pub(crate) fn degrade(&mut self, to: TradingState) {
        if to <= self.state {
            return;
        }
        self.state = to;
        let code = match to {
            TradingState::Active => return,
            TradingState::ReduceOnly => AlarmCode::ReduceOnly,
            TradingState::Halted => AlarmCode::Halted,
            TradingState::Killed => AlarmCode::Killed,
        };
        let cents = (self.profit / 10_000_000_000_000_000).clamp(-(1 << 60), 1 << 60) as i64;
        self.alarm_account(code, cents);
    }

    pub(crate) fn see_time(&mut self, now: RecvTs) {
        self.now = self.now.max(now);
    }
}
