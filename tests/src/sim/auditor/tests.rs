//! A clean day passes; every rule fires on a day doctored for it.

use super::*;

const EPOCH: u64 = 5;
const BLOCKS: u8 = 0b110;
const PX: i64 = 100_000_000_000;

fn limits() -> Limits {
    Limits {
        order_qty: 100,
        order_value_e9: 10_000 * 1_000_000_000,
        position_value_e9: 25_000 * 1_000_000_000,
        gross_value_e9: 40_000 * 1_000_000_000,
        orders_per_s: 3,
        burst: 2,
        absent_quiet_ns: 1_000,
        blocks_at_boot: BLOCKS,
        px_floor: PX,
    }
}

fn put(body: &mut [u8], at: usize, bytes: &[u8]) {
    body[at..at + bytes.len()].copy_from_slice(bytes);
}

fn message(code: u8, body: &[u8]) -> Vec<u8> {
    let mut out = (body.len() as u32 + 4).to_le_bytes().to_vec();
    out.extend_from_slice(&[code, 0, 0, 0]);
    out.extend_from_slice(body);
    out
}

fn id(n: u64) -> u64 {
    EPOCH << 36 | n
}

fn new(id: u64, side: u8, qty: i64, instrument: u16) -> Vec<u8> {
    let mut body = vec![0; 40];
    put(&mut body, 0, &id.to_le_bytes());
    put(&mut body, 8, &qty.to_le_bytes());
    put(&mut body, 16, &PX.to_le_bytes());
    put(&mut body, 24, &1u32.to_le_bytes());
    put(&mut body, 28, &instrument.to_le_bytes());
    body[30] = side;
    body[31] = 1;
    body
}

fn report(id: u64, kind: u8, qty: i64, leaves: i64, exec: u64) -> Vec<u8> {
    let mut body = vec![0; 72];
    put(&mut body, 8, &id.to_le_bytes());
    put(&mut body, 24, &exec.to_le_bytes());
    put(&mut body, 40, &qty.to_le_bytes());
    put(&mut body, 48, &leaves.to_le_bytes());
    body[68] = kind;
    body
}

/// A day under construction; most steps are the ones a sound kernel takes.
struct Day {
    auditor: Auditor,
    at: u64,
    connection: u64,
    closing: Closing,
}

impl Day {
    fn new() -> Day {
        let closing =
            Closing { positions: vec![0; 2], kernel_positions: vec![0; 2], ..Closing::default() };
        let mut day = Day { auditor: Auditor::new(limits()), at: 0, connection: 0, closing };
        day.boot(EPOCH);
        day
    }

    fn see(&mut self, what: What) {
        self.at += 10_000_000_000;
        self.see_at(self.at, what);
    }

    fn see_at(&mut self, at: u64, what: What) {
        self.auditor.see(at, &what);
    }

    fn up(&mut self, bytes: Vec<u8>) {
        let connection = self.connection;
        self.see(What::Wire { tap: Tap::Client, up: true, connection, bytes });
    }

    fn down(&mut self, bytes: Vec<u8>) {
        let connection = self.connection;
        self.see(What::Wire { tap: Tap::Client, up: false, connection, bytes });
    }

    fn record(&mut self, kind: u8, payload: Vec<u8>) {
        self.see(What::Record { kind, payload });
    }

    fn control(&mut self, kind: u8, block: u8) {
        self.record(kinds::CONTROL, vec![kind, block, 0, 0, 0, 0, 0, 0]);
    }

    fn clock(&mut self, kind: u8, offset_ns: i64) {
        let mut body = [&offset_ns.to_le_bytes()[..], &[0; 8]].concat();
        body[10] = kind;
        self.record(kinds::CONDITION, body);
    }

    fn boot(&mut self, epoch: u64) {
        self.see(What::Boot);
        self.clock(0, 3);
        self.connect(epoch);
        self.answer(&[]);
        let left: Vec<u64> = self.auditor.sent.keys().copied().collect();
        for id in left {
            self.carry(1, id);
        }
        self.carry(3, 0);
        self.control(3, 1);
        self.control(3, 2);
        self.parent(1, [0, 0, 5_000, 0], 5_000);
    }

