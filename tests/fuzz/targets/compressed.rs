//! Files as they come: gzip, zstd, zip, one in the other, and lines out of them.
#![no_main]

use ijk_data::input;
use ijk_fuzz::files::input_file;
use std::io::Read;

/// Decompressed bytes after which a file is left.
const BYTES_MAX: u64 = 1 << 20;

ijk_fuzz::target!(|data| {
    let path = input_file(data);
    if let Ok(true) = input::is_archive(path) {
        _ = std::hint::black_box(input::member_names(path));
    }
    let Ok(file) = input::open(path) else { return 0 };
    let mut bytes = Vec::new();
    let whole = file.reader.take(BYTES_MAX).read_to_end(&mut bytes).is_ok();
    let Ok(file) = input::open(path) else { panic!("opened once, not twice") };
    let mut lines = file.lines();
    let mut from_lines = 0;
    while from_lines < BYTES_MAX as usize {
        match lines.next_line() {
            Ok(Some((line, _))) => from_lines += line.len() + 1,
            Ok(None) => {
                assert!(whole, "lines end where the stream fails");
                break;
            }
            Err(e) => {
                assert!(!e.file.is_empty() && !e.detail.is_empty(), "{e:?}");
                break;
            }
        }
    }
    bytes.len()
});
