//! What the threads share. The kernel thread only reads the atomics.

use super::ledger::Ledger;
use ibapi::client::blocking::Client;
use ijk_core::{Heartbeat, LinkEvent, LinkKind, NewOrder, SnapshotItem};
use ijk_venue::VenueMessage;
use rtrb::{Producer, PushError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Pause while the kernel thread has to make room.
const PAUSE: Duration = Duration::from_micros(200);

/// Tells a person something, one line.
pub type Note = Arc<dyn Fn(&str) + Send + Sync>;

/// The ledger and the one way to the kernel: who holds it tells in the order in which it learnt.
pub struct Desk {
    /// What is known.
    pub ledger: Ledger,
    out: Producer<VenueMessage>,
}

/// See the module.
pub struct Shared {
    desk: Mutex<Desk>,
    client: Mutex<Option<Arc<Client>>>,
    error: Mutex<Option<String>>,
    /// Everything ends.
    pub stop: AtomicBool,
    /// Number of the link that stands, counted from 1; 0 while none does. Orders leave only on
    /// the link they were meant for.
    pub up: AtomicU64,
    links: AtomicU64,
    /// The kernel did not keep up: no new orders until the next link.
    pub choked: AtomicBool,
    /// For people.
    pub note: Note,
    /// Of the sending thread; it ends with the control thread.
    pub heartbeat: Heartbeat,
}

impl Shared {
    /// Returns the state before the first link.
    pub fn new(ledger: Ledger, out: Producer<VenueMessage>, note: Note) -> Shared {
        Shared {
            desk: Mutex::new(Desk { ledger, out }),
            client: Mutex::new(None),
            error: Mutex::new(None),
            stop: AtomicBool::new(false),
            up: AtomicU64::new(0),
            links: AtomicU64::new(0),
            choked: AtomicBool::new(false),
            note,
            heartbeat: Heartbeat::default(),
        }
    }

    /// Returns whether everything ends.
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Lends the ledger, then tells the kernel what came of it.
    pub fn with<T>(&self, f: impl FnOnce(&mut Ledger) -> T) -> T {
        let mut desk = self.desk();
        let result = f(&mut desk.ledger);
        let Desk { ledger, out } = &mut *desk;
        for message in ledger.drain() {
            self.push(out, message, true);
        }
        result
    }

    /// Tells the kernel items of an answer.
    pub fn tell_items(&self, items: &[SnapshotItem]) {
        let mut desk = self.desk();
        for item in items {
            // A long list is no sign of a slow kernel.
            self.push(&mut desk.out, VenueMessage::Snapshot(*item), false);
        }
    }

    /// Tells of a link that stands; orders may pass from now on.
    pub fn tell_up(&self) {
        let mut desk = self.desk();
        let highest_seen = desk.ledger.highest_seen();
        let event = LinkEvent { highest_seen, ..LinkEvent::new(LinkKind::Up) };
        self.choked.store(false, Ordering::Release);
        self.up.store(self.links.fetch_add(1, Ordering::AcqRel) + 1, Ordering::Release);
        self.push(&mut desk.out, VenueMessage::Link(event), true);
    }

    /// Tells that the link is down, if it stood.
    pub fn tell_down(&self) {
        if self.up.swap(0, Ordering::AcqRel) != 0 {
            let event = LinkEvent::new(LinkKind::Down);
            self.push(&mut self.desk().out, VenueMessage::Link(event), true);
        }
    }

    /// Says of an order that it never left.
    pub fn withdraw(&self, order: &NewOrder) {
        self.with(|ledger| ledger.withdraw(order));
    }

    /// Returns the client, if a connection is open.
    pub fn client(&self) -> Option<Arc<Client>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sets or takes away the client.
    pub fn set_client(&self, client: Option<Arc<Client>>) {
        *self.client.lock().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// Returns why the last link went down or did not come up.
    pub fn error(&self) -> Option<String> {
        self.error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes why there is no link.
    pub fn set_error(&self, text: &str) {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        if error.as_deref() != Some(text) {
            (self.note)(text);
        }
        *error = Some(text.to_string());
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing is ever dropped: a full ring makes the thread wait, and where it `chokes` stops new
    /// orders.
    fn push(&self, out: &mut Producer<VenueMessage>, message: VenueMessage, chokes: bool) {
        let mut message = message;
        while let Err(PushError::Full(back)) = out.push(message) {
            if out.is_abandoned() || self.stopped() {
                return;
            }
            if chokes {
                self.choked.store(true, Ordering::Release);
            }
            message = back;
            std::thread::park_timeout(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::ContractTable;
    use ijk_core::{
        ClientOrderId, InstrumentId, OrderType, ParentId, Px, Qty, Side, SnapshotKind, TimeInForce,
    };
    use rtrb::RingBuffer;

    fn order(id: u64) -> NewOrder {
        NewOrder {
            client_order_id: ClientOrderId(id),
            qty: Qty(1),
            px: Px(0),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side: Side::Bid,
            order_type: OrderType::Market,
            tif: TimeInForce::Day,
            reserved: [0; 7],
        }
    }

    fn shared(slots: usize) -> (Arc<Shared>, rtrb::Consumer<VenueMessage>) {
        let (out, messages) = RingBuffer::new(slots);
        let ledger = Ledger::new(Arc::new(ContractTable::default()), "DU1".to_string(), 7);
        (Arc::new(Shared::new(ledger, out, Arc::new(|_| {}))), messages)
    }

    #[test]
    fn a_full_ring_drops_nothing_and_stops_new_orders() {
        let (shared, mut messages) = shared(2);
        let telling = Arc::clone(&shared);
        let thread = std::thread::spawn(move || (1..=9).for_each(|n| telling.withdraw(&order(n))));
        while !shared.choked.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let mut told = Vec::new();
        while told.len() < 9 {
            if let Ok(VenueMessage::Report(r)) = messages.pop() {
                told.push(r.client_order_id.0);
            }
        }
        assert_eq!(told, (1..=9).collect::<Vec<_>>());
        thread.join().unwrap();
        shared.tell_up();
        assert!(!shared.choked.load(Ordering::Acquire), "the next link begins anew");
    }

    #[test]
    fn a_long_list_is_no_sign_of_a_slow_kernel() {
        let (shared, mut messages) = shared(2);
        let telling = Arc::clone(&shared);
        let items = [SnapshotItem::new(1, SnapshotKind::Order); 9];
        let thread = std::thread::spawn(move || telling.tell_items(&items));
        let mut count = 0;
        while count < 9 {
            count += usize::from(messages.pop().is_ok());
        }
        thread.join().unwrap();
        assert!(!shared.choked.load(Ordering::Acquire));
    }

    #[test]
    fn links_alternate_and_are_numbered() {
        let (shared, mut messages) = shared(16);
        shared.tell_down();
        shared.tell_up();
        shared.tell_down();
        shared.tell_down();
        shared.tell_up();
        assert_eq!(shared.up.load(Ordering::Acquire), 2);
        let mut kinds = Vec::new();
        while let Ok(VenueMessage::Link(l)) = messages.pop() {
            kinds.push(l.kind);
        }
        assert_eq!(kinds, [LinkKind::Up, LinkKind::Down, LinkKind::Up]);
    }

    #[test]
    fn a_kernel_that_is_gone_holds_nobody_up() {
        let (shared, messages) = shared(1);
        drop(messages);
        (1..9).for_each(|n| shared.withdraw(&order(n)));
    }
}
