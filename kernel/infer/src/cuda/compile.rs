//! The kernel's PTX: compiled at start for the device found, kept by the hash of everything that
//! it depends on.

use super::device::DeviceError;
use super::{raw, source};
use std::path::Path;

/// Returns the PTX of a tile for a device of `architecture`. `cache` is a folder for compiled
/// texts; one that cannot be written costs time, nothing else.
pub fn ptx(tile: usize, architecture: u32, cache: Option<&Path>) -> Result<String, DeviceError> {
    raw::guarded("the kernel compiler (libnvrtc)", || {
        let (version, known) = raw::compiler()?;
        // PTX of an earlier architecture runs on a later one.
        let target = known.into_iter().filter(|&a| a <= architecture).max();
        let target = target.ok_or_else(|| {
            DeviceError::Compile(format!("NVRTC {version:?} knows no architecture {architecture}"))
        })?;
        let text = source::text(tile);
        let mut options = vec![format!("--gpu-architecture=compute_{target}")];
        options.extend(source::OPTIONS.map(str::to_owned));
        let key = format!("{version:?} {options:?}\n{text}");
        let file = cache.map(|folder| folder.join(format!("step-{:032x}.ptx", hash(&key))));
        let kept = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        if let Some(ptx) = kept.filter(|ptx| ptx.contains(&source::entry(tile))) {
            return Ok(ptx);
        }
        let ptx = raw::compile(&text, &options)?;
        if let Some(file) = file {
            keep(&file, &ptx);
        }
        Ok(ptx)
    })
}

/// Writes a file whole or not at all.
fn keep(file: &Path, text: &str) {
    let Some(folder) = file.parent() else { return };
    let partial = file.with_extension(format!("{}.partial", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&partial, text))
        .and_then(|()| std::fs::rename(&partial, file));
    if written.is_err() {
        let _ = std::fs::remove_file(&partial);
    }
}

/// FNV-1a of 128 bits.
fn hash(text: &str) -> u128 {
    const BASIS: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
    const PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published vectors of FNV-1a.
    #[test]
    fn hashes_are_those_of_the_definition() {
        assert_eq!(hash(""), 0x6c62272e07bb014262b821756295c58d);
        assert_eq!(hash("a"), 0xd228cb696f1a8caf78912b704e4a8964);
    }
}
