//! Where the real data lies, and its plain parsing for tests.

use std::io::Read;
use std::path::PathBuf;

/// Returns the path of a data file, or says that the test is skipped.
pub fn data(name: &str) -> Option<PathBuf> {
    let root = std::env::var_os("IJK_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"));
    let path = root.join(name);
    if !path.exists() {
        eprintln!("skipped: no {name} under {}", root.display());
        return None;
    }
    Some(path)
}

/// Returns the text of a `.gz` file.
pub fn gunzip(path: PathBuf) -> String {
    let mut text = String::new();
    let file = std::fs::File::open(path).unwrap();
    flate2::read::MultiGzDecoder::new(file).read_to_string(&mut text).unwrap();
    text
}

/// Returns the first member of a zip whose name contains `part`.
pub fn unzip(path: PathBuf, part: &str) -> String {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut names = zip.file_names().map(|n| n.unwrap().to_string());
    let name = names.find(|n| n.contains(part)).unwrap();
    drop(names);
    let mut text = String::new();
    zip.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
    text
}
