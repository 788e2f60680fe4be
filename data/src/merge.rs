//! Several feeds as one, by receive time.

use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{
    DepthKind, EventSource, FeedError, FeedErrorKind, Instrument, InstrumentId, MarketEvent,
    RepairCounts,
};

/// One feed of a merge with its next record.
struct Part {
    source: Box<dyn EventSource>,
    head: Option<MarketEvent>,
    first_instrument: u16,
}

/// Records of several sources in the order of their receive times; at equal times the source named
/// first goes first. Instruments are numbered through all sources. Row numbers stay per source.
pub struct MergedSource {
    parts: Vec<Part>,
    instruments: Vec<Instrument>,
    depths: Vec<DepthKind>,
    /// The part whose head was handed out last and must be read before the next choice.
    taken: Option<usize>,
    started: bool,
}

impl MergedSource {
    /// Merges sources; each comes with its name for errors.
    ///
    /// # Errors
    /// `Inconsistent` if two feeds bring the same symbol, `Range` if there are more than
    /// [`INSTRUMENT_COUNT_MAX`] instruments in all.
    pub fn new(feeds: Vec<(String, Box<dyn EventSource>)>) -> Result<MergedSource, FeedError> {
        let mut merged = MergedSource {
            parts: Vec::with_capacity(feeds.len()),
            instruments: Vec::new(),
            depths: Vec::new(),
            taken: None,
            started: false,
        };
        let mut owners: Vec<String> = Vec::new();
        for (name, source) in feeds {
            let first_instrument = merged.instruments.len() as u16;
            for (index, instrument) in source.instruments().iter().enumerate() {
                let same = |i: &Instrument| i.symbol == instrument.symbol;
                if let Some(at) = merged.instruments.iter().position(same) {
                    let detail = format!("{} also comes from {}", instrument.symbol, owners[at]);
                    return Err(error(FeedErrorKind::Inconsistent, &name, detail));
                }
                if merged.instruments.len() == INSTRUMENT_COUNT_MAX {
                    let detail = format!(
                        "all feeds together have more than {INSTRUMENT_COUNT_MAX} instruments"
                    );
                    return Err(error(FeedErrorKind::Range, &name, detail));
                }
                merged.instruments.push(*instrument);
                merged.depths.push(source.depth_kind(index));
                owners.push(name.clone());
            }
            merged.parts.push(Part { source, head: None, first_instrument });
        }
        Ok(merged)
    }
}

fn error(kind: FeedErrorKind, file: &str, detail: String) -> FeedError {
    FeedError { kind, file: file.to_string(), line: 0, field: "symbol".to_string(), detail }
}

impl Part {
    /// Takes the next record of the source as the head.
    fn advance(&mut self) -> Result<(), FeedError> {
        self.head = self.source.next_event()?.map(|mut event| {
            event.instrument = InstrumentId(event.instrument.0 + self.first_instrument);
            event
        });
        Ok(())
    }
}

impl EventSource for MergedSource {
    fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    fn depth_kind(&self, index: usize) -> DepthKind {
        self.depths[index]
    }

    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        if !self.started {
            self.started = true;
            self.parts.iter_mut().try_for_each(Part::advance)?;
        }
        if let Some(taken) = self.taken.take() {
            self.parts[taken].advance()?;
        }
        let heads = self.parts.iter().map(|part| part.head).enumerate();
        let earliest = heads
            .filter_map(|(at, head)| head.map(|event| (at, event)))
            .min_by_key(|(_, event)| event.ts_receive);
        Ok(earliest.map(|(at, event)| {
            self.taken = Some(at);
            event
        }))
    }

    fn repairs(&self) -> RepairCounts {
        let mut sum = RepairCounts::default();
        for part in &self.parts {
            sum.add(&part.source.repairs());
        }
        sum
    }

    fn progress(&self) -> Option<(u64, u64)> {
        self.parts
            .iter()
            .filter_map(|part| part.source.progress())
            .reduce(|a, b| (a.0 + b.0, a.1 + b.1))
    }
}
