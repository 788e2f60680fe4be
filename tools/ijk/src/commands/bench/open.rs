//! Calls that are due at given times, whether or not the one before has ended (open loop): the
//! time of each is counted from when it was due, so that one slow call shows in every call that it
//! held up. (In a closed loop it shows once: coordinated omission.)

use super::measure::{Result1, same, times};
use crate::exit::Exit;
use ijk_core::MarketEvent;
use quanta::Clock;
use std::hint::black_box;
use std::time::Duration;

/// The bench rests this long, with its clock stopped, where nothing waits and it has run for
/// [`RUN_NS`]: a system gives a real-time thread that only spins 95 % of each second, and takes
/// the rest in one piece.
const REST: Duration = Duration::from_millis(30);
const RUN_NS: u64 = 200_000_000;

/// When the records are due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// One after the other at the same distance.
    Even,
    /// As they came, the whole session run so much faster that the mean rate is the one asked for.
    /// Records of one moment are due at one moment.
    Recorded,
}

impl Schedule {
    /// Returns when each record is due, nanoseconds from the start, at `rate` records a second in
    /// the mean.
    pub fn due(self, records: &[MarketEvent], rate: f64) -> Vec<u64> {
        let n = records.len();
        let at = |i: usize| records[i].ts_receive.0;
        let span = if n == 0 { 0 } else { at(n - 1).saturating_sub(at(0)) };
        let whole = n as f64 * 1e9 / rate;
        (0..n)
            .map(|i| match self {
                // A session of one moment has nothing but an even way.
                Schedule::Recorded if span > 0 => {
                    (at(i).saturating_sub(at(0)) as f64 / span as f64 * whole) as u64
                }
                _ => (i as f64 * 1e9 / rate) as u64,
            })
            .collect()
    }
}

/// Runs `call` for each time of `due`, waiting for it by spinning. `after` is work of the bench:
/// the clock that calls are due by stands still meanwhile. `answer` must be `expected`. `cpu_best`
/// is the mean.
///
/// # Errors
/// Exit code 70 where the work came to another answer.
pub fn open_loop<S>(
    name: &'static str,
    due: &[u64],
    expected: u64,
    mut state: S,
    mut call: impl FnMut(&mut S, usize),
    mut after: impl FnMut(&mut S, usize),
    answer: impl Fn(&S) -> u64,
) -> Result<Result1, Exit> {
    let clock = Clock::new();
    let mut late = times();
    let begin = clock.raw();
    // Time that was the bench's own.
    let mut apart = 0u64;
    let mut rested = 0u64;
    for (i, &due) in due.iter().enumerate() {
        let wall = || clock.delta_as_nanos(begin, clock.raw());
        if wall() - apart < due && wall() - rested > RUN_NS {
            let before = wall();
            std::thread::sleep(REST);
            rested = wall();
            apart += rested - before;
        }
        let now = || wall() - apart;
        while now() < due {
            std::hint::spin_loop();
        }
        call(&mut state, i);
        let done = now();
        late.saturating_record((done - due).max(1));
        after(&mut state, i);
        apart = wall() - done;
    }
    same(name, expected, answer(black_box(&state)))?;
    let mean = late.mean();
    Ok(Result1::of_times(name, late, mean, expected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{EventKind, InstrumentId, RecvTs};

    fn records(times: &[u64]) -> Vec<MarketEvent> {
        let record = |&ts| {
            let mut ev = MarketEvent::new(EventKind::Status, InstrumentId(0));
            ev.ts_receive = RecvTs(ts);
            ev
        };
        times.iter().map(record).collect()
    }

    #[test]
    fn schedules_have_the_rate_asked_for() {
        let records = records(&[1_000, 1_000, 5_000, 11_000]);
        assert_eq!(Schedule::Even.due(&records, 1e6), [0, 1_000, 2_000, 3_000]);
        assert_eq!(Schedule::Recorded.due(&records, 1e6), [0, 0, 1_600, 4_000]);
        assert_eq!(Schedule::Recorded.due(&records[..2], 1e6), [0, 1_000]);
        assert!(Schedule::Recorded.due(&[], 1e6).is_empty());
    }

    /// All calls due at once: each waits for those before it, so no time is less than that of the
    /// call before, however fast or slow this machine is.
    #[test]
    fn a_call_waits_for_those_before_it() {
        let mut order = Vec::new();
        let due = [0; 50];
        let result =
            open_loop("at once", &due, 50, 0u64, |s, _| *s += 1, |_, i| order.push(i), |&s| s);
        let row = result.map_err(|e| e.message).unwrap().json();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
        assert_eq!(row["n"], 50);
        assert!(row["min"].as_u64() <= row["p50"].as_u64());
        let wrong = open_loop("wrong", &due, 49, 0u64, |s, _| *s += 1, |_, _| {}, |&s| s);
        assert!(wrong.is_err());
    }
}