    fn connect(&mut self, epoch: u64) {
        self.connection += 1;
        let mut body = [0; 40];
        put(&mut body, 8, &epoch.to_le_bytes());
        self.up(message(1, &body));
    }

    fn parent(&mut self, id: u32, parts: [i64; 4], qty: i64) {
        let mut body = vec![0; 112];
        put(&mut body, 16, &qty.to_le_bytes());
        for (i, part) in parts.iter().enumerate() {
            put(&mut body, 24 + 8 * i, &part.to_le_bytes());
        }
        put(&mut body, 100, &id.to_le_bytes());
        self.record(kinds::PARENT, body);
    }

    fn item(&mut self, kind: u8, id: u64, exec: u64, qty: i64, status: u8) {
        let mut body = vec![0; 88];
        put(&mut body, 8, &id.to_le_bytes());
        put(&mut body, 24, &exec.to_le_bytes());
        put(&mut body, 48, &qty.to_le_bytes());
        put(&mut body, 64, &qty.to_le_bytes());
        body[82] = kind;
        body[83] = status;
        self.down(message(67, &body));
        self.record(kinds::SNAPSHOT, body);
    }

    /// A complete answer that lists these orders as working.
    fn answer(&mut self, orders: &[(u64, i64)]) {
        self.item(0, 0, 0, 0, 0);
        for &(id, qty) in orders {
            self.item(2, id, 0, qty, 0);
        }
        self.item(4, 0, 0, orders.len() as i64, 0);
    }

    /// The intent is written and forced to the device.
    fn intend(&mut self, body: &[u8]) {
        self.record(kinds::ORDER, body.to_vec());
        let mut device = vec![0; 4096];
        put(&mut device, 64 + 4, &40u16.to_le_bytes());
        device[64 + 6] = kinds::ORDER;
        put(&mut device, 64 + 36, b"IJKR");
        put(&mut device, 64 + 40, body);
        self.see(What::Device { bytes: device });
    }

    fn send(&mut self, body: &[u8]) {
        self.up(message(3, body));
    }

    fn trade(&mut self, n: u64, side: u8, qty: i64) {
        let body = new(id(n), side, qty, 0);
        self.intend(&body);
        self.send(&body);
    }

    fn hear(&mut self, body: Vec<u8>) {
        self.down(message(66, &body));
        self.record(kinds::REPORT, body);
    }

    fn fate(&mut self, id: u64, fate: u8) {
        let mut body = vec![0; 24];
        put(&mut body, 0, &id.to_le_bytes());
        body[18] = fate;
        self.record(kinds::FATE, body);
    }

    fn carry(&mut self, kind: u8, id: u64) {
        let mut body = vec![0; 96];
        put(&mut body, 48, &id.to_le_bytes());
        body[90] = kind;
        self.record(kinds::CARRY, body);
    }

    fn rules(self) -> Vec<Rule> {
        let found = self.auditor.close(self.at + 1, &self.closing);
        found.into_iter().map(|v| v.rule).collect()
    }
}

/// A day with an order filled in part and cancelled.
fn sound() -> Day {
    let mut day = Day::new();
    day.trade(1, 0, 60);
    day.hear(report(id(1), 0, 0, 60, 0));
    day.hear(report(id(1), 2, 20, 40, 900));
    day.hear(report(id(1), 3, 40, 0, 0));
    day.closing.orders.push(BookedOrder { id: id(1), working: false });
    day.closing.executions.push(BookedExecution { exec_id: 900 });
    day.closing.positions[0] = 20;
    day.closing.kernel_positions[0] = 20;
    day
}

/// What a doctored day must be called.
fn doctored(doctor: impl FnOnce(&mut Day)) -> Vec<Rule> {
    let mut day = sound();
    doctor(&mut day);
    day.rules()
}

#[test]
fn a_sound_day_passes() {
    assert_eq!(sound().rules(), []);
}

#[test]
fn sent_twice() {
    assert_eq!(doctored(|d| d.send(&new(id(1), 0, 60, 0))), [Rule::SentTwice]);
    let again = |d: &mut Day| {
        d.boot(EPOCH + 1);
        d.send(&new(id(1), 0, 60, 0));
    };
    assert_eq!(doctored(again), [Rule::SentTwice], "a restart forgives nothing");
}

