//! One entry of the journal's ring, written there once: a head and a payload, neither zeroed nor
//! gathered elsewhere before.
#![allow(unsafe_code)]

use ijk_core::record::RecordKind;
use ijk_core::{MarketEvent, RecvTs};
use rtrb::Producer;

/// Bytes before a payload in the ring: time, length, kind, one unused.
pub(super) const ENTRY_BYTES: usize = 12;
/// Payload of most records.
const MARKET_BYTES: usize = size_of::<MarketEvent>();

/// Pushes one whole entry; returns false, and pushes nothing, where the ring has no room. The
/// payload is shorter than 64 KiB.
pub(super) fn push(ring: &mut Producer<u8>, now: RecvTs, kind: RecordKind, payload: &[u8]) -> bool {
    let Ok(mut chunk) = ring.write_chunk_uninit(ENTRY_BYTES + payload.len()) else {
        return false;
    };
    // As numbers: bytes put together in memory would have to be waited for.
    let ts = now.0.to_le_bytes();
    let rest = (payload.len() as u32 & 0xffff | u32::from(kind as u8) << 16).to_le_bytes();
    let (first, second) = chunk.as_mut_slices();
    if second.is_empty() {
        let (head, to) = first.split_at_mut(ENTRY_BYTES);
        head[..8].write_copy_of_slice(&ts);
        head[8..].write_copy_of_slice(&rest);
        // Of a length that is known: no call for a few bytes.
        match (to.as_mut_array::<MARKET_BYTES>(), payload.as_array::<MARKET_BYTES>()) {
            (Some(to), Some(payload)) => to.write_copy_of_slice(payload),
            _ => to.write_copy_of_slice(payload),
        };
    } else {
        let bytes = ts.iter().chain(&rest).chain(payload);
        for (to, from) in first.iter_mut().chain(second).zip(bytes) {
            to.write(*from);
        }
    }
    // SAFETY: both slices together are as long as head and payload, and all of them was written.
    unsafe { chunk.commit_all() };
    true
}
