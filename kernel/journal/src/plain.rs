//! The fallback: positioned writes that return when the system has taken the bytes.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    write_all_with(bytes, offset, |part, at| file.write_at(part, at))
}

/// Calls `write` until all of `bytes` is taken: a short write continues where it ended, an
/// interrupted one is repeated, one that takes nothing is an error.
fn write_all_with(
    mut bytes: &[u8],
    mut offset: u64,
    mut write: impl FnMut(&[u8], u64) -> io::Result<usize>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => {
                bytes = &bytes[n..];
                offset += n as u64;
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_interrupted_writes_go_on_where_they_ended() {
        let mut written = [0u8; 110];
        let mut calls = 0;
        let data: Vec<u8> = (1..=100).collect();
        write_all_with(&data, 10, |part, at| {
            calls += 1;
            if calls % 3 == 0 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let n = part.len().min(7);
            let at = at as usize;
            written[at..at + n].copy_from_slice(&part[..n]);
            Ok(n)
        })
        .unwrap();
        assert_eq!(written[10..], data[..]);
        assert!(calls > 15);
    }

    #[test]
    fn a_write_that_takes_nothing_is_an_error() {
        let error = write_all_with(b"abc", 0, |_, _| Ok(0)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
        let error = write_all_with(b"abc", 0, |_, _| Err(io::Error::from_raw_os_error(28)));
        assert_eq!(error.unwrap_err().raw_os_error(), Some(28));
    }
}
