//! The run as a service of systemd: readiness, status, and a watchdog that is fed only while
//! every thread that trading depends on moves (sd_notify(3)).

use ijk_core::{Block, Heartbeat};
use ijk_engine::runtime::counters::{Counter, Counters};
use sd_notify::NotifyState;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often the threads are looked at where no watchdog says how often it wants to be fed.
const LOOK: Duration = Duration::from_millis(500);
/// Looks in one period of the watchdog: one look at a slow thread is no reason to die.
const LOOKS_A_PERIOD: u32 = 4;
/// How much longer a start that still moves may take, each time it is looked at.
const START: Duration = Duration::from_secs(30);
/// How long the report after the end of trading may take.
const END: Duration = Duration::from_secs(600);
/// Least time between two statuses.
const STATUS: Duration = Duration::from_secs(1);

/// Returns whether a service manager waits for word from this process. What it starts is held: no
/// order leaves before a person arms it, however often it is restarted.
pub fn is_managed() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Tells the service manager something, if there is one. Nothing depends on its hearing it.
fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("the service manager cannot be told: {error}");
    }
}

/// Tells why the process ends.
pub fn ends(message: &str) {
    tell(&[NotifyState::Status(message.lines().next().unwrap_or_default())]);
}

/// One thread that is watched.
struct Watched {
    name: &'static str,
    counter: Counter,
    /// `None` for the kernel thread, which beats in the counters file itself.
    heartbeat: Option<Heartbeat>,
    last: u64,
}

/// What a look at the threads found.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    /// All have moved since the last look.
    AllMove,
    /// The first that has not.
    Still(&'static str),
}

/// Looks after a running kernel.
pub struct Service {
    counters: Arc<Counters>,
    threads: Vec<Watched>,
    every: Duration,
    last_look: Instant,
    last_status: Option<(Instant, String)>,
    is_ready: bool,
    is_starving: bool,
}

impl Service {
    /// Begins to watch the kernel thread, the journal's and those of the venue, if it has any.
    pub fn start(counters: Arc<Counters>, journal: Heartbeat, venue: Option<Heartbeat>) -> Service {
        let watched = |name, counter, heartbeat| Watched { name, counter, heartbeat, last: 0 };
        let mut threads = vec![
            watched("kernel", Counter::KernelBeat, None),
            watched("journal", Counter::JournalBeat, Some(journal)),
        ];
        threads.extend(venue.map(|beat| watched("venue", Counter::VenueBeat, Some(beat))));
        let every = sd_notify::watchdog_enabled().map_or(LOOK, |t| t / LOOKS_A_PERIOD);
        Service {
            counters,
            threads,
            every,
            last_look: Instant::now(),
            last_status: None,
            is_ready: false,
            is_starving: false,
        }
    }

    /// To be called every few milliseconds.
    pub fn tick(&mut self, now: Instant) {
        for thread in &self.threads {
            if let Some(heartbeat) = &thread.heartbeat {
                self.counters.set(thread.counter, heartbeat.count());
            }
        }
        self.counters.show();
        if now.duration_since(self.last_look) < self.every {
            return;
        }
        self.last_look = now;
        match self.look() {
            Found::AllMove => self.feed(),
            Found::Still(name) if !self.is_starving => {
                self.is_starving = true;
                // On a busy machine without a watchdog that is nobody's concern.
                if is_managed() {
                    tracing::error!(
                        thread = name,
                        "the {name} thread stands still: the watchdog is not fed"
                    );
                }
                tell(&[NotifyState::Status(&format!("the {name} thread stands still"))]);
                self.last_status = None;
            }
            Found::Still(_) => {}
        }
    }

    /// Compares every heartbeat with the last look's.
    fn look(&mut self) -> Found {
        let mut found = Found::AllMove;
        for thread in &mut self.threads {
            let count = self.counters.get(thread.counter);
            if count == thread.last && found == Found::AllMove {
                found = Found::Still(thread.name);
            }
            thread.last = count;
        }
        found
    }

    fn feed(&mut self) {
        self.is_starving = false;
        let mut states = vec![NotifyState::Watchdog];
        if !self.is_ready {
            self.is_ready = self.is_reconciled();
            states.push(match self.is_ready {
                true => NotifyState::Ready,
                false => NotifyState::ExtendTimeoutUsec(START.as_micros() as u32),
            });
        }
        let status = self.status();
        let told = self.last_status.as_ref();
        let is_due = told.is_none_or(|(at, text)| at.elapsed() >= STATUS && *text != status);
        if is_due {
            states.push(NotifyState::Status(&status));
        }
        tell(&states);
        if is_due {
            self.last_status = Some((Instant::now(), status));
        }
    }

