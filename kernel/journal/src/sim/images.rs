//! Damage to a journal at every byte boundary, and every single bit.

use super::disk::SECTOR_BYTES;
use super::lab::Lab;
use super::oracle::{due, examine};
use super::rng::SimRng;
use super::specimen::{Image, Specimen};

/// What is done to a segment from a byte boundary on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    Truncate,
    Zero,
    Garbage,
    /// The bytes of the same place in a journal of an earlier epoch.
    StaleEpoch,
    /// The bytes of the same place in another segment of the same journal.
    StaleSegment,
    /// Zeros, or garbage, to the end of the sector.
    TornSector,
    /// One bit at the boundary's byte, each in turn.
    Bit(u8),
}

const DAMAGES: [(Damage, &str); 14] = [
    (Damage::Truncate, "truncated"),
    (Damage::Zero, "zeroed"),
    (Damage::Garbage, "garbage"),
    (Damage::StaleEpoch, "stale epoch"),
    (Damage::StaleSegment, "stale segment"),
    (Damage::TornSector, "torn sector"),
    (Damage::Bit(0), "bit flipped"),
    (Damage::Bit(1), "bit flipped"),
    (Damage::Bit(2), "bit flipped"),
    (Damage::Bit(3), "bit flipped"),
    (Damage::Bit(4), "bit flipped"),
    (Damage::Bit(5), "bit flipped"),
    (Damage::Bit(6), "bit flipped"),
    (Damage::Bit(7), "bit flipped"),
];

/// Journals drawn to find one that the budget is enough for.
const DRAWS: u64 = 8;

/// Damages one specimen in every way there is, or, if that is more than `budget` images, in an
/// even share of the ways.
pub(crate) fn run(lab: &mut Lab, seed: u64, sealed: bool, budget: u64) {
    let mut rng = SimRng::new(seed);
    let (mut shape, content) = (rng.bits(), rng.bits());
    let mut specimen = Specimen::new(shape, content, 2, sealed);
    let total = |specimen: &Specimen| (specimen.bytes() * DAMAGES.len()) as u64;
    for _ in 0..DRAWS {
        if total(&specimen) > budget {
            shape = rng.bits();
            specimen = Specimen::new(shape, content, 2, sealed);
        }
    }
    let stale = Specimen::new(shape, rng.bits(), 1, false);
    let sibling = Specimen::new(shape, rng.bits(), 2, false);
    splices(lab, seed, &specimen, &sibling);
    let stride = total(&specimen).div_ceil(budget.max(1)).max(1);
    lab.specimen(stride == 1);
    let mut skip = rng.below(stride);
    let mut image = Vec::new();
    for segment in 0..specimen.segments.len() {
        for at in 0..specimen.segments[segment].len() {
            for (damage, name) in DAMAGES {
                if skip > 0 {
                    skip -= 1;
                    continue;
                }
                skip = rng.below(2 * stride - 1);
                // The whole first segment of another journal is that journal.
                if damage == Damage::StaleEpoch && segment == 0 && at < 12 {
                    continue;
                }
                image.clone_from(&specimen.segments[segment]);
                apply(damage, &mut image, at, segment, &specimen, &stale, &mut rng);
                let place = || format!("specimen {seed}, {damage:?} at {at} of segment {segment}");
                check(lab, &specimen, segment, &image, false, name, place);
            }
        }
    }
}

fn apply(
    damage: Damage,
    image: &mut Vec<u8>,
    at: usize,
    segment: usize,
    specimen: &Specimen,
    stale: &Specimen,
    rng: &mut SimRng,
) {
    let from = |other: &[u8], image: &mut [u8]| {
        let end = image.len().min(other.len());
        if at < end {
            image[at..end].copy_from_slice(&other[at..end]);
        }
    };
    match damage {
        Damage::Truncate => image.truncate(at),
        Damage::Zero => image[at..].fill(0),
        Damage::Garbage => rng.fill(&mut image[at..]),
        Damage::StaleEpoch => from(&stale.segments[segment.min(stale.segments.len() - 1)], image),
        Damage::StaleSegment => {
            from(&specimen.segments[(segment + 1) % specimen.segments.len()], image);
        }
        Damage::TornSector => {
            let end = (at / SECTOR_BYTES + 1) * SECTOR_BYTES;
            let end = end.min(image.len());
            match rng.chance(50) {
                true => image[at..end].fill(0),
                false => rng.fill(&mut image[at..end]),
            }
        }
        Damage::Bit(bit) => image[at] ^= 1 << bit,
    }
}

/// Puts groups of a journal that differs in nothing but its records' content in the place of this
/// one's: only the chain tells.
fn splices(lab: &mut Lab, seed: u64, specimen: &Specimen, sibling: &Specimen) {
    for (g, group) in specimen.groups.iter().enumerate().skip(1) {
        let Some(other) = sibling.segments.get(group.segment) else { continue };
        for end in [group.end, specimen.segments[group.segment].len()] {
            let mut image = specimen.segments[group.segment].clone();
            let end = end.min(other.len()).min(image.len());
            if group.start >= end {
                continue;
            }
            image[group.start..end].copy_from_slice(&other[group.start..end]);
            let place = || format!("specimen {seed}, group {g} of another journal, to {end}");
            check(lab, specimen, group.segment, &image, true, "spliced", place);
        }
    }
}

fn check(
    lab: &mut Lab,
    specimen: &Specimen,
    segment: usize,
    bytes: &[u8],
    foreign: bool,
    name: &'static str,
    place: impl Fn() -> String,
) {
    let image = Image { segments: &specimen.segments, replaced: segment, bytes };
    // An image without damage is none.
    let Some(due) = due(specimen, &image, foreign) else { return };
    lab.image(name);
    if let Err(what) = examine(specimen, image, due) {
        lab.fail(place(), what);
    }
}
