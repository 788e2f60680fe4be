//! The control thread: connects, compares, answers the kernel's questions, looks up what is in
//! doubt, connects again.

use super::link::Link;
use super::listing::Answers;
use super::shared::Shared;
use crate::bucket::Weight;
use crate::connection::{Connection, GatewaySettings, connect};
use ibapi::accounts::PositionUpdate;
use ibapi::orders::{ExecutionFilter, Executions, Orders};
use ijk_core::{Qty, SnapshotItem, SnapshotKind, SnapshotRequest};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How often the thread looks around.
const LOOK: Duration = Duration::from_millis(10);
/// A doubt that lasts this long is looked into: most resolve themselves in the next frame.
const DOUBT: Duration = Duration::from_millis(250);
/// Heartbeats without the gateway's own link after which the connection is opened anew.
const FROZEN_BEATS: u32 = 30;
/// Least time from one answer for the kernel to the next: a kernel that asks without end leaves
/// the message budget to its orders and cancels.
const ANSWER_PAUSE: Duration = Duration::from_millis(500);
/// Longest pause between two looks into a doubt that does not resolve.
const DOUBT_MAX: Duration = Duration::from_secs(10);

/// Why the broker was not asked to the end.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No whole answer in time.
    #[error("no whole answer to '{what}' within {waited_ms} ms")]
    Late {
        /// What was asked for.
        what: &'static str,
        /// Time waited, milliseconds.
        waited_ms: u128,
    },
    /// An answer that says no.
    #[error("'{what}' failed: {text}")]
    Failed {
        /// What was asked for.
        what: &'static str,
        /// What the library said.
        text: String,
    },
}

/// The thread.
pub struct Control {
    /// Common state.
    pub shared: Arc<Shared>,
    /// Gateway and deadlines.
    pub settings: GatewaySettings,
    /// The account of the first connection: no other is ever traded.
    pub account: String,
    /// The kernel's questions, behind its orders.
    pub questions: Receiver<SnapshotRequest>,
}

impl Control {
    /// Runs until everything ends, beginning with an open connection.
    pub fn run(self, first: Connection) {
        let config = &self.settings.config;
        let least = Duration::from_millis(config.backoff_min_ms.max(1));
        let most = Duration::from_millis(config.backoff_max_ms).max(least);
        let mut backoff = least;
        let mut next = Some(first);
        let _end = self.shared.heartbeat.ends_with();
        while !self.shared.stopped() {
            let began = Instant::now();
            match next.take().map_or_else(|| self.connect(), Ok) {
                Ok(connection) => {
                    let why = self.serve(connection);
                    self.shared.set_client(None);
                    self.shared.tell_down();
                    if !self.shared.stopped() {
                        self.shared.set_error(&why);
                    }
                }
                Err(text) => self.shared.set_error(&text),
            }
            if began.elapsed() > backoff.max(Duration::from_secs(1)) {
                backoff = least;
            }
            self.rest(backoff);
            backoff = (2 * backoff).min(most);
        }
    }

    fn connect(&self) -> Result<Connection, String> {
        let client_id = self.settings.config.client_id;
        let connection = connect(&self.settings, client_id).map_err(|e| e.to_string())?;
        if connection.account != self.account {
            return Err(format!("account {} where {} was", connection.account, self.account));
        }
        Ok(connection)
    }

    fn rest(&self, pause: Duration) {
        let began = Instant::now();
        while !self.shared.stopped() && began.elapsed() < pause {
            std::thread::sleep(LOOK.min(pause));
        }
    }

    /// Serves one connection; returns why it ended.
    fn serve(&self, connection: Connection) -> String {
        let least_id = connection.next_order_id;
        let link = match Link::open(connection, &self.shared, &self.settings) {
            Ok(link) => link,
            Err(text) => return text,
        };
        self.shared.set_client(Some(Arc::clone(&link.client)));
        self.shared.with(|ledger| ledger.raise(least_id));
        if let Err(e) = self.compare(&link) {
            return e.to_string();
        }
        self.rise(&link);
        let mut doubt = Doubt::default();
        let mut heard = Instant::now();
        let mut answered: Option<Instant> = None;
        loop {
            if self.shared.stopped() {
                return "stopped".to_string();
            }
            if link.state.is_over() {
                return link.state.why().unwrap_or_default();
            }
            if self.shared.choked.load(Ordering::Acquire) {
                return "the kernel did not keep up with the reports".to_string();
            }
            if link.state.restored.swap(false, Ordering::AcqRel) {
                if let Err(e) = self.compare(&link) {
                    return e.to_string();
                }
                self.rise(&link);
            }
            if !link.state.is_frozen() {
                heard = Instant::now();
            } else if heard.elapsed() > FROZEN_BEATS * self.settings.heartbeat {
                // The word that all is well may have been lost; a new connection is told again.
                return "the gateway has had no link for long: connecting anew".to_string();
            }
            if answered.is_some_and(|t| t.elapsed() < ANSWER_PAUSE) {
                std::thread::sleep(LOOK);
            } else if self.answer(&link) {
                answered = Some(Instant::now());
            }
            self.look_into(&link, &mut doubt);
        }
    }

    /// Tells that the link stands, unless the gateway has none of its own.
    fn rise(&self, link: &Link) {
        if !link.state.is_frozen() {
            self.shared.tell_up();
        }
        if link.state.is_frozen() {
            // Lost in between.
            self.shared.tell_down();
        }
    }

    /// Learns what is there, and what was missed.
    fn compare(&self, link: &Link) -> Result<(), AskError> {
        // Questions of an earlier link will not be answered.
        while self.questions.try_recv().is_ok() {}
        let answers = self.ask(link, false)?;
        self.shared.with(|ledger| ledger.absorb(&answers));
        Ok(())
    }

