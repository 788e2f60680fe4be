//! The streaming features against their definitions recomputed from the whole history.
//!
//! Counts, sums of sizes and everything derived from one row agree to the bit; the tolerance of
//! 1e-12 (relative, and absolute below 1) leaves room for the order of additions only.

use super::streams::{TICK, Wildness, events, uncrossed};
use crate::naive::{features as naive, l2::NaiveL2, l3::NaiveL3};
use crate::{Book, BookConfig, FeatureEngine};
use ijk_core::features::{FEATURE_NAMES, Token};
use ijk_core::{DepthKind, MarketEvent, Px, RowFlags, Side};
use proptest::prelude::*;

const CONFIG: BookConfig =
    BookConfig { tick: Px(TICK), level_count_max: 500, order_count_max: 500, window_ticks: 64 };

/// Returns the tokens of a stream.
pub fn stream_tokens(events: &[MarketEvent], stride: u32, mut book: Book) -> Vec<Token> {
    let mut engine = FeatureEngine::new(stride);
    let mut out = Vec::new();
    for ev in events {
        book.apply(ev);
        out.extend(engine.on_record(ev, &book));
    }
    out
}

/// Returns an error unless two tokens agree to 1e-12.
pub fn assert_close(a: &Token, b: &Token) -> Result<(), String> {
    for (i, name) in FEATURE_NAMES.iter().enumerate() {
        let (x, y) = (a.features[i], b.features[i]);
        let scale = 1.0f64.max(x.abs()).max(y.abs());
        if !(x.is_finite() && y.is_finite() && (x - y).abs() <= 1e-12 * scale) {
            return Err(format!("token {}: {name} is {x:e}, naive {y:e}", a.index));
        }
    }
    let rest = |t: &Token| (t.index, t.event_index, t.ts, t.bid, t.ask, t.two_sided);
    if rest(a) != rest(b) {
        return Err(format!("{:?} is not {:?}", rest(a), rest(b)));
    }
    Ok(())
}

fn naive_tokens(events: &[MarketEvent], stride: usize, kind: DepthKind) -> Vec<Token> {
    let mut l2 = NaiveL2::new(&CONFIG);
    let mut l3 = NaiveL3::new(&CONFIG);
    let rows = naive::rows(events, |ev| match kind {
        DepthKind::L2 => {
            l2.apply(ev);
            [l2.levels(Side::Bid), l2.levels(Side::Ask)]
        }
        DepthKind::L3 => {
            l3.apply(ev);
            [l3.levels(Side::Bid), l3.levels(Side::Ask)]
        }
    });
    naive::tokens(&rows, stride)
}

/// Streams with a derived prologue, mostly uncrossed, from near-empty to deep books.
pub fn stream(len: usize) -> impl Strategy<Value = Vec<MarketEvent>> {
    let wild = prop_oneof![Just(0), Just(40), Just(2_000)].prop_map(|center_ticks| Wildness {
        center_ticks,
        nonsense: false,
        modify: 2,
    });
    let streams = wild.prop_flat_map(move |w| events(len, w));
    (streams, 0..12usize, prop_oneof![1 => Just(0), 4 => Just(3_000)]).prop_map(
        |(events, derived, ticks)| {
            let mut events = uncrossed(events, ticks);
            for ev in events.iter_mut().take(derived) {
                ev.flags = ev.flags.with(RowFlags::DERIVED);
            }
            events
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn streaming_equals_naive(events in stream(300), stride in 1..12u32, by_order: bool) {
        let kind = if by_order { DepthKind::L3 } else { DepthKind::L2 };
        let streamed = stream_tokens(&events, stride, Book::with_config(kind, &CONFIG));
        let naive = naive_tokens(&events, stride as usize, kind);
        prop_assert_eq!(streamed.len(), naive.len());
        for (a, b) in streamed.iter().zip(&naive) {
            assert_close(a, b).map_err(TestCaseError::fail)?;
        }
    }

    #[test]
    fn a_cut_changes_no_earlier_token(
        events in stream(300),
        stride in 1..12u32,
        cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(events.len());
        let book = || Book::with_config(DepthKind::L3, &CONFIG);
        let whole = stream_tokens(&events, stride, book());
        let part = stream_tokens(&events[..cut], stride, book());
        prop_assert!(part.len() <= whole.len());
        for (a, b) in part.iter().zip(&whole) {
            prop_assert_eq!(a.features.map(f64::to_bits), b.features.map(f64::to_bits));
            prop_assert_eq!(a, b);
        }
    }
}
