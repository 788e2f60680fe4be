//! A sound day by hand, and one planted fault for each thing the judge looks for.

use super::{Evidence, judge};
use crate::kill9::Report;
use crate::kill9::journal::{Journal, Record, kind};
use serde_json::json;

const LEDGER: &str = "\
hello 3 1
snapshot 3 2
new 206158430209 1000 SYN0 buy 10 5000 0
exec 1 206158430209 4 5000 20
end 206158430209 canceled 6
hello 4 3
snapshot 4 4
new 274877906945 1001 SYN0 sell 7 5100 0
exec 2 274877906945 7 5100 35
";

fn record(kind: u8, length: usize, fields: &[(usize, &[u8])]) -> Record {
    let mut payload = vec![0; length];
    for (at, bytes) in fields {
        payload[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    Record { kind, payload }
}

fn order(id: u64, qty: i64, px: i64, sell: u8) -> Record {
    let (id, qty, px) = (id.to_le_bytes(), qty.to_le_bytes(), px.to_le_bytes());
    record(kind::ORDER, 40, &[(0, &id), (8, &qty), (16, &px), (30, &[sell]), (31, &[1])])
}

fn fill(exec_id: u64, id: u64, qty: i64, px: i64) -> Record {
    let (exec_id, id) = (exec_id.to_le_bytes(), id.to_le_bytes());
    let (qty, px) = (qty.to_le_bytes(), px.to_le_bytes());
    record(kind::REPORT, 72, &[(24, &exec_id), (8, &id), (40, &qty), (32, &px), (68, &[2])])
}

fn listed(exec_id: u64, id: u64, qty: i64, px: i64) -> Record {
    let (exec_id, id) = (exec_id.to_le_bytes(), id.to_le_bytes());
    let (qty, px) = (qty.to_le_bytes(), px.to_le_bytes());
    record(kind::SNAPSHOT, 88, &[(24, &exec_id), (8, &id), (48, &qty), (40, &px), (82, &[1])])
}

fn parent(line: u32, status: u8) -> Record {
    record(kind::PARENT_STATE, 112, &[(96, &line.to_le_bytes()), (108, &[status])])
}

fn alarm(code: u8) -> Record {
    record(kind::ALARM, 32, &[(26, &[code])])
}

fn fate(id: u64, fate: u8) -> Record {
    record(kind::FATE, 24, &[(0, &id.to_le_bytes()), (18, &[fate])])
}

fn kill() -> Record {
    record(kind::CONTROL, 8, &[])
}

fn journal(epoch: u64, records: Vec<Record>) -> Journal {
    let instruments = json!([{ "symbol": "SYN0" }, { "symbol": "SYN1" }]);
    Journal {
        header: json!({ "epoch": epoch, "parents_id": 9, "instruments": instruments }),
        records,
    }
}

fn sound() -> Evidence {
    Evidence {
        ledger: LEDGER.to_string(),
        journals: vec![
            journal(
                3,
                vec![
                    parent(2, 0),
                    order(3 << 36 | 1, 10, 5_000, 0),
                    alarm(11),
                    fate(3 << 36 | 1, 0),
                    order(3 << 36 | 2, 10, 5_000, 0),
                    fate(3 << 36 | 2, 2),
                ],
            ),
            journal(
                4,
                vec![
                    listed(1, 3 << 36 | 1, 4, 5_000),
                    parent(3, 0),
                    order(4 << 36 | 1, 7, 5_100, 1),
                    fill(2, 4 << 36 | 1, 7, 5_100),
                    parent(2, 3),
                    kill(),
                ],
            ),
        ],
        summary: json!({ "unknown_orders": 0, "positions": { "SYN0": -3 } }),
    }
}

#[test]
fn a_sound_day_passes_and_is_counted() {
    let mut report = Report::default();
    judge(&sound(), &mut report).unwrap();
    assert_eq!((report.orders, report.executions, report.intents), (2, 2, 3));
    assert_eq!((report.unknown, report.never_sent), (1, 1));
    assert_eq!(report.alarms.get(&11), Some(&1));
}

#[test]
fn every_fault_is_found() {
    type Plant = fn(&mut Evidence);
    let faults: [(&str, Plant); 18] = [
        ("refused order 206158430209", |e| e.ledger.push_str("refuse 206158430209 103\n")),
        ("boot epochs fell", |e| e.ledger.push_str("hello 2 9\n")),
        ("do not rise", |e| e.journals[1].header["epoch"] = json!(3)),
        ("an id twice", |e| e.journals[1].records.push(order(4 << 36 | 1, 7, 5_100, 1))),
        ("not its own", |e| e.journals[1].records.push(order(3 << 36 | 3, 7, 5_100, 1))),
        ("the broker has order 274877906945", |e| {
            e.journals[1].records.retain(|r| r.kind != kind::ORDER);
        }),
        ("the broker has order 206158430209", |e| {
            e.journals[0].records[1] = order(3 << 36 | 1, 11, 5_000, 0);
        }),
        ("lost Some((1", |e| e.journals[1].records.retain(|r| r.kind != kind::SNAPSHOT)),
        ("invented Some((3", |e| e.journals[1].records.push(fill(3, 4 << 36 | 1, 7, 5_100))),
        ("told in two ways", |e| e.journals[0].records.push(fill(1, 3 << 36 | 1, 5, 5_000))),
        ("declared never sent", |e| e.journals[1].records.push(fate(3 << 36 | 1, 2))),
        ("after the kill", |e| e.journals[1].records.insert(0, kill())),
        ("started by two runs", |e| e.journals[1].records.push(parent(2, 0))),
        ("a position mismatch", |e| e.journals[0].records.push(alarm(15))),
        ("still works", |e| e.ledger.push_str("new 274877906946 1002 SYN0 buy 1 1 0\n")),
        ("unknown orders", |e| e.summary["unknown_orders"] = json!(1)),
        ("positions", |e| e.summary["positions"]["SYN0"] = json!(-10)),
        ("ledger line 10", |e| e.ledger.push_str("new 206158430209 9 SYN0 buy 1 1 0\n")),
    ];
    for (text, plant) in faults {
        let mut evidence = sound();
        plant(&mut evidence);
        if text == "still works" {
            evidence.journals[1].records.insert(0, order(4 << 36 | 2, 1, 1, 0));
        }
        let finding = judge(&evidence, &mut Report::default()).unwrap_err();
        assert!(finding.contains(text), "{text}: {finding}");
    }
}
