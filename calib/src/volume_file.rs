//! The volume curve in files: the section of the profile, and a table with every session's own
//! shares.

use crate::table::Table;
use crate::volume::{EVENT_PART_COUNT, SessionVolume, VolumeCurve, bounds};
use serde::{Deserialize, Serialize};

/// The section of the profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeProfile {
    /// Feeds it was estimated from.
    pub feeds: Vec<String>,
    /// Bucket length, minutes.
    pub bucket_min: u32,
    /// Days.
    pub days: usize,
    /// Symbol-days.
    pub sessions: usize,
    /// Visible prints.
    pub prints: u64,
    /// Events outside trading hours, left out.
    pub events_outside_session: u64,
    /// Whether the spread between days, and so the intervals, are identified.
    pub identified: bool,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// Buckets from open to close.
    pub bucket: Vec<ProfileBucket>,
    /// Parts of equally many events, from open to close.
    pub event_part: Vec<ProfilePart>,
}

/// One part by the clock of events.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfilePart {
    /// Part of the session's events when it is over.
    pub upto: f64,
    /// When that is on average, seconds from the open.
    pub ended_s: f64,
    /// Share of the session's visible volume.
    pub share: f64,
    /// Lower end of the 95 % interval; absent where not identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_lower: Option<f64>,
    /// Upper end of the 95 % interval; absent where not identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_upper: Option<f64>,
}

/// One bucket of the profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileBucket {
    /// Start, seconds from the open.
    pub start_s: u64,
    /// End, seconds from the open.
    pub end_s: u64,
    /// Share of the session's visible volume.
    pub share: f64,
    /// Lower end of the 95 % interval; absent where not identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_lower: Option<f64>,
    /// Upper end of the 95 % interval; absent where not identified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share_upper: Option<f64>,
}

impl VolumeProfile {
    /// Returns the profile of a curve.
    pub fn new(
        curve: &VolumeCurve,
        feeds: Vec<String>,
        bucket_min: u32,
        events_outside_session: u64,
    ) -> VolumeProfile {
        let bucket: Vec<ProfileBucket> = curve
            .buckets
            .iter()
            .map(|b| ProfileBucket {
                start_s: b.start_s,
                end_s: b.end_s,
                share: b.share,
                share_lower: b.interval.map(|i| i.0),
                share_upper: b.interval.map(|i| i.1),
            })
            .collect();
        let part = |(k, p): (usize, &crate::volume::EventPart)| ProfilePart {
            upto: (k + 1) as f64 / EVENT_PART_COUNT as f64,
            ended_s: p.ended_s,
            share: p.share,
            share_lower: p.interval.map(|i| i.0),
            share_upper: p.interval.map(|i| i.1),
        };
        VolumeProfile {
            event_part: curve.event_parts.iter().enumerate().map(part).collect(),
            feeds,
            bucket_min,
            days: curve.days,
            sessions: curve.sessions,
            prints: curve.prints,
            events_outside_session,
            identified: bucket.iter().all(|b| b.share_lower.is_some()),
            notes: curve.notes.clone(),
            bucket,
        }
    }

    /// Returns the shares as the kernel's volume curve, or `None` where the buckets are not equal
    /// parts of the session or too many.
    pub fn curve(&self) -> Option<Vec<f64>> {
        let length = |b: &ProfileBucket| b.end_s - b.start_s;
        let first = length(self.bucket.first()?);
        let fits = self.bucket.len() <= ijk_execution::VOLUME_PART_COUNT_MAX;
        let equal = self.bucket.iter().all(|b| length(b) == first);
        (fits && equal).then(|| self.bucket.iter().map(|b| b.share).collect())
    }
}

