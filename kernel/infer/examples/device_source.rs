//! Writes what NVRTC is given to a folder: `step-TILE.cu` for each tile, and `options`.
//!
//! `cargo run --release -p ijk-infer --example device_source -- FOLDER`

use ijk_infer::cuda::source::{OPTIONS, TILES, text};
use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| ".".to_owned()));
    for tile in TILES {
        std::fs::write(folder.join(format!("step-{tile}.cu")), text(tile))?;
    }
    std::fs::write(folder.join("options"), OPTIONS.join("\n"))
}
