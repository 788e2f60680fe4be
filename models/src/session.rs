//! From a feed to the token streams that training and evaluation see: the kernel's own books and
//! features.

use crate::slots::SlotSeries;
use ijk_core::features::{FEATURE_COUNT, Token};
use ijk_core::{EventSource, FeedError};
use ijk_market::{Book, FeatureEngine};
use sha2::{Digest, Sha256};

/// The tokens of one instrument of one feed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Session {
    /// Feed as the user named it, with the symbol.
    pub name: String,
    /// Symbol of the instrument.
    pub symbol: String,
    /// Number of the feed: instruments of one feed trade at the same time and must stay in the
    /// same part of a split.
    pub feed: usize,
    /// Exchange time of the first token, nanoseconds.
    pub first_ns: u64,
    /// Rows of the source left out before the first token began: 0 for what the kernel sees,
    /// more for the shifted copies that training may use.
    pub phase: u32,
    /// Receive time of the row that closed each token, nanoseconds: when it was known here.
    pub closes_ns: Vec<u64>,
    /// The twelve features, unscaled.
    pub features: Vec<[f64; FEATURE_COUNT]>,
    /// Mid price in 1e-9 units; NaN where a side of the book is empty.
    pub mids: Vec<f64>,
    /// What other modalities knew of it, one series a slot; empty without slots.
    pub slots: Vec<SlotSeries>,
}

impl Session {
    /// Returns the SHA-256 of features, mids and slot vectors with their times: what the model
    /// can have learnt from. Without slots it is that of features and mids.
    pub fn sha256(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for (features, mid) in self.features.iter().zip(&self.mids) {
            features.iter().chain([mid]).for_each(|v| hash.update(v.to_le_bytes()));
        }
        for (slot, series) in self.slots.iter().enumerate() {
            for update in series.updates() {
                hash.update((slot as u64).to_le_bytes());
                hash.update(update.known_from.0.to_le_bytes());
                update.values.iter().for_each(|v| hash.update(v.to_le_bytes()));
            }
        }
        // A slot is looked up by the time of the token's close.
        let times = self.closes_ns.iter().filter(|_| !self.slots.is_empty());
        times.for_each(|t| hash.update(t.to_le_bytes()));
        hash.finalize().into()
    }

    fn push(&mut self, token: &Token, received_ns: u64) {
        if self.features.is_empty() {
            self.first_ns = token.ts.0;
        }
        let ((bid, bid_qty), (ask, ask_qty)) = (token.bid, token.ask);
        let whole = token.two_sided && bid_qty.0 > 0 && ask_qty.0 > 0;
        let mid = if whole { (bid.0 as f64 + ask.0 as f64) / 2.0 } else { f64::NAN };
        self.features.push(token.features);
        self.closes_ns.push(received_ns);
        self.mids.push(mid);
    }
}

/// One instrument of a feed being read: its book and one feature engine per phase.
struct Stream {
    book: Book,
    rows: u64,
    phases: Vec<(FeatureEngine, Session)>,
}

/// Reads a feed to its end and returns one session an instrument.
///
/// # Errors
/// [`FeedError`] of the feed.
pub fn read_sessions(
    name: &str,
    feed: usize,
    source: &mut dyn EventSource,
    stride: u32,
) -> Result<Vec<Session>, FeedError> {
    read_phases(name, feed, source, stride, 1)
}

/// Reads a feed to its end and returns `phases` sessions an instrument, instrument by instrument:
/// the one the kernel sees and copies whose tokens close `stride / phases` rows later each. The
/// copies see the same market through other cuts, which multiplies what a short day can teach;
/// they stand in the same part of every split as the original and are never scored.
///
/// # Errors
/// [`FeedError`] of the feed.
pub fn read_phases(
    name: &str,
    feed: usize,
    source: &mut dyn EventSource,
    stride: u32,
    phases: u32,
) -> Result<Vec<Session>, FeedError> {
    let mut streams: Vec<Stream> = Vec::new();
    for (index, instrument) in source.instruments().iter().enumerate() {
        let book = Book::new(source.depth_kind(index), instrument);
        let phase = |p: u32| {
            let symbol = instrument.symbol.to_string();
            let name = format!("{name} {symbol}");
            let phase = p * stride / phases.max(1);
            let session = Session { name, symbol, feed, phase, ..Session::default() };
            (FeatureEngine::new(stride), session)
        };
        streams.push(Stream { book, rows: 0, phases: (0..phases.max(1)).map(phase).collect() });
    }
    while let Some(event) = source.next_event()? {
        let Some(stream) = streams.get_mut(event.instrument.index()) else { continue };
        stream.book.apply(&event);
        for (engine, session) in &mut stream.phases {
            if stream.rows < u64::from(session.phase) {
                continue;
            }
            if let Some(token) = engine.on_record(&event, &stream.book) {
                session.push(&token, event.ts_receive.0);
            }
        }
        stream.rows += u64::from(event.ends_row());
    }
    Ok(streams.into_iter().flat_map(|s| s.phases).map(|(_, session)| session).collect())
}

/// Returns the SHA-256 of several sessions, in order, as hexadecimal text.
pub fn sha256_of<'a>(sessions: impl Iterator<Item = &'a Session>) -> String {
    let mut hash = Sha256::new();
    sessions.for_each(|s| hash.update(s.sha256()));
    hex(&hash.finalize())
}

/// Returns bytes as lower-case hexadecimal text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
