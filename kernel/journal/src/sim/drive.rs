//! Drives the real writer over a simulated disk and remembers the truth.

use super::disk::FaultyDisk;
use super::rng::SimRng;
use crate::error::JournalError;
use crate::options::{Durability, WriterOptions};
use crate::recover::{Recovered, recover};
use crate::writer::Writer;
use ijk_core::record::RecordKind;

const KINDS: [RecordKind; 4] =
    [RecordKind::Market, RecordKind::Order, RecordKind::Timer, RecordKind::Report];

/// Small segments: three blocks of groups each.
pub(crate) const OPTIONS: WriterOptions = WriterOptions {
    durability: Durability::Strict,
    segment_bytes: 4 * 4096,
    group_bytes: 2 * 4096,
    epoch: 1,
};

/// One record as it was given to the writer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub ts: u64,
    pub kind: RecordKind,
    pub payload: Vec<u8>,
}

impl Given {
    /// Draws a record; its length comes from `shape`, its content from `rng`.
    pub fn draw(shape: &mut SimRng, rng: &mut SimRng) -> Given {
        let len = match shape.below(12) {
            0 => 0,
            1 => shape.below(500),
            _ => shape.below(90),
        };
        let mut payload = vec![0; len as usize];
        rng.fill(&mut payload);
        Given { ts: rng.bits(), kind: KINDS[shape.below(4) as usize], payload }
    }
}

/// What was given, and how much of it was acknowledged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Truth {
    pub given: Vec<Given>,
    pub acknowledged: u64,
}

/// How a writer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// All records were given; the journal was left open.
    Open,
    /// All records were given; the journal was completed.
    Finished,
    /// An error; the writer kept quiet from then on, as it must.
    Died,
    /// An error, after which the writer did something all the same.
    Undead,
}

/// Gives `count` records to a writer that goes on after `recovered`. Stops at the first error.
pub(crate) fn write(
    disk: &mut FaultyDisk,
    truth: &mut Truth,
    rng: &mut SimRng,
    count: u64,
    recovered: &Recovered,
) -> Ended {
    let options = WriterOptions { epoch: recovered.epoch + 1, ..OPTIONS };
    let mut shape = SimRng::new(rng.bits());
    let Ok(mut writer) = Writer::resume(&mut *disk, options, recovered) else {
        return Ended::Died;
    };
    let mut died = false;
    for _ in 0..count {
        truth.given.push(Given::draw(&mut shape, rng));
        let given = &truth.given[truth.given.len() - 1];
        died = writer.append(given.ts, given.kind, &given.payload).is_err()
            || (rng.chance(40) && writer.commit().is_err());
        truth.acknowledged = truth.acknowledged.max(writer.durable_seq());
        if died {
            break;
        }
    }
    if died {
        let ops = writer.storage().ops();
        let quiet =
            matches!(writer.append(0, RecordKind::Timer, &[]), Err(JournalError::AfterFailure))
                && matches!(writer.commit(), Err(JournalError::AfterFailure));
        let acknowledged = writer.durable_seq();
        let quiet = quiet && writer.storage().ops() == ops && acknowledged <= truth.acknowledged;
        return if quiet { Ended::Died } else { Ended::Undead };
    }
    if rng.chance(70) {
        return Ended::Open;
    }
    match writer.finish() {
        Ok(finished) => {
            truth.acknowledged = finished.records;
            Ended::Finished
        }
        Err(_) => Ended::Died,
    }
}

/// Recovers and compares with the truth, which afterwards is what was found.
///
/// # Errors
/// What is wrong.
pub(crate) fn recover_and_check(
    disk: &mut FaultyDisk,
    truth: &mut Truth,
) -> Result<Recovered, String> {
    let (mut found, mut changed) = (0, None);
    let recovered = recover(disk, |frame| {
        let same = truth.given.get(found).is_some_and(|given| {
            frame.seq == found as u64
                && frame.ts == given.ts
                && frame.kind == given.kind
                && frame.payload == given.payload
        });
        if !same {
            changed.get_or_insert(found);
        }
        found += 1;
        Ok(())
    });
    if let Some(at) = changed {
        return Err(format!("record {at} is not what was written"));
    }
    let recovered = recovered.map_err(|e| format!("recovery refused: {e}"))?;
    if (found as u64) < truth.acknowledged {
        return Err(format!("{found} records, but {} were acknowledged", truth.acknowledged));
    }
    if recovered.next_seq != found as u64 {
        return Err(format!("{found} records, but the next is {}", recovered.next_seq));
    }
    truth.given.truncate(found);
    truth.acknowledged = found as u64;
    Ok(recovered)
}
