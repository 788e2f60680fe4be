//! The weights file: round trips, the other reader, and everything that must be refused.

mod common;

use ijk_infer::weights::{HEADER_BYTES_MAX, TEXT_BYTES_MAX};
use ijk_infer::{Weights, WeightsBuilder, WeightsError, WeightsSpec, tensor_specs};
use proptest::prelude::*;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};
use std::sync::LazyLock;

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| common::model(1).to_bytes());

/// Returns the file with its header changed as JSON, length field and all.
fn with_header(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(FILE[..8].try_into().unwrap()) as usize;
    let mut header: Value = serde_json::from_slice(&FILE[8..8 + length]).unwrap();
    change(&mut header);
    with_header_text(header.to_string().as_bytes())
}

fn with_header_text(text: &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(FILE[..8].try_into().unwrap()) as usize;
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(&FILE[8 + length..]);
    bytes
}

fn with_metadata(key: &str, value: &str) -> Vec<u8> {
    with_header(|h| h["__metadata__"][key] = json!(value))
}

/// The refusal as the operator reads it.
fn refusal(bytes: &[u8]) -> String {
    Weights::from_bytes(bytes).expect_err("must be refused").to_string()
}

#[test]
fn bytes_round_trip_and_are_reproducible() {
    for members in [1, 3, 5] {
        let mut weights = common::model(members);
        // Not representable in few digits: the text must still read back to the same bits.
        weights.spec.scaler_mean[3] = std::f64::consts::PI * 1e-7;
        weights.spec.scaler_scale[4] = f64::MIN_POSITIVE;
        weights.spec.scaler_scale[5] = 0.1 + 0.2;
        let bytes = weights.to_bytes();
        let read = Weights::from_bytes(&bytes).unwrap();
        assert_eq!(read, weights);
        assert_eq!(read.to_bytes(), bytes);
        assert_eq!(read.members().len(), members);
    }
}

#[test]
fn parameter_count_matches_schema() {
    let count: usize = tensor_specs(1).iter().map(|t| t.value_count()).sum();
    assert_eq!(count, ijk_infer::ModelShape::parameters_per_member());
    assert_eq!(tensor_specs(5).len(), 5 * 84);
}

#[test]
fn safetensors_crate_reads_our_file() {
    let weights = common::model(2);
    let bytes = weights.to_bytes();
    let read = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(read.len(), 2 * 84);
    for spec in tensor_specs(2) {
        let view = read.tensor(&spec.name).unwrap();
        assert_eq!((view.dtype(), view.shape()), (Dtype::F16, spec.shape));
        let ours = weights.members()[spec.member].tensor(&spec.local).unwrap();
        let raw: Vec<u8> = ours.iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(view.data(), raw);
        assert_eq!(ours[0].to_f32(), common::weight(&spec.name, 0));
    }
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let metadata = metadata.metadata().as_ref().unwrap();
    assert_eq!(metadata["format"], "ijk-weights-1");
    let shape: Value = serde_json::from_str(&metadata["shape"]).unwrap();
    assert_eq!(
        shape,
        json!({"features":12,"d_model":64,"heads":8,"layers":6,"ff":256,"window":64,
               "horizons":[1,5,10,20],"members":2})
    );
    let mean: Vec<f64> = serde_json::from_str(&metadata["scaler_mean"]).unwrap();
    assert_eq!(mean, weights.spec.scaler_mean);
}

#[test]
fn we_read_a_file_of_the_safetensors_crate() {
    let read = SafeTensors::deserialize(&FILE).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&FILE).unwrap();
    let bytes = safetensors::serialize(read.iter(), metadata.metadata().clone()).unwrap();
    assert_eq!(Weights::from_bytes(&bytes).unwrap(), common::model(1));
}

#[test]
fn foreign_feature_set_is_refused() {
    let hash = ijk_core::features::FEATURE_SET_HASH;
    let bytes = with_metadata("feature_set_hash", &format!("{:016x}", hash ^ 1));
    let expected = WeightsError::ForeignFeatureSet { found: hash ^ 1, expected: hash };
    assert_eq!(Weights::from_bytes(&bytes), Err(expected));
    let mut spec = common::spec(1);
    spec.feature_set_hash = 7;
    let refused = WeightsBuilder::new(spec).finish().unwrap_err();
    assert!(matches!(refused, WeightsError::ForeignFeatureSet { found: 7, .. }));
}