    /// Answers the kernel's last question, if it has any; returns whether it had.
    fn answer(&self, link: &Link) -> bool {
        let mut request = match self.questions.recv_timeout(LOOK) {
            Ok(request) => request,
            Err(RecvTimeoutError::Timeout) => return false,
            Err(RecvTimeoutError::Disconnected) => {
                std::thread::sleep(LOOK);
                return false;
            }
        };
        while let Ok(later) = self.questions.try_recv() {
            request = later;
        }
        let id = request.request_id;
        // Told before anything is asked: what the kernel heard before this is in the answer.
        self.shared.tell_items(&[SnapshotItem::new(id, SnapshotKind::Begin)]);
        let answers = match self.ask(link, true) {
            Ok(answers) => answers,
            // Without its end the kernel does not believe it and asks again.
            Err(e) => {
                self.shared.set_error(&e.to_string());
                return true;
            }
        };
        let mut items = self.shared.with(|ledger| {
            ledger.absorb(&answers);
            ledger.settle_positions(&answers);
            ledger.list(id, &answers)
        });
        let end = SnapshotItem {
            qty: Qty(items.len() as i64),
            ..SnapshotItem::new(id, SnapshotKind::End)
        };
        items.push(end);
        self.shared.tell_items(&items);
        true
    }

    fn look_into(&self, link: &Link, doubt: &mut Doubt) {
        if !doubt.is_due(self.shared.with(|ledger| ledger.take_doubt())) {
            return;
        }
        match self.ask(link, false) {
            Ok(answers) => self.shared.with(|ledger| ledger.absorb(&answers)),
            Err(e) => self.shared.set_error(&e.to_string()),
        }
    }

    /// Asks for everything. Ended orders may stay unanswered: what was heard live has to do then.
    fn ask(&self, link: &Link, with_positions: bool) -> Result<Answers, AskError> {
        let client = &link.client;
        let mut answers = Answers::default();
        let open =
            self.all("open orders", |t| client.all_open_orders()?.collect_to_end_within(t))?;
        for item in open {
            match item {
                Orders::OrderData(data) => answers.open.push(data),
                Orders::OrderStatus(status) => answers.statuses.push(status),
            }
        }
        let done = self
            .all("completed orders", |t| client.completed_orders(false)?.collect_to_end_within(t));
        answers.completed = match done {
            Ok(items) => Some(items.into_iter().filter_map(order_data).collect()),
            Err(e) => {
                self.shared.set_error(&e.to_string());
                None
            }
        };
        let traded = self.all("executions", |t| {
            client.executions(ExecutionFilter::default())?.collect_to_end_within(t)
        })?;
        for item in traded {
            match item {
                Executions::ExecutionData(e) => answers.executions.push(e),
                Executions::CommissionReport(c) => answers.commissions.push(c),
            }
        }
        if with_positions {
            self.positions(link, &mut answers)?;
        }
        Ok(answers)
    }

    fn all<T>(
        &self,
        what: &'static str,
        collect: impl FnOnce(Duration) -> Result<Vec<T>, ibapi::Error>,
    ) -> Result<Vec<T>, AskError> {
        let longest = self.settings.answer_timeout();
        let late = || AskError::Late { what, waited_ms: longest.as_millis() };
        if !self.settings.bucket.wait(Weight::Question, longest) {
            return Err(late());
        }
        collect(longest).map_err(|e| match e {
            ibapi::Error::Timeout => late(),
            other => self.failed(what, &other),
        })
    }

    fn failed(&self, what: &'static str, error: &ibapi::Error) -> AskError {
        if let ibapi::Error::Notice(n) = error {
            self.settings.obey(n.code);
        }
        AskError::Failed { what, text: error.to_string() }
    }

    fn positions(&self, link: &Link, answers: &mut Answers) -> Result<(), AskError> {
        let (what, longest) = ("positions", self.settings.answer_timeout());
        let late = || AskError::Late { what, waited_ms: longest.as_millis() };
        // The subscription is cancelled at its end: two messages.
        let bucket = &self.settings.bucket;
        if !bucket.wait(Weight::Question, longest) || !bucket.wait(Weight::Question, longest) {
            return Err(late());
        }
        let subscription = link.client.positions().map_err(|e| self.failed(what, &e))?;
        let is_end = |u: &PositionUpdate| matches!(u, PositionUpdate::PositionEnd);
        let rows = subscription.collect_until(longest, |rows| rows.last().is_some_and(is_end));
        if !rows.iter().any(is_end) {
            return Err(late());
        }
        for row in rows {
            if let PositionUpdate::Position(p) = row {
                answers.positions.push(p);
            }
        }
        Ok(())
    }
}

fn order_data(item: Orders) -> Option<ibapi::orders::OrderData> {
    match item {
        Orders::OrderData(data) => Some(data),
        Orders::OrderStatus(_) => None,
    }
}

/// When a doubt is looked into: not at once, and ever more rarely while it does not resolve.
#[derive(Debug, Default)]
struct Doubt {
    since: Option<Instant>,
    pause: Duration,
}

impl Doubt {
    fn is_due(&mut self, there_is: bool) -> bool {
        match self.since {
            None if there_is => self.since = Some(Instant::now()),
            None => self.pause = DOUBT,
            Some(since) if since.elapsed() >= self.pause.max(DOUBT) => {
                self.since = None;
                self.pause = (2 * self.pause.max(DOUBT)).min(DOUBT_MAX);
                return true;
            }
            Some(_) => {}
        }
        false
    }
}
