//! One account's day of kills.

use super::Report;
use super::check::{Evidence, judge};
use super::journal;
use super::processes::{Binaries, Process, ask_to_kill, broker, clear_latch, kernel};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Kernel times in milliseconds; the day runs sixty times as fast as the wall clock, so times that
/// speak of this machine are sixty times as long. The risk limits are wide enough for many orders,
/// the segments small enough for more than one a run.
const SETTINGS: &str = "\
[journal]
segment_bytes = 524288
[venue]
ack_timeout_ms = 6000
snapshot_timeout_ms = 30000
reconcile_interval_ms = 10000
absent_quiet_ms = 2000
intent_age_max_ms = 12000
heartbeat_ms = 200
feed_silence_max_ms = 60000
[risk]
allow_symbols = [\"SYN0\", \"SYN1\"]
max_orders_per_s = 50
order_burst = 50
max_orders_per_min = 1024
max_cancels_per_s = 1000
cancel_burst = 1000
quote_max_age_ms = 60000
feed_heartbeat_ms = 60000
";
/// Where the synthetic day begins, nanoseconds UTC.
const DAY_NS: u64 = 1_741_012_200_000_000_000;
/// Longest life of a kernel from its greeting to the kill.
const LIFE_MS_MAX: u64 = 400;
/// Longest life of one that is killed while it starts.
const START_MS_MAX: u64 = 150;
/// Longest wait for a run that is let finish, or for a start that is to be refused.
const END: Duration = Duration::from_secs(60);
/// Longest wait for a greeting.
const GREETING: Duration = Duration::from_secs(10);
/// Unsafe to start.
const REFUSED: i32 = 78;

struct Session<'a> {
    binaries: &'a Binaries,
    folder: &'a Path,
    seed: u64,
    dice: u64,
    broker: Option<Process>,
    runs: u64,
    /// When each run was started, nanoseconds UTC.
    started: Vec<u64>,
    parents: u64,
}

/// Writes the settings of these runs to `settings.toml`, with a time server of this process.
///
/// # Errors
/// What the system says.
pub fn write_settings(folder: &Path) -> std::io::Result<()> {
    let server = crate::time_server::start()?;
    let text = crate::with_wide_risk(SETTINGS, &server);
    std::fs::write(folder.join("settings.toml"), text)
}

/// Runs `cycles` cycles in `folder`, lets a last run finish, and judges.
///
/// # Errors
/// The first thing that must not be.
pub fn run(
    binaries: &Binaries,
    folder: &Path,
    cycles: u64,
    seed: u64,
    report: &mut Report,
) -> Result<(), String> {
    let _ = std::fs::remove_dir_all(folder);
    std::fs::create_dir_all(folder.join("runs")).map_err(|e| e.to_string())?;
    write_settings(folder).map_err(|e| e.to_string())?;
    let mut s = Session {
        binaries,
        folder,
        seed,
        dice: seed,
        broker: None,
        runs: 0,
        started: Vec::new(),
        parents: 0,
    };
    s.new_parents()?;
    s.start_broker()?;
    for _ in 0..cycles {
        s.cycle(report)?;
        report.cycles += 1;
    }
    s.new_parents()?;
    s.last_run()?;
    let evidence = s.evidence()?;
    s.measure(&evidence, report);
    judge(&evidence, report)
}

