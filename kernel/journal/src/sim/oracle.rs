//! What must be read from a damaged journal, told by comparing bytes with the sound one: no code
//! of the reader is used.

use super::specimen::{Image, Specimen};
use crate::error::JournalError;
use crate::reader::{Reader, RecoveryMode};

/// What the reader may make of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Exactly this many records, and no error.
    Prefix(usize),
    /// Exactly this many records, then the verdict "corrupt".
    Corrupt(usize),
    /// At most this many records, then either.
    AtMost(usize),
}

/// Returns what is due for an image that differs from the specimen in one segment; `None` for
/// one that does not differ. `foreign`: the damage is made of whole groups that may pass for
/// this journal's own.
pub(crate) fn due(specimen: &Specimen, image: &Image<'_>, foreign: bool) -> Option<Due> {
    let (n, bytes) = (image.replaced, image.bytes);
    let original = &specimen.segments[n][..];
    if bytes == original {
        return None;
    }
    let intact = |start: usize, end: usize| {
        bytes.get(start..end).is_some_and(|b| *b == original[start..end])
    };
    let header = intact(0, 4096);
    let first_bad =
        specimen.groups.iter().position(|g| g.segment == n && !(header && intact(g.start, g.end)));
    let all = specimen.given.len();
    let Some(first_bad) = first_bad else { return Some(slack(specimen, image, all)) };
    let before = specimen.groups[first_bad].before;
    if foreign {
        return Some(Due::AtMost(before));
    }
    // Behind a damaged header even a whole first group is one after the damage.
    let after = first_bad + usize::from(header);
    let follows = specimen.groups[after..]
        .iter()
        .any(|g| g.segment != n || intact(g.start, g.start + g.head));
    Some(if follows { Due::Corrupt(before) } else { Due::Prefix(before) })
}

/// All groups are whole: the damage is in the zeros behind them, in a header without groups, or
/// the file is shorter.
fn slack(specimen: &Specimen, image: &Image<'_>, all: usize) -> Due {
    let n = image.replaced;
    let end = specimen.groups.iter().filter(|g| g.segment == n).map(|g| g.end).max();
    let later = specimen.groups.iter().find(|g| g.segment > n);
    let Some(later) = later else { return Due::Prefix(all) };
    let rest = end.and_then(|end| image.bytes.get(end..)).unwrap_or_default();
    match rest.iter().all(|&b| b == 0) {
        true => Due::Prefix(all),
        false => Due::Corrupt(later.before),
    }
}

/// Reads the image and compares.
///
/// # Errors
/// What is wrong.
pub(crate) fn examine(specimen: &Specimen, image: Image<'_>, due: Due) -> Result<(), String> {
    let mut found = 0;
    let mut changed = None;
    let end = read(specimen, image, &mut found, &mut changed);
    if let Some(at) = changed {
        return Err(format!("record {at} is not what was written"));
    }
    let right = match (due, &end) {
        (Due::Prefix(n), Ok(())) => found == n,
        (Due::Corrupt(n), Err(JournalError::Corrupt { seq, .. })) => found == n && *seq == n as u64,
        (Due::AtMost(n), Ok(()) | Err(JournalError::Corrupt { .. })) => found <= n,
        _ => false,
    };
    match right {
        true => Ok(()),
        false => Err(format!("{due:?} was due, found {found} records and {end:?}")),
    }
}

fn read(
    specimen: &Specimen,
    image: Image<'_>,
    found: &mut usize,
    changed: &mut Option<usize>,
) -> Result<(), JournalError> {
    let mut reader = Reader::with_storage(image, RecoveryMode::TornTail)?;
    while let Some(frame) = reader.next()? {
        let same = specimen.given.get(*found).is_some_and(|given| {
            frame.seq == *found as u64
                && frame.ts == given.ts
                && frame.kind == given.kind
                && frame.payload == given.payload
        });
        if !same {
            changed.get_or_insert(*found);
        }
        *found += 1;
    }
    Ok(())
}
