//! Databento CSV, market by price (ten levels). A leading `#` stands for the usual header line.
#![no_main]

use ijk_data::databento::from_reader;
use ijk_fuzz::sources::drain;
use std::fmt::Write;
use std::io::Read;
use std::sync::OnceLock;

const LEVEL_COUNT: usize = 10;

fn header() -> &'static [u8] {
    static HEADER: OnceLock<String> = OnceLock::new();
    HEADER
        .get_or_init(|| {
            let mut text = "ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,depth,\
                            price,size,flags,ts_in_delta,sequence"
                .to_string();
            for n in 0..LEVEL_COUNT {
                for name in ["bid_px", "ask_px", "bid_sz", "ask_sz", "bid_ct", "ask_ct"] {
                    write!(text, ",{name}_{n:02}").expect("a string takes everything");
                }
            }
            text + ",symbol\n"
        })
        .as_bytes()
}

ijk_fuzz::target!(|data| match data.strip_prefix(b"#") {
    Some(rows) => drain(from_reader(header().chain(rows), "f.csv", &[]), |_, _| ()),
    None => drain(from_reader(data, "f.csv", &[]), |_, _| ()),
});
