//! Databento Binary Encoding: a whole stream, or records behind sound metadata of the schema that
//! the first byte selects.
#![no_main]

use ::dbn::{MetadataBuilder, SType, Schema, encode::DbnEncoder};
use ijk_data::dbn::from_reader;
use ijk_fuzz::sources::drain;
use std::io::Read;
use std::sync::OnceLock;

const SCHEMAS: [Schema; 5] =
    [Schema::Mbo, Schema::Mbp1, Schema::Mbp10, Schema::Tbbo, Schema::Trades];

fn metadata(selector: u8) -> &'static [u8] {
    static METADATA: OnceLock<[Vec<u8>; SCHEMAS.len()]> = OnceLock::new();
    let encode = |schema| {
        let metadata = MetadataBuilder::new()
            .dataset("SYNTHETIC")
            .schema(Some(schema))
            .start(0)
            .stype_in(Some(SType::RawSymbol))
            .stype_out(SType::InstrumentId)
            .build();
        let mut bytes = Vec::new();
        DbnEncoder::new(&mut bytes, &metadata).expect("metadata without symbols");
        bytes
    };
    &METADATA.get_or_init(|| SCHEMAS.map(encode))[usize::from(selector) % SCHEMAS.len()]
}

ijk_fuzz::target!(|data| match data.split_first() {
    Some((&selector, records)) if selector != b'D' => {
        drain(from_reader(metadata(selector).chain(records), "f.dbn"), |_, _| ())
    }
    _ => drain(from_reader(data, "f.dbn"), |_, _| ()),
});
