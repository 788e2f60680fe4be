//! Where the ensemble comes from.

use crate::exit::Exit;
use ijk_core::infer_config::WeightPacking;
use ijk_engine::runtime::hash::hash_bytes;
use ijk_infer::{Encoder, Weights};
use serde::{Deserialize, Serialize};

/// The bundled ensemble, fitted on synthetic sessions; its card stands beside it.
static BUNDLED: &[u8] = include_bytes!("../../../models/weights/synth-5x.safetensors");

/// Which weights a run used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsId {
    /// `bundled` or a path.
    pub source: String,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Loads an ensemble: `bundled`, a path, or `none`.
///
/// # Errors
/// Exit code 3 for a file that is missing, damaged or made for another feature set.
pub fn load(source: &str, packing: WeightPacking) -> Result<Option<(Encoder, WeightsId)>, Exit> {
    let loaded = load_weights(source)?;
    Ok(loaded.map(|(weights, id)| (Encoder::packed(&weights, packing), id)))
}

/// As [`load`], before the weights are packed for this machine.
///
/// # Errors
/// As [`load`].
pub fn load_weights(source: &str) -> Result<Option<(Weights, WeightsId)>, Exit> {
    let bytes = match source {
        "none" => return Ok(None),
        "bundled" => std::borrow::Cow::Borrowed(BUNDLED),
        path => std::fs::read(path)
            .map_err(|e| Exit::data(format!("{path}: cannot read weights: {e}")))?
            .into(),
    };
    let weights = Weights::from_bytes(&bytes).map_err(|e| Exit::data(format!("{source}: {e}")))?;
    let id = WeightsId { source: source.to_string(), sha256: hash_bytes(&bytes) };
    Ok(Some((weights, id)))
}

/// Loads the ensemble of an earlier run.
///
/// # Errors
/// Exit code 3 if it is no longer the same file.
pub fn reload(id: Option<&WeightsId>, packing: WeightPacking) -> Result<Option<Encoder>, Exit> {
    let Some(id) = id else { return Ok(None) };
    match load(&id.source, packing)? {
        Some((encoder, found)) if found.sha256 == id.sha256 => Ok(Some(encoder)),
        Some((_, found)) => Err(Exit::data(format!(
            "{}: the run used weights with SHA-256 {}, this file has {}",
            id.source, id.sha256, found.sha256
        ))),
        None => Err(Exit::data("the run names weights 'none' with a hash")),
    }
}
