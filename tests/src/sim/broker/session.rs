//! One connection at a time: hello, instruments, then orders and questions.

use super::bytes::{self, NewMessage, PROTOCOL, Up};
use super::{Broker, Deed, MS, Out};
use crate::sim::faults::Fault;

/// Codes of a refused session.
mod code {
    pub const PROTOCOL: u16 = 1;
    pub const ACCOUNT: u16 = 2;
    pub const IN_USE: u16 = 3;
    pub const INSTRUMENT: u16 = 4;
    pub const BYTES: u16 = 6;
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Closed,
    Silent,
    Defining(u16),
    Open,
}

/// The state of the connection.
#[derive(Clone, Debug, Default)]
pub struct Session {
    stage: Stage,
    number: u64,
    buf: Vec<u8>,
    /// The client's number of each instrument of ours.
    numbers: Vec<(usize, u16)>,
    /// The client's number of starts.
    pub boot_epoch: u64,
    /// When the last report in order leaves.
    pub last_report: u64,
}

impl Session {
    /// Returns whether reports can be sent.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Returns the client's number of an instrument; the highest where it has none.
    pub fn number_of(&self, instrument: usize) -> u16 {
        self.numbers.iter().find(|n| n.0 == instrument).map_or(u16::MAX, |n| n.1)
    }

    /// Returns the instrument that the client calls so.
    pub fn instrument_of(&self, number: u16) -> Option<usize> {
        self.numbers.iter().find(|n| n.1 == number).map(|n| n.0)
    }
}

impl Broker {
    /// Somebody connects. Returns whether the broker is there.
    pub fn on_connect(&mut self, now: u64) -> bool {
        if now < self.down_until {
            return false;
        }
        self.on_disconnect(now);
        self.session.stage = Stage::Silent;
        self.session.number += 1;
        true
    }

    /// The connection is gone: answers under way are void. Reports not due yet will come over
    /// the next one.
    pub fn on_disconnect(&mut self, _now: u64) {
        self.session.stage = Stage::Closed;
        self.session.buf.clear();
        self.deeds.retain(|_, d| !matches!(d, Deed::Answer { .. } | Deed::Send { .. }));
    }

    /// Bytes arrive.
    pub fn on_bytes(&mut self, now: u64, bytes: &[u8]) {
        if self.session.stage == Stage::Closed {
            return;
        }
        self.session.buf.extend_from_slice(bytes);
        loop {
            match bytes::take(&mut self.session.buf) {
                Ok(None) => break,
                Ok(Some(message)) => self.on_message(now, message),
                Err(_) => self.refuse(now, code::BYTES),
            }
            if self.session.stage == Stage::Closed {
                break;
            }
        }
    }

    fn refuse(&mut self, now: u64, code: u16) {
        self.out.push(Out::Bytes(bytes::refused(code)));
        self.out.push(Out::Close);
        self.on_disconnect(now);
    }

    fn on_message(&mut self, now: u64, message: Up) {
        match (self.session.stage, message) {
            (Stage::Silent, Up::Hello { protocol, boot_epoch, account, instruments }) => {
                if protocol != PROTOCOL {
                    self.refuse(now, code::PROTOCOL);
                } else if account != self.account {
                    self.refuse(now, code::ACCOUNT);
                } else if self.chaos.strikes(Fault::HelloRefused) {
                    self.refuse(now, code::IN_USE);
                } else {
                    self.session.boot_epoch = boot_epoch;
                    self.session.numbers.clear();
                    self.session.stage = Stage::Defining(instruments);
                    self.welcome_if_defined(now);
                }
            }
            (Stage::Defining(left), Up::Instrument { id, symbol }) => {
                let Some(at) = self.symbols.iter().position(|s| *s == symbol) else {
                    self.refuse(now, code::INSTRUMENT);
                    return;
                };
                self.session.numbers.push((at, id));
                self.session.stage = Stage::Defining(left - 1);
                self.welcome_if_defined(now);
            }
            (Stage::Open, Up::New(message)) => self.take_new(now, message),
            (Stage::Open, Up::Cancel { id, instrument }) => self.take_cancel(now, id, instrument),
            (Stage::Open, Up::SnapshotRequest(request)) => self.take_request(now, request),
            (Stage::Open | Stage::Defining(_), Up::Ping(n)) => {
                self.out.push(Out::Bytes(bytes::pong(n)));
            }
            _ => self.refuse(now, code::BYTES),
        }
    }

    fn welcome_if_defined(&mut self, now: u64) {
        if self.session.stage != Stage::Defining(0) {
            return;
        }
        self.session.stage = Stage::Open;
        let highest = self.books.highest_id();
        let told = if self.chaos.strikes(Fault::IdFloorBack) {
            self.chaos.rng.below(highest.max(1))
        } else {
            highest
        };
        self.out.push(Out::Bytes(bytes::welcome(now, told)));
    }

    fn take_new(&mut self, now: u64, message: NewMessage) {
        if self.chaos.strikes(Fault::OrderSwallowed) {
            return;
        }
        let mut at = now + self.chaos.rng.below(MS);
        if self.chaos.strikes(Fault::OrderHeld) {
            at += self.chaos.rng.log_range(100 * MS, 15_000 * MS);
        }
        self.later(at, Deed::Arrive(message));
    }

    fn take_cancel(&mut self, now: u64, id: u64, instrument: u16) {
        if self.chaos.strikes(Fault::CancelIgnored) {
            return;
        }
        let mut at = now + MS + self.chaos.rng.below(MS);
        if self.chaos.strikes(Fault::CancelSlow) {
            at += self.chaos.rng.log_range(50 * MS, 5_000 * MS);
        }
        self.later(at, Deed::Cancel { id, instrument });
    }

    fn take_request(&mut self, now: u64, request: u64) {
        if self.chaos.strikes(Fault::SnapshotNever) {
            return;
        }
        let session = self.session.number;
        let mut at = now + MS + self.chaos.rng.below(20 * MS);
        if self.chaos.strikes(Fault::SnapshotLate) {
            at += self.chaos.rng.log_range(200 * MS, 12_000 * MS);
        }
        self.later(at, Deed::Answer { request, session });
        if self.chaos.strikes(Fault::SnapshotTwice) {
            let again = at + self.chaos.rng.log_range(MS, 3_000 * MS);
            self.later(again, Deed::Answer { request, session });
        }
    }

    /// Sends bytes if the connection they were meant for still stands.
    pub(super) fn send_if(&mut self, session: u64, bytes: Vec<u8>) {
        if self.session.number == session && self.session.is_open() {
            self.out.push(Out::Bytes(bytes));
        }
    }
}
