//! The broker's loop: one client at a time, a later connection takes the place of an earlier.

use super::book::{Book, Deed, Order, Status};
use super::ledger::Ledger;
use super::wire::{self, Inbound, ItemFields, Report, ReportFields};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How a broker is run.
#[derive(Clone, Debug)]
pub struct BrokerOptions {
    /// Its socket; an old file there is replaced.
    pub socket: PathBuf,
    /// Its ledger.
    pub ledger: PathBuf,
    /// What its fills follow from.
    pub seed: u64,
    /// Longest time between an order's arrival and a fill.
    pub delay_max: Duration,
}

/// Wait for a client or its bytes before the clock is looked at again.
const LOOK: Duration = Duration::from_millis(1);
/// Codes of REFUSED.
const WRONG_PROTOCOL: u16 = 1;
const OLD_EPOCH: u16 = 5;
const BAD_FRAME: u16 = 6;

struct Client {
    stream: UnixStream,
    input: Vec<u8>,
    symbols: Vec<String>,
    expected: usize,
    welcomed: bool,
}

struct Broker {
    book: Book,
    ledger: Ledger,
    began: Instant,
    out: Vec<u8>,
}

/// Runs a broker until it is killed.
///
/// # Errors
/// If its socket or ledger fails; nothing untrue was told until then.
pub fn run(options: &BrokerOptions) -> Result<(), String> {
    let mut book = Book::new(options.seed, options.delay_max.as_nanos() as u64);
    let ledger = Ledger::open(&options.ledger, &mut book)?;
    book.resume(0);
    match std::fs::remove_file(&options.socket) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e.to_string()),
        _ => {}
    }
    let text = |e: std::io::Error| format!("{}: {e}", options.socket.display());
    let listener = UnixListener::bind(&options.socket).map_err(text)?;
    listener.set_nonblocking(true).map_err(text)?;
    let mut broker = Broker { book, ledger, began: Instant::now(), out: Vec::new() };
    let mut client = None;
    loop {
        if let Ok((stream, _)) = listener.accept() {
            client = greet(stream);
        }
        let mut lost = false;
        match &mut client {
            Some(c) => lost = broker.listen(c).is_err(),
            None => std::thread::sleep(LOOK),
        }
        broker.trade(client.as_ref());
        broker.ledger.commit().map_err(|e| format!("the ledger: {e}"))?;
        let out = std::mem::take(&mut broker.out);
        if let Some(c) = &mut client
            && (c.stream.write_all(&out).is_err() || lost)
        {
            client = None;
        }
    }
}

fn greet(stream: UnixStream) -> Option<Client> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(LOOK)).ok()?;
    Some(Client { stream, input: Vec::new(), symbols: Vec::new(), expected: 0, welcomed: false })
}

fn wall_ns() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos() as u64)
}

impl Broker {
    fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Reads what the client sent; `Err` ends the connection after what is to be said.
    fn listen(&mut self, c: &mut Client) -> Result<(), ()> {
        let mut buf = [0; 4_096];
        match c.stream.read(&mut buf) {
            Ok(0) => return Err(()),
            Ok(n) => c.input.extend(&buf[..n]),
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => return Err(()),
        }
        let mut at = 0;
        loop {
            match wire::parse(&c.input[at..]) {
                Ok(None) => break,
                Ok(Some((message, length))) => {
                    at += length;
                    self.take(c, message)?;
                }
                Err(what) => {
                    eprintln!("ijk-broker: bad frame: {what}");
                    return self.refuse(BAD_FRAME);
                }
            }
        }
        c.input.drain(..at);
        Ok(())
    }

    fn refuse(&mut self, code: u16) -> Result<(), ()> {
        wire::refused(&mut self.out, code);
        Err(())
    }

    fn take(&mut self, c: &mut Client, message: Inbound) -> Result<(), ()> {
        match message {
            Inbound::Hello { protocol, boot_epoch, instrument_count, .. } => {
                if protocol != 1 {
                    return self.refuse(WRONG_PROTOCOL);
                }
                if boot_epoch < self.book.epoch {
                    return self.refuse(OLD_EPOCH);
                }
                self.book.epoch = boot_epoch;
                self.ledger.hello(boot_epoch, wall_ns());
                c.expected = usize::from(instrument_count);
            }
            Inbound::Instrument { id, symbol } => {
                if usize::from(id) != c.symbols.len() || c.symbols.len() >= c.expected {
                    return self.refuse(BAD_FRAME);
                }
                c.symbols.push(symbol);
                if c.symbols.len() == c.expected {
                    c.welcomed = true;
                    wire::welcome(&mut self.out, wall_ns(), self.book.highest);
                }
            }
            _ if !c.welcomed => return self.refuse(BAD_FRAME),
            Inbound::New(m) => {
                let Some(symbol) = c.symbols.get(usize::from(m.instrument)) else {
                    return self.refuse(BAD_FRAME);
                };
                let deed = self.book.on_new(self.now(), &m, symbol);
                let number = m.instrument;
                self.tell(&deed, |_| Some(number));
            }
            Inbound::Cancel(id) => {
                let deed = self.book.on_cancel(id);
                let number = |symbol: &str| number_of(c, symbol);
                self.tell(&deed, number);
            }
            Inbound::SnapshotRequest(request) => {
                self.snapshot(c, request);
                self.ledger.snapshot(self.book.epoch, wall_ns());
            }
            Inbound::Ping(number) => wire::pong(&mut self.out, number),
        }
        Ok(())
    }

