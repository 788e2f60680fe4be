//! What a weights file says about itself: shape, scaler, provenance.

use crate::shape::ModelShape;
use crate::weights::{TrustRegion, WeightsError, slots};
use ijk_core::SlotShape;
use ijk_core::features::{FEATURE_COUNT, FEATURE_SET_HASH};
use ijk_core::forecast::HORIZON_COUNT;
use ijk_core::limits::MEMBER_COUNT_MAX;
use std::collections::BTreeMap;

/// Value of the `format` key.
pub const FORMAT: &str = "ijk-weights-1";
/// Longest text of one provenance field in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;
/// Largest scaler clip, in scaled units: keeps every later sum far inside the range of f32.
pub const CLIP_MAX: f64 = 1e3;
/// Smallest and largest target scale in basis points.
pub const TARGET_SCALE_BPS: (f64, f64) = (1e-6, 1e6);

/// Metadata of a weights file. The scaled feature is `clip((x - mean) / scale, ±clip)`.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightsSpec {
    /// Shape of the model; must be [`ModelShape::compiled`] of 1 to [`MEMBER_COUNT_MAX`] members.
    pub shape: ModelShape,
    /// Hash of the features it was trained on; must be [`FEATURE_SET_HASH`].
    pub feature_set_hash: u64,
    /// Subtracted from each feature, in the feature's unit; finite.
    pub scaler_mean: [f64; FEATURE_COUNT],
    /// Divides each centred feature, in the feature's unit; finite and positive.
    pub scaler_scale: [f64; FEATURE_COUNT],
    /// Scaled features are clipped to ± this, in scaled units; positive, at most [`CLIP_MAX`].
    pub scaler_clip: f64,
    /// Basis points of one unit of the mean head, per horizon; within [`TARGET_SCALE_BPS`].
    pub target_scale_bps: [f64; HORIZON_COUNT],
    /// Half widths, in predictive standard deviations, of the intervals that held 90 % of the
    /// labels on a slice kept for that (split conformal), per horizon; finite and positive.
    /// `None` in files that state none: 1.645, as for a normal law.
    pub interval_z90: Option<[f64; HORIZON_COUNT]>,
    /// Where the training features lie; `None` in files that state nothing of it.
    pub trust: Option<TrustRegion>,
    /// Slots for further modalities; empty for a model of the order book alone.
    pub slots: Vec<SlotShape>,
    /// SHA-256 of the training data, as the trainer states it.
    pub training_data_sha256: String,
    /// Version of the code that trained it.
    pub code_version: String,
    /// When it was made (ISO 8601).
    pub created: String,
    /// Free text.
    pub note: String,
}

impl WeightsSpec {
    /// Returns a spec of this build's feature set with an identity scaler (mean 0, scale 1, clip
    /// 8), unit target scales and empty provenance, to be filled in.
    pub fn new(members: usize) -> WeightsSpec {
        WeightsSpec {
            shape: ModelShape::compiled(members),
            feature_set_hash: FEATURE_SET_HASH,
            scaler_mean: [0.0; FEATURE_COUNT],
            scaler_scale: [1.0; FEATURE_COUNT],
            scaler_clip: 8.0,
            target_scale_bps: [1.0; HORIZON_COUNT],
            interval_z90: None,
            trust: None,
            slots: Vec::new(),
            training_data_sha256: String::new(),
            code_version: String::new(),
            created: String::new(),
            note: String::new(),
        }
    }

    /// Returns how far raw features lie from those the model was trained on: below 1 inside, from
    /// 1 on outside, 0 for a file that states nothing of it, not a number where a feature is none.
    pub fn distrust(&self, features: &[f64; FEATURE_COUNT]) -> f64 {
        let clip = self.scaler_clip;
        let scaled = |i: usize| {
            let z = (features[i] - self.scaler_mean[i]) / self.scaler_scale[i];
            z.clamp(-clip, clip)
        };
        self.trust.as_ref().map_or(0.0, |region| region.distrust(&std::array::from_fn(scaled)))
    }

