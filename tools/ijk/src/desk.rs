//! How people speak to a running kernel: files in the run's folder `desk`, each one order as JSON,
//! put there whole; the run answers beside it.
//!
//! | file | who writes it | what it is |
//! |---|---|---|
//! | `NAME.json` | the command | one [`Word`] |
//! | `NAME.answer` | the run | [`Answer`]; the order's file is gone by then |

use crate::commands::status;
use crate::exit::{self, Exit};
use ijk_core::config::RiskConfig;
use ijk_core::{Condition, Instrument, InstrumentId};
use ijk_data::whole::write_whole;
use ijk_engine::runtime::counters::Counter;
use ijk_engine::runtime::desk::{DeskOrder, Limits};
use rtrb::Producer;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a command waits for the run's answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest order read.
const ORDER_BYTES_MAX: u64 = 1 << 20;

/// One order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Word {
    /// New orders may leave again.
    Arm {},
    /// No new order leaves; what rests is cancelled.
    Disarm {},
    /// What is stricter in these limits holds from now on.
    Tighten {
        /// The limits.
        risk: Box<RiskConfig>,
    },
    /// Trading resumed after a market-wide halt.
    MarketResumed {},
    /// Short sales of a symbol are restricted, or free again.
    ShortSale {
        /// Symbol of the feed.
        symbol: String,
        /// Whether they are restricted.
        restricted: bool,
    },
}

/// What the run says to an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// The kernel thread has it; it is on record before anything follows from it.
    Taken,
    /// It cannot be taken, and nothing changed.
    Refused(String),
}

/// The way to the kernel thread, shared by everybody outside it.
pub type ToKernel = Mutex<Producer<DeskOrder>>;

/// Puts an order into the ring; false if there is no room.
pub fn tell(to: &ToKernel, order: DeskOrder) -> bool {
    to.lock().unwrap_or_else(PoisonError::into_inner).push(order).is_ok()
}

/// The run's end.
pub struct DeskFolder {
    folder: PathBuf,
    /// Answers that wait for the kernel thread to take what was put into the ring.
    waiting: Vec<PathBuf>,
}

impl DeskFolder {
    /// Makes the folder.
    ///
    /// # Errors
    /// Exit code 2 if it cannot be made.
    pub fn create(folder: PathBuf) -> Result<DeskFolder, Exit> {
        std::fs::create_dir_all(&folder).map_err(|e| Exit::output(&folder, e))?;
        Ok(DeskFolder { folder, waiting: Vec::new() })
    }

    /// Takes every order that has come, by name; answers those the kernel thread has.
    pub fn serve(&mut self, instruments: &[Instrument], to: &ToKernel) {
        for path in self.orders() {
            let order = read(&path).and_then(|word| order_of(&word, instruments));
            let _ = std::fs::remove_file(&path);
            let told = order.and_then(|order| match tell(to, order) {
                true => Ok(()),
                false => Err("the kernel thread is stuck".to_string()),
            });
            match told {
                Ok(()) => self.waiting.push(path),
                Err(why) => answer(&path, &Answer::Refused(why)),
            }
        }
        if self.waiting.is_empty() {
            return;
        }
        let ring = to.lock().unwrap_or_else(PoisonError::into_inner);
        if ring.slots() == ring.buffer().capacity() {
            drop(ring);
            self.waiting.drain(..).for_each(|path| answer(&path, &Answer::Taken));
        }
    }

    fn orders(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Vec::new() };
        let mut orders: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().and_then(|n| n.to_str()).unwrap_or(".");
                name.ends_with(".json") && !name.starts_with('.')
            })
            .collect();
        orders.sort();
        orders
    }
}

fn read(path: &Path) -> Result<Word, String> {
    let length = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if length > ORDER_BYTES_MAX {
        return Err(format!("{length} bytes; an order has at most {ORDER_BYTES_MAX}"));
    }
    let text = std::fs::read(path).map_err(|e| e.to_string())?;
    serde_json::from_slice(&text).map_err(|e| e.to_string())
}

fn order_of(word: &Word, instruments: &[Instrument]) -> Result<DeskOrder, String> {
    Ok(match word {
        Word::Arm {} => DeskOrder::Hold(false),
        Word::Disarm {} => DeskOrder::Hold(true),
        Word::Tighten { risk } => {
            DeskOrder::Limits(Box::new(Limits::new(risk).map_err(|e| e.to_string())?))
        }
        Word::MarketResumed {} => DeskOrder::Condition(Condition::resume()),
        Word::ShortSale { symbol, restricted } => {
            let at = instruments.iter().position(|i| i.symbol.as_str() == symbol);
            let at = at.ok_or_else(|| format!("'{symbol}' is in no feed of the run"))?;
            DeskOrder::Condition(Condition::short_sale(InstrumentId(at as u16), *restricted))
        }
    })
}

fn answer(path: &Path, answer: &Answer) {
    let text = serde_json::to_vec(answer).unwrap_or_default();
    // Nobody may be waiting any more; what the run did is in its journal.
    let _ = write_whole(&path.with_extension("answer"), &text, true);
}