#[test]
fn bad_metadata_is_named() {
    let array = |v: &str| format!("[{}]", [v; 12].join(","));
    let shape = |from: &str, to: &str| {
        let good = concat!(
            r#"{"features":12,"d_model":64,"heads":8,"layers":6,"ff":256,"window":64,"#,
            r#""horizons":[1,5,10,20],"members":1}"#
        );
        assert!(good.contains(from));
        good.replace(from, to)
    };
    let cases: &[(&str, String, &str)] = &[
        ("format", "ijk-weights-2".into(), "this build reads `ijk-weights-1`"),
        ("feature_set_hash", "12".into(), "16 hexadecimal digits"),
        ("feature_set_hash", "+123456789abcdef".into(), "16 hexadecimal digits"),
        ("shape", "{".into(), "metadata `shape`"),
        ("shape", shape("\"d_model\":64", "\"d_model\":32"), "d_model is 32"),
        ("shape", shape("\"window\":64", "\"window\":128"), "window is 128"),
        ("shape", shape("[1,5,10,20]", "[1,5,10,40]"), "horizons is [1, 5, 10, 40]"),
        ("shape", shape("[1,5,10,20]", "[1,5,10]"), "metadata `shape`"),
        ("shape", shape("\"members\":1", "\"members\":0"), "members is 0"),
        ("shape", shape("\"members\":1", "\"members\":6"), "members is 6"),
        ("shape", shape("\"members\":1", "\"members\":18446744073709551615"), "members is"),
        ("scaler_mean", "[1,2,3]".into(), "3 values, expected 12"),
        ("scaler_mean", "nonsense".into(), "JSON array of 12 numbers"),
        ("scaler_mean", array("NaN"), "`NaN` is not a number"),
        ("scaler_mean", array("1e999"), "value inf at index 0"),
        ("scaler_scale", array("0.0"), "value 0 at index 0 must be finite and positive"),
        ("scaler_scale", array("-1.0"), "value -1 at index 0"),
        ("scaler_clip", "0".into(), "must be positive"),
        ("scaler_clip", "1e9".into(), "at most 1e3"),
        ("target_scale_bps", "[1,1,1,0]".into(), "value 0 at index 3"),
        ("note", "x".repeat(TEXT_BYTES_MAX + 1), "at most 4096"),
    ];
    for (key, value, says) in cases {
        let message = refusal(&with_metadata(key, value));
        assert!(message.contains(says), "{key} = {value}: {message}");
        assert!(message.contains(key), "{message}");
    }
    for key in [
        "format",
        "feature_set_hash",
        "shape",
        "scaler_mean",
        "scaler_scale",
        "scaler_clip",
        "target_scale_bps",
        "training_data_sha256",
        "code_version",
        "created",
        "note",
    ] {
        let bytes = with_header(|h| {
            h["__metadata__"].as_object_mut().unwrap().remove(key).unwrap();
        });
        assert_eq!(Weights::from_bytes(&bytes), Err(WeightsError::MissingMetadata { key }));
    }
}

#[test]
fn bad_tensors_are_named() {
    const NAME: &str = "m0.l2.attn.qkv.bias";
    type Change = fn(&mut Value);
    let cases: &[(Change, &str)] = &[
        (|h| h[NAME]["dtype"] = json!("BF16"), "has type BF16, expected F16"),
        (|h| h[NAME]["shape"] = json!([64, 3]), "has shape [64, 3], expected [192]"),
        (|h| h[NAME]["shape"] = json!([]), "has shape [], expected [192]"),
        (|h| h[NAME]["data_offsets"] = json!([0, 384]), "is said to lie at"),
        (|h| h[NAME]["data_offsets"] = json!([9, 3]), "is said to lie at"),
        (|h| h[NAME]["data_offsets"] = json!([0, u64::MAX]), "is said to lie at"),
        (|h| h[NAME]["data_offsets"] = json!([-1, 3]), "header"),
        (|h| h[NAME]["extra"] = json!(1), "unknown field"),
        (|h| h["m0.l9.junk"] = json!({"dtype":"F16","shape":[0],"data_offsets":[0,0]}), "m0.l9"),
        (|h| *h = json!([]), "an object of tensors"),
        (|h| *h = json!({}), "metadata key `format` is missing"),
        (|h| h["__metadata__"] = json!({"format": 3}), "expected a string"),
    ];
    for (change, says) in cases {
        let message = refusal(&with_header(change));
        assert!(message.contains(says), "wanted {says}: {message}");
    }
    // Renamed: the data is all there, under a name that the model does not have.
    let message = refusal(&with_header(|h| {
        let entry = h.as_object_mut().unwrap().remove(NAME).unwrap();
        h["m0.l2.attn.qkv.biass"] = entry;
    }));
    assert!(message.contains("`m0.l2.attn.qkv.bias` is missing"), "{message}");
}

