//! Whether an instrument's stream is alive. Silence has many reasons: a quiet stock, a farm that
//! is away, a stream that the gateway forgot without a word. A state machine over times it is told.

use crate::codes::{Response, describe};

/// Times, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PulseTimes {
    /// An instrument without a tick for so long is called quiet no more: nothing is said of it,
    /// and its quote ages.
    pub quiet_ns: u64,
    /// Silence after which the stream is given up and subscribed again.
    pub silence_ns: u64,
    /// Silence that is allowed after a farm said that it is back, or while it is away.
    pub farm_ns: u64,
    /// Shortest and longest pause between two subscriptions.
    pub retry_min_ns: u64,
    /// See `retry_min_ns`.
    pub retry_max_ns: u64,
}

/// What is to be done about a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Say that all is well though nothing changed.
    SayAlive,
    /// What was heard is not to be trusted any more.
    Lose,
    /// Lose it, and subscribe again.
    Resubscribe,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Subscribed; nothing was heard yet.
    Waiting,
    Live,
    /// Not trusted; subscribed again at `retry_at`, never where that is `u64::MAX`.
    Lost,
}

/// One stream.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    times: PulseTimes,
    state: State,
    /// Last tick, or the subscription.
    heard: u64,
    said: u64,
    farm_broken: Option<u64>,
    farm_back: Option<u64>,
    retry_at: u64,
    pause_ns: u64,
}

impl Pulse {
    /// Returns the pulse of a stream that is yet to be subscribed, due at once.
    pub fn new(times: PulseTimes) -> Pulse {
        Pulse {
            times,
            state: State::Lost,
            heard: 0,
            said: 0,
            farm_broken: None,
            farm_back: None,
            retry_at: 0,
            pause_ns: times.retry_min_ns,
        }
    }

    /// Returns the pulse of the same stream over a new connection, due at once.
    pub fn anew(&self) -> Pulse {
        Pulse::new(self.times)
    }

    /// Whether ticks come and are believed.
    pub fn is_live(&self) -> bool {
        self.state == State::Live
    }

    /// Whether the stream has ended for good: nothing here will subscribe it again.
    pub fn is_over(&self) -> bool {
        self.state == State::Lost && self.retry_at == u64::MAX
    }

    /// A subscription was sent.
    pub fn subscribed(&mut self, now: u64) {
        (self.state, self.heard) = (State::Waiting, now);
        (self.farm_broken, self.farm_back) = (None, None);
    }

    /// A tick came.
    pub fn heard(&mut self, now: u64) {
        self.heard = now;
        self.farm_back = None;
        if self.state == State::Waiting {
            self.state = State::Live;
            self.pause_ns = self.times.retry_min_ns;
        }
    }

    /// A message of no request came (farms, the link to the broker), or one that ended this
    /// stream or qualifies it. Returns what is to be done at once.
    pub fn on_code(&mut self, now: u64, code: i32) -> Act {
        let Some(info) = describe(code) else { return Act::Nothing };
        match info.response {
            // Of the farms only those of market data matter to a stream.
            Response::DegradeData if code == 2_103 => self.farm_broken = Some(now),
            Response::WatchFeed if code == 2_104 => {
                (self.farm_broken, self.farm_back) = (None, Some(now));
                if self.state == State::Lost && !self.is_over() {
                    self.retry_at = self.retry_at.min(now);
                }
            }
            Response::FreezeOrders => return self.lose(u64::MAX - 1),
            Response::RebuildAll | Response::ReconcileOrders if !self.is_over() => {
                // What was missed over the break is unknown, whatever was kept.
                return self.lose(now);
            }
            Response::MarkUntradeable | Response::FailRequest => return self.lose(u64::MAX),
            Response::BlockTrading => {
                let slow = now.saturating_add(self.times.retry_max_ns);
                return self.lose(slow);
            }
            Response::Resubscribe | Response::ReduceLines => {
                let pause = self.next_pause();
                return self.lose(now.saturating_add(pause));
            }
            _ => {}
        }
        Act::Nothing
    }

    /// The stream ended without a code, or the connection did.
    pub fn ended(&mut self, now: u64) -> Act {
        if self.is_over() {
            return Act::Nothing;
        }
        let pause = self.next_pause();
        self.lose(now.saturating_add(pause))
    }

    /// Time passed.
    pub fn on_time(&mut self, now: u64) -> Act {
        let silent = now.saturating_sub(self.heard);
        match self.state {
            State::Lost if now >= self.retry_at => return Act::Resubscribe,
            State::Lost => return Act::Nothing,
            State::Waiting | State::Live => {}
        }
        let farm = self.farm_back.or(self.farm_broken);
        let farm_silent =
            farm.is_some_and(|at| self.heard <= at && now - at.min(now) > self.times.farm_ns);
        if farm_silent && self.farm_broken.is_some() {
            // It says when it is back; until then asking again is no use.
            return self.lose(u64::MAX - 1);
        }
        if farm_silent || silent > self.times.silence_ns {
            // A stream that lived is asked for at once, one that never answered ever more slowly.
            let pause = if self.state == State::Live { 0 } else { self.next_pause() };
            return self.lose(now.saturating_add(pause));
        }
        if self.state == State::Live
            && silent < self.times.quiet_ns
            && now.saturating_sub(self.said.max(self.heard)) >= self.times.quiet_ns / 4
        {
            self.said = now;
            return Act::SayAlive;
        }
        Act::Nothing
    }

