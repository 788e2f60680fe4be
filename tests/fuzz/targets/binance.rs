//! Recorded lines of Binance streams: `<local ns> <json>`.
#![no_main]

use ijk_core::{DepthKind, Px, RowFlags};
use ijk_data::binance::from_reader;
use ijk_fuzz::sources::drain;
use ijk_market::{Book, BookConfig};
use std::io::Cursor;

ijk_fuzz::target!(|data| {
    let config = BookConfig {
        tick: Px(10_000_000),
        level_count_max: 4_096,
        order_count_max: 1,
        window_ticks: 64,
    };
    let mut book = Book::with_config(DepthKind::L2, &config);
    drain(from_reader(Cursor::new(data.to_vec()), "f.txt"), |_, event| {
        // Whatever the streams say of each other, a finished update leaves no crossed book.
        if event.instrument.index() == 0 {
            book.apply(event);
            let finished = event.flags.has(RowFlags::BOOK_END);
            assert!(!(finished && book.is_crossed()), "{event:?}");
        }
    })
});