    /// Returns whether what an earlier run left is taken over and compared with the venue's
    /// account: from then on only people, data, clock or link hold orders back.
    fn is_reconciled(&self) -> bool {
        let before = u64::from(Block::Recovery.bit() | Block::Reconcile.bit());
        self.counters.get(Counter::KernelBeat) > 0
            && self.counters.get(Counter::Blocks) & before == 0
    }

    fn status(&self) -> String {
        let c = |counter| self.counters.get(counter);
        let blocks: Vec<&str> = Block::ALL
            .iter()
            .filter(|b| c(Counter::Blocks) & u64::from(b.bit()) != 0)
            .map(|b| b.name())
            .collect();
        let may = match (c(Counter::TradingState), blocks.as_slice()) {
            (0, []) => "armed".to_string(),
            (0, blocks) => format!("blocked by {}", blocks.join(", ")),
            (1, _) => "reduce only".to_string(),
            (2, _) => "halted".to_string(),
            _ => "killed".to_string(),
        };
        format!(
            "{may}; {} records, {} orders ({} working, {} unknown), {} fills, {:.2} USD",
            c(Counter::MarketRecords),
            c(Counter::Orders),
            c(Counter::WorkingOrders),
            c(Counter::UnknownOrders),
            c(Counter::Fills),
            c(Counter::PnlMicroUsd) as i64 as f64 * 1e-6,
        )
    }

    /// Trading has ended; what follows is a report, which nobody need watch.
    pub fn stops(self) {
        let end = END.as_micros() as u32;
        tell(&[
            NotifyState::Stopping,
            NotifyState::WatchdogUsec(end),
            NotifyState::ExtendTimeoutUsec(end),
            NotifyState::Status("trading has ended; writing the report"),
        ]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> (tempfile::TempDir, Arc<Counters>, Heartbeat, Heartbeat, Service) {
        let dir = tempfile::tempdir().unwrap();
        let counters = Arc::new(Counters::create(&dir.path().join("c")).unwrap());
        let (journal, venue) = (Heartbeat::default(), Heartbeat::default());
        let made = Service::start(Arc::clone(&counters), journal.clone(), Some(venue.clone()));
        (dir, counters, journal, venue, made)
    }

    #[test]
    fn one_thread_that_stands_still_is_enough() {
        let (_dir, counters, journal, venue, mut service) = service();
        let kernel = |n| counters.set(Counter::KernelBeat, n);
        let mirror = |s: &Service| {
            for t in s.threads.iter().filter(|t| t.heartbeat.is_some()) {
                s.counters.set(t.counter, t.heartbeat.as_ref().unwrap().count());
            }
        };
        let all = |n| {
            kernel(n);
            journal.beat();
            venue.beat();
        };
        all(1);
        mirror(&service);
        assert_eq!(service.look(), Found::AllMove);
        assert_eq!(service.look(), Found::Still("kernel"));
        all(2);
        mirror(&service);
        assert_eq!(service.look(), Found::AllMove);
        kernel(3);
        venue.beat();
        mirror(&service);
        assert_eq!(service.look(), Found::Still("journal"));
        all(4);
        mirror(&service);
        assert_eq!(service.look(), Found::AllMove);
        venue.end();
        all(5);
        mirror(&service);
        assert_eq!(service.look(), Found::Still("venue"));
    }

    #[test]
    fn readiness_waits_for_the_accounts_and_not_for_a_person() {
        let (_dir, counters, _, _, service) = service();
        assert!(!service.is_reconciled(), "nothing has run yet");
        counters.set(Counter::KernelBeat, 1);
        for (block, ready) in Block::ALL.iter().zip([false, false, true, true, true, true, true]) {
            counters.set(Counter::Blocks, u64::from(block.bit()));
            assert_eq!(service.is_reconciled(), ready, "{}", block.name());
        }
        counters.set(Counter::Blocks, u64::from(Block::Operator.bit() | Block::Clock.bit()));
        assert!(
            service.status().starts_with("blocked by clock, operator; "),
            "{}",
            service.status()
        );
        counters.set(Counter::Blocks, 0);
        counters.set(Counter::PnlMicroUsd, (-1_234_560i64) as u64);
        let text = service.status();
        assert!(text.starts_with("armed; ") && text.ends_with("-1.23 USD"), "{text}");
    }
}
