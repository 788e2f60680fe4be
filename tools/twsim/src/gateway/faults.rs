//! What is wrong at the moment, and how it comes and goes.

use super::{ConnId, Gateway, Timer};
use crate::orders::OrderFaults;
use crate::wire;
use std::collections::{BTreeMap, BTreeSet};

/// Faults in force.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// The gateway's own link to the broker is down (1100).
    pub link_down: bool,
    /// Reports of the time without link are lost, not late.
    pub lose_reports: bool,
    /// Reports that wait for the link: client and frame.
    pub held: Vec<(i32, Vec<u8>)>,
    /// Orders that wait for the link.
    pub waiting: Vec<i64>,
    /// New connections are refused.
    pub refuse: bool,
    /// Client ids whose old session is still held after a drop.
    pub ghosts: BTreeSet<i32>,
    /// What goes wrong with the next order.
    pub next_order: Option<OrderFaults>,
    /// The next valid id told, whatever was used.
    pub next_id: Option<i32>,
    /// Requests that get no answer.
    pub hung: BTreeSet<String>,
    /// Code that new data streams get.
    pub data_code: Option<i32>,
    /// Type of data that streams get: 1 to 4.
    pub data_kind: Option<i32>,
    /// Price told instead of the real one, 1e-9.
    pub spike_px: Option<i64>,
    /// Nothing of the market is told, though all farms are said to be well.
    pub data_dead: bool,
    /// History has no data (162).
    pub no_history: bool,
    /// Regular hours are forced: open or closed.
    pub session: Option<bool>,
    /// Orders are refused (321).
    pub read_only: bool,
    /// Messages are counted though the clock stands.
    pub count_messages: bool,
    /// Shares to borrow: 3 many, 2 to be located, 1 none.
    pub shortable: BTreeMap<usize, f64>,
    /// Orders accepted so far.
    pub order_count: u64,
    /// Cancels received so far.
    pub cancel_count: u64,
}

impl Faults {
    /// Returns whether a request is to stay without an answer.
    pub fn hangs(&self, what: &str) -> bool {
        self.hung.contains(what)
    }

    /// Returns whether no market data is told at all.
    pub fn data_is_off(&self) -> bool {
        self.link_down || self.data_dead
    }

    /// Returns how easily shares can be borrowed: above 2.5 at once, above 1.5 after a search.
    pub fn shortable(&self, stock: usize) -> f64 {
        self.shortable.get(&stock).copied().unwrap_or(3.0)
    }
}

impl Gateway {
    pub(super) fn link(&mut self, down: bool, lost: bool) {
        if down {
            self.faults.link_down = true;
            self.faults.lose_reports = lost;
            self.notice_all(1100, crate::codes::text(1100));
            return;
        }
        self.faults.link_down = false;
        if lost {
            for c in self.conns.values_mut() {
                c.subs.values_mut().for_each(|s| s.dead = true);
            }
        }
        let code = if lost { 1101 } else { 1102 };
        self.notice_all(code, crate::codes::text(code));
        self.tell_held();
        for perm in std::mem::take(&mut self.faults.waiting) {
            let seen = self.orders.get(perm).is_some_and(|o| o.at_exchange || o.version > 0);
            let timer = if seen { Timer::Arrive(perm) } else { Timer::Acknowledge(perm) };
            self.timer(self.now_ns, timer);
        }
    }

    /// A farm's state: data of the market farm stops and goes on with it.
    pub(super) fn farm(&mut self, name: &str, state: &str, silent: bool) -> Result<(), String> {
        let codes = match name {
            "usfarm" => (2103, 2104, 2108, 2119),
            "ushmds" => (2105, 2106, 2107, 2119),
            "secdefil" => (2157, 2158, 2158, 2119),
            _ => return Err(format!("no farm '{name}'; there are usfarm, ushmds, secdefil")),
        };
        let (code, dead) = match state {
            "down" => (codes.0, true),
            "up" => (codes.1, silent),
            "inactive" => (codes.2, self.faults.data_dead),
            "connecting" => (codes.3, self.faults.data_dead),
            _ => return Err(format!("a farm is down, up, inactive or connecting, not '{state}'")),
        };
        match name {
            "usfarm" => self.faults.data_dead = dead,
            "ushmds" => self.faults.no_history = dead,
            _ => {}
        }
        self.notice_all(code, crate::codes::text(code));
        Ok(())
    }

    /// Drops connections without a word: all, or those of a client id.
    pub(super) fn drop_conns(&mut self, client_id: Option<i32>, ghost: bool) {
        let of = |c: &&ConnId| client_id.is_none() || self.conns[*c].client_id == client_id;
        let dropped: Vec<ConnId> = self.conns.keys().filter(of).copied().collect();
        for conn in dropped {
            let client = self.conns.get(&conn).and_then(|c| c.client_id);
            if ghost {
                self.faults.ghosts.extend(client);
            }
            self.cut(conn);
        }
    }

    /// The daily restart: connections drop, orders stay. `rollback`: order ids begin anew.
    pub(super) fn restart(&mut self, rollback: bool, down_ms: u64) {
        self.drop_conns(None, false);
        self.faults.refuse = true;
        if rollback {
            self.faults.next_id = Some(self.config.first_order_id);
            self.orders.forget_numbers();
        }
        self.timer_in(down_ms, Timer::Up);
    }

    /// Ends every data stream with a code (10197, 10225), or only those it is about.
    pub(super) fn end_streams(&mut self, code: i32) {
        use super::subs::SubKind;
        for conn in self.started() {
            let Some(c) = self.conn(conn) else { continue };
            let of = |k: &SubKind| code != 10_225 || matches!(k, SubKind::Bars(_));
            let ended: Vec<i32> =
                c.subs.iter().filter(|(_, s)| of(&s.kind)).map(|(id, _)| *id).collect();
            for req_id in ended {
                self.error_code(conn, req_id, code);
                if let Some(c) = self.conn(conn) {
                    c.subs.remove(&req_id);
                }
            }
        }
    }

    /// Sends bytes as a frame of a message, readable or not.
    pub(super) fn bad_frame(&mut self, id: u32, body: &[u8]) {
        let frame = wire::raw_frame(id, body);
        for conn in self.started() {
            self.send_raw(conn, &frame);
        }
    }
}
