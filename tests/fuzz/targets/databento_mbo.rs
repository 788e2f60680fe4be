//! Databento CSV, market by order. A leading `#` stands for the usual header line.
#![no_main]

use ijk_core::Symbol;
use ijk_data::databento::from_reader;
use ijk_fuzz::sources::drain;
use std::io::Read;

const HEADER: &[u8] = b"ts_recv,ts_event,rtype,publisher_id,instrument_id,action,side,price,size,\
channel_id,order_id,flags,ts_in_delta,sequence,symbol\n";

ijk_fuzz::target!(|data| match data.strip_prefix(b"#") {
    Some(rows) => {
        let symbols = ["SYN0", "SYN1"].map(|s| Symbol::new(s).expect("a symbol"));
        drain(from_reader(HEADER.chain(rows), "f.csv", &symbols), |_, _| ())
    }
    None => drain(from_reader(data, "f.csv", &[]), |_, _| ()),
});
