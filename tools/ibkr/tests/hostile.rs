//! Whatever answers on the port, the probe ends with an error within its deadline.

use ijk_ibkr::{HandshakeError, ProbeError, ProbeTimeouts, probe};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

const TIMEOUTS: ProbeTimeouts =
    ProbeTimeouts { connect: Duration::from_secs(5), answer: Duration::from_millis(400) };

/// Listens on loopback for one connection, reads the greeting, then lets `behave` answer.
fn server(behave: impl FnOnce(TcpStream) + Send + 'static) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let thread = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut greeting = vec![0; 17];
        stream.read_exact(&mut greeting).unwrap();
        behave(stream);
        greeting
    });
    (addr, thread)
}

fn probe_against(
    behave: impl FnOnce(TcpStream) + Send + 'static,
) -> Result<ijk_ibkr::GatewayInfo, ProbeError> {
    let (addr, thread) = server(behave);
    let result = probe(addr, &TIMEOUTS);
    assert_eq!(thread.join().unwrap(), b"API\0\0\0\0\x09v213..226");
    result
}

fn answer(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text].concat()
}

/// Waits until the client has gone.
fn hold(mut stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let _ = stream.read(&mut [0]);
}

#[test]
fn a_gateway_in_pieces_is_understood() {
    let info = probe_against(|mut s| {
        for byte in answer(b"226\x0020260102 09:30:00 EST\0") {
            s.write_all(&[byte]).unwrap();
        }
    });
    assert_eq!(info.unwrap().server_version, 226);
}

#[test]
fn silence_and_drip_end_at_the_deadline() {
    let silent = probe_against(hold);
    assert!(matches!(silent, Err(ProbeError::Deadline { bytes: 0, waited_ms: 400 })));
    let drip = probe_against(|mut s| {
        // Fast enough never to hit a timeout between two bytes, too slow in total.
        for byte in answer(&[b'2'; 900]) {
            if s.write_all(&[byte]).is_err() {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    });
    assert!(matches!(drip, Err(ProbeError::Deadline { bytes: 1.., .. })), "{drip:?}");
}

#[test]
fn closing_is_told_apart_from_silence() {
    let at_once = probe_against(|s| s.shutdown(Shutdown::Both).unwrap());
    assert!(matches!(at_once, Err(ProbeError::Closed { bytes: 0 })), "{at_once:?}");
    let inside = probe_against(|mut s| s.write_all(b"\0\0\0\x20226\0").unwrap());
    assert!(matches!(inside, Err(ProbeError::Closed { bytes: 8 })), "{inside:?}");
}

#[test]
fn impossible_lengths_and_garbage_are_refused_at_once() {
    for bytes in [&[0xff; 64][..], &[0; 64], b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"]
    {
        let bytes = bytes.to_vec();
        let result = probe_against(move |mut s| s.write_all(&bytes).unwrap());
        assert!(
            matches!(result, Err(ProbeError::Handshake(HandshakeError::Length { .. }))),
            "{result:?}"
        );
    }
    let garbage = probe_against(|mut s| s.write_all(&answer(&[0x80; 40])).unwrap());
    assert!(matches!(garbage, Err(ProbeError::Handshake(HandshakeError::Malformed { .. }))));
    let old =
        probe_against(|mut s| s.write_all(&answer(b"176\x0020200101 00:00:00 EST\0")).unwrap());
    assert!(matches!(
        old,
        Err(ProbeError::Handshake(HandshakeError::ServerVersion { found: 176 }))
    ));
}

#[test]
fn nobody_listening_is_said_so() {
    let addr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = probe(addr, &TIMEOUTS).unwrap_err();
    assert!(matches!(error, ProbeError::Connect { .. }));
    assert!(error.to_string().contains("is TWS or IB Gateway running"), "{error}");
}