    fn next_pause(&mut self) -> u64 {
        let pause = self.pause_ns;
        self.pause_ns = (pause.saturating_mul(2)).min(self.times.retry_max_ns);
        pause
    }

    fn lose(&mut self, retry_at: u64) -> Act {
        self.state = State::Lost;
        self.retry_at = retry_at;
        Act::Lose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    fn live() -> Pulse {
        let mut p = Pulse::new(PulseTimes {
            quiet_ns: 2 * S,
            silence_ns: 10 * S,
            farm_ns: 5 * S,
            retry_min_ns: 5 * S,
            retry_max_ns: 60 * S,
        });
        assert_eq!(p.on_time(0), Act::Resubscribe);
        p.subscribed(100 * S);
        p.heard(101 * S);
        assert!(p.is_live());
        p
    }

    #[test]
    fn a_quiet_stock_is_called_alive_for_a_while_only() {
        let mut p = live();
        assert_eq!(p.on_time(101 * S + S / 2), Act::SayAlive);
        assert_eq!(p.on_time(101 * S + S / 2 + 1), Act::Nothing, "said already");
        assert_eq!(p.on_time(104 * S), Act::Nothing, "its quote ages now");
        assert_eq!(p.on_time(112 * S), Act::Lose);
        assert_eq!(p.on_time(112 * S), Act::Resubscribe);
    }

    #[test]
    fn a_stream_that_stays_dead_is_asked_for_ever_more_slowly() {
        let mut p = live();
        let (mut now, mut at) = (101 * S, Vec::new());
        for _ in 0..4_000 {
            now += S / 10;
            if p.on_time(now) == Act::Resubscribe {
                at.push(now / S);
                p.subscribed(now);
            }
        }
        assert!((5..15).contains(&at.len()), "{at:?}");
    }

    #[test]
    fn a_farm_that_is_back_without_ticks_is_not_believed() {
        let mut p = live();
        assert_eq!(p.on_code(102 * S, 2_103), Act::Nothing);
        assert_eq!(p.on_time(106 * S), Act::Nothing);
        assert_eq!(p.on_time(108 * S), Act::Lose, "the farm is away and nothing comes");
        assert_eq!(p.on_time(500 * S), Act::Nothing, "asking is no use");
        assert_eq!(p.on_code(501 * S, 2_104), Act::Nothing);
        assert_eq!(p.on_time(501 * S), Act::Resubscribe);
        let mut p = live();
        // The farm was away for a moment, and the stream is dead though the farm is back.
        _ = p.on_code(102 * S, 2_103);
        _ = p.on_code(103 * S, 2_104);
        assert_eq!(p.on_time(107 * S), Act::Nothing);
        assert_eq!(p.on_time(108 * S + 1), Act::Lose);
        assert_eq!(p.on_time(108 * S + 1), Act::Resubscribe);
        // With a tick after it, all is well.
        let mut p = live();
        _ = p.on_code(102 * S, 2_104);
        p.heard(104 * S);
        assert_ne!(p.on_time(109 * S), Act::Lose);
    }

    #[test]
    fn farms_of_other_data_and_inactive_ones_change_nothing() {
        for code in [2_105, 2_106, 2_107, 2_108, 2_119, 2_157, 2_158, 0, 399, -8, 12_345] {
            let mut p = live();
            assert_eq!(p.on_code(102 * S, code), Act::Nothing, "{code}");
            assert!(p.is_live());
        }
    }

    #[test]
    fn over_a_broken_link_nothing_is_believed_and_after_it_everything_is_asked_again() {
        for (down, up) in [(1_100, 1_101), (1_100, 1_102), (2_110, 1_102), (2_110, 2_104)] {
            let mut p = live();
            assert_eq!(p.on_code(102 * S, down), Act::Lose);
            assert_eq!(p.on_time(400 * S), Act::Nothing);
            _ = p.on_code(401 * S, up);
            assert_eq!(p.on_time(401 * S), Act::Resubscribe, "{down} {up}");
        }
    }

    #[test]
    fn what_is_not_subscribed_is_over_and_another_session_is_asked_slowly() {
        for code in [354, 10_168, 200] {
            let mut p = live();
            assert_eq!(p.on_code(102 * S, code), Act::Lose);
            assert!(p.is_over());
            assert_eq!(p.on_code(103 * S, 1_101), Act::Nothing, "{code}");
            assert_eq!(p.on_time(u64::MAX - 2), Act::Nothing);
        }
        let mut p = live();
        assert_eq!(p.on_code(102 * S, 10_197), Act::Lose);
        assert_eq!(p.on_time(161 * S), Act::Nothing);
        assert_eq!(p.on_time(162 * S), Act::Resubscribe);
    }
}
