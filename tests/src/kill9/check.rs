//! What must hold between the broker's ledger and the journals of all runs.

#[cfg(test)]
mod tests;

use super::Report;
use super::broker::book::{Book, Execution, Status};
use super::broker::ledger::{History, replay};
use super::journal::{Journal, kind};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Alarms that an honest broker never gives cause for, by code.
const NEVER: [(u8, &str); 3] =
    [(13, "an order of unknown origin"), (14, "foreign activity"), (15, "a position mismatch")];

/// Everything one session left.
pub struct Evidence {
    /// The broker's ledger.
    pub ledger: String,
    /// Each run's journal, in order of start.
    pub journals: Vec<Journal>,
    /// The last run's summary.
    pub summary: Value,
}

type Finding = Result<(), String>;

/// Judges a session and adds its numbers to the report.
///
/// # Errors
/// The first thing that must not be.
pub fn judge(e: &Evidence, report: &mut Report) -> Finding {
    let mut book = Book::default();
    let history = replay(&e.ledger, &mut book)?;
    ids_are_new(e, &history)?;
    intents_were_written(e, &book)?;
    executions_are_the_brokers(e, &book)?;
    never_sent_is_true(e, &book)?;
    kills_hold(e)?;
    parents_start_once(e)?;
    nothing_alarming(e, report)?;
    ends_agree(e, &book)?;
    report.orders += book.orders.len() as u64;
    report.executions += book.executions.len() as u64;
    for j in &e.journals {
        report.intents += j.of(kind::ORDER).count() as u64;
        report.unknown += j.of(kind::FATE).filter(|r| r.payload[18] == 0).count() as u64;
        report.never_sent += j.of(kind::FATE).filter(|r| r.payload[18] == 2).count() as u64;
    }
    Ok(())
}

fn ids_are_new(e: &Evidence, history: &History) -> Finding {
    if let Some((id, reason)) = history.refused.first() {
        return Err(format!("the broker refused order {id} with reason {reason}"));
    }
    if !history.epochs.is_sorted() {
        return Err(format!("boot epochs fell: {:?}", history.epochs));
    }
    let epochs: Vec<u64> = e.journals.iter().map(Journal::epoch).collect();
    if !epochs.is_sorted_by(|a, b| a < b) {
        return Err(format!("boot epochs do not rise from run to run: {epochs:?}"));
    }
    let mut seen = BTreeSet::new();
    for j in &e.journals {
        for r in j.of(kind::ORDER) {
            let id = r.u64(0);
            if id >> 36 != j.epoch() || !seen.insert(id) {
                return Err(format!(
                    "order {id} in epoch {}: an id twice or not its own",
                    j.epoch()
                ));
            }
        }
    }
    Ok(())
}

/// What the broker accepted must stand in a journal, as it was accepted.
fn intents_were_written(e: &Evidence, book: &Book) -> Finding {
    let mut intents = BTreeMap::new();
    for j in &e.journals {
        for r in j.of(kind::ORDER) {
            let terms = (j.symbol(r.u16(28)), r.payload[30] == 0, r.i64(8), r.i64(16));
            intents.insert(r.u64(0), terms);
        }
    }
    for o in &book.orders {
        let terms = (o.symbol.as_str(), o.buy, o.qty, o.px);
        match intents.get(&o.id) {
            Some(t) if *t == terms => {}
            other => {
                return Err(format!("the broker has order {} {terms:?}, journals {other:?}", o.id));
            }
        }
    }
    Ok(())
}

