//! Requests of a client to the gateway simulator: frames, each answered, time going on between
//! them. The first byte says how much.
#![no_main]

use ijk_twsim::proto::StartApiRequest;
use ijk_twsim::wire::{Incoming, frame, read_frame};
use ijk_twsim::{Gateway, SimConfig};

/// Most bytes one input may be answered with.
const OUT_BYTES_MAX: usize = 64 << 20;

ijk_fuzz::target!(|data| {
    let Some((step, mut stream)) = data.split_first() else { return 0 };
    let config = SimConfig {
        fixed_time_s: Some(1_741_012_200),
        feed: "synth:1:1:1".parse().ok(),
        symbols: vec!["AAPL".to_string()],
        ..SimConfig::default()
    };
    let mut gateway = Gateway::new(config).expect("a good configuration");
    let conn = gateway.connect(226).expect("nothing refuses");
    let start = frame(71, &StartApiRequest { client_id: Some(1), ..Default::default() });
    gateway.request(conn, 71, &start[8..]);
    let (mut count, mut told) = (0, 0);
    while let Incoming::Frame { id, body, consumed } = read_frame(stream) {
        gateway.request(conn, id, body);
        gateway.advance(gateway.now_ns() + u64::from(*step) * 1_000_000);
        let output = gateway.take_output(conn);
        told += output.bytes.len();
        assert!(told < OUT_BYTES_MAX, "{told} bytes told");
        let mut rest = &output.bytes[..];
        while let Incoming::Frame { id, body, consumed } = read_frame(rest) {
            assert!(!ijk_twsim::describe::answer(id, body).contains("not protobuf"), "{id}");
            rest = &rest[consumed..];
        }
        assert!(rest.is_empty(), "whole frames are told");
        count += 1;
        stream = &stream[consumed..];
        if output.close {
            break;
        }
    }
    count
});
