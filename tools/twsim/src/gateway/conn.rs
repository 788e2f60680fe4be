//! One client's connection as the gateway sees it: what waits for the socket, what it subscribed.

use super::subs::Sub;
use crate::num::Shares;
use crate::time::{MILLI, SECOND};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Bytes that may wait for a client; one that does not read them is disconnected.
pub const OUT_BYTES_MAX: usize = 32 << 20;
/// Streams of all kinds a client may have.
pub const SUB_COUNT_MAX: usize = 1_000;

/// What a connection's socket is to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// Bytes to send.
    pub bytes: Vec<u8>,
    /// Whether the connection ends with them.
    pub close: bool,
}

/// Values of a profit-and-loss stream last told, in cents: it is told again when they change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PnlSeen {
    /// Contract number, 0 for the account.
    pub con_id: i32,
    /// Daily, unrealised, realised, value, position; `None` before the first.
    pub seen: Option<[i64; 5]>,
}

/// A connection after its greeting.
#[derive(Debug, Default)]
pub struct Conn {
    /// Server version agreed on.
    pub version: u32,
    /// Client id once the session started.
    pub client_id: Option<i32>,
    out: VecDeque<u8>,
    /// Ends once what waits has been sent.
    pub closing: bool,
    /// Half-open until then: nothing is sent or read.
    pub mute_until: u64,
    /// One byte so many nanoseconds.
    pub drip_ns: Option<u64>,
    drip_from: u64,
    /// Streams by request number.
    pub subs: BTreeMap<i32, Sub>,
    /// Wants every position's changes.
    pub positions: bool,
    /// Position streams with numbers.
    pub positions_multi: BTreeSet<i32>,
    /// Wants account values and the portfolio.
    pub account: bool,
    /// Account streams with numbers.
    pub account_multi: BTreeSet<i32>,
    /// Account summaries: the tags asked for.
    pub summaries: BTreeMap<i32, Vec<String>>,
    /// Profit and loss streams.
    pub pnl: BTreeMap<i32, PnlSeen>,
    /// Wants bulletins.
    pub bulletins: bool,
    /// Wants other clients' orders bound to it.
    pub auto_open: bool,
    /// Market data type asked for: 1 live, 2 frozen, 3 delayed, 4 delayed and frozen.
    pub data_kind: i32,
    /// Times the message rate was exceeded.
    pub strikes: u32,
    /// Requests for history by what they asked, with their times.
    pub history_asked: VecDeque<(u64, String)>,
    /// Last position told for each contract, so that only changes are.
    pub told_positions: BTreeMap<i32, Shares>,
}

impl Conn {
    /// Returns a connection that just agreed on `version`.
    pub fn new(version: u32) -> Conn {
        Conn { version, data_kind: 1, ..Conn::default() }
    }

    /// Returns whether nothing of this connection is heard or said now.
    pub fn is_mute(&self, now_ns: u64) -> bool {
        now_ns < self.mute_until
    }

    /// Queues bytes; a client that leaves too many unread is cut off.
    pub fn push(&mut self, now_ns: u64, bytes: &[u8]) {
        if self.is_mute(now_ns) || self.closing {
            return;
        }
        if self.out.len() + bytes.len() > OUT_BYTES_MAX {
            self.out.clear();
            self.closing = true;
            return;
        }
        if self.out.is_empty() {
            self.drip_from = now_ns;
        }
        self.out.extend(bytes);
    }

    /// Returns how many bytes wait.
    pub fn waiting(&self) -> usize {
        self.out.len()
    }

    /// Returns what may be sent at `now_ns`.
    pub fn take(&mut self, now_ns: u64) -> Output {
        let count = match self.drip_ns {
            Some(ns) if ns > 0 => {
                let allowed = now_ns.saturating_sub(self.drip_from) / ns;
                self.drip_from += allowed.saturating_mul(ns);
                usize::try_from(allowed).unwrap_or(usize::MAX).min(self.out.len())
            }
            _ => self.out.len(),
        };
        let bytes: Vec<u8> = self.out.drain(..count).collect();
        Output { bytes, close: self.closing && self.out.is_empty() }
    }

    /// Returns when the next byte of a slow connection may go.
    pub fn next_drip(&self) -> Option<u64> {
        let ns = self.drip_ns?;
        (!self.out.is_empty()).then(|| self.drip_from.saturating_add(ns.max(1)))
    }

    /// Returns whether a request of the same text came within the last `within_s` seconds, or
    /// more than `count` within ten minutes; notes this one.
    pub fn history_too_fast(
        &mut self,
        now_ns: u64,
        asked: String,
        within_s: u64,
        count: usize,
    ) -> bool {
        let old = now_ns.saturating_sub(600 * SECOND);
        while self.history_asked.front().is_some_and(|(ns, _)| *ns < old) {
            self.history_asked.pop_front();
        }
        let recent = now_ns.saturating_sub(within_s * SECOND);
        let same = self.history_asked.iter().any(|(ns, a)| *ns > recent && *a == asked);
        let many = self.history_asked.len() >= count;
        if !(same || many) {
            self.history_asked.push_back((now_ns, asked));
        }
        same || many
    }
}

/// Milliseconds as nanoseconds, without overflow.
pub fn ms(count: u64) -> u64 {
    count.saturating_mul(MILLI)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_line_gives_a_byte_at_a_time() {
        let mut conn = Conn::new(226);
        conn.drip_ns = Some(10);
        conn.push(100, b"abc");
        assert_eq!(conn.take(109).bytes, b"");
        assert_eq!(conn.next_drip(), Some(110));
        assert_eq!(conn.take(125).bytes, b"ab");
        assert_eq!(conn.take(130).bytes, b"c");
        assert_eq!(conn.next_drip(), None);
    }

    #[test]
    fn a_client_that_never_reads_is_cut_off_before_memory_is() {
        let mut conn = Conn::new(226);
        let frame = vec![0; 1 << 20];
        for _ in 0..100 {
            conn.push(0, &frame);
            assert!(conn.out.len() <= OUT_BYTES_MAX);
        }
        assert!(conn.closing && conn.take(0).close);
    }

    #[test]
    fn a_mute_connection_loses_what_is_said() {
        let mut conn = Conn::new(226);
        conn.mute_until = 50;
        conn.push(49, b"lost");
        conn.push(50, b"heard");
        assert_eq!(conn.take(50).bytes, b"heard");
    }
}
