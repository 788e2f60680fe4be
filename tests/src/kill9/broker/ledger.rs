//! The broker's ledger: one line a deed, on the device before anybody hears of it.
//!
//! ```text
//! hello EPOCH WALL_NS
//! snapshot EPOCH WALL_NS
//! new ID VENUE_ID SYMBOL buy|sell QTY PX TIF
//! refuse ID REASON
//! exec EXEC_ID ID QTY PX FEE
//! end ID canceled|expired QTY
//! ```

use super::book::{Book, Deed, Execution, Status};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

/// The open ledger.
#[derive(Debug)]
pub struct Ledger {
    file: File,
    lines: String,
}

/// What a ledger holds beyond the book.
#[derive(Debug, Default)]
pub struct History {
    /// Orders refused: id and reason.
    pub refused: Vec<(u64, u16)>,
    /// Boot epochs that greeted, in order.
    pub epochs: Vec<u64>,
    /// When an epoch first got a whole snapshot, nanoseconds UTC.
    pub snapshots: BTreeMap<u64, u64>,
}

impl Ledger {
    /// Opens the ledger and reads it into `book`; a last line that a kill cut off is cut off.
    ///
    /// # Errors
    /// If it cannot be read or holds what was never written.
    pub fn open(path: &Path, book: &mut Book) -> Result<Ledger, String> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(format!("{}: {e}", path.display())),
        };
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        replay(&text[..whole], book)?;
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.map_err(|e| format!("{}: {e}", path.display()))?;
        file.set_len(whole as u64).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(Ledger { file, lines: String::new() })
    }

    /// Notes a client's start.
    pub fn hello(&mut self, epoch: u64, wall_ns: u64) {
        self.note(format_args!("hello {epoch} {wall_ns}"));
    }

    /// Notes that a client got a snapshot.
    pub fn snapshot(&mut self, epoch: u64, wall_ns: u64) {
        self.note(format_args!("snapshot {epoch} {wall_ns}"));
    }

    /// Notes a deed.
    pub fn deed(&mut self, deed: &Deed) {
        match deed {
            Deed::Accepted(o) => {
                let side = if o.buy { "buy" } else { "sell" };
                let (id, venue_id, symbol, qty, px) = (o.id, o.venue_id, &o.symbol, o.qty, o.px);
                self.note(format_args!("new {id} {venue_id} {symbol} {side} {qty} {px} {}", o.tif));
            }
            Deed::Refused(id, _, reason) => self.note(format_args!("refuse {id} {reason}")),
            Deed::Executed(e) => {
                let (exec_id, id, qty, px, fee) = (e.exec_id, e.id, e.qty, e.px, e.fee);
                self.note(format_args!("exec {exec_id} {id} {qty} {px} {fee}"));
            }
            Deed::Ended(id, status, qty) => {
                let how = if *status == Status::Canceled { "canceled" } else { "expired" };
                self.note(format_args!("end {id} {how} {qty}"));
            }
            Deed::TooLate(_) => {}
        }
    }

    fn note(&mut self, line: std::fmt::Arguments<'_>) {
        writeln!(self.lines, "{line}").expect("a string takes everything");
    }

    /// Makes everything noted durable.
    ///
    /// # Errors
    /// The system's; the broker must stop then.
    pub fn commit(&mut self) -> std::io::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        self.file.write_all(self.lines.as_bytes())?;
        self.file.sync_data()?;
        self.lines.clear();
        Ok(())
    }
}

/// Reads a ledger's lines into a book and returns the rest.
///
/// # Errors
/// The first line that was never written so, with its number.
pub fn replay(text: &str, book: &mut Book) -> Result<History, String> {
    let mut history = History::default();
    for (i, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split(' ').collect();
        apply(&fields, book, &mut history)
            .ok_or_else(|| format!("ledger line {}: '{line}'", i + 1))?;
    }
    Ok(history)
}

fn apply(fields: &[&str], book: &mut Book, history: &mut History) -> Option<()> {
    match *fields {
        ["snapshot", epoch, wall_ns] => {
            let wall_ns = wall_ns.parse().ok()?;
            history.snapshots.entry(epoch.parse().ok()?).or_insert(wall_ns);
        }
        ["hello", epoch, _] => {
            let epoch = epoch.parse().ok()?;
            book.epoch = book.epoch.max(epoch);
            history.epochs.push(epoch);
        }
        ["new", id, venue_id, symbol, side, qty, px, tif] => {
            let buy = match side {
                "buy" => true,
                "sell" => false,
                _ => return None,
            };
            let (id, venue_id) = (id.parse().ok()?, venue_id.parse().ok()?);
            let (qty, px, tif) = (qty.parse().ok()?, px.parse().ok()?, tif.parse().ok()?);
            let fields = (id, venue_id, symbol.to_string(), buy, qty, px, tif);
            if book.order(id).is_some() {
                return None;
            }
            book.insert(0, Book::order_of(fields));
        }
        ["refuse", id, reason] => {
            let id = id.parse().ok()?;
            book.highest = book.highest.max(id);
            history.refused.push((id, reason.parse().ok()?));
        }
        ["exec", exec_id, id, qty, px, fee] => book.execute(Execution {
            exec_id: exec_id.parse().ok()?,
            id: id.parse().ok()?,
            qty: qty.parse().ok()?,
            px: px.parse().ok()?,
            fee: fee.parse().ok()?,
        }),
        ["end", id, how, _] => {
            let status = match how {
                "canceled" => Status::Canceled,
                "expired" => Status::Expired,
                _ => return None,
            };
            book.end(id.parse().ok()?, status);
        }
        _ => return None,
    }
    Some(())
}
