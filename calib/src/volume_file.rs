//! The volume curve as files: a TOML profile for programs, a Parquet table beside it with every
//! session's own shares.

use crate::volume::{SessionVolume, VolumeCurve, bounds};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The profile file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeProfile {
    /// Always `volume_curve`.
    pub kind: String,
    /// Format version.
    pub version: u32,
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
        VolumeProfile {
            kind: "volume_curve".to_string(),
            version: 1,
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
}

/// Rows of the table under construction; the pooled curve has neither symbol nor day.
#[derive(Default)]
struct Rows {
    symbol: Vec<Option<ByteArray>>,
    day: Vec<Option<i64>>,
    start_s: Vec<i64>,
    end_s: Vec<i64>,
    prints: Vec<i64>,
    volume: Vec<f64>,
    share: Vec<f64>,
    share_lower: Vec<Option<f64>>,
    share_upper: Vec<Option<f64>>,
}

/// Returns the table as the bytes of a Parquet file: the pooled curve first (`symbol` and `day`
/// null), then each session's own shares (intervals null). `day` counts days since 1970 UTC.
///
/// # Errors
/// [`ParquetError`] of the encoder.
pub fn table(curve: &VolumeCurve, sessions: &[SessionVolume]) -> Result<Vec<u8>, ParquetError> {
    let mut rows = Rows::default();
    for (i, bucket) in curve.buckets.iter().enumerate() {
        rows.symbol.push(None);
        rows.day.push(None);
        rows.start_s.push(bucket.start_s as i64);
        rows.end_s.push(bucket.end_s as i64);
        rows.prints.push(sessions.iter().map(|s| s.prints[i]).sum::<u64>() as i64);
        rows.volume.push(sessions.iter().map(|s| s.volume[i]).sum());
        rows.share.push(bucket.share);
        rows.share_lower.push(bucket.interval.map(|v| v.0));
        rows.share_upper.push(bucket.interval.map(|v| v.1));
    }
    let bucket_s = curve.buckets.first().map_or(1, |b| b.end_s - b.start_s);
    for session in sessions {
        let shares = session.shares();
        for (i, (start_s, end_s)) in bounds(session.session_s, bucket_s).into_iter().enumerate() {
            rows.symbol.push(Some(ByteArray::from(session.symbol.as_str())));
            rows.day.push(Some(session.day));
            rows.start_s.push(start_s as i64);
            rows.end_s.push(end_s as i64);
            rows.prints.push(session.prints[i] as i64);
            rows.volume.push(session.volume[i]);
            rows.share.push(shares[i]);
            rows.share_lower.push(None);
            rows.share_upper.push(None);
        }
    }
    encode(&rows)
}

fn schema() -> Result<Type, ParquetError> {
    let required = Repetition::REQUIRED;
    let optional = Repetition::OPTIONAL;
    let fields = [
        ("symbol", Physical::BYTE_ARRAY, optional),
        ("day", Physical::INT64, optional),
        ("start_s", Physical::INT64, required),
        ("end_s", Physical::INT64, required),
        ("prints", Physical::INT64, required),
        ("volume", Physical::DOUBLE, required),
        ("share", Physical::DOUBLE, required),
        ("share_lower", Physical::DOUBLE, optional),
        ("share_upper", Physical::DOUBLE, optional),
    ]
    .into_iter()
    .map(|(name, physical, repetition)| {
        let text = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
        Type::primitive_type_builder(name, physical)
            .with_repetition(repetition)
            .with_logical_type(text)
            .build()
            .map(Arc::new)
    })
    .collect::<Result<Vec<_>, _>>()?;
    Type::group_type_builder("volume_curve").with_fields(fields).build()
}

fn encode(rows: &Rows) -> Result<Vec<u8>, ParquetError> {
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .build();
    let mut writer =
        SerializedFileWriter::new(Vec::new(), Arc::new(schema()?), Arc::new(properties))?;
    let mut group = writer.next_row_group()?;
    macro_rules! column {
        ($kind:ty, $values:expr) => {
            if let Some(mut out) = group.next_column()? {
                out.typed::<$kind>().write_batch($values, None, None)?;
                out.close()?;
            }
        };
        ($kind:ty, optional $values:expr) => {
            if let Some(mut out) = group.next_column()? {
                let levels: Vec<i16> = $values.iter().map(|v| i16::from(v.is_some())).collect();
                let present: Vec<_> = $values.iter().flatten().cloned().collect();
                out.typed::<$kind>().write_batch(&present, Some(&levels), None)?;
                out.close()?;
            }
        };
    }
    column!(ByteArrayType, optional rows.symbol);
    column!(Int64Type, optional rows.day);
    column!(Int64Type, &rows.start_s);
    column!(Int64Type, &rows.end_s);
    column!(Int64Type, &rows.prints);
    column!(DoubleType, &rows.volume);
    column!(DoubleType, &rows.share);
    column!(DoubleType, optional rows.share_lower);
    column!(DoubleType, optional rows.share_upper);
    group.close()?;
    writer.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use std::io::Write;

    fn session(day: i64) -> SessionVolume {
        SessionVolume {
            feed: "f".into(),
            symbol: "XYZ".into(),
            day,
            session_s: 100,
            volume: vec![1.0, day as f64, 1.0],
            prints: vec![50, 51, 52],
            covered_s: (0, 99),
        }
    }

    #[test]
    fn profile_and_table_read_back() {
        let sessions = [session(2), session(3), session(5)];
        let curve = volume::estimate(&sessions, 40, 1).unwrap();
        let profile = VolumeProfile::new(&curve, vec!["f".into()], 1, 4);
        let text = toml::to_string(&profile).unwrap();
        assert_eq!(toml::from_str::<VolumeProfile>(&text).unwrap(), profile);
        assert!(profile.identified);

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&table(&curve, &sessions).unwrap()).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let rows: Vec<Vec<(String, Field)>> =
            reader.get_row_iter(None).unwrap().map(|r| r.unwrap().into_columns()).collect();
        assert_eq!(rows.len(), 12);
        assert_eq!(rows[0][0].1, Field::Null);
        assert_eq!(rows[0][4].1, Field::Long(150));
        assert_eq!(rows[1][6].1, Field::Double(curve.buckets[1].share));
        assert_eq!(rows[2][8].1, Field::Double(curve.buckets[2].interval.unwrap().1));
        assert_eq!(rows[11][0].1, Field::Str("XYZ".into()));
        assert_eq!((&rows[11][1].1, &rows[11][3].1), (&Field::Long(5), &Field::Long(100)));
        assert_eq!(rows[11][7].1, Field::Null);
    }
}
