//! The adapter's probe against the gateway simulator, two independent readings of one protocol.
//! Loopback only; every wait is bounded.

use ijk_ibkr::{ProbeError, ProbeTimeouts, probe};
use ijk_twsim::{Server, ServerError, SetupError, SimConfig};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TIMEOUTS: ProbeTimeouts =
    ProbeTimeouts { connect: Duration::from_secs(5), answer: Duration::from_secs(20) };

fn simulator(server_version: u32) -> Server {
    let config =
        SimConfig { server_version, fixed_time_s: Some(1_767_364_200), ..SimConfig::default() };
    Server::start(0, config).expect("a free loopback port")
}

fn connect(server: &Server, greeting: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(greeting).unwrap();
    stream
}

fn read_to_close(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_probe_meets_every_server_version() {
    for version in 213..=226 {
        let server = simulator(version);
        let info = probe(server.addr(), &TIMEOUTS).unwrap();
        assert_eq!(info.server_version, version);
        assert_eq!(info.connection_time, "20260102 09:30:00 US/Eastern");
    }
}

#[test]
fn versions_outside_the_simulated_ones_do_not_start() {
    for version in [0, 212, 227] {
        let config = SimConfig { server_version: version, ..SimConfig::default() };
        let refused = Server::start(0, config);
        let Err(ServerError::Setup(SetupError::Version { found })) = refused else {
            panic!("version {version} starts");
        };
        assert_eq!(found, version);
    }
}

#[test]
fn a_stopped_simulator_is_no_gateway() {
    let server = simulator(226);
    let addr = server.addr();
    assert!(probe(addr, &TIMEOUTS).is_ok());
    drop(server);
    let error = probe(addr, &TIMEOUTS).unwrap_err();
    assert!(matches!(error, ProbeError::Connect { .. }), "{error}");
}

#[test]
fn clients_without_a_common_version_are_closed_without_a_word() {
    let server = simulator(215);
    for greeting in
        [&b"API\0\0\0\0\x09v100..178"[..], b"API\0\0\0\0\x09v216..226", b"GET / HTTP/1.1\r\n\r\n"]
    {
        assert_eq!(read_to_close(&mut connect(&server, greeting)), b"");
    }
    assert!(probe(server.addr(), &TIMEOUTS).is_ok(), "others are still served");
}

#[test]
fn a_session_starts_tells_the_time_and_owns_its_client_id() {
    let server = simulator(226);
    let greeting = b"API\0\0\0\0\x09v213..226";
    // StartApi (71 + 200) with client id 7, then the time in seconds (49 + 200).
    let start = b"\0\0\0\x06\0\0\x01\x0f\x08\x07";
    let time = b"\0\0\0\x04\0\0\0\xf9";
    let mut stream = connect(&server, &[&greeting[..], start, time].concat());
    let expected = [
        &b"\0\0\0\x21226\x0020260102 09:30:00 US/Eastern\0"[..],
        b"\0\0\0\x0f\0\0\0\xd7\x0a\x09DU0000001",
        b"\0\0\0\x06\0\0\0\xd1\x08\x01",
    ]
    .concat();
    let mut bytes = vec![0; expected.len()];
    stream.read_exact(&mut bytes).unwrap();
    assert_eq!(bytes, expected);
    // Notices of the farms, then the time: 1 767 364 200 in base 128, low digits first.
    let time = b"\0\0\0\x0a\0\0\0\xf9\x08\xe8\xac\xdf\xca\x06";
    while !bytes.ends_with(time) {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("the time comes");
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("Market data farm connection is OK"), "{text}");

    let mut second = connect(&server, &[&greeting[..], start].concat());
    let refused = read_to_close(&mut second);
    let text = String::from_utf8_lossy(&refused);
    assert!(text.contains("the client id is already in use"), "{text}");
}
