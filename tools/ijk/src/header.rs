//! The first record of a journal: everything a replay needs to build the same kernel.

use crate::exit::{self, Exit};
use crate::weights::{self, WeightsId};
use ijk_core::record::RecordKind;
use ijk_core::{Config, DepthKind, Instrument};
use ijk_engine::{Kernel, KernelParts};
use ijk_journal::Reader;
use serde::{Deserialize, Serialize};

/// Name and version of the header's layout.
pub const FORMAT: &str = "ijk-run-3";

/// One input of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataId {
    /// File name without folders, or the specification of a generated feed.
    pub name: String,
    /// SHA-256 of the file; `None` for a generated feed.
    pub sha256: Option<String>,
}

/// Header of a journal. Holds no wall-clock time: the same run gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// Inputs, in the order of the command line.
    pub data: Vec<DataId>,
    /// Venue.
    pub venue: String,
    /// Weights; `None` without a forecast.
    pub weights: Option<WeightsId>,
    /// Forecasts were made on a device and stand in the journal as inputs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub device: bool,
    /// Instrument table.
    pub instruments: Vec<Instrument>,
    /// True where the instrument's book is by order.
    pub by_order: Vec<bool>,
    /// Boot epoch: the high bits of every order id; 0 with a simulated exchange.
    pub epoch: u32,
    /// Fingerprint of the parents file, 0 without one.
    pub parents_id: u64,
    /// Effective settings.
    pub config: Config,
}

impl Header {
    /// Returns how each instrument's feed describes its book.
    pub fn depths(&self) -> Vec<DepthKind> {
        self.by_order.iter().map(|&l3| if l3 { DepthKind::L3 } else { DepthKind::L2 }).collect()
    }

    /// Builds the kernel of this run.
    ///
    /// # Errors
    /// Exit code 2 for settings that cannot be used, 3 for weights that are not the run's.
    pub fn kernel(&self) -> Result<Kernel, Exit> {
        Kernel::new(KernelParts {
            config: &self.config,
            instruments: &self.instruments,
            depths: &self.depths(),
            encoder: weights::reload(self.weights.as_ref(), self.config.infer.packing)?,
            outside_forecasts: self.device,
            epoch: self.epoch,
            external_venue: self.venue != "sim",
        })
        .map_err(Exit::usage)
    }

    /// Reads the header record of a journal; `reader` then stands after it.
    ///
    /// # Errors
    /// Exit code 78 for a journal that is damaged or of another format.
    pub fn read(reader: &mut Reader) -> Result<Header, Exit> {
        let frame = reader.next().map_err(|e| Exit::new(exit::UNSAFE, e))?;
        let Some(frame) = frame.filter(|f| f.kind == RecordKind::Header) else {
            return Err(Exit::new(exit::UNSAFE, "the journal does not start with a header record"));
        };
        // Frames are padded with zeros to whole words; JSON text holds none.
        let end = frame.payload.iter().rposition(|&b| b != 0).map_or(0, |i| i + 1);
        let header: Header = serde_json::from_slice(&frame.payload[..end])
            .map_err(|e| Exit::new(exit::UNSAFE, format!("the journal's header: {e}")))?;
        if header.format != FORMAT {
            return Err(Exit::new(
                exit::UNSAFE,
                format!("the journal is of format '{}'; this build reads {FORMAT}", header.format),
            ));
        }
        Ok(header)
    }
}