#[test]
fn foreign_epoch() {
    let body = new(1 << 36 | 9, 0, 1, 0);
    let found = doctored(|d| {
        d.intend(&body);
        d.send(&body);
    });
    assert_eq!(found, [Rule::ForeignEpoch]);
    assert_eq!(doctored(|d| d.boot(EPOCH)), [Rule::ForeignEpoch]);
}

#[test]
fn no_durable_intent() {
    let body = new(id(2), 0, 60, 0);
    let unsynced = doctored(|d| {
        d.record(kinds::ORDER, body.clone());
        d.send(&body);
    });
    assert_eq!(unsynced, [Rule::NoDurableIntent]);
    let differs = doctored(|d| {
        d.intend(&new(id(2), 0, 61, 0));
        d.send(&body);
    });
    assert_eq!(differs, [Rule::NoDurableIntent]);
    let afterwards = doctored(|d| {
        d.send(&body);
        d.intend(&body);
    });
    assert_eq!(afterwards, [Rule::NoDurableIntent]);
}

#[test]
fn bad_bytes() {
    assert_eq!(doctored(|d| d.up(message(6, &[0; 9]))), [Rule::BadBytes]);
    assert_eq!(doctored(|d| d.up(vec![0, 0, 1, 0, 3, 0, 0, 0])), [Rule::BadBytes]);
    assert_eq!(doctored(|d| d.up(message(66, &[0; 72]))), [Rule::BadBytes]);
}

#[test]
fn unaccounted() {
    let stranger = BookedOrder { id: id(77), working: false };
    assert_eq!(doctored(|d| d.closing.orders.push(stranger)), [Rule::Unaccounted]);
    let adopted = doctored(|d| {
        d.fate(id(77), 3);
        d.closing.orders.push(stranger);
    });
    assert_eq!(adopted, []);
}

#[test]
fn lost_and_doubled_fills() {
    let lost = |d: &mut Day| d.closing.executions.push(BookedExecution { exec_id: 901 });
    assert_eq!(doctored(lost), [Rule::ExecutionLost]);
    assert_eq!(doctored(|d| d.closing.kernel_positions[0] = 40), [Rule::PositionWrong]);
}

#[test]
fn invented_report() {
    let body = report(id(1), 2, 5, 0, 950);
    assert_eq!(doctored(|d| d.record(kinds::REPORT, body.clone())), [Rule::InventedReport]);
    let twice = doctored(|d| {
        d.hear(body.clone());
        d.record(kinds::REPORT, body.clone());
    });
    assert_eq!(twice, [Rule::InventedReport]);
}

#[test]
fn false_reject() {
    assert_eq!(doctored(|d| d.fate(id(44), 2)), [], "what never left may be called absent");
    let lone = |answers: usize, gap: u64| {
        doctored(move |d| {
            d.trade(2, 0, 5);
            for _ in 0..answers {
                d.at += gap;
                d.answer(&[]);
            }
            d.fate(id(2), 2);
        })
    };
    assert_eq!(lone(0, 0), [Rule::FalseReject]);
    assert_eq!(lone(1, 0), [Rule::FalseReject]);
    assert_eq!(lone(2, 2_000), []);
    let known = doctored(|d| {
        d.trade(2, 0, 5);
        d.hear(report(id(2), 0, 0, 5, 0));
        d.answer(&[]);
        d.answer(&[]);
        d.fate(id(2), 2);
    });
    assert_eq!(known, [Rule::FalseReject], "it was acknowledged");
    let absent = doctored(|d| {
        d.trade(2, 0, 5);
        d.record(kinds::REPORT, report(id(2), 8, 5, 0, 0));
    });
    assert_eq!(absent, [Rule::FalseReject]);
}

#[test]
fn carried_less() {
    let restart = |carried: &'static [u64]| {
        doctored(move |d| {
            d.trade(2, 0, 5);
            d.see(What::Boot);
            for &n in carried {
                d.carry(1, id(n));
            }
            d.carry(3, 0);
        })
    };
    assert_eq!(restart(&[]), [Rule::CarriedLess]);
    assert_eq!(restart(&[2]), []);
}

