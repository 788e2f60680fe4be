//! One connection and the threads that only listen to it: the order stream, the notices, the
//! signs of life.

use super::shared::Shared;
use crate::bucket::Weight;
use crate::codes::{self, Response, Severity};
use crate::connection::{Connection, GatewaySettings};
use ibapi::Error;
use ibapi::client::blocking::{Client, NoticeStream, Subscription};
use ibapi::orders::OrderUpdate;
use ibapi::subscriptions::SubscriptionItem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often listening threads look whether the link is over.
const LOOK: Duration = Duration::from_millis(20);
/// Signs of life without an answer that end a link.
const MISSED_MAX: u32 = 2;

/// What the threads of one connection share.
#[derive(Default)]
pub struct State {
    over: AtomicBool,
    why: Mutex<Option<String>>,
    /// The gateway has its own link to the broker back: compare, then go on.
    pub restored: AtomicBool,
    /// It has lost it.
    frozen: AtomicBool,
}

impl State {
    /// Returns whether the connection is given up.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    /// Returns whether the gateway has no link to the broker.
    pub fn is_frozen(&self) -> bool {
        self.frozen.load(Ordering::Acquire)
    }

    /// Returns why it was given up.
    pub fn why(&self) -> Option<String> {
        self.why.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Gives the connection up; the first reason stays.
    pub fn give_up(&self, why: &str) {
        let mut held = self.why.lock().unwrap_or_else(PoisonError::into_inner);
        held.get_or_insert_with(|| why.to_string());
        self.over.store(true, Ordering::Release);
    }
}

/// An open connection with its listeners.
pub struct Link {
    /// The client.
    pub client: Arc<Client>,
    /// State of the connection.
    pub state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

impl Link {
    /// Starts the listeners. What was said since the connection was opened is not lost.
    ///
    /// # Errors
    /// What keeps them from starting.
    pub fn open(
        connection: Connection,
        shared: &Arc<Shared>,
        settings: &GatewaySettings,
    ) -> Result<Link, String> {
        let Connection { client, notices, .. } = connection;
        let updates = client.order_update_stream().map_err(|e| e.to_string())?;
        let mut link = Link { client, state: Arc::default(), threads: Vec::new() };
        let (s, st) = (Arc::clone(shared), Arc::clone(&link.state));
        link.spawn("ijk-ib-exec", move || hear_orders(&updates, &s, &st))?;
        let (s, st, set) = (Arc::clone(shared), Arc::clone(&link.state), settings.clone());
        link.spawn("ijk-ib-note", move || hear_notices(&notices, &s, &st, &set))?;
        let (st, settings) = (Arc::clone(&link.state), settings.clone());
        let client = Arc::clone(&link.client);
        link.spawn("ijk-ib-beat", move || beat(&client, &settings, &st))?;
        Ok(link)
    }

    fn spawn(&mut self, name: &str, run: impl FnOnce() + Send + 'static) -> Result<(), String> {
        let builder = std::thread::Builder::new().name(name.to_string());
        self.threads.push(builder.spawn(run).map_err(|e| e.to_string())?);
        Ok(())
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.state.give_up("closed");
        self.client.disconnect();
        for thread in self.threads.drain(..) {
            // A thread that panicked has told so already.
            let _ = thread.join();
        }
    }
}

/// Takes everything said of orders. A frame that cannot be read ends the stream, and with it the
/// connection: after the next one the lists tell what was missed.
fn hear_orders(updates: &Subscription<OrderUpdate>, shared: &Shared, state: &State) {
    loop {
        match updates.next() {
            Some(Ok(SubscriptionItem::Data(update))) => {
                shared.with(|ledger| match &update {
                    OrderUpdate::OpenOrder(data) => ledger.on_open(data),
                    OrderUpdate::OrderStatus(status) => ledger.on_status(status),
                    OrderUpdate::ExecutionData(e) => {
                        ledger.on_execution(e.contract.contract_id, &e.execution, false);
                    }
                    OrderUpdate::CommissionReport(c) => ledger.on_commission(c),
                    OrderUpdate::OrderBound(_) => {}
                    // Kinds of a later version of the protocol.
                    #[allow(unreachable_patterns)]
                    _ => {}
                });
            }
            Some(Ok(SubscriptionItem::Notice(n))) => {
                if let Some(order_id) = n.request_id {
                    shared.with(|ledger| ledger.on_notice(order_id, n.code));
                }
                tell_person(shared, n.code, &n.message);
            }
            Some(Err(e)) => return state.give_up(&format!("the order stream ended: {e}")),
            None => return state.give_up("the connection was closed"),
        }
    }
}

fn tell_person(shared: &Shared, code: i32, text: &str) {
    if codes::describe(code).is_none_or(|c| c.severity >= Severity::Warning) {
        (shared.note)(&format!("gateway message {code}: {text}"));
    }
}

/// Takes what is said of the connection itself.
fn hear_notices(
    notices: &NoticeStream,
    shared: &Shared,
    state: &State,
    settings: &GatewaySettings,
) {
    while !state.is_over() {
        let Some(n) = notices.next_timeout(LOOK) else { continue };
        settings.obey(n.code);
        match codes::describe(n.code).map(|c| c.response) {
            // Orders at the exchange live on and their executions are still taken.
            Some(Response::FreezeOrders) => {
                shared.set_error(&format!("gateway message {}: {}", n.code, n.message));
                state.frozen.store(true, Ordering::Release);
                shared.tell_down();
            }
            Some(Response::RebuildAll | Response::ReconcileOrders) => {
                shared.tell_down();
                state.frozen.store(false, Ordering::Release);
                state.restored.store(true, Ordering::Release);
            }
            Some(Response::Reconnect) => {
                state.give_up(&format!("gateway message {}: {}", n.code, n.message));
            }
            _ => tell_person(shared, n.code, &n.message),
        }
    }
}

/// Asks for the time again and again: a connection that is half open looks like a quiet one.
fn beat(client: &Client, settings: &GatewaySettings, state: &State) {
    let mut missed = 0;
    while !state.is_over() {
        let began = Instant::now();
        // Signs of life come before orders: without them nothing else may be sent. One that we
        // were not allowed to ask for says nothing.
        if settings.bucket.wait(Weight::Cancel, settings.heartbeat) {
            missed = match client.server_time() {
                Ok(_) => 0,
                Err(Error::Timeout) => missed + 1,
                // Whoever refuses, lives.
                Err(Error::Notice(n)) => {
                    settings.obey(n.code);
                    0
                }
                Err(e) => return state.give_up(&format!("no sign of life: {e}")),
            };
        }
        if missed >= MISSED_MAX {
            return state.give_up("no sign of life: the gateway is silent");
        }
        while began.elapsed() < settings.heartbeat && !state.is_over() {
            std::thread::sleep(LOOK.min(settings.heartbeat));
        }
    }
}
