//! Capture files: everything that was heard, a line each, and its replay through the same
//! conversion.

use super::convert::Converter;
use super::input::Input;
use ijk_core::{
    DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, MarketEvent, RepairCounts,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;

/// Version of the format.
const FORMAT: &str = "ijk-ibkr-capture-1";
/// Longest line read.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// First line of a capture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CaptureHeader {
    /// Version of the format.
    format: String,
    /// Instruments, in the order of their indices.
    pub instruments: Vec<Instrument>,
    /// Which of them have their book from rows.
    pub by_rows: Vec<bool>,
    /// Rows a side.
    pub row_count: usize,
    /// Width of the price sanity band.
    pub band: f64,
}

impl CaptureHeader {
    /// Returns the header of a capture with these settings; see [`Converter::new`].
    pub fn new(
        instruments: &[Instrument],
        by_rows: &[bool],
        row_count: usize,
        band: f64,
    ) -> CaptureHeader {
        CaptureHeader {
            format: FORMAT.to_string(),
            instruments: instruments.to_vec(),
            by_rows: by_rows.to_vec(),
            row_count,
            band,
        }
    }

    /// Returns the conversion that these settings describe.
    pub fn converter(&self) -> Converter {
        Converter::new(&self.instruments, &self.by_rows, self.row_count, self.band)
    }
}

/// A capture that is being written.
pub struct CaptureWriter {
    file: BufWriter<File>,
}

impl CaptureWriter {
    /// Makes the file; an existing one is never replaced.
    ///
    /// # Errors
    /// Of the file system.
    pub fn create(path: &Path, header: &CaptureHeader) -> io::Result<CaptureWriter> {
        let mut file = BufWriter::new(File::create_new(path)?);
        serde_json::to_writer(&mut file, header)?;
        file.write_all(b"\n")?;
        file.flush()?;
        Ok(CaptureWriter { file })
    }

    /// Appends an input.
    ///
    /// # Errors
    /// Of the file system.
    pub fn write(&mut self, input: &Input) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, input)?;
        self.file.write_all(b"\n")
    }

    /// Hands what was appended to the system.
    ///
    /// # Errors
    /// Of the file system.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// A capture as a source of records.
pub struct CaptureSource {
    name: String,
    lines: BufReader<File>,
    line: u64,
    header: CaptureHeader,
    converter: Converter,
    ready: VecDeque<MarketEvent>,
    last_ns: u64,
    read_bytes: u64,
    total_bytes: u64,
}

impl CaptureSource {
    /// Opens a capture.
    ///
    /// # Errors
    /// [`FeedError`] if it cannot be read or is none.
    pub fn open(path: &Path) -> Result<CaptureSource, FeedError> {
        let name = path.display().to_string();
        let io = |e: io::Error| error(FeedErrorKind::Io, &name, 0, e.to_string());
        let file = File::open(path).map_err(io)?;
        let total_bytes = file.metadata().map_err(io)?.len();
        let mut lines = BufReader::new(file);
        let first = next_line(&mut lines).map_err(io)?;
        let bad = |text: String| error(FeedErrorKind::Format, &name, 1, text);
        let header: CaptureHeader = serde_json::from_str(&first)
            .map_err(|e| bad(format!("expected the header of a capture: {e}")))?;
        if header.format != FORMAT {
            return Err(bad(format!("expected format {FORMAT}, found {}", header.format)));
        }
        let count = header.instruments.len();
        if count == 0 || count > ijk_core::limits::INSTRUMENT_COUNT_MAX {
            return Err(bad(format!("expected 1 to 64 instruments, found {count}")));
        }
        let senseless = |i: &Instrument| i.tick.0 <= 0 || i.lot.0 <= 0 || i.qty_unit_e9 <= 0;
        if header.instruments.iter().any(senseless) {
            return Err(bad("expected instruments with positive tick, lot and unit".to_string()));
        }
        let converter = header.converter();
        let read_bytes = first.len() as u64;
        let (line, last_ns, ready) = (1, 0, VecDeque::new());
        Ok(CaptureSource {
            name,
            lines,
            line,
            header,
            converter,
            ready,
            last_ns,
            read_bytes,
            total_bytes,
        })
    }

    fn read_more(&mut self) -> Result<bool, FeedError> {
        let text = next_line(&mut self.lines)
            .map_err(|e| error(FeedErrorKind::Io, &self.name, self.line + 1, e.to_string()))?;
        if text.is_empty() {
            return Ok(false);
        }
        self.line += 1;
        self.read_bytes += text.len() as u64;
        let bad = |kind, text| error(kind, &self.name, self.line, text);
        let input: Input = serde_json::from_str(&text).map_err(|e| {
            bad(FeedErrorKind::Format, format!("expected one thing heard as JSON: {e}"))
        })?;
        if usize::from(input.instrument) >= self.header.instruments.len() {
            let text = format!("instrument {}: not in the header", input.instrument);
            return Err(bad(FeedErrorKind::Range, text));
        }
        if input.at_ns < self.last_ns {
            let text = format!("at_ns {}: before {}", input.at_ns, self.last_ns);
            return Err(bad(FeedErrorKind::UnsortedTime, text));
        }
        self.last_ns = input.at_ns;
        self.converter.on(&input);
        let ready = &mut self.ready;
        if input.heard == super::input::Heard::Settle {
            self.converter.flush(usize::MAX, &mut |event| ready.push_back(event));
        }
        Ok(true)
    }
}

impl EventSource for CaptureSource {
    fn instruments(&self) -> &[Instrument] {
        &self.header.instruments
    }

    fn depth_kind(&self, _: usize) -> DepthKind {
        DepthKind::L2
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            if !self.read_more()? {
                return Ok(None);
            }
        }
    }

    fn repairs(&self) -> RepairCounts {
        RepairCounts { sequence_gaps: self.converter.counts().out_of_step, ..Default::default() }
    }

    fn progress(&self) -> Option<(u64, u64)> {
        Some((self.read_bytes, self.total_bytes))
    }
}

/// Returns the next line, empty at the end.
fn next_line(lines: &mut BufReader<File>) -> io::Result<String> {
    let mut text = String::new();
    io::Read::take(&mut *lines, LINE_BYTES_MAX).read_line(&mut text)?;
    if text.len() as u64 == LINE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a line of more than 1 MiB"));
    }
    Ok(text)
}

fn error(kind: FeedErrorKind, file: &str, line: u64, detail: String) -> FeedError {
    FeedError { kind, file: file.to_string(), line, field: String::new(), detail }
}