    /// Checks that this build can run such a model.
    pub fn validate(&self) -> Result<(), WeightsError> {
        if self.feature_set_hash != FEATURE_SET_HASH {
            let found = self.feature_set_hash;
            return Err(WeightsError::ForeignFeatureSet { found, expected: FEATURE_SET_HASH });
        }
        check_shape(&self.shape)?;
        let finite = |v: f64| v.is_finite();
        check_values("scaler_mean", &self.scaler_mean, "finite", finite)?;
        let positive = |v: f64| v.is_finite() && v > 0.0;
        check_values("scaler_scale", &self.scaler_scale, "finite and positive", positive)?;
        let clip = |v: f64| v > 0.0 && v <= CLIP_MAX;
        check_values("scaler_clip", &[self.scaler_clip], "positive and at most 1e3", clip)?;
        let (low, high) = TARGET_SCALE_BPS;
        let scale = |v: f64| (low..=high).contains(&v);
        check_values("target_scale_bps", &self.target_scale_bps, "within 1e-6..=1e6", scale)?;
        if let Some(z) = &self.interval_z90 {
            check_values("interval_z90", z, "finite and positive", positive)?;
        }
        if let Some(region) = &self.trust {
            region.validate()?;
        }
        slots::check(&self.slots)?;
        for (key, text) in self.texts() {
            if text.len() > TEXT_BYTES_MAX {
                let reason = format!("{} bytes, at most {TEXT_BYTES_MAX}", text.len());
                return Err(WeightsError::BadMetadata { key, reason });
            }
        }
        Ok(())
    }

    fn texts(&self) -> [(&'static str, &String); 4] {
        [
            ("training_data_sha256", &self.training_data_sha256),
            ("code_version", &self.code_version),
            ("created", &self.created),
            ("note", &self.note),
        ]
    }

    /// Reads and checks the metadata of a header. Unknown keys are ignored.
    pub(super) fn from_metadata(
        metadata: &BTreeMap<String, String>,
    ) -> Result<WeightsSpec, WeightsError> {
        let get = |key| metadata.get(key).ok_or(WeightsError::MissingMetadata { key });
        let format = get("format")?;
        if format != FORMAT {
            let reason = format!("found `{}`, this build reads `{FORMAT}`", clipped(format));
            return Err(WeightsError::BadMetadata { key: "format", reason });
        }
        let shape = serde_json::from_str(get("shape")?)
            .map_err(|e| WeightsError::BadMetadata { key: "shape", reason: e.to_string() })?;
        let spec = WeightsSpec {
            shape,
            feature_set_hash: parse_hash(get("feature_set_hash")?)?,
            scaler_mean: parse_array("scaler_mean", get("scaler_mean")?)?,
            scaler_scale: parse_array("scaler_scale", get("scaler_scale")?)?,
            scaler_clip: parse_number("scaler_clip", get("scaler_clip")?)?,
            target_scale_bps: parse_array("target_scale_bps", get("target_scale_bps")?)?,
            interval_z90: metadata
                .get("interval_z90")
                .map(|text| parse_array("interval_z90", text))
                .transpose()?,
            trust: parse_trust(metadata)?,
            slots: slots::parse(metadata)?,
            training_data_sha256: get("training_data_sha256")?.clone(),
            code_version: get("code_version")?.clone(),
            created: get("created")?.clone(),
            note: get("note")?.clone(),
        };
        spec.validate()?;
        Ok(spec)
    }

    /// Writes the metadata of a header.
    pub(super) fn to_metadata(&self) -> BTreeMap<&'static str, String> {
        let s = &self.shape;
        let shape = format!(
            "{{\"features\":{},\"d_model\":{},\"heads\":{},\"layers\":{},\"ff\":{},\
             \"window\":{},\"horizons\":{:?},\"members\":{}}}",
            s.features, s.d_model, s.heads, s.layers, s.ff, s.window, s.horizons, s.members
        );
        // `{:?}` of an f64 is the shortest text that reads back to the same bits.
        let mut metadata = BTreeMap::from([
            ("format", FORMAT.to_owned()),
            ("feature_set_hash", format!("{:016x}", self.feature_set_hash)),
            ("shape", shape),
            ("scaler_mean", format!("{:?}", self.scaler_mean)),
            ("scaler_scale", format!("{:?}", self.scaler_scale)),
            ("scaler_clip", format!("{:?}", self.scaler_clip)),
            ("target_scale_bps", format!("{:?}", self.target_scale_bps)),
        ]);
        if let Some(z) = &self.interval_z90 {
            metadata.insert("interval_z90", format!("{z:?}"));
        }
        if let Some(region) = &self.trust {
            metadata.insert("trust_whitening", format!("{:?}", region.whitening));
            metadata.insert("trust_limit", format!("{:?}", region.limit));
        }
        if !self.slots.is_empty() {
            metadata.insert(slots::SLOTS_KEY, slots::text(&self.slots));
        }
        metadata.extend(self.texts().map(|(key, text)| (key, text.clone())));
        metadata
    }
}

