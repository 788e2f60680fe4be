//! The safetensors header: eight bytes of length, then JSON.
//!
//! Read here rather than by the `safetensors` crate, because bytes from a disk are hostile: that
//! reader accepts headers of 100 MB and sums stated offsets with plain addition, which
//! panics under this workspace's overflow checks. The tests hold both readers against each other.

use crate::weights::WeightsError;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// Largest header accepted; five members need about 45 KB.
pub const HEADER_BYTES_MAX: usize = 1 << 20;
/// Bytes of the length field.
pub(super) const LENGTH_BYTES: usize = 8;
/// Key under which safetensors keeps free text.
pub(super) const METADATA_KEY: &str = "__metadata__";

/// What the header says of one tensor.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TensorEntry {
    /// Element type, `F16` for all of ours.
    pub dtype: String,
    /// Row-major shape.
    pub shape: Vec<u64>,
    /// First byte and end, counted from the end of the header.
    pub data_offsets: (u64, u64),
}

/// The parsed header. Its size is bounded by [`HEADER_BYTES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Header {
    /// Free text by key.
    pub metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, TensorEntry>,
}

/// Splits a file into its header and its tensor data.
pub(super) fn split(bytes: &[u8]) -> Result<(Header, &[u8]), WeightsError> {
    let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
        return Err(WeightsError::TooShort { len: bytes.len() });
    };
    let declared = u64::from_le_bytes(*length);
    let too_long = WeightsError::HeaderLength { declared, available: rest.len() };
    let Ok(length) = usize::try_from(declared) else { return Err(too_long) };
    if length > HEADER_BYTES_MAX || length > rest.len() {
        return Err(too_long);
    }
    let (json, data) = rest.split_at(length);
    let header =
        serde_json::from_slice(json).map_err(|e| WeightsError::Header { reason: e.to_string() })?;
    Ok((header, data))
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        deserializer.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of tensors by name")
    }

    /// A repeated key is refused: which of the two counts would be a matter of taste.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        let mut metadata_seen = false;
        while let Some(key) = map.next_key::<String>()? {
            let repeated = if key == METADATA_KEY {
                header.metadata = map.next_value::<UniqueMap>()?.0;
                std::mem::replace(&mut metadata_seen, true)
            } else {
                let entry = map.next_value::<TensorEntry>()?;
                header.tensors.insert(key.clone(), entry).is_some()
            };
            if repeated {
                return Err(A::Error::custom(format_args!("key `{key}` is given twice")));
            }
        }
        Ok(header)
    }
}

/// String map that refuses repeated keys.
struct UniqueMap(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for UniqueMap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UniqueMap, D::Error> {
        deserializer.deserialize_map(UniqueMapVisitor)
    }
}

struct UniqueMapVisitor;

impl<'de> Visitor<'de> for UniqueMapVisitor {
    type Value = UniqueMap;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<UniqueMap, A::Error> {
        let mut strings = BTreeMap::new();
        while let Some((key, value)) = map.next_entry::<String, String>()? {
            if strings.insert(key.clone(), value).is_some() {
                return Err(A::Error::custom(format_args!("metadata `{key}` is given twice")));
            }
        }
        Ok(UniqueMap(strings))
    }
}
