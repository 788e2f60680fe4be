//! What a venue sends over the link. The first byte is the number of instruments, the second how
//! the stream is cut; the rest are frames.
#![no_main]

use ijk_core::{Instrument, Symbol};
use ijk_venue::link::{Decoder, Frame, LinkClient, LinkSettings, codec::HEADER_BYTES};
use zerocopy::IntoBytes;

/// Decodes `stream` cut into pieces of `cut` bytes; checks each frame against its bytes.
fn decode(stream: &[u8], instruments: u16, cut: usize) -> (Vec<Frame>, u64, Option<String>) {
    let mut decoder = Decoder::new(instruments);
    let mut frames = Vec::new();
    for mut piece in stream.chunks(cut) {
        loop {
            let at = decoder.offset() as usize;
            match decoder.next(&mut piece) {
                Ok(Some(frame)) => {
                    let end = decoder.offset() as usize;
                    let payload = &stream[at + HEADER_BYTES..end];
                    match frame {
                        Frame::Report(r) => assert_eq!(r.as_bytes(), payload),
                        Frame::Snapshot(s) => assert_eq!(s.as_bytes(), payload),
                        Frame::Pong(n) => assert_eq!(n.as_bytes(), payload),
                        Frame::Welcome(_) | Frame::Refused(_) => {}
                    }
                    frames.push(frame);
                }
                Ok(None) => break,
                Err(e) => {
                    assert_eq!(e.offset as usize, at);
                    assert_eq!(decoder.next(&mut &stream[..]), Err(e), "an error stays");
                    return (frames, e.offset, Some(e.to_string()));
                }
            }
        }
        assert!(piece.is_empty());
    }
    (frames, decoder.offset(), None)
}

/// A client must live through the stream, whole or not, and tell no more than it was told.
fn converse(stream: &[u8], instruments: u16, frames: usize) {
    let settings =
        LinkSettings { client_number: 1, boot_epoch: 1, account: [0; 16], heartbeat_ns: 1_000 };
    let symbol = Symbol::new("SYN0").expect("a symbol");
    let table = vec![Instrument::us_equity(symbol); usize::from(instruments)];
    let mut client = LinkClient::new(settings, &table);
    client.on_connected(0);
    let mut told = 0;
    for (n, piece) in stream.chunks(512).enumerate() {
        let now = 700 * n as u64;
        client.on_bytes(now, piece);
        client.on_deadline(now);
        client.poll_transmit(&mut [0; 256]);
        while client.poll_message().is_some() {
            told += 1;
        }
    }
    client.on_closed(u64::MAX);
    while client.poll_message().is_some() {
        told += 1;
    }
    // The link's coming and going are two more.
    assert!(told <= frames + 2, "{told} messages from {frames} frames");
}

ijk_fuzz::target!(|data| {
    let [instruments, cut, stream @ ..] = data else { return 0 };
    let instruments = u16::from(instruments % 64 + 1);
    let whole = decode(stream, instruments, stream.len().max(1));
    assert_eq!(whole, decode(stream, instruments, usize::from(*cut) + 1), "cuts change nothing");
    converse(stream, instruments, whole.0.len());
    whole.0.len()
});
