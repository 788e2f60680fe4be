//! What the benches share: a synthetic session in memory, the pass over it that a kernel makes
//! before the encoder, and weights by formula.
//!
//! `cargo bench -p ijk-benches` measures (`-- --quick` for a first look);
//! `cargo test --release -p ijk-benches` runs every bench once and checks its answer. The names
//! are those of `ijk bench`, so that the two can be set beside each other.

#![forbid(unsafe_code)]

mod cycle;

pub use cycle::Cycle;

use ijk_core::features::{FEATURE_COUNT, Token};
use ijk_core::{
    DepthKind, EventKind, EventSource, Instrument, InstrumentId, MarketEvent, RowFlags, SlotShape,
};
use ijk_data::synth::{SynthConfig, SynthSource};
use ijk_infer::{Weights, WeightsBuilder, WeightsSpec, slot_tensor_specs, tensor_specs};
use ijk_market::{Book, FeatureEngine};

/// Source rows a token, as the kernel's default.
pub const STRIDE: u32 = 10;

/// A session in memory.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its only instrument.
    pub instrument: Instrument,
    /// All records: a `Clear`, the book at the open, then the session's own.
    pub events: Vec<MarketEvent>,
    /// Source rows: records that end one.
    pub rows: usize,
}

impl Session {
    /// Returns the first `minutes` (1 to 390) of the synthetic session of seed 1.
    ///
    /// # Panics
    /// If the generator fails or gives no row: the benches would measure nothing.
    pub fn synthetic(minutes: u32) -> Session {
        let config = SynthConfig { minutes, ..SynthConfig::default() };
        let mut source = SynthSource::new(&config).expect("1 to 390 minutes");
        let instrument = source.instruments()[0];
        let mut clear = MarketEvent::new(EventKind::Clear, InstrumentId(0));
        clear.flags = RowFlags::SNAPSHOT.with(RowFlags::DERIVED);
        let mut events = vec![clear];
        while let Some(event) = source.next_event().expect("a generator reads nothing") {
            events.push(event);
        }
        let rows = events.iter().filter(|e| e.ends_row()).count();
        assert!(rows > 0, "a session without rows");
        Session { instrument, events, rows }
    }

    /// Returns an empty book for the session. A book by level takes the records of a book by
    /// order as they are.
    pub fn book(&self, kind: DepthKind) -> Book {
        Book::new(kind, &self.instrument)
    }

    /// Passes all records through `book` and `features`; returns the number of tokens and the
    /// last one.
    pub fn replay(&self, book: &mut Book, features: &mut FeatureEngine) -> (u64, Option<Token>) {
        let mut last = None;
        for event in &self.events {
            book.apply(event);
            last = features.on_record(event, book).or(last);
        }
        (features.token_count(), last)
    }
}

/// Returns small pseudo-random weights (Knuth's multiplicative hash), the norms' gains at one.
///
/// # Panics
/// If the schema refuses its own shapes.
pub fn weights(members: usize) -> Weights {
    weights_with_slots(members, &[])
}

/// As [`weights`], with slots for other modalities.
///
/// # Panics
/// As [`weights`], or if the slots cannot be.
pub fn weights_with_slots(members: usize, slots: &[SlotShape]) -> Weights {
    let mut spec = WeightsSpec::new(members);
    spec.slots = slots.to_vec();
    let mut builder = WeightsBuilder::new(spec);
    let values = |name: &str, count: usize| -> Vec<f32> {
        let gain = name.contains("norm") && name.ends_with("weight");
        let fading = name.ends_with("fading");
        let value = |i: usize| {
            let bits = (i as u32 + 1).wrapping_mul(2_654_435_761) >> 16;
            let value = (bits as f32 / 65_536.0 - 0.5) * 0.25 + f32::from(u8::from(gain));
            if fading { value.abs() } else { value }
        };
        (0..count).map(value).collect()
    };
    for tensor in tensor_specs(members) {
        let values = values(&tensor.name, tensor.value_count());
        builder = builder.tensor(&tensor.name, tensor.shape, &values);
    }
    for tensor in slot_tensor_specs(members, slots) {
        let values = values(&tensor.name, tensor.value_count());
        builder = builder.tensor(&tensor.name, &tensor.shape, &values);
    }
    builder.finish().expect("the schema's own shapes")
}

/// Returns the features of token `index` of an endless stream, in units of their scaler.
pub fn features(index: usize) -> [f64; FEATURE_COUNT] {
    std::array::from_fn(|f| ((index + f) % 7) as f64 - 3.0)
}