#[test]
fn damaged_container_is_refused() {
    let cut = &FILE[..FILE.len() - 2];
    assert!(refusal(cut).contains("bytes of tensor data"));
    let longer = [&FILE[..], &[0, 0]].concat();
    assert!(refusal(&longer).contains("bytes of tensor data"));
    assert!(refusal(&FILE[..100]).contains("header length"));
    assert!(refusal(&[]).contains("0 bytes are too few"));
    let absurd = [&u64::MAX.to_le_bytes()[..], b"{}"].concat();
    assert!(refusal(&absurd).contains("header length 18446744073709551615"));
    let spaces = " ".repeat(HEADER_BYTES_MAX + 1);
    assert!(refusal(&with_header_text(spaces.as_bytes())).contains("or the limit of"));
    let deep = "{\"a\":".repeat(1000);
    assert!(refusal(&with_header_text(deep.as_bytes())).contains("header"));
    assert!(refusal(&with_header_text(b"\xff\xff")).contains("header"));
    let twice = br#"{"a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]},
                     "a":{"dtype":"F16","shape":[0],"data_offsets":[0,0]}}"#;
    assert!(refusal(&with_header_text(twice)).contains("key `a` is given twice"));
    let twice = br#"{"__metadata__":{"format":"a","format":"b"}}"#;
    assert!(refusal(&with_header_text(twice)).contains("`format` is given twice"));
}

#[test]
fn non_finite_weights_are_refused() {
    let mut bytes = FILE.clone();
    let len = bytes.len();
    bytes[len - 2..].copy_from_slice(&half::f16::INFINITY.to_le_bytes());
    let message = refusal(&bytes);
    assert!(message.contains("`m0.norm_f.weight`: value inf at index 63"), "{message}");
    bytes[len - 2..].copy_from_slice(&half::f16::NAN.to_le_bytes());
    assert!(refusal(&bytes).contains("NaN at index 63"));
}

#[test]
fn builder_refuses_what_the_reader_would() {
    let start = || WeightsBuilder::new(WeightsSpec::new(1));
    let bias = |value| start().tensor("m0.input.bias", &[64], &[value; 64]).finish();
    assert!(matches!(bias(f32::NAN), Err(WeightsError::NonFinite { index: 0, .. })));
    assert!(matches!(bias(1e5), Err(WeightsError::NonFinite { .. })), "beyond fp16");
    assert!(matches!(bias(1.0), Err(WeightsError::MissingTensor { .. })));
    let count = start().tensor("m0.input.bias", &[64], &[0.0; 63]).finish();
    assert!(matches!(count, Err(WeightsError::ValueCount { found: 63, expected: 64, .. })));
    let all = || {
        tensor_specs(1)
            .iter()
            .fold(start(), |b, t| b.tensor(&t.name, t.shape, &vec![0.0; t.value_count()]))
    };
    assert!(all().finish().is_ok());
    let extra = all().tensor("m1.input.bias", &[64], &[0.0; 64]).finish();
    assert!(matches!(extra, Err(WeightsError::ExtraTensor { .. })));
    let twice = all().tensor("m0.input.bias", &[64], &[0.0; 64]).finish();
    assert!(matches!(twice, Err(WeightsError::ExtraTensor { .. })));
    let turned = tensor_specs(1).iter().fold(start(), |b, t| {
        let shape: Vec<usize> = t.shape.iter().rev().copied().collect();
        b.tensor(&t.name, &shape, &vec![0.0; t.value_count()])
    });
    assert!(matches!(turned.finish(), Err(WeightsError::TensorShape { .. })));
}

#[test]
fn rounding_to_fp16_is_to_nearest_even() {
    let weights = common::build(1, |name, values| {
        if name == "m0.input.bias" {
            values[..3].copy_from_slice(&[1.0 + 1.0 / 2048.0, 1.0 + 3.0 / 2048.0, 0.1]);
        }
    });
    let bias = weights.members()[0].tensor("input.bias").unwrap();
    assert_eq!(bias[0].to_f32(), 1.0);
    assert_eq!(bias[1].to_f32(), 1.0 + 2.0 / 1024.0);
    assert_eq!(bias[2].to_f32(), 0.099_975_586);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// A damaged file is refused or is a complete finite model; it never panics.
    #[test]
    fn mutations_never_panic(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        in_header in any::<bool>(),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = FILE.clone();
        let reach = if in_header { 12_000 } else { bytes.len() };
        for (place, value) in &edits {
            bytes[place.index(reach)] = *value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(weights) = Weights::from_bytes(&bytes) {
            prop_assert_eq!(Weights::from_bytes(&weights.to_bytes()).unwrap(), weights);
        }
    }

    #[test]
    fn arbitrary_bytes_are_refused(
        head in prop::option::of(0u64..300),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut bytes = head.map_or(Vec::new(), |n| n.to_le_bytes().to_vec());
        bytes.extend_from_slice(&body);
        prop_assert!(Weights::from_bytes(&bytes).is_err());
    }

    /// Any JSON in the place of the header: whatever it says, the data decides.
    #[test]
    fn arbitrary_entries_are_refused(
        offsets in any::<(u64, u64)>(),
        shape in prop::collection::vec(any::<u64>(), 0..4),
        name in "m[0-9]\\.(input|head|l[0-9]\\.ff1)\\.(weight|bias)",
    ) {
        let bytes = with_header(|h| {
            h[&name] = json!({"dtype":"F16","shape":shape,"data_offsets":[offsets.0, offsets.1]});
        });
        prop_assert!(Weights::from_bytes(&bytes).is_err());
    }
}
