//! Bytes as documented; any split; hostile input.

use super::{fill, fill_bytes, frame, item_bytes, order, pong, welcome};
use crate::link::codec::{self, CodecError, Decoder, Frame, Hello, Welcome};
use ijk_core::{
    CancelOrder, ClientOrderId, InstrumentId, Px, Qty, ReportKind, Side, SnapshotKind,
    SnapshotRequest, Symbol,
};
use proptest::prelude::*;

fn encoded(encode: impl FnOnce(&mut [u8]) -> usize) -> Vec<u8> {
    let mut buf = [0xee; 128];
    let n = encode(&mut buf);
    assert!(buf[n..].iter().all(|b| *b == 0xee), "nothing beyond the frame is touched");
    buf[..n].to_vec()
}

fn decode(bytes: &[u8]) -> Result<Vec<Frame>, CodecError> {
    let mut decoder = Decoder::new(2);
    let mut rest = bytes;
    let mut found = Vec::new();
    while let Some(frame) = decoder.next(&mut rest)? {
        found.push(frame);
    }
    assert!(rest.is_empty());
    Ok(found)
}

#[test]
fn our_frames_have_the_documented_bytes() {
    let account = *b"DU123\0\0\0\0\0\0\0\0\0\0\0";
    let hello = Hello { client_number: 7, boot_epoch: 3, account, instrument_count: 2 };
    let want = [
        &[44u8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0][..],
        b"DU123\0\0\0\0\0\0\0\0\0\0\0",
        &[2, 0, 0, 0, 0, 0, 0, 0],
    ];
    assert_eq!(encoded(|b| codec::encode_hello(b, &hello)), want.concat());
    let symbol = Symbol::new("BRK.B").unwrap();
    let want = [&[28u8, 0, 0, 0, 2, 0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0][..], b"BRK.B", &[0; 11]];
    assert_eq!(encoded(|b| codec::encode_instrument(b, 265, &symbol)), want.concat());
    let new = encoded(|b| codec::encode_new(b, &order(0x0102)));
    let want = [
        44, 0, 0, 0, 3, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 228, 11, 84,
        2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0,
    ];
    assert_eq!(new, want);
    let cancel = CancelOrder {
        client_order_id: ClientOrderId(5),
        instrument: InstrumentId(1),
        reserved: [0; 6],
    };
    let want = [20u8, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(encoded(|b| codec::encode_cancel(b, &cancel)), want);
    let request = SnapshotRequest { request_id: 9 };
    let want = [12u8, 0, 0, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(encoded(|b| codec::encode_snapshot_request(b, &request)), want);
    let want = [12u8, 0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(encoded(|b| codec::encode_ping(b, 4)), want);
}

#[test]
fn a_venues_frames_are_read_field_by_field() {
    let stream =
        [welcome(1, 77), fill(0x3_0000_0001, 12), frame(67, &item_bytes(6)), pong(3)].concat();
    let found = decode(&[stream, frame(69, &[5, 0, 0, 0, 0, 0, 0, 0])].concat()).unwrap();
    assert_eq!(
        found[0],
        Frame::Welcome(Welcome { venue_time_ns: 99, highest_client_order_id: 77 })
    );
    let Frame::Report(r) = found[1] else { panic!("{found:?}") };
    assert_eq!((r.ts_exchange.0, r.client_order_id.0, r.venue_order_id.0), (5, 0x3_0000_0001, 8));
    assert_eq!((r.exec_id.0, r.px, r.qty, r.leaves), (12, Px(10_000_000_000), Qty(40), Qty(60)));
    assert_eq!((r.fee_e9, r.instrument.0, r.kind), (-7, 1, ReportKind::Fill));
    assert_eq!((r.side, r.maker, r.reason), (Side::Bid, 1, 0));
    let Frame::Snapshot(s) = found[2] else { panic!("{found:?}") };
    assert_eq!((s.request_id, s.client_order_id.0, s.kind), (4, 6, SnapshotKind::Order));
    assert_eq!((s.qty, s.filled, s.leaves), (Qty(100), Qty(40), Qty(60)));
    assert_eq!(found[3..], [Frame::Pong(3), Frame::Refused(5)]);
}

/// Changes one byte range of a payload.
fn with(mut payload: Vec<u8>, at: usize, bytes: &[u8]) -> Vec<u8> {
    payload[at..at + bytes.len()].copy_from_slice(bytes);
    payload
}

#[test]
fn every_bad_field_is_named() {
    let big = (1i64 << 60) + 1;
    let fill = || fill_bytes(1, 2);
    let item = || item_bytes(1);
    let reports: [(usize, &[u8], &str); 18] = [
        (68, &[9], "kind"),
        (68, &[8], "kind"),
        (69, &[2], "side"),
        (70, &[2], "maker"),
        (71, &[1], "reserved"),
        (64, &[2, 0], "instrument"),
        (40, &[0; 8], "qty"),
        (40, &(-1i64).to_le_bytes(), "qty"),
        (40, &big.to_le_bytes(), "qty"),
        (32, &[0; 8], "px"),
        (32, &i64::MIN.to_le_bytes(), "px"),
        (48, &(-1i64).to_le_bytes(), "leaves"),
        (56, &i64::MIN.to_le_bytes(), "fee_e9"),
        (24, &[0; 8], "exec_id"),
        (24, &(1u64 << 62).to_le_bytes(), "exec_id"),
        (8, &(1u64 << 63).to_le_bytes(), "client_order_id"),
        (16, &(1u64 << 63).to_le_bytes(), "venue_order_id"),
        (68, &[0], "qty"),
    ];
    let items: [(usize, &[u8], &str); 10] = [
        (82, &[5], "kind"),
        (83, &[5], "status"),
        (84, &[2], "side"),
        (85, &[2], "maker"),
        (87, &[1], "reserved"),
        (80, &[2, 0], "instrument"),
        (48, &[0; 8], "qty"),
        (56, &(-1i64).to_le_bytes(), "filled"),
        (64, &61u64.to_le_bytes(), "leaves"),
        (82, &[3], "filled"),
    ];
    let cases = reports.map(|(at, b, field)| (frame(66, &with(fill(), at, b)), 66, field));
    let more = items.map(|(at, b, field)| (frame(67, &with(item(), at, b)), 67, field));
    for (bad, frame_type, field) in cases.into_iter().chain(more) {
        let error = decode(&[pong(1), bad].concat()).unwrap_err();
        assert_eq!((error.offset, error.frame_type, error.field), (16, frame_type, field));
    }
    let text = decode(&frame(66, &with(fill(), 69, &[7]))).unwrap_err().to_string();
    assert_eq!(text, "link byte 0: frame type 66: field 'side': expected 0 (buy) or 1 (sell)");
}

#[test]
fn structure_is_checked_before_bytes_are_awaited() {
    let cases: [(&[u8], u8, &str); 9] = [
        (&[0, 0, 0, 0], 0, "length"),
        (&[1, 16, 0, 0], 0, "length"),
        (&[255, 255, 255, 255], 0, "length"),
        (&[12, 0, 0, 0, 1, 0, 0, 0], 1, "type"),
        (&[12, 0, 0, 0, 70, 0, 0, 0], 70, "type"),
        (&[13, 0, 0, 0, 68, 0, 0, 0], 68, "length"),
        (&[12, 0, 0, 0, 66, 0, 0, 0], 66, "length"),
        (&[12, 0, 0, 0, 68, 0, 1, 0], 68, "padding"),
        (&[12, 0, 0, 0, 69, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1], 69, "reserved"),
    ];
    for (bytes, frame_type, field) in cases {
        let error = decode(bytes).unwrap_err();
        assert_eq!((error.frame_type, error.field), (frame_type, field), "{bytes:?}");
        let mut decoder = Decoder::new(2);
        let by_byte = bytes.iter().find_map(|b| decoder.next(&mut &[*b][..]).err());
        assert_eq!(by_byte, Some(error), "cuts change nothing");
    }
    assert_eq!(decode(&welcome(2, 0)).unwrap_err().field, "protocol");
    assert_eq!(decode(&with(welcome(1, 0), 12, &[1])).unwrap_err().field, "flags");
}

fn good_frame() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u64>().prop_map(|n| welcome(1, n)),
        (1u64..1 << 40, 1u64..9).prop_map(|(id, exec)| fill(id, exec)),
        (1u64..1 << 40).prop_map(|id| frame(67, &item_bytes(id))),
        any::<u64>().prop_map(pong),
    ]
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        parts in prop::collection::vec(good_frame(), 1..20),
        cuts in prop::collection::vec(1usize..40, 1..100),
    ) {
        let stream = parts.concat();
        let whole = decode(&stream).unwrap();
        prop_assert_eq!(whole.len(), parts.len());
        let mut decoder = Decoder::new(2);
        let (mut found, mut at) = (Vec::new(), 0);
        for cut in cuts.iter().cycle() {
            let end = (at + cut).min(stream.len());
            let mut rest = &stream[at..end];
            while let Some(frame) = decoder.next(&mut rest).unwrap() {
                found.push(frame);
            }
            at = end;
            if at == stream.len() {
                break;
            }
        }
        prop_assert_eq!(found, whole);
        prop_assert_eq!(decoder.offset(), stream.len() as u64);
    }

    #[test]
    fn one_changed_byte_never_panics_and_an_error_stays(
        parts in prop::collection::vec(good_frame(), 1..6),
        place in any::<prop::sample::Index>(),
        value in any::<u8>(),
    ) {
        let mut stream = parts.concat();
        let at = place.index(stream.len());
        stream[at] = value;
        let mut decoder = Decoder::new(2);
        let mut rest = &stream[..];
        loop {
            match decoder.next(&mut rest) {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    prop_assert!(error.offset <= at as u64);
                    prop_assert_eq!(decoder.next(&mut &pong(1)[..]), Err(error));
                    break;
                }
            }
        }
    }
}