fn check_shape(shape: &ModelShape) -> Result<(), WeightsError> {
    let expected = ModelShape::compiled(shape.members);
    let fields = [
        ("features", shape.features, expected.features),
        ("d_model", shape.d_model, expected.d_model),
        ("heads", shape.heads, expected.heads),
        ("layers", shape.layers, expected.layers),
        ("ff", shape.ff, expected.ff),
        ("window", shape.window, expected.window),
    ];
    for (field, found, expected) in fields {
        if found != expected {
            let (found, expected) = (found.to_string(), expected.to_string());
            return Err(WeightsError::Shape { field, found, expected });
        }
    }
    if shape.horizons != expected.horizons {
        let found = format!("{:?}", shape.horizons);
        let expected = format!("{:?}", expected.horizons);
        return Err(WeightsError::Shape { field: "horizons", found, expected });
    }
    if !(1..=MEMBER_COUNT_MAX).contains(&shape.members) {
        let (found, expected) = (shape.members.to_string(), format!("1 to {MEMBER_COUNT_MAX}"));
        return Err(WeightsError::Shape { field: "members", found, expected });
    }
    Ok(())
}

fn check_values(
    key: &'static str,
    values: &[f64],
    wanted: &str,
    good: impl Fn(f64) -> bool,
) -> Result<(), WeightsError> {
    match values.iter().position(|&v| !good(v)) {
        None => Ok(()),
        Some(i) => {
            let reason = format!("value {} at index {i} must be {wanted}", values[i]);
            Err(WeightsError::BadMetadata { key, reason })
        }
    }
}

/// The two keys stand together or not at all.
fn parse_trust(metadata: &BTreeMap<String, String>) -> Result<Option<TrustRegion>, WeightsError> {
    let get = |key| metadata.get(key).ok_or(WeightsError::MissingMetadata { key });
    if !["trust_whitening", "trust_limit"].iter().any(|key| metadata.contains_key(*key)) {
        return Ok(None);
    }
    Ok(Some(TrustRegion {
        whitening: parse_array("trust_whitening", get("trust_whitening")?)?,
        limit: parse_number("trust_limit", get("trust_limit")?)?,
    }))
}

fn parse_hash(text: &str) -> Result<u64, WeightsError> {
    let hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    hex.then(|| u64::from_str_radix(text, 16).ok()).flatten().ok_or_else(|| {
        let reason = format!("found `{}`, expected 16 hexadecimal digits", clipped(text));
        WeightsError::BadMetadata { key: "feature_set_hash", reason }
    })
}

/// Parsed by the standard library: JSON readers may be one unit in the last place off, and a
/// scaler must come back bit for bit.
fn parse_number(key: &'static str, text: &str) -> Result<f64, WeightsError> {
    let text = text.trim();
    let plain = text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    plain.then(|| text.parse().ok()).flatten().ok_or_else(|| {
        let reason = format!("`{}` is not a number", clipped(text));
        WeightsError::BadMetadata { key, reason }
    })
}

fn parse_array<const N: usize>(key: &'static str, text: &str) -> Result<[f64; N], WeightsError> {
    let bad = |reason| WeightsError::BadMetadata { key, reason };
    let inner = text.trim().strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    let inner = inner.ok_or_else(|| bad(format!("expected a JSON array of {N} numbers")))?;
    let found = inner.split(',').count();
    if found != N {
        return Err(bad(format!("{found} values, expected {N}")));
    }
    let mut values = [0.0; N];
    for (value, item) in values.iter_mut().zip(inner.split(',')) {
        *value = parse_number(key, item)?;
    }
    Ok(values)
}

/// First characters of a text from a file, for an error message.
fn clipped(text: &str) -> String {
    text.chars().take(40).collect()
}
