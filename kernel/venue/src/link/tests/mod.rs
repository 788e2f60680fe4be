//! A venue's side written by hand from `docs/link.md`, and what the tests share.

mod client;
mod codec;
mod venue;

use ijk_core::{
    ClientOrderId, Instrument, InstrumentId, NewOrder, OrderType, ParentId, Px, Qty, Side, Symbol,
    TimeInForce,
};

/// Nanoseconds between two pings in the tests.
pub const BEAT: u64 = 1_000_000_000;

pub fn instruments() -> Vec<Instrument> {
    ["AAA", "BBB"].map(|s| Instrument::us_equity(Symbol::new(s).unwrap())).to_vec()
}

pub fn settings() -> super::LinkSettings {
    let account = *b"DU123\0\0\0\0\0\0\0\0\0\0\0";
    super::LinkSettings { client_number: 7, boot_epoch: 3, account, heartbeat_ns: BEAT }
}

pub fn order(id: u64) -> NewOrder {
    NewOrder {
        client_order_id: ClientOrderId(id),
        qty: Qty(100),
        px: Px(10_000_000_000),
        parent_id: ParentId(1),
        instrument: InstrumentId(1),
        side: Side::Bid,
        order_type: OrderType::Limit,
        tif: TimeInForce::Ioc,
        reserved: [0; 7],
    }
}

pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = (4 + payload.len() as u32).to_le_bytes();
    [&length[..], &[kind, 0, 0, 0], payload].concat()
}

pub fn welcome(protocol: u32, highest: u64) -> Vec<u8> {
    let payload =
        [&protocol.to_le_bytes()[..], &[0; 4], &99u64.to_le_bytes(), &highest.to_le_bytes()];
    frame(65, &payload.concat())
}

pub fn pong(number: u64) -> Vec<u8> {
    frame(68, &number.to_le_bytes())
}

/// The payload of a fill, field by field at the documented offsets.
pub fn fill_bytes(id: u64, exec: u64) -> Vec<u8> {
    let words = [5u64, id, 8, exec, 10_000_000_000, 40, 60, (-7i64) as u64];
    let mut payload: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    payload.extend([1, 0, 0, 0, 2, 0, 1, 0]);
    payload
}

pub fn fill(id: u64, exec: u64) -> Vec<u8> {
    frame(66, &fill_bytes(id, exec))
}

/// The payload of a snapshot's order item.
pub fn item_bytes(id: u64) -> Vec<u8> {
    let words = [4u64, id, 8, 0, 5, 10_000_000_000, 100, 40, 60, 0];
    let mut payload: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    payload.extend([1, 0, 2, 0, 0, 0, 0, 0]);
    payload
}

/// Cuts a stream of our frames into (type, payload).
pub fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let length = u32::from_le_bytes(bytes[..4].try_into().unwrap()) as usize;
        assert_eq!(bytes[5..8], [0; 3]);
        found.push((bytes[4], bytes[8..4 + length].to_vec()));
        bytes = &bytes[4 + length..];
    }
    found
}
