//! The product's real threads, to be run under ThreadSanitizer: journal port, feed thread, socket
//! on the loopback, kill request over a second mapping.
//!
//! ```text
//! ijk-threads ROUNDS       fails if anything is lost; the sanitizer fails it on a race
//! ijk-threads planted      a race that the sanitizer must report
//! ```

use ijk_core::config::{JournalConfig, Overload, WaitStrategy};
use ijk_core::record::RecordKind;
use ijk_core::{
    DepthKind, EventKind, EventSource, FeedError, Instrument, InstrumentId, MarketEvent, RecvTs,
    RepairCounts, RowFlags,
};
use ijk_engine::runtime::counters::{Counter, Counters};
use ijk_engine::runtime::journal_port::{self, PortOptions};
use ijk_engine::runtime::ports::{FeedPort, FeedState};
use ijk_engine::runtime::pump::{self, PumpOptions, PumpShared};
use ijk_engine::runtime::socket::{SocketOptions, SocketTransport};
use ijk_journal::{Durability, Reader, RecoveryMode};
use ijk_venue::link::{Read, Transport};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread::yield_now;
use std::time::Duration;

const RECORDS: u64 = 300;
const BYTES: usize = 40_000;

fn main() {
    let arg = std::env::args().nth(1).unwrap_or_default();
    if arg == "planted" {
        return planted();
    }
    let rounds: u32 = arg.parse().expect("usage: ijk-threads ROUNDS|planted");
    for round in 0..rounds {
        let dir = tempfile::tempdir().expect("a folder can be made");
        journal(dir.path(), if round % 2 == 0 { Durability::Strict } else { Durability::Buffered });
        feed(if round % 2 == 0 { Overload::Block } else { Overload::Gap });
        socket();
        kill(dir.path());
    }
    println!("ok      real threads: journal, feed, socket, kill            {rounds:>9} rounds");
}

fn journal(dir: &Path, durability: Durability) {
    let folder = dir.join("journal");
    std::fs::create_dir(&folder).expect("a folder can be made");
    let config = JournalConfig { segment_bytes: 1 << 17, ..JournalConfig::default() };
    let options = PortOptions {
        samples_path: dir.join("samples"),
        durability,
        epoch: 1,
        ring_bytes: 1,
        strategy: WaitStrategy::Park,
    };
    let (mut port, thread) = journal_port::start(&folder, &config, options).expect("it starts");
    for seq in 0..RECORDS {
        let kind = if seq % 8 == 0 { RecordKind::Order } else { RecordKind::Timer };
        assert!(port.append(RecvTs(seq), kind, &[seq as u8; 900]));
        assert!(port.durable_seq() <= port.frames());
        assert!(!port.spare_failed());
    }
    assert!(port.wait_durable(RECORDS));
    drop(port);
    assert_eq!(thread.join().expect("the journal is whole").records, RECORDS);
    let mut reader = Reader::open(&folder, RecoveryMode::Strict).expect("it can be read");
    let mut next = 0;
    while let Some(frame) = reader.next().expect("it is whole") {
        assert_eq!((frame.seq, frame.payload), (next, &[next as u8; 900][..]));
        next += 1;
    }
    assert_eq!(next, RECORDS);
}

struct Rows(u64);

impl EventSource for Rows {
    fn instruments(&self) -> &[Instrument] {
        &[]
    }
    fn depth_kind(&self, _: usize) -> DepthKind {
        DepthKind::L2
    }
    fn next_event(&mut self) -> Result<Option<MarketEvent>, FeedError> {
        let mut ev = MarketEvent::new(EventKind::Status, InstrumentId(0));
        (ev.row, ev.ts_receive, ev.flags) = (self.0, RecvTs(1 + self.0), RowFlags::ROW_END);
        self.0 += 1;
        Ok((self.0 <= RECORDS).then_some(ev))
    }
    fn repairs(&self) -> RepairCounts {
        RepairCounts::default()
    }
}

fn feed(overload: Overload) {
    let (ring, mut out) = rtrb::RingBuffer::new(4);
    let shared = Arc::new(PumpShared::default());
    let inner = Arc::clone(&shared);
    let options = PumpOptions {
        speed: f64::INFINITY,
        rows_max: u64::MAX,
        overload,
        wait: WaitStrategy::Park,
        core: -1,
    };
    let thread = std::thread::spawn(move || pump::run(Rows(0), ring, &options, &inner).is_ok());
    let mut rows = 0;
    loop {
        match FeedPort::peek(&mut out) {
            FeedState::Ready(_) => {
                let ev = FeedPort::pop(&mut out).expect("what was seen is there");
                rows += u64::from(ev.kind != EventKind::Gap);
            }
            FeedState::Empty => yield_now(),
            FeedState::Ended => break,
        }
    }
    assert!(thread.join().expect("it ended"));
    let dropped = shared.dropped.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(rows + dropped, RECORDS);
}

/// The venue sends everything back, twice: the first connection it breaks.
fn socket() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has one").to_string();
    let peer = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().expect("somebody comes");
            let mut left = BYTES;
            let mut buf = [0; 1_000];
            while left > 0 {
                let n = stream.read(&mut buf).expect("it can be read");
                stream.write_all(&buf[..n]).expect("it can be written");
                left -= n;
            }
        }
    });
    let options = SocketOptions {
        backoff_min: Duration::from_millis(1),
        backoff_max: Duration::from_millis(2),
        ring_bytes: 4_096,
    };
    let mut t = SocketTransport::start(address.parse().expect("an address"), options)
        .expect("threads can be started");
    for connection in 0..2u8 {
        let (mut sent, mut seen, mut open) = (0, 0, false);
        let mut buf = [0; 700];
        loop {
            match t.try_read(RecvTs(0), &mut buf) {
                Read::Opened => open = true,
                Read::Bytes(n) => {
                    assert!(open && buf[..n].iter().all(|b| *b == connection));
                    seen += n;
                }
                Read::Closed => break,
                Read::Empty => yield_now(),
            }
            if open && sent < BYTES {
                let most = (BYTES - sent).min(500);
                sent += t.write(RecvTs(0), &[connection; 500][..most]);
            }
        }
        assert_eq!((sent, seen), (BYTES, BYTES));
    }
    drop(t);
    peer.join().expect("the venue is content");
}

fn kill(dir: &Path) {
    let path = dir.join("counters");
    let ours = Counters::create(&path).expect("a file can be made");
    let person = std::thread::spawn(move || {
        let theirs = Counters::open(&path).expect("it is there");
        let mut last = 0;
        while last < 100 {
            let value = theirs.get(Counter::Rows);
            assert!(value >= last);
            last = value;
        }
        theirs.request_kill();
    });
    while !ours.kill_requested() {
        ours.add(Counter::Rows, 1);
        ours.show();
        yield_now();
    }
    person.join().expect("content");
}

/// Two threads add to a plain number.
fn planted() {
    struct Plain(std::cell::UnsafeCell<u64>);
    // SAFETY: none; this is the race that must be reported.
    unsafe impl Sync for Plain {}
    let shared = Arc::new(Plain(std::cell::UnsafeCell::new(0)));
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || {
                for _ in 0..1_000 {
                    // SAFETY: as above.
                    unsafe { *std::hint::black_box(shared.0.get()) += 1 };
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().expect("it ended"));
}