    /// Lets due things happen, whether or not anybody is connected.
    fn trade(&mut self, client: Option<&Client>) {
        let now = self.now();
        while let Some(deed) = self.book.next_deed(now) {
            match client.filter(|c| c.welcomed) {
                Some(c) => self.tell(&deed, |symbol| number_of(c, symbol)),
                None => self.ledger.deed(&deed),
            }
        }
    }

    /// Writes a deed down and says it.
    fn tell(&mut self, deed: &Deed, number: impl Fn(&str) -> Option<u16>) {
        self.ledger.deed(deed);
        let of = |o: &Order| ReportFields {
            ts: wall_ns(),
            id: o.id,
            venue_id: o.venue_id,
            leaves: o.leaves(),
            instrument: number(&o.symbol).unwrap_or(0),
            sell: !o.buy,
            ..ReportFields::default()
        };
        let out = &mut self.out;
        let known = |id: &u64| self.book.order(*id).filter(|o| number(&o.symbol).is_some());
        match deed {
            Deed::Accepted(o) => wire::report(out, Report::Ack, &of(o)),
            Deed::Refused(id, buy, reason) => {
                let fields = ReportFields {
                    ts: wall_ns(),
                    id: *id,
                    reason: *reason,
                    instrument: number("").unwrap_or(0),
                    sell: !buy,
                    ..ReportFields::default()
                };
                wire::report(out, Report::Reject, &fields);
            }
            Deed::Executed(e) => {
                if let Some(o) = known(&e.id) {
                    let (exec_id, px, qty, fee) = (e.exec_id, e.px, e.qty, e.fee);
                    let fields = ReportFields { exec_id, px, qty, fee, ..of(o) };
                    wire::report(out, Report::Fill, &fields);
                }
            }
            Deed::Ended(id, status, qty) => {
                if let Some(o) = known(id) {
                    let kind = match status {
                        Status::Canceled => Report::Canceled,
                        _ => Report::Expired,
                    };
                    wire::report(out, kind, &ReportFields { qty: *qty, ..of(o) });
                }
            }
            Deed::TooLate(id) => {
                let fields = match known(id) {
                    Some(o) => of(o),
                    None => ReportFields { ts: wall_ns(), id: *id, ..ReportFields::default() },
                };
                wire::report(out, Report::CancelReject, &fields);
            }
        }
    }

    /// Says everything there is: executions, orders, positions.
    fn snapshot(&mut self, c: &Client, request: u64) {
        let base = ItemFields { request, ts: wall_ns(), ..ItemFields::default() };
        let (book, out) = (&self.book, &mut self.out);
        wire::item(out, &base);
        let mut count = 0;
        for e in &book.executions {
            let Some(o) = book.order(e.id) else { continue };
            let Some(instrument) = number_of(c, &o.symbol) else { continue };
            let (exec_id, px, qty, fee) = (e.exec_id, e.px, e.qty, e.fee);
            let (id, venue_id, sell) = (o.id, o.venue_id, !o.buy);
            let fields = ItemFields { id, venue_id, exec_id, px, qty, fee, ..base };
            wire::item(out, &ItemFields { instrument, sell, kind: 1, ..fields });
            count += 1;
        }
        for o in &book.orders {
            let Some(instrument) = number_of(c, &o.symbol) else { continue };
            let (id, venue_id, sell, px, qty) = (o.id, o.venue_id, !o.buy, o.px, o.qty);
            let (filled, leaves, status) = (o.filled, o.leaves(), o.status as u8);
            let fields = ItemFields { id, venue_id, px, qty, filled, leaves, status, ..base };
            wire::item(out, &ItemFields { instrument, sell, kind: 2, ..fields });
            count += 1;
        }
        for (symbol, qty) in book.positions() {
            let Some(instrument) = number_of(c, &symbol) else { continue };
            wire::item(out, &ItemFields { instrument, qty, kind: 3, ..base });
            count += 1;
        }
        wire::item(out, &ItemFields { qty: count, kind: 4, ..base });
    }
}

fn number_of(c: &Client, symbol: &str) -> Option<u16> {
    c.symbols.iter().position(|s| s == symbol).map(|at| at as u16)
}