/// Sends an order to a run (default: the latest) and waits for its answer; returns the run's
/// folder.
///
/// # Errors
/// Exit code 2 if there is no such run, it has ended, or it refuses the order; 5 if it does not
/// answer.
pub fn send(run: Option<&Path>, word: &Word) -> Result<PathBuf, Exit> {
    let (dir, counters) = status::open(run)?;
    let shown = dir.root().display();
    let pid = counters.pid();
    let alive = Path::new(&format!("/proc/{pid}")).exists();
    if counters.get(Counter::Finished) == 1 || !alive {
        return Err(Exit::usage(format!("{shown}: the run has ended")));
    }
    let name = format!("{}-{}", jiff::Timestamp::now().as_nanosecond(), std::process::id());
    let path = dir.desk().join(name).with_extension("json");
    let text = serde_json::to_vec(word).map_err(|e| Exit::new(exit::BUG, e))?;
    write_whole(&path, &text, false)?;
    let reply = path.with_extension("answer");
    let began = Instant::now();
    let answer = loop {
        if let Ok(bytes) = std::fs::read(&reply) {
            break serde_json::from_slice(&bytes).ok();
        }
        if began.elapsed() > PATIENCE {
            break None;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let _ = std::fs::remove_file(&path);
    let _ = std::fs::remove_file(&reply);
    match answer {
        Some(Answer::Taken) => Ok(dir.root().to_path_buf()),
        Some(Answer::Refused(why)) => Err(Exit::usage(format!("{shown}: refused: {why}"))),
        None => Err(Exit::new(
            exit::VENUE,
            format!("{shown}: no answer within {PATIENCE:?}: 'ijk kill' works without one"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{ConditionKind, Symbol};

    fn folder() -> (tempfile::TempDir, DeskFolder, ToKernel, rtrb::Consumer<DeskOrder>) {
        let dir = tempfile::tempdir().unwrap();
        let desk = DeskFolder::create(dir.path().join("desk")).unwrap();
        let (producer, consumer) = rtrb::RingBuffer::new(2);
        (dir, desk, Mutex::new(producer), consumer)
    }

    fn answer_of(desk: &DeskFolder, name: &str) -> Option<Answer> {
        let bytes = std::fs::read(desk.folder.join(name).with_extension("answer")).ok()?;
        Some(serde_json::from_slice(&bytes).unwrap())
    }

    #[test]
    fn an_order_is_answered_once_the_kernel_thread_has_it() {
        let (_dir, mut desk, to, mut kernel) = folder();
        let list = [Instrument::us_equity(Symbol::new("ABC").unwrap())];
        let word = Word::ShortSale { symbol: "ABC".into(), restricted: true };
        std::fs::write(desk.folder.join("1.json"), serde_json::to_vec(&word).unwrap()).unwrap();
        std::fs::write(desk.folder.join("2.json"), b"{\"disarm\":{}}").unwrap();
        desk.serve(&list, &to);
        assert_eq!(answer_of(&desk, "1"), None, "not taken yet");
        let first = kernel.pop().unwrap();
        let restricted = matches!(first, DeskOrder::Condition(c)
            if c.kind == ConditionKind::ShortSaleRestricted && c.instrument.0 == 0);
        assert!(restricted, "{first:?}");
        assert!(matches!(kernel.pop().unwrap(), DeskOrder::Hold(true)));
        desk.serve(&list, &to);
        assert_eq!(answer_of(&desk, "1"), Some(Answer::Taken));
        assert_eq!(answer_of(&desk, "2"), Some(Answer::Taken));
    }

    #[test]
    fn what_cannot_be_taken_is_refused_and_changes_nothing() {
        let (_dir, mut desk, to, kernel) = folder();
        for (name, text, why) in [
            ("1", "", "EOF"),
            ("2", "{\"fly\":{}}", "unknown variant"),
            ("3", "{\"arm\":{\"x\":1}}", "unknown field"),
            ("4", "{\"tighten\":{\"risk\":{\"no_such\":1}}}", "unknown field"),
            ("5", "{\"short_sale\":{\"symbol\":\"XYZ\",\"restricted\":true}}", "in no feed"),
            ("6", "{\"tighten\":{\"risk\":{\"max_order_qty\":\"many\"}}}", "invalid type"),
        ] {
            std::fs::write(desk.folder.join(name).with_extension("json"), text).unwrap();
            desk.serve(&[], &to);
            let Some(Answer::Refused(said)) = answer_of(&desk, name) else { panic!("{name}") };
            assert!(said.contains(why), "{name}: {said}");
        }
        // A kernel thread that takes nothing: the ring is full.
        for name in ["7", "8", "9"] {
            let path = desk.folder.join(name).with_extension("json");
            std::fs::write(path, b"{\"arm\":{}}").unwrap();
        }
        desk.serve(&[], &to);
        assert_eq!(answer_of(&desk, "7"), None);
        assert!(matches!(answer_of(&desk, "9"), Some(Answer::Refused(_))));
        drop(kernel);
    }
}
