//! A small sound journal with the places of its groups, to be damaged.

use super::disk::FaultyDisk;
use super::drive::Given;
use super::rng::SimRng;
use crate::frame::frame_bytes;
use crate::options::{Durability, WriterOptions};
use crate::storage::ReadStorage;
use crate::writer::Writer;
use std::io;

const OPTIONS: WriterOptions = WriterOptions {
    durability: Durability::Strict,
    segment_bytes: 6 * 4096,
    group_bytes: 2 * 4096,
    epoch: 2,
};
const RECORDS: u64 = 210;

/// One group as the writer placed it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub segment: usize,
    pub start: usize,
    pub end: usize,
    /// Records before it and up to its end.
    pub before: usize,
    pub upto: usize,
    /// Bytes of its head: what makes it known as a group.
    pub head: usize,
    /// Bytes before its padding.
    pub used: usize,
}

/// A sound journal.
pub(crate) struct Specimen {
    pub segments: Vec<Vec<u8>>,
    pub groups: Vec<Place>,
    pub given: Vec<Given>,
}

impl Specimen {
    /// Writes a journal of over 200 records. Lengths and commits come from `shape`, contents from
    /// `content`. A sealed one is complete; another stands as a running kernel has it.
    pub fn new(shape: u64, content: u64, epoch: u32, sealed: bool) -> Specimen {
        let fine = "Condition failed: a disk without faults.";
        let (mut shape, mut content) = (SimRng::new(shape), SimRng::new(content));
        let options = WriterOptions { epoch, ..OPTIONS };
        let mut disk = FaultyDisk::new(0);
        let mut writer = Writer::begin(&mut disk, options).expect(fine);
        let (mut groups, mut given) = (Vec::new(), Vec::new());
        let mut open: Option<Place> = None;
        for i in 0..RECORDS as usize {
            let record = Given::draw(&mut shape, &mut content);
            writer.append(record.ts, record.kind, &record.payload).expect(fine);
            // Where the group begins that the record went into; one that was full was written.
            let (segment, start) = writer.position();
            let (segment, start) = (segment as usize, start as usize);
            if let Some(full) = open.take_if(|g| (g.segment, g.start) != (segment, start)) {
                groups.push(full);
            }
            let new = Place { segment, start, end: start, before: i, upto: i, head: 64, used: 64 };
            let group = open.get_or_insert(new);
            group.used += frame_bytes(record.payload.len());
            group.end = start + group.used.next_multiple_of(4096);
            group.upto = i + 1;
            given.push(record);
            if shape.chance(3) || i + 1 == RECORDS as usize {
                writer.commit().expect(fine);
                groups.extend(open.take());
            }
        }
        if sealed {
            groups.push(seal(&groups[groups.len() - 1]));
            writer.finish().expect(fine);
        } else {
            drop(writer);
        }
        let numbers = disk.list().expect(fine);
        let shown = numbers.iter().map(|&s| disk.shown(s).unwrap_or_default().to_vec());
        Specimen { segments: shown.collect(), groups, given }
    }

    /// Returns the bytes in all segments.
    pub fn bytes(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }
}

/// Returns where the seal goes after the last group.
fn seal(last: &Place) -> Place {
    let room = OPTIONS.segment_bytes as usize - last.end;
    let (segment, start) = match room {
        0..4096 => (last.segment + 1, 4096),
        _ => (last.segment, last.end),
    };
    let (before, upto) = (last.upto, last.upto);
    Place { segment, start, end: start + 4096, before, upto, head: 96, used: 96 }
}

/// A specimen with one segment replaced.
pub(crate) struct Image<'a> {
    pub segments: &'a [Vec<u8>],
    pub replaced: usize,
    pub bytes: &'a [u8],
}

impl Image<'_> {
    fn segment(&self, n: u32) -> &[u8] {
        if n as usize == self.replaced { self.bytes } else { &self.segments[n as usize] }
    }
}

impl ReadStorage for Image<'_> {
    fn list(&mut self) -> io::Result<Vec<u32>> {
        Ok((0..self.segments.len() as u32).collect())
    }

    fn len(&mut self, segment: u32) -> io::Result<u64> {
        Ok(self.segment(segment).len() as u64)
    }

    fn read_at(&mut self, segment: u32, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let rest = self.segment(segment).get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specimens_have_groups_where_they_say() {
        for seed in 0..20 {
            let specimen = Specimen::new(seed, seed + 100, 2, seed % 2 == 0);
            assert_eq!(specimen.given.len(), RECORDS as usize);
            let mut upto = 0;
            for group in &specimen.groups {
                let bytes = &specimen.segments[group.segment][group.start..group.end];
                assert_eq!(bytes[36..40], *b"IJKR");
                assert_eq!(bytes[6], 0xf0, "the frame of a group");
                assert!(bytes[group.used..].iter().all(|&b| b == 0));
                assert_eq!(group.before, upto);
                upto = group.upto;
            }
            assert_eq!(upto, RECORDS as usize);
        }
    }
}
