//! The kernel's end of the link against two foreign ends: the broker process and the example
//! gateway in Python.

use ijk_core::{
    CancelOrder, ClientOrderId, Instrument, InstrumentId, LinkKind, NewOrder, OrderType, ParentId,
    Px, Qty, RecvTs, ReportKind, Side, SnapshotItem, SnapshotKind, SnapshotRequest, Symbol,
    TimeInForce, VenueOrderStatus, VenueReport,
};
use ijk_engine::runtime::socket::{LinkAddress, SocketOptions, SocketTransport};
use ijk_venue::VenueMessage;
use ijk_venue::link::{LinkClient, LinkSettings, Read, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

const NOW: RecvTs = RecvTs(0);
const EPOCH: u32 = 3;

/// A process that ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client over a real socket, and everything it was told.
struct Driver {
    client: LinkClient,
    transport: SocketTransport,
    reports: Vec<VenueReport>,
    items: Vec<SnapshotItem>,
    links: Vec<LinkKind>,
}

impl Driver {
    fn new(address: LinkAddress, symbols: &[&str]) -> Driver {
        let table: Vec<_> =
            symbols.iter().map(|s| Instrument::us_equity(Symbol::new(s).unwrap())).collect();
        let settings = LinkSettings {
            client_number: 1,
            boot_epoch: EPOCH,
            account: [0; 16],
            heartbeat_ns: 100_000_000,
        };
        Driver {
            client: LinkClient::new(settings, &table),
            transport: SocketTransport::start(address, SocketOptions::default()).unwrap(),
            reports: Vec::new(),
            items: Vec::new(),
            links: Vec::new(),
        }
    }

    fn step(&mut self) {
        let clock = self.transport.clock_ns(NOW);
        let mut buf = [0; 4_096];
        match self.transport.try_read(NOW, &mut buf) {
            Read::Empty => std::thread::sleep(Duration::from_micros(200)),
            Read::Opened => self.client.on_connected(clock),
            Read::Bytes(n) => self.client.on_bytes(clock, &buf[..n]),
            Read::Closed => self.client.on_closed(clock),
        }
        self.client.on_deadline(clock);
        assert!(!self.client.wants_close(), "{:?}", self.client.last_error());
        let n = self.transport.write(NOW, self.client.pending());
        self.client.sent(n);
        while let Some(message) = self.client.poll_message() {
            match message {
                VenueMessage::Report(r) => self.reports.push(r),
                VenueMessage::Snapshot(s) => self.items.push(s),
                VenueMessage::Link(l) => self.links.push(l.kind),
            }
        }
    }

    fn until(&mut self, what: &str, done: impl Fn(&Driver) -> bool) {
        let began = Instant::now();
        while !done(self) {
            self.step();
            assert!(began.elapsed() < Duration::from_secs(20), "{what}: {:?}", self.reports);
        }
    }

    fn snapshot(&mut self, request_id: u64) -> Vec<SnapshotItem> {
        self.items.clear();
        self.client.request_snapshot(&SnapshotRequest { request_id });
        self.until("a snapshot", |d| d.items.last().is_some_and(|s| s.kind == SnapshotKind::End));
        let items = std::mem::take(&mut self.items);
        assert!(items.iter().all(|s| s.request_id == request_id));
        assert_eq!(items[0].kind, SnapshotKind::Begin);
        assert_eq!(items.last().unwrap().qty.0 as usize, items.len() - 2);
        items
    }

    fn order(&mut self, n: u64) {
        let order = NewOrder {
            client_order_id: id(n),
            qty: Qty(10 + n as i64),
            px: Px(100_000_000_000 + n as i64),
            parent_id: ParentId(1),
            instrument: InstrumentId((n % 2) as u16),
            side: if n.is_multiple_of(3) { Side::Ask } else { Side::Bid },
            order_type: OrderType::Limit,
            tif: if n.is_multiple_of(5) { TimeInForce::Ioc } else { TimeInForce::Day },
            reserved: [0; 7],
        };
        self.client.new_order(&order).unwrap();
    }

    fn ended(&self) -> BTreeSet<ClientOrderId> {
        let over = |r: &&VenueReport| {
            matches!(r.kind, ReportKind::Canceled | ReportKind::Expired)
                || (r.kind == ReportKind::Fill && r.leaves.0 == 0)
        };
        self.reports.iter().filter(over).map(|r| r.client_order_id).collect()
    }

    /// Sends orders, cancels what rests, and returns the positions that the fills add up to.
    fn day(&mut self, count: u64) -> BTreeMap<u16, i64> {
        for n in 1..=count {
            self.order(n);
        }
        self.until("acknowledgements", |d| {
            d.reports.iter().filter(|r| r.kind == ReportKind::Ack).count() == count as usize
        });
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(60) {
            self.step();
        }
        let ended = self.ended();
        for n in (1..=count).filter(|n| !ended.contains(&id(*n))) {
            let instrument = InstrumentId((n % 2) as u16);
            self.client.cancel(&CancelOrder {
                client_order_id: id(n),
                instrument,
                reserved: [0; 6],
            });
        }
        self.until("ends", |d| d.ended().len() == count as usize);
        let mut positions = BTreeMap::new();
        for r in self.reports.iter().filter(|r| r.kind == ReportKind::Fill) {
            *positions.entry(r.instrument.0).or_insert(0) += r.side.sign() * r.qty.0;
        }
        positions
    }
}

fn id(n: u64) -> ClientOrderId {
    ClientOrderId(u64::from(EPOCH) << 36 | n)
}

/// A snapshot must say what the reports said.
fn agrees(items: &[SnapshotItem], d: &Driver, positions: &BTreeMap<u16, i64>) {
    let of = |kind| items.iter().filter(move |s| s.kind == kind);
    let told: BTreeMap<u16, i64> =
        of(SnapshotKind::Position).map(|s| (s.instrument.0, s.qty.0)).collect();
    let nonzero = |m: &BTreeMap<u16, i64>| {
        m.iter().filter(|e| *e.1 != 0).map(|e| (*e.0, *e.1)).collect::<Vec<_>>()
    };
    assert_eq!(nonzero(&told), nonzero(positions));
    let fills: Vec<_> = d
        .reports
        .iter()
        .filter(|r| r.kind == ReportKind::Fill)
        .map(|r| (r.exec_id, r.qty))
        .collect();
    let listed: Vec<_> = of(SnapshotKind::Execution).map(|s| (s.exec_id, s.qty)).collect();
    assert_eq!(listed, fills);
    for o in of(SnapshotKind::Order) {
        let filled: i64 = d
            .reports
            .iter()
            .filter(|r| r.kind == ReportKind::Fill && r.client_order_id == o.client_order_id)
            .map(|r| r.qty.0)
            .sum();
        assert_eq!((o.filled.0, o.leaves.0), (filled, 0));
        assert_eq!(o.status == VenueOrderStatus::Filled, filled == o.qty.0);
    }
}

fn duplicates_are_refused(d: &mut Driver) {
    d.order(2);
    d.until("a reject", |d| d.reports.last().is_some_and(|r| r.kind == ReportKind::Reject));
    let last = d.reports.pop().unwrap();
    assert_eq!((last.client_order_id, last.reason), (id(2), 103));
}

fn broker(dir: &Path) -> Process {
    let child = Command::new(env!("CARGO_BIN_EXE_ijk-broker"))
        .args([dir.join("s").as_os_str(), dir.join("ledger").as_os_str()])
        .spawn()
        .expect("the broker starts");
    Process(child)
}

#[test]
fn the_broker_process_trades_and_knows_its_day_after_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut process = broker(dir.path());
    let mut d = Driver::new(LinkAddress::Unix(dir.path().join("s")), &["AAA", "BBB"]);
    d.until("the link", |d| d.links == [LinkKind::Up]);
    assert_eq!(d.snapshot(1).len(), 2, "nothing yet");
    let positions = d.day(60);
    let before = d.snapshot(2);
    agrees(&before, &d, &positions);
    let kinds: BTreeSet<_> = d.reports.iter().map(|r| r.kind as u8).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), [0, 2, 3, 4], "acks, fills, both ends");
    duplicates_are_refused(&mut d);
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    d.until("the break", |d| d.links.last() == Some(&LinkKind::Down));
    let _process = broker(dir.path());
    d.until("the link again", |d| d.links.last() == Some(&LinkKind::Up));
    assert_eq!(d.client.welcome().unwrap().highest_client_order_id, id(60).0);
    let after = d.snapshot(3);
    agrees(&after, &d, &positions);
    duplicates_are_refused(&mut d);
}

#[test]
fn the_example_gateway_is_a_venue() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: no python3 here");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let address = format!("unix:{}", dir.path().join("s").display());
    let child = Command::new("python3")
        .arg(ijk_tests::root().join("scripts/link_gateway.py"))
        .arg(&address)
        .spawn()
        .expect("python3 starts");
    let _process = Process(child);
    let mut d = Driver::new(address.parse().unwrap(), &["AAA", "BBB"]);
    d.until("the link", |d| d.links == [LinkKind::Up]);
    let positions = d.day(30);
    let items = d.snapshot(1);
    agrees(&items, &d, &positions);
    duplicates_are_refused(&mut d);
    let beats = Instant::now();
    while beats.elapsed() < Duration::from_millis(450) {
        d.step();
    }
    assert_eq!(d.links, [LinkKind::Up], "it answers pings");
}
