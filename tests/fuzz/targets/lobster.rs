//! A LOBSTER day: message rows, a line `--`, order book rows.
#![no_main]

use ijk_core::{DepthKind, Side};
use ijk_data::lobster::{FileDay, from_readers};
use ijk_fuzz::sources::{drain, small_book};

const NAME: &str = "SYN0_2025-03-03_34200000_57600000_message_2.csv";
const SEPARATOR: &[u8] = b"--\n";

ijk_fuzz::target!(|data| {
    let at = data.windows(SEPARATOR.len()).position(|w| w == SEPARATOR);
    let (messages, books) = match at {
        Some(at) => (&data[..at], &data[at + SEPARATOR.len()..]),
        None => data.split_at(data.len() / 2),
    };
    let day = FileDay::from_name(NAME).expect("a name as LOBSTER makes them");
    let mut book = small_book(DepthKind::L2);
    drain(Ok(from_readers(messages, "m.csv", books, "b.csv", day)), |source, event| {
        // After a whole row the book never holds more than the row shows.
        book.apply(event);
        if event.ends_row() {
            let held = [Side::Bid, Side::Ask].map(|side| book.level_count(side));
            assert!(held.iter().all(|&n| n <= source.level_count()), "{held:?} {event:?}");
        }
    })
});