/// Returns the table: the pooled curve first (`symbol` empty, `day` −1), then each session's own
/// shares; `clock` is `time` or `events`, `part` counts from 0, `end_s` is seconds from the open,
/// an interval that is not identified is NaN. `day` counts days since 1970 UTC.
pub fn table(curve: &VolumeCurve, sessions: &[SessionVolume]) -> Table {
    let mut rows: Vec<Row> = Vec::new();
    let none = (f64::NAN, f64::NAN);
    let row = |who: &Who, clock, part: usize, end_s, share, interval| Row {
        symbol: who.0.clone(),
        day: who.1,
        clock,
        part: part as i64,
        end_s,
        share,
        interval,
    };
    let pooled = (String::new(), -1);
    for (i, b) in curve.buckets.iter().enumerate() {
        let interval = b.interval.unwrap_or(none);
        rows.push(row(&pooled, "time", i, b.end_s as f64, b.share, interval));
    }
    for (i, p) in curve.event_parts.iter().enumerate() {
        let interval = p.interval.unwrap_or(none);
        rows.push(row(&pooled, "events", i, p.ended_s, p.share, interval));
    }
    let bucket_s = curve.buckets.first().map_or(1, |b| b.end_s - b.start_s);
    for session in sessions {
        let who = (session.symbol.clone(), session.day);
        let ends = bounds(session.session_s, bucket_s).into_iter().map(|b| b.1 as f64);
        for (i, (end_s, share)) in ends.zip(session.shares()).enumerate() {
            rows.push(row(&who, "time", i, end_s, share, none));
        }
        for (i, (share, end_s)) in session.clock.parts(EVENT_PART_COUNT).into_iter().enumerate() {
            rows.push(row(&who, "events", i, end_s as f64, share, none));
        }
    }
    Table::new()
        .texts("symbol", rows.iter().map(|r| r.symbol.clone()))
        .ints("day", rows.iter().map(|r| r.day))
        .texts("clock", rows.iter().map(|r| r.clock.to_string()))
        .ints("part", rows.iter().map(|r| r.part))
        .floats("end_s", rows.iter().map(|r| r.end_s))
        .floats("share", rows.iter().map(|r| r.share))
        .floats("share_lower", rows.iter().map(|r| r.interval.0))
        .floats("share_upper", rows.iter().map(|r| r.interval.1))
}

type Who = (String, i64);

struct Row {
    symbol: String,
    day: i64,
    clock: &'static str,
    part: i64,
    end_s: f64,
    share: f64,
    interval: (f64, f64),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event_clock::EventClock;
    use crate::volume;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use std::io::Write;

    fn session(day: i64) -> SessionVolume {
        let mut clock = EventClock::default();
        (0..40).for_each(|i| clock.event(i, (i % 2) as f64));
        SessionVolume {
            feed: "f".into(),
            symbol: "XYZ".into(),
            day,
            open_ns: 0,
            session_s: 100,
            clock,
            volume: vec![1.0, day as f64, 1.0],
            prints: vec![50, 51, 52],
            covered_s: (0, 99),
        }
    }

    #[test]
    fn section_and_table_read_back() {
        let sessions = [session(2), session(3), session(5)];
        let curve = volume::estimate(&sessions, 40, 1).unwrap();
        let profile = VolumeProfile::new(&curve, vec!["f".into()], 1, 4);
        let text = toml::to_string(&profile).unwrap();
        assert_eq!(toml::from_str::<VolumeProfile>(&text).unwrap(), profile);
        assert!(profile.identified && profile.event_part.len() == 20);
        // 100 s in parts of 40 leave a short one: no curve of equal parts.
        assert_eq!(profile.curve(), None);
        let equal = VolumeProfile { bucket: profile.bucket[..2].to_vec(), ..profile };
        assert_eq!(equal.curve().unwrap(), [equal.bucket[0].share, equal.bucket[1].share]);

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&table(&curve, &sessions).encode().unwrap()).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<Vec<(String, Field)>> =
            reader.get_row_iter(None).unwrap().map(|r| r.unwrap().into_columns()).collect();
        assert_eq!(rows.len(), 4 * 23);
        assert_eq!((&rows[0][0].1, &rows[0][1].1), (&Field::Str("".into()), &Field::Long(-1)));
        assert_eq!(rows[1][5].1, Field::Double(curve.buckets[1].share));
        assert_eq!(rows[2][7].1, Field::Double(curve.buckets[2].interval.unwrap().1));
        assert_eq!(rows[3][2].1, Field::Str("events".into()));
        assert_eq!(rows[91][0].1, Field::Str("XYZ".into()));
        assert_eq!((&rows[91][1].1, &rows[91][3].1), (&Field::Long(5), &Field::Long(19)));
    }
}