#[test]
fn limits_of_size() {
    assert_eq!(doctored(|d| d.trade(2, 0, 100)), []);
    let one_more = doctored(|d| d.trade(2, 0, 101));
    assert_eq!(one_more, [Rule::OrderTooLarge]);
    assert_eq!(doctored(|d| d.trade(2, 0, 0)), [Rule::OrderTooLarge]);
    for (qty, rules) in [(40, &[][..]), (41, &[Rule::OrderTooLarge])] {
        let rules_found = doctored(|d| {
            d.record(kinds::LIMITS, b"{\"x\":1,\"max_order_qty\":40,\"y\":2}".to_vec());
            d.trade(2, 0, qty);
        });
        assert_eq!(rules_found, rules, "{qty}");
    }
    // 20 held: two orders of 100 and one of 30 make 250 shares, 25,000 dollars.
    let three = |last| {
        doctored(move |d| {
            d.trade(2, 0, 100);
            d.trade(3, 0, 100);
            d.trade(4, 0, last);
        })
    };
    assert_eq!((three(30), three(31)), (vec![], vec![Rule::PositionTooLarge]));
    let gross = |last| {
        doctored(move |d| {
            d.trade(2, 0, 100);
            d.trade(3, 0, 100);
            d.trade(4, 0, 30);
            for (n, qty) in [(5, 100), (6, last)] {
                let body = new(id(n), 1, qty, 1);
                d.intend(&body);
                d.send(&body);
            }
        })
    };
    assert_eq!((gross(50), gross(51)), (vec![], vec![Rule::GrossTooLarge]));
}

/// So many orders at one instant that had been decided long before.
fn at_once(count: u64) -> Vec<Rule> {
    doctored(move |d| {
        let orders: Vec<Vec<u8>> = (0..count).map(|n| new(id(10 + n), 0, 1, 0)).collect();
        orders.iter().for_each(|body| d.intend(body));
        d.at += 20_000_000_000;
        for body in &orders {
            let (connection, bytes) = (d.connection, message(3, body));
            let what = What::Wire { tap: Tap::Client, up: true, connection, bytes };
            d.see_at(d.at + 1, what);
        }
    })
}

#[test]
fn too_fast() {
    // Three a second and a burst of two; on the wire those that waited may come together.
    assert_eq!(at_once(10), []);
    assert_eq!(at_once(11), [Rule::TooFast]);
    let intents = |count: u64| {
        doctored(move |d| {
            for n in 0..count {
                let what = What::Record { kind: kinds::ORDER, payload: new(id(10 + n), 0, 1, 0) };
                d.see_at(d.at + 1, what);
            }
        })
    };
    assert_eq!(intents(5), []);
    assert_eq!(intents(6), [Rule::TooFast]);
}

#[test]
fn parents_and_children() {
    let children = |last| {
        doctored(move |d| {
            d.parent(2, [0, 0, 150, 0], 150);
            for (n, qty) in [(2, 100), (3, last)] {
                let mut body = new(id(n), 0, qty, 0);
                body[24] = 2;
                d.intend(&body);
                d.send(&body);
            }
        })
    };
    assert_eq!((children(50), children(51)), (vec![], vec![Rule::ParentOverrun]));
    assert_eq!(doctored(|d| d.parent(1, [1, 2, 3, 4], 11)), [Rule::ParentBalance]);
    assert_eq!(doctored(|d| d.parent(1, [-1, 2, 3, 4], 8)), [Rule::ParentBalance]);
}

#[test]
fn what_ended_comes_back_to_the_parent_once() {
    let again = |more| {
        doctored(move |d| {
            d.parent(2, [0, 0, 100, 0], 100);
            let child = |n: u64, qty| {
                let mut body = new(id(n), 0, qty, 0);
                body[24] = 2;
                body
            };
            d.intend(&child(2, 100));
            d.send(&child(2, 100));
            d.hear(report(id(2), 2, 30, 70, 950));
            d.hear(report(id(2), 3, 70, 0, 0));
            d.hear(report(id(2), 3, 70, 0, 0));
            d.closing.executions.push(BookedExecution { exec_id: 950 });
            d.intend(&child(3, more));
            d.send(&child(3, more));
        })
    };
    assert_eq!((again(70), again(71)), (vec![], vec![Rule::ParentOverrun]));
}

