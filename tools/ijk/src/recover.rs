//! What the last run on an account left: read from its journal before anything is sent.

use crate::exit::{self, Exit};
use crate::header::Header;
use crate::run_dir::{KILL_LATCH, RUNS, RunDir};
use crate::state_dir::StateDir;
use ijk_core::record::{ParentCommand, RecordKind};
use ijk_core::{CarryItem, CarryKind, Instrument, InstrumentId, Qty, RecvTs};
use ijk_engine::decision::recovery::{Recovery, Trace, nothing_to_carry};
use ijk_journal::{Frame, JournalError, Reader, RecoveryMode};
use std::path::Path;

/// Returns what the new run has to take over from the one that `state` points at.
///
/// # Errors
/// Exit code 78 for a damaged journal, a run that was killed (the latch is set again), or
/// positions and orders in instruments that the new run does not have.
pub fn recover(state: &mut StateDir, instruments: &[Instrument]) -> Result<Vec<CarryItem>, Exit> {
    let Some(run) = state.run().map(Path::to_path_buf) else {
        return Ok(nothing_to_carry());
    };
    let (header, recovery) = read(&run)?;
    if recovery.was_killed() && state.latch(header.epoch)? {
        std::fs::create_dir_all(RUNS)
            .and_then(|()| std::fs::write(KILL_LATCH, b"the last run was killed\n"))
            .map_err(|e| Exit::output(Path::new(KILL_LATCH), e))?;
        return Err(Exit::new(
            exit::UNSAFE,
            format!("{}: the run was killed; 'ijk kill --clear' re-arms", run.display()),
        ));
    }
    move_all(recovery, &header, instruments)
}

/// As [`recover`], for a run that only cancels: a kill does not stop it.
///
/// # Errors
/// As [`recover`].
pub fn left_by_last_run(
    state: &StateDir,
    instruments: &[Instrument],
) -> Result<Vec<CarryItem>, Exit> {
    let Some(run) = state.run() else { return Ok(nothing_to_carry()) };
    let (header, recovery) = read(run)?;
    move_all(recovery, &header, instruments)
}

/// Reads the header of a run.
///
/// # Errors
/// Exit code 78 for a journal that cannot be read.
pub fn header(run: &Path) -> Result<Header, Exit> {
    let dir = RunDir::open(run).map_err(|e| Exit::new(exit::UNSAFE, e.message))?;
    Header::read(&mut open(run, &dir)?)
}

fn open(run: &Path, dir: &RunDir) -> Result<Reader, Exit> {
    Reader::open(&dir.journal(), RecoveryMode::TornTail).map_err(|e| unsafe_to_start(run, &e))
}

fn unsafe_to_start(run: &Path, error: &JournalError) -> Exit {
    Exit::new(exit::UNSAFE, format!("{}: {error}; what was sent is not known", run.display()))
}

fn read(run: &Path) -> Result<(Header, Recovery), Exit> {
    let dir = RunDir::open(run).map_err(|e| Exit::new(exit::UNSAFE, e.message))?;
    let mut reader = open(run, &dir)?;
    let header = Header::read(&mut reader)?;
    let mut recovery = Recovery::new(&header.config, &header.instruments, header.parents_id)
        .map_err(|e| Exit::new(exit::UNSAFE, e))?;
    while let Some(frame) = reader.next().map_err(|e| unsafe_to_start(run, &e))? {
        feed(&mut recovery, &frame).map_err(|e| unsafe_to_start(run, &e))?;
    }
    Ok((header, recovery))
}

fn move_all(
    recovery: Recovery,
    header: &Header,
    instruments: &[Instrument],
) -> Result<Vec<CarryItem>, Exit> {
    let mut items = Vec::new();
    for item in recovery.finish() {
        items.extend(moved(item, &header.instruments, instruments)?);
    }
    Ok(items)
}

fn feed(recovery: &mut Recovery, frame: &Frame<'_>) -> Result<(), JournalError> {
    let now = RecvTs(frame.ts);
    match frame.kind {
        RecordKind::Order => recovery.on_trace(now, &Trace::Order(&frame.read()?)),
        RecordKind::Cancel => recovery.on_trace(now, &Trace::Cancel(&frame.read()?)),
        RecordKind::Report => recovery.on_trace(now, &Trace::Report(&frame.read()?)),
        RecordKind::Link => recovery.on_trace(now, &Trace::Link(&frame.read()?)),
        RecordKind::Snapshot => recovery.on_trace(now, &Trace::Snapshot(&frame.read()?)),
        RecordKind::Request => recovery.on_trace(now, &Trace::Request(&frame.read()?)),
        RecordKind::Carry => recovery.on_trace(now, &Trace::Carry(&frame.read()?)),
        RecordKind::Parent => recovery.on_trace(now, &Trace::Parent(&frame.read()?)),
        RecordKind::ParentState => recovery.on_trace(now, &Trace::ParentState(&frame.read()?)),
        RecordKind::Control => recovery.on_trace(now, &Trace::Control(&frame.read()?)),
        RecordKind::Alarm => recovery.on_trace(now, &Trace::Alarm(&frame.read()?)),
        _ => {}
    }
    Ok(())
}

/// Moves an item to the new run's instrument table.
fn moved(
    mut item: CarryItem,
    old: &[Instrument],
    new: &[Instrument],
) -> Result<Option<CarryItem>, Exit> {
    if matches!(item.kind, CarryKind::Done | CarryKind::Parent) {
        return Ok(Some(item));
    }
    let Some(instrument) = old.get(item.instrument.index()) else { return Ok(None) };
    let at = new.iter().position(|i| i.symbol == instrument.symbol);
    if let Some(at) = at.filter(|&at| new[at].qty_unit_e9 == instrument.qty_unit_e9) {
        item.instrument = InstrumentId(at as u16);
        return Ok(Some(item));
    }
    match item.kind {
        CarryKind::Account if item.qty == Qty::ZERO => Ok(None),
        CarryKind::Execution => Ok(None),
        _ => Err(Exit::new(
            exit::UNSAFE,
            format!(
                "the last run left a position or an order in {}, which no feed of this run has: \
                 add its feed",
                instrument.symbol
            ),
        )),
    }
}

/// Takes out the parents that an earlier run started: they are not started twice. Returns how
/// many there were.
pub fn skip_started(parents: &mut Vec<ParentCommand>, carry: &[CarryItem], file_id: u64) -> usize {
    let before = parents.len();
    parents.retain(|p| {
        let line = u64::from(p.source_line);
        let started = |c: &&CarryItem| {
            c.kind == CarryKind::Parent && c.exec_id.0 == file_id && c.client_order_id.0 == line
        };
        match carry.iter().find(started) {
            Some(c) => {
                tracing::warn!(
                    line,
                    "parent of line {line} was started before the restart and is not \
                     started again ({} of {} filled by then)",
                    c.filled.0,
                    c.qty.0
                );
                false
            }
            None => true,
        }
    });
    before - parents.len()
}
