//! Real sockets: order, back pressure, breaks, the last bytes.

use super::{LinkAddress, SocketOptions, SocketTransport};
use ijk_core::RecvTs;
use ijk_venue::link::{Read, Transport};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

const NOW: RecvTs = RecvTs(0);
const PATIENCE: Duration = Duration::from_secs(20);

fn options() -> SocketOptions {
    SocketOptions {
        backoff_min: Duration::from_millis(5),
        backoff_max: Duration::from_millis(50),
        ring_bytes: 4_096,
    }
}

/// Reads until something else than `Empty` is there.
fn read(t: &mut SocketTransport, buf: &mut [u8]) -> Read {
    let began = Instant::now();
    loop {
        match t.try_read(NOW, buf) {
            Read::Empty => assert!(began.elapsed() < PATIENCE, "{:?}", t.last_error()),
            found => return found,
        }
        std::thread::yield_now();
    }
}

fn write_all(t: &mut SocketTransport, mut bytes: &[u8]) {
    let began = Instant::now();
    while !bytes.is_empty() {
        bytes = &bytes[t.write(NOW, bytes)..];
        assert!(began.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
}

fn unix() -> (tempfile::TempDir, UnixListener, LinkAddress) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    (dir, listener, LinkAddress::Unix(path))
}

/// Byte `i` of a long stream that is easy to check.
fn byte(i: usize) -> u8 {
    (i % 251) as u8
}

#[test]
fn every_byte_comes_in_order_through_a_small_ring_both_ways() {
    const COUNT: usize = 1 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string().parse().unwrap();
    let peer = std::thread::spawn(move || {
        let (mut s, _) = listener.accept().unwrap();
        let bytes: Vec<u8> = (0..COUNT).map(byte).collect();
        let mut out = s.try_clone().unwrap();
        let writer = std::thread::spawn(move || out.write_all(&bytes).unwrap());
        let mut got = vec![0; COUNT];
        s.read_exact(&mut got).unwrap();
        writer.join().unwrap();
        got
    });
    let mut t = SocketTransport::start(address, options()).unwrap();
    let mut buf = [0; 700];
    assert_eq!(t.write(NOW, b"early"), 0, "nothing is taken without a connection");
    assert_eq!(read(&mut t, &mut buf), Read::Opened);
    let (mut seen, mut sent) = (0, 0);
    let began = Instant::now();
    while seen < COUNT || sent < COUNT {
        assert!(began.elapsed() < PATIENCE, "{seen} read, {sent} sent");
        if let Read::Bytes(n) = t.try_read(NOW, &mut buf) {
            assert!(buf[..n].iter().enumerate().all(|(i, b)| *b == byte(seen + i)));
            seen += n;
        }
        if sent < COUNT {
            let chunk: Vec<u8> = (sent..COUNT.min(sent + 333)).map(byte).collect();
            sent += t.write(NOW, &chunk);
        }
    }
    let got = peer.join().unwrap();
    assert!(got.iter().enumerate().all(|(i, b)| *b == byte(i)));
    assert_eq!(read(&mut t, &mut buf), Read::Closed, "the peer is gone");
}

#[test]
fn bytes_of_one_connection_never_reach_the_next() {
    let (_dir, listener, address) = unix();
    let mut t = SocketTransport::start(address, options()).unwrap();
    let mut buf = [0; 4_096];
    for round in 0..10u8 {
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(read(&mut t, &mut buf), Read::Opened);
        peer.write_all(&[round; 100]).unwrap();
        write_all(&mut t, &[round; 8]);
        let mut got = [0; 8];
        peer.read_exact(&mut got).unwrap();
        assert_eq!(got, [round; 8]);
        if round % 2 == 0 {
            // The peer breaks the connection while we write on.
            drop(peer);
            let began = Instant::now();
            while t.write(NOW, &[round; 64]) > 0 && began.elapsed() < Duration::from_millis(20) {}
            let mut seen = 0;
            loop {
                match read(&mut t, &mut buf) {
                    Read::Bytes(n) => {
                        assert!(buf[..n].iter().all(|b| *b == round));
                        seen += n;
                    }
                    other => {
                        assert_eq!(other, Read::Closed);
                        break;
                    }
                }
            }
            assert_eq!(seen, 100, "what was delivered is read before the close");
        } else {
            // We give it up; what it delivered is lost.
            write_all(&mut t, &[round; 64]);
            t.close(NOW);
            assert_eq!(t.write(NOW, b"late"), 0);
            assert_eq!(read(&mut t, &mut buf), Read::Closed);
            let mut rest = Vec::new();
            peer.read_to_end(&mut rest).unwrap();
            assert!(rest.len() <= 64 && rest.iter().all(|b| *b == round));
        }
        assert_eq!(t.write(NOW, b"between"), 0);
    }
}

#[test]
fn the_last_bytes_leave_when_the_transport_is_dropped() {
    for _ in 0..20 {
        let (_dir, listener, address) = unix();
        let mut t = SocketTransport::start(address, options()).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        assert_eq!(read(&mut t, &mut [0; 8]), Read::Opened);
        write_all(&mut t, b"cancel everything");
        drop(t);
        let mut got = String::new();
        peer.read_to_string(&mut got).unwrap();
        assert_eq!(got, "cancel everything");
    }
}

#[test]
fn it_waits_for_a_venue_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s");
    let mut t = SocketTransport::start(LinkAddress::Unix(path.clone()), options()).unwrap();
    let began = Instant::now();
    while t.last_error().is_none() {
        assert_eq!(t.try_read(NOW, &mut [0; 8]), Read::Empty);
        assert!(began.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(1));
    }
    let listener = UnixListener::bind(&path).unwrap();
    assert_eq!(read(&mut t, &mut [0; 8]), Read::Opened);
    drop(listener);
}