/// Every execution is known, and none was made up.
fn executions_are_the_brokers(e: &Evidence, book: &Book) -> Finding {
    let mut told = BTreeMap::new();
    for j in &e.journals {
        let reports = j.of(kind::REPORT).filter(|r| r.payload[68] == 2);
        let fills = reports.map(|r| (r.u64(24), r.u64(8), r.i64(40), r.i64(32)));
        let items = j.of(kind::SNAPSHOT).filter(|r| r.payload[82] == 1);
        let listed = items.map(|r| (r.u64(24), r.u64(8), r.i64(48), r.i64(40)));
        for (exec_id, id, qty, px) in fills.chain(listed) {
            if *told.entry(exec_id).or_insert((id, qty, px)) != (id, qty, px) {
                return Err(format!("execution {exec_id} was told in two ways"));
            }
        }
    }
    let key = |x: &Execution| (x.exec_id, (x.id, x.qty, x.px));
    let true_ones: BTreeMap<_, _> = book.executions.iter().map(key).collect();
    if true_ones != told {
        let lost = true_ones.iter().find(|x| told.get(x.0) != Some(x.1));
        let invented = told.iter().find(|x| true_ones.get(x.0) != Some(x.1));
        return Err(format!("executions: lost {lost:?}, invented {invented:?}"));
    }
    Ok(())
}

/// What a run declared never to have arrived, the broker never had.
fn never_sent_is_true(e: &Evidence, book: &Book) -> Finding {
    for j in &e.journals {
        let mut never_sent = j.of(kind::FATE).filter(|r| r.payload[18] == 2);
        if let Some(r) = never_sent.find(|r| book.order(r.u64(0)).is_some()) {
            return Err(format!("order {} was declared never sent, the broker has it", r.u64(0)));
        }
    }
    Ok(())
}

/// After a kill no order passes.
fn kills_hold(e: &Evidence) -> Finding {
    for j in &e.journals {
        let killed = j.records.iter().position(|r| r.kind == kind::CONTROL && r.payload[0] == 0);
        let Some(at) = killed else { continue };
        if let Some(r) = j.records[at..].iter().find(|r| r.kind == kind::ORDER) {
            return Err(format!("order {} after the kill", r.u64(0)));
        }
    }
    Ok(())
}

/// A parent of a file is worked by one run only.
fn parents_start_once(e: &Evidence) -> Finding {
    let mut owners = BTreeMap::new();
    for j in &e.journals {
        let file = j.header["parents_id"].as_u64().unwrap_or(0);
        for r in j.of(kind::PARENT_STATE).filter(|r| r.payload[108] != 3) {
            let line = r.u64(96) as u32;
            if *owners.entry((file, line)).or_insert(j.epoch()) != j.epoch() {
                return Err(format!("the parent of line {line} was started by two runs"));
            }
        }
    }
    Ok(())
}

fn nothing_alarming(e: &Evidence, report: &mut Report) -> Finding {
    for j in &e.journals {
        for r in j.of(kind::ALARM) {
            let code = r.payload[26];
            *report.alarms.entry(code).or_insert(0) += 1;
            if let Some((_, what)) = NEVER.iter().find(|n| n.0 == code) {
                return Err(format!("epoch {}: {what}, order {}", j.epoch(), r.u64(8)));
            }
        }
    }
    Ok(())
}

/// The last run ended in order: nothing works, nothing is unknown, positions are the broker's.
fn ends_agree(e: &Evidence, book: &Book) -> Finding {
    if let Some(o) = book.orders.iter().find(|o| o.status == Status::Working) {
        return Err(format!("order {} still works at the broker", o.id));
    }
    if e.summary["unknown_orders"] != 0 {
        return Err(format!("unknown orders at the end: {}", e.summary["unknown_orders"]));
    }
    let held = book.positions().into_iter().filter(|p| p.1 != 0);
    let held: BTreeMap<String, i64> = held.collect();
    let ours: BTreeMap<String, i64> = e.summary["positions"]
        .as_object()
        .map(|m| m.iter().map(|(k, v)| (k.clone(), v.as_i64().unwrap_or(0))).collect())
        .unwrap_or_default();
    if held != ours {
        return Err(format!("positions: the broker's {held:?}, the kernel's {ours:?}"));
    }
    Ok(())
}
