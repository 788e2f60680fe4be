//! The laws of every [`EventSource`], whatever bytes it reads.

use ijk_core::limits::INSTRUMENT_COUNT_MAX;
use ijk_core::{DepthKind, EventSource, FeedError, MarketEvent, Px, RecvTs, Side};
use ijk_market::{Book, BookConfig};

/// Records after which a source is left: compressed input can describe any number of them.
const EVENT_COUNT_MAX: usize = 1 << 16;

/// Reads a source to its end or first error and returns its records. `each` sees every record.
///
/// # Panics
/// If a record or an error breaks the contract of [`EventSource`].
pub fn drain<S: EventSource>(
    source: Result<S, FeedError>,
    mut each: impl FnMut(&S, &MarketEvent),
) -> usize {
    let mut source = match source {
        Ok(source) => source,
        Err(e) => return says_where(&e),
    };
    let instruments = source.instruments().to_vec();
    assert!((1..=INSTRUMENT_COUNT_MAX).contains(&instruments.len()));
    for i in &instruments {
        assert!(i.tick.0 > 0 && i.lot.0 > 0 && i.qty_unit_e9 > 0, "{i:?}");
    }
    let mut book = small_book(source.depth_kind(0));
    let mut last = RecvTs(0);
    for count in 0..EVENT_COUNT_MAX {
        let event = match source.next_event() {
            Ok(Some(event)) => event,
            Ok(None) => return count,
            Err(e) => return count + says_where(&e),
        };
        assert!(event.instrument.index() < instruments.len(), "{event:?}");
        assert!(event.ts_receive >= last, "{event:?} after {last:?}");
        assert!(event.qty.0 >= 0 && event.reserved == 0, "{event:?}");
        last = event.ts_receive;
        if event.instrument.index() == 0 {
            std::hint::black_box(book.apply(&event));
        }
        each(&source, &event);
    }
    std::hint::black_box((source.repairs(), source.progress(), book.best(Side::Bid)));
    EVENT_COUNT_MAX
}

/// Checks that an error tells its place and its cause on one line that a terminal can show.
fn says_where(e: &FeedError) -> usize {
    assert!(!e.file.is_empty() && !e.detail.is_empty(), "{e:?}");
    let text = e.to_string();
    assert!(!text.contains(char::is_control) && text.len() < 2_000, "{e:?}");
    0
}

/// Returns a book of little memory: one is made an input.
pub fn small_book(kind: DepthKind) -> Book {
    let tick = Px(10_000_000);
    let (level_count_max, order_count_max) = (64, 64);
    Book::with_config(
        kind,
        &BookConfig { tick, level_count_max, order_count_max, window_ticks: 256 },
    )
}