impl Session<'_> {
    /// A number in `0..=max` (SplitMix64).
    fn up_to(&mut self, max: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.dice ^ (self.dice >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % (max + 1)
    }

    fn pause(&mut self, ms_max: u64) {
        let us = self.up_to(1_000 * ms_max);
        std::thread::sleep(Duration::from_micros(us));
    }

    fn start_broker(&mut self) -> Result<(), String> {
        self.broker = Some(broker(self.binaries, self.folder, self.seed)?);
        Ok(())
    }

    fn kill_broker(&mut self, report: &mut Report) -> Result<(), String> {
        let ended = self.broker.take().and_then(|mut b| b.kill9());
        report.broker_kills += 1;
        ended.map_or(Ok(()), |status| Err(format!("the broker ended by itself: {status}")))
    }

    /// Writes a new file of parents: one symbol is bought, the other sold.
    fn new_parents(&mut self) -> Result<(), String> {
        self.parents += 1;
        let mut text = "ts,symbol,side,qty,horizon_s,urgency\n".to_string();
        for n in 0..80u64 {
            let ts = DAY_NS + n * 400_000_000 + self.up_to(300_000_000);
            let (symbol, side) = match (n + self.parents) % 4 {
                0 | 2 => ("SYN0", ["buy", "sell"][(self.parents % 2) as usize]),
                _ => ("SYN1", ["sell", "buy"][(self.parents % 2) as usize]),
            };
            let (qty, horizon) = (10 + self.up_to(30), 3 + self.up_to(10));
            let urgency = ["urgent", "normal", "passive"][self.up_to(2) as usize];
            writeln!(text, "{ts},{symbol},{side},{qty},{horizon},{urgency}")
                .expect("a string takes everything");
        }
        std::fs::write(self.folder.join(self.parents_file()), text).map_err(|e| e.to_string())
    }

    fn parents_file(&self) -> String {
        format!("parents-{}.csv", self.parents)
    }

    fn start_kernel(&mut self, feed_minutes: u64) -> Result<Process, String> {
        self.runs += 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_err(|e| e.to_string())?;
        self.started.push(now.as_nanos() as u64);
        let feed = format!("synth:{}:{feed_minutes}:2", self.seed + self.runs);
        kernel(self.binaries, self.folder, self.runs, &self.parents_file(), &feed)
    }

    fn run_folder(&self, number: u64) -> PathBuf {
        self.folder.join(format!("runs/{number}"))
    }

    fn said(&self) -> String {
        let log = self.folder.join(format!("kernel-{}.log", self.runs));
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.join(" | ")
    }

    /// Kills the kernel; one that was over must have ended well.
    fn kill_kernel(&mut self, mut k: Process, report: &mut Report) -> Result<(), String> {
        match k.kill9() {
            None => report.kernel_kills += 1,
            Some(status) if status.success() => {}
            Some(status) => return Err(format!("the kernel ended: {status}: {}", self.said())),
        }
        Ok(())
    }

    fn ledger_bytes(&self) -> u64 {
        self.folder.join("ledger").metadata().map_or(0, |m| m.len())
    }

    /// Waits until the broker has heard of the kernel, most likely: old orders may still trade.
    fn await_greeting(&self, bytes_before: u64) {
        let began = Instant::now();
        while self.ledger_bytes() <= bytes_before && began.elapsed() < GREETING {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn cycle(&mut self, report: &mut Report) -> Result<(), String> {
        if self.up_to(3) == 0 {
            self.new_parents()?;
        }
        let greeted = self.ledger_bytes();
        let k = self.start_kernel(1)?;
        if self.up_to(3) == 0 {
            self.pause(START_MS_MAX);
        } else {
            self.await_greeting(greeted);
            self.pause(LIFE_MS_MAX);
        }
        match self.up_to(19) {
            0..=10 => self.kill_kernel(k, report),
            11..=14 => {
                self.kill_broker(report)?;
                self.pause(60);
                self.start_broker()?;
                self.pause(LIFE_MS_MAX);
                self.kill_kernel(k, report)
            }
            15 | 16 => {
                self.kill_broker(report)?;
                self.pause(5);
                self.kill_kernel(k, report)?;
                self.start_broker()
            }
            17 => {
                self.kill_kernel(k, report)?;
                self.pause(5);
                self.kill_broker(report)?;
                self.start_broker()
            }
            _ => self.operator_kill(k, report),
        }
    }

    /// The operator kills, then the process is killed: the next start must be refused as soon as
    /// the kill was on record, whether or not anybody had time for a latch.
    fn operator_kill(&mut self, k: Process, report: &mut Report) -> Result<(), String> {
        let asked = ask_to_kill(&self.run_folder(self.runs));
        self.pause(120);
        let mut k = k;
        let ended = k.kill9();
        report.kernel_kills += 1;
        if !asked {
            return Ok(());
        }
        let journal = journal::read(&self.run_folder(self.runs).join("journal"));
        let latch = self.folder.join("runs/kill.latch");
        if !journal.is_ok_and(|j| j.was_killed()) {
            // It was too early to be asked, or too late to write it down.
            return match ended {
                Some(status) if !status.success() => Err(format!("{status}: {}", self.said())),
                _ => Ok(()),
            };
        }
        for again in 0..2 {
            let mut refused = self.start_kernel(1)?;
            self.started.pop();
            self.runs -= 1;
            let status = refused.wait(END)?;
            if status.code() != Some(REFUSED) || !latch.exists() {
                return Err(format!("start {again} after a kill: {status}: {}", self.said()));
            }
        }
        report.latches += 1;
        clear_latch(self.binaries, self.folder)
    }

    /// Lets a run finish.
    fn last_run(&mut self) -> Result<(), String> {
        let mut k = self.start_kernel(1)?;
        let began = Instant::now();
        let status = k.wait(END)?;
        if status.success() {
            return Ok(());
        }
        Err(format!("the last run after {:?}: {status}: {}", began.elapsed(), self.said()))
    }

    fn evidence(&self) -> Result<Evidence, String> {
        let mut journals = Vec::new();
        for number in 1..=self.runs {
            // A run that was killed before its first group is on the device sent nothing.
            let folder = self.run_folder(number).join("journal");
            match journal::read(&folder) {
                Ok(j) => journals.push(j),
                Err(e) if e.ends_with("no header") => {}
                Err(e) => return Err(e),
            }
        }
        let text = |path: PathBuf| {
            std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let summary = text(self.run_folder(self.runs).join("summary.json"))?;
        let summary = serde_json::from_str(&summary).map_err(|e| e.to_string())?;
        Ok(Evidence { ledger: text(self.folder.join("ledger"))?, journals, summary })
    }

    /// How long each start took until the broker had told all it has.
    fn measure(&self, e: &Evidence, report: &mut Report) {
        let mut book = super::broker::Book::default();
        let Ok(history) = super::broker::ledger::replay(&e.ledger, &mut book) else { return };
        for number in 1..=self.runs {
            let folder = self.run_folder(number).join("journal");
            let Ok(j) = journal::read(&folder) else { continue };
            if let Some(told) = history.snapshots.get(&j.epoch()) {
                let ns = told.saturating_sub(self.started[number as usize - 1]);
                report.reconciled.push(Duration::from_nanos(ns));
            }
        }
    }
}
