//! The broker as a venue of the kernel.

use super::control::Control;
use super::ledger::Ledger;
use super::shared::{Note, Shared};
use super::tx::{Command, Sending};
use crate::connection::{ConnectError, GatewaySettings, connect};
use crate::contracts::{ContractError, ContractTable};
use ijk_core::{
    CancelOrder, ExchTs, Heartbeat, Instrument, LinkKind, MarketEvent, NewOrder, RecvTs,
    SnapshotRequest, VenueReport,
};
use ijk_venue::{Approved, Venue, VenueMessage};
use rtrb::{Consumer, Producer, RingBuffer};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Commands that may wait for the sending thread.
const COMMAND_SLOTS: usize = 1 << 10;
/// Messages that may wait for the kernel thread: a snapshot of a busy day at once.
const MESSAGE_SLOTS: usize = 1 << 14;
/// Withdrawn orders that may wait to be told.
const LOCAL_SLOTS: usize = 256;
/// How long a venue that is dropped waits for its last cancels to leave.
const FLUSH: Duration = Duration::from_millis(500);

/// Why the adapter does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No connection.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// An instrument has no contract.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// A thread could not be started.
    #[error("a thread cannot be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// Orders, executions and the account at Interactive Brokers.
///
/// As with every outside venue nothing tells when it speaks: poll again and again. A new order
/// while the link is down is answered by an [`ijk_core::ReportKind::Absent`] report; cancels and
/// questions are dropped then. The kernel thread never waits and never takes a lock.
pub struct IbkrVenue {
    commands: Producer<Command>,
    messages: Consumer<VenueMessage>,
    local: VecDeque<VenueMessage>,
    /// Links told so far; orders name the one they were decided on.
    links: u64,
    is_up: bool,
    shared: Arc<Shared>,
    account: String,
    server_version: i32,
    sender: Option<JoinHandle<()>>,
    control: Option<JoinHandle<()>>,
}

impl IbkrVenue {
    /// Connects, finds the contracts, starts the threads. The link comes up once the broker's
    /// lists were read.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left running.
    pub fn start(
        settings: &GatewaySettings,
        instruments: &[Instrument],
        note: Note,
    ) -> Result<IbkrVenue, StartError> {
        let connection = connect(settings, settings.config.client_id)?;
        let table = ContractTable::resolve(&connection.client, instruments, settings)?;
        table.notes().iter().for_each(|text| note(text));
        let contracts = Arc::new(table);
        let account = connection.account.clone();
        let server_version = connection.client.server_version();
        let client_id = settings.config.client_id;
        let ledger = Ledger::new(Arc::clone(&contracts), account.clone(), client_id);
        let (out, messages) = RingBuffer::new(MESSAGE_SLOTS);
        let (commands, inbox) = RingBuffer::new(COMMAND_SLOTS);
        let (ask, questions) = mpsc::channel();
        let shared = Arc::new(Shared::new(ledger, out, note));
        let mut venue = IbkrVenue {
            commands,
            messages,
            local: VecDeque::with_capacity(LOCAL_SLOTS),
            links: 0,
            is_up: false,
            shared: Arc::clone(&shared),
            account: account.clone(),
            server_version,
            sender: None,
            control: None,
        };
        let sending = Sending {
            shared: Arc::clone(&shared),
            settings: settings.clone(),
            contracts,
            account: account.clone(),
            commands: inbox,
            questions: ask,
        };
        venue.sender = Some(spawn("ijk-ib-tx", move || sending.run())?);
        let control = Control { shared, settings: settings.clone(), account, questions };
        venue.control = Some(spawn("ijk-ib-ctl", move || control.run(connection))?);
        Ok(venue)
    }

    /// Returns the account traded.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Returns the version of the protocol spoken.
    pub fn server_version(&self) -> i32 {
        self.server_version
    }

    /// Returns why the link last went down or did not come up, for a person.
    pub fn last_error(&self) -> Option<String> {
        self.shared.error()
    }

    /// Sends an order, or says that it never left.
    pub fn send(&mut self, now: RecvTs, order: &NewOrder) {
        let command = Command::Submit(self.links, *order, Instant::now());
        if !self.is_up || self.commands.push(command).is_err() {
            return self.local.push_back(withdrawn(now, order));
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(sender) = &self.sender {
            sender.thread().unpark();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_string()).spawn(run)
}

fn withdrawn(now: RecvTs, order: &NewOrder) -> VenueMessage {
    VenueMessage::Report(VenueReport::absent(ExchTs(now.0), order, 0))
}

impl Venue for IbkrVenue {
    fn outlives_process(&self) -> bool {
        true
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        Some(self.shared.heartbeat.clone())
    }

    fn on_market(&mut self, _ev: &MarketEvent) {}

    fn submit(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        self.send(now, order.get());
    }

    fn cancel(&mut self, _now: RecvTs, cancel: CancelOrder) {
        // Without a link it is dropped: who compares after the reconnect asks again.
        if self.is_up {
            let _ = self.commands.push(Command::Cancel(cancel));
            self.wake();
        }
    }

    fn request_snapshot(&mut self, _now: RecvTs, request: SnapshotRequest) {
        if self.is_up {
            let _ = self.commands.push(Command::Ask(self.links, request));
            self.wake();
        }
    }

    fn advance(&mut self, _to: RecvTs) {}

    fn next_due(&self) -> Option<RecvTs> {
        None
    }

    fn poll(&mut self, now: RecvTs) -> Option<(RecvTs, VenueMessage)> {
        if let Some(message) = self.local.pop_front() {
            return Some((now, message));
        }
        let message = self.messages.pop().ok()?;
        if let VenueMessage::Link(event) = &message {
            self.is_up = event.kind == LinkKind::Up;
            self.links += u64::from(self.is_up);
        }
        Some((now, message))
    }

    fn finish(&mut self, _now: RecvTs) {}
}

impl Drop for IbkrVenue {
    /// Gives the last commands (cancels, most likely) half a second to leave, then ends the
    /// threads.
    fn drop(&mut self) {
        let began = Instant::now();
        let capacity = self.commands.buffer().capacity();
        while self.commands.slots() < capacity && began.elapsed() < FLUSH {
            self.wake();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.shared.stop.store(true, Ordering::Release);
        self.wake();
        for handle in [self.sender.take(), self.control.take()].into_iter().flatten() {
            // A thread that panicked has told so already.
            let _ = handle.join();
        }
    }
}
