//! Lines of a byte stream in one reused buffer.

use super::row::Row;
use super::stream::stream_error;
use ijk_core::limits::LINE_BYTES_MAX;
use ijk_core::{FeedError, FeedErrorKind};
use std::io::Read;

/// Buffer at the start; grows to the longest line, at most [`LINE_BYTES_MAX`].
const BUFFER_BYTES: usize = 1 << 16;

/// Yields the lines of a stream: without their end (`\n` or `\r\n`), the last one also where the
/// stream does not end in a newline. Memory is bounded by the longest line allowed.
pub struct LineReader<R> {
    reader: R,
    name: String,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    line: u64,
    ended: bool,
}

impl<R: Read> LineReader<R> {
    /// Returns the lines of `reader`; `name` stands in errors.
    pub fn new(reader: R, name: impl Into<String>) -> LineReader<R> {
        LineReader {
            reader,
            name: name.into(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            line: 0,
            ended: false,
        }
    }

    /// Returns the name given at construction.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the number of the line read last, from 1; 0 before the first.
    pub fn line_no(&self) -> u64 {
        self.line
    }

    /// Returns the next line with its number from 1, or `None` at the end.
    ///
    /// # Errors
    /// `Truncated` where a compressed stream is damaged or ends early, `Io` where reading fails,
    /// `Range` for a line longer than [`LINE_BYTES_MAX`].
    pub fn next_line(&mut self) -> Result<Option<(&[u8], u64)>, FeedError> {
        Ok(self.advance()?.map(|(from, to)| (&self.buffer[from..to], self.line)))
    }

    /// Returns the next line as a [`Row`]. Blank lines are allowed at the stream's end only.
    ///
    /// # Errors
    /// As [`LineReader::next_line`]; `ColumnCount` for a blank line before another one.
    pub fn next_row(&mut self) -> Result<Option<Row<'_>>, FeedError> {
        let Some((from, to)) = self.advance()? else { return Ok(None) };
        if from == to {
            return self.end_of_rows();
        }
        Ok(Some(Row { file: &self.name, line: self.line, bytes: &self.buffer[from..to] }))
    }

    fn end_of_rows(&mut self) -> Result<Option<Row<'_>>, FeedError> {
        let blank = self.line;
        while let Some((from, to)) = self.advance()? {
            if from < to {
                let row = Row { file: &self.name, line: blank, bytes: &[] };
                return Err(row.error(
                    FeedErrorKind::ColumnCount,
                    "",
                    "a blank line between rows".to_string(),
                ));
            }
        }
        Ok(None)
    }

    /// Moves to the next line and returns its place in the buffer.
    fn advance(&mut self) -> Result<Option<(usize, usize)>, FeedError> {
        let mut searched = self.start;
        loop {
            let fresh = &self.buffer[searched..self.end];
            if let Some(at) = fresh.iter().position(|&b| b == b'\n') {
                let (from, to) = (self.start, searched + at);
                self.start = to + 1;
                return self.finish(from, to).map(Some);
            }
            if self.ended {
                let (from, to) = (self.start, self.end);
                self.start = self.end;
                return if from == to { Ok(None) } else { self.finish(from, to).map(Some) };
            }
            let pending = self.end - self.start;
            if pending > LINE_BYTES_MAX {
                return Err(self.too_long());
            }
            self.fill()?;
            searched = self.start + pending;
        }
    }

    fn finish(&mut self, from: usize, to: usize) -> Result<(usize, usize), FeedError> {
        if to - from > LINE_BYTES_MAX {
            return Err(self.too_long());
        }
        self.line += 1;
        let cr = to > from && self.buffer[to - 1] == b'\r';
        Ok((from, to - usize::from(cr)))
    }

    /// Reads more bytes behind the pending ones, moving or growing the buffer as needed.
    fn fill(&mut self) -> Result<(), FeedError> {
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.ended = true;
                    return Ok(());
                }
                Ok(n) => {
                    self.end += n;
                    return Ok(());
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(stream_error(&e, &self.name, self.line + 1)),
            }
        }
    }

    #[cold]
    fn too_long(&self) -> FeedError {
        let row = Row { file: &self.name, line: self.line + 1, bytes: &[] };
        row.error(
            FeedErrorKind::Range,
            "",
            format!("the line is longer than {LINE_BYTES_MAX} bytes; is this the right file?"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A reader that gives its bytes in pieces of the given sizes.
    struct Pieces<'a>(&'a [u8], Vec<usize>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let want = self.1.pop().unwrap_or(7).min(buf.len()).min(self.0.len());
            buf[..want].copy_from_slice(&self.0[..want]);
            self.0 = &self.0[want..];
            Ok(want)
        }
    }

    fn all<R: Read>(mut lines: LineReader<R>) -> Result<Vec<Vec<u8>>, FeedError> {
        let mut out = Vec::new();
        while let Some((line, no)) = lines.next_line()? {
            out.push(line.to_vec());
            assert_eq!(no as usize, out.len());
        }
        Ok(out)
    }

    #[test]
    fn both_line_ends_and_an_unended_last_line_are_read() {
        let got = all(LineReader::new(&b"a,b\r\n\nc\rd\nlast"[..], "f")).unwrap();
        assert_eq!(got, [&b"a,b"[..], b"", b"c\rd", b"last"]);
        assert!(all(LineReader::new(&b""[..], "f")).unwrap().is_empty());
    }

    #[test]
    fn a_line_at_the_limit_is_read_and_one_beyond_refused() {
        let mut text = vec![b'x'; LINE_BYTES_MAX];
        text.push(b'\n');
        assert_eq!(all(LineReader::new(&text[..], "f")).unwrap()[0].len(), LINE_BYTES_MAX);
        for end in [&b""[..], b"\n", b"xxxxxxx\n"] {
            let mut text = b"ok\n".to_vec();
            text.extend(vec![b'x'; LINE_BYTES_MAX + 1]);
            text.extend(end);
            let e = all(LineReader::new(&text[..], "f")).unwrap_err();
            assert_eq!((e.kind, e.line, e.file.as_str()), (FeedErrorKind::Range, 2, "f"));
        }
    }

    #[test]
    fn blank_lines_end_the_rows_but_do_not_part_them() {
        let mut rows = LineReader::new(&b"a\n\n\r\n"[..], "f");
        assert_eq!(rows.next_row().unwrap().unwrap().bytes, b"a");
        assert!(rows.next_row().unwrap().is_none());
        let mut rows = LineReader::new(&b"a\n\nb\n"[..], "f");
        rows.next_row().unwrap();
        let e = rows.next_row().unwrap_err();
        assert_eq!((e.kind, e.line), (FeedErrorKind::ColumnCount, 2));
    }

    proptest! {
        #[test]
        fn lines_equal_the_naive_split(
            text in proptest::collection::vec(
                prop_oneof![Just(b'\n'), Just(b'\r'), any::<u8>()], 0..400,
            ),
            sizes in proptest::collection::vec(1usize..50, 0..40),
        ) {
            let mut naive: Vec<Vec<u8>> = text.split(|&b| b == b'\n').map(|l| {
                l.strip_suffix(b"\r").unwrap_or(l).to_vec()
            }).collect();
            if text.is_empty() || text.ends_with(b"\n") {
                naive.pop();
            }
            let got = all(LineReader::new(Pieces(&text, sizes), "f")).unwrap();
            prop_assert_eq!(got, naive);
        }
    }
}