#[test]
fn new_after_kill() {
    assert_eq!(
        doctored(|d| {
            d.control(0, 0);
            d.trade(2, 0, 1);
        }),
        [Rule::NewAfterKill]
    );
    let restarted = |cleared| {
        doctored(move |d| {
            d.control(0, 0);
            d.boot(EPOCH + 1);
            if cleared {
                d.see(What::KillCleared);
            }
            let body = new((EPOCH + 1) << 36 | 1, 0, 1, 0);
            d.intend(&body);
            d.send(&body);
        })
    };
    assert_eq!(restarted(false), [Rule::NewAfterKill], "the latch survives restarts");
    assert_eq!(restarted(true), []);
}

#[test]
fn not_swept() {
    let killed = |cancels: bool| {
        doctored(move |d| {
            d.record(6, vec![1, 0, 0, 0, 0, 0, 0, 0]);
            d.trade(2, 0, 5);
            d.hear(report(id(2), 0, 0, 5, 0));
            d.control(0, 0);
            if cancels {
                let mut body = [0; 16];
                put(&mut body, 0, &id(2).to_le_bytes());
                let (connection, bytes) = (d.connection, message(4, &body));
                let what = What::Wire { tap: Tap::Client, up: true, connection, bytes };
                d.see_at(d.at + 1, what);
            }
            d.parent(1, [0, 0, 5_000, 0], 5_000);
        })
    };
    assert_eq!(killed(true), []);
    assert_eq!(killed(false), [Rule::NotSwept]);
}

#[test]
fn new_while_blocked() {
    assert_eq!(
        doctored(|d| {
            d.control(2, 5);
            d.trade(2, 0, 1);
        }),
        [Rule::NewWhileBlocked]
    );
    let off = 50_000_001;
    for (kind, ns, found) in [(1, 0, true), (0, off, true), (0, -off, true), (0, off - 1, false)] {
        let rules = doctored(|d| {
            d.clock(kind, ns);
            d.trade(2, 0, 1);
            d.clock(0, 0);
        });
        assert_eq!(rules.contains(&Rule::NewWhileBlocked), found, "{kind} {ns}");
    }
    assert_eq!(
        doctored(|d| {
            d.control(2, 5);
            d.control(3, 5);
            d.trade(2, 0, 1);
        }),
        []
    );
}

#[test]
fn new_unreconciled() {
    assert_eq!(
        doctored(|d| {
            d.connect(EPOCH);
            d.trade(2, 0, 1);
        }),
        [Rule::NewUnreconciled]
    );
    let incomplete = doctored(|d| {
        d.connect(EPOCH);
        d.item(0, 0, 0, 0, 0);
        d.item(4, 0, 0, 3, 0);
        d.trade(2, 0, 1);
    });
    assert_eq!(incomplete, [Rule::NewUnreconciled], "an answer with a hole proves nothing");
}

#[test]
fn gates_disagree() {
    let refused = |reason: i64| {
        doctored(move |d| {
            let mut body = vec![0; 32];
            put(&mut body, 16, &reason.to_le_bytes());
            body[26] = 21;
            d.record(kinds::ALARM, body);
        })
    };
    assert_eq!(refused(102), [Rule::GatesDisagree]);
    assert_eq!(refused(12), [], "a price that moved while the order waited");
}

#[test]
fn journal_refused() {
    let found = doctored(|d| d.auditor.accuse(1, Rule::JournalRefused, String::new()));
    assert_eq!(found, [Rule::JournalRefused]);
}

#[test]
fn convergence() {
    assert_eq!(doctored(|d| d.closing.kernel_unknown = 1), [Rule::NotConverged]);
    assert_eq!(doctored(|d| d.closing.kernel_blocks = 4), [Rule::NotConverged]);
    let halted = doctored(|d| {
        d.closing.kernel_blocks = 4;
        d.closing.kernel_halted = true;
    });
    assert_eq!(halted, [], "a halt with a reason is an end too");
    let working = |d: &mut Day| d.closing.orders[0].working = true;
    assert_eq!(doctored(working), [Rule::LeftWorking]);
}

#[test]
fn every_rule_has_a_day_that_breaks_it() {
    let source = include_str!("tests.rs");
    for rule in Rule::ALL {
        assert!(source.contains(&format!("Rule::{rule:?}]")), "{rule:?} never fires here");
    }
}
