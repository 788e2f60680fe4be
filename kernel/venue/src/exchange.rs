//! The simulated exchange: time, sessions, orders in and reports out.

use crate::debt::Debts;
use crate::fees::{FeeConfigError, Fees, OrderFees};
use crate::own::{OwnOrder, OwnOrders};
use crate::queue::QueuePosition;
use crate::reject::RejectReason;
use crate::reports::Party;
use crate::rng::SplitMix64;
use crate::wire::{Message, Wire};
use crate::{Venue, VenueMessage};
use ijk_core::config::{FeeConfig, SimConfig};
use ijk_core::limits::{BOOK_LEVEL_COUNT_MAX, INSTRUMENT_COUNT_MAX};
use ijk_core::{
    CancelOrder, ClientOrderId, DepthKind, EventKind, Instrument, MarketEvent, NewOrder, OrderType,
    RecvTs, ReportKind, RowFlags, SnapshotRequest, TimeInForce, VenueOrderId, VenueReport,
};
use ijk_market::{Book, Level};
use ijk_risk::Approved;

/// Why a simulated exchange cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// No instruments, or more than one kernel serves.
    #[error("{0} instruments: between 1 and {INSTRUMENT_COUNT_MAX} are needed")]
    InstrumentCount(usize),
    /// One depth kind per instrument is needed.
    #[error("{instruments} instruments but {kinds} depth kinds: give one kind an instrument")]
    KindCount {
        /// Instruments given.
        instruments: usize,
        /// Kinds given.
        kinds: usize,
    },
    /// A tick, lot or quantity unit that is not positive.
    #[error("instrument {0}: tick, lot and qty_unit_e9 must be positive")]
    BadInstrument(String),
    /// The queue model's exponent is senseless.
    #[error("sim.queue_power must be a finite number above 0 and at most 16")]
    QueuePower,
    /// A fee is senseless.
    #[error(transparent)]
    Fees(#[from] FeeConfigError),
}

/// One instrument at the exchange.
#[derive(Debug)]
pub(crate) struct Listing {
    pub instrument: Instrument,
    pub book: Book,
    pub debts: Debts,
    pub halted: bool,
}

impl Listing {
    /// Why orders cannot be matched with the book right now.
    fn stopped(&self) -> Option<RejectReason> {
        if self.halted {
            Some(RejectReason::Halted)
        } else if !self.book.is_trusted() {
            Some(RejectReason::BookUntrusted)
        } else {
            None
        }
    }

    pub(crate) fn is_open(&self, at: RecvTs) -> bool {
        self.instrument.session.contains(at.0)
    }

    pub(crate) fn matches_at(&self, at: RecvTs) -> bool {
        self.stopped().is_none() && self.is_open(at)
    }
}

/// The simulated exchange. See the crate's description for the model.
#[derive(Debug)]
pub struct SimExchange {
    pub(crate) listings: Vec<Listing>,
    pub(crate) own: OwnOrders,
    pub(crate) fees: Fees,
    pub(crate) queue_power: f64,
    pub(crate) clock: RecvTs,
    pub(crate) levels: Vec<Level>,
    pub(crate) wire: Wire,
    rng: SplitMix64,
    order_latency_ns: u64,
    jitter_ns: u64,
    pub(crate) report_latency_ns: u64,
    client_id_max: u64,
    venue_id_last: u64,
    pub(crate) exec_id_last: u64,
    /// Inside a venue event of several records: its book is not one that ever stood.
    mid_event: bool,
    finished: bool,
    /// Earliest session close among resting day orders; `u64::MAX` without any.
    next_expiry_ns: u64,
}

impl SimExchange {
    /// Builds an exchange with empty books; `depth[i]` says how instrument `i` is described. All
    /// memory is taken here. The same arguments and calls give the same reports.
    ///
    /// # Errors
    /// [`SimError`] for senseless instruments or settings.
    pub fn new(
        sim: &SimConfig,
        fees: &FeeConfig,
        instruments: &[Instrument],
        depth: &[DepthKind],
        seed: u64,
    ) -> Result<SimExchange, SimError> {
        if !(1..=INSTRUMENT_COUNT_MAX).contains(&instruments.len()) {
            return Err(SimError::InstrumentCount(instruments.len()));
        }
        if depth.len() != instruments.len() {
            let (instruments, kinds) = (instruments.len(), depth.len());
            return Err(SimError::KindCount { instruments, kinds });
        }
        let bad = |i: &&Instrument| i.tick.0 <= 0 || i.lot.0 <= 0 || i.qty_unit_e9 <= 0;
        if let Some(i) = instruments.iter().find(bad) {
            return Err(SimError::BadInstrument(i.symbol.to_string()));
        }
        // Written so that NaN is refused too.
        if !(sim.queue_power > 0.0 && sim.queue_power <= 16.0) {
            return Err(SimError::QueuePower);
        }
        let listing = |(i, kind): (&Instrument, &DepthKind)| Listing {
            instrument: *i,
            book: Book::new(*kind, i),
            debts: Debts::new(),
            halted: false,
        };
        Ok(SimExchange {
            listings: instruments.iter().zip(depth).map(listing).collect(),
            own: OwnOrders::new(),
            fees: Fees::new(fees)?,
            queue_power: sim.queue_power,
            clock: RecvTs(0),
            levels: vec![Level::default(); BOOK_LEVEL_COUNT_MAX],
            wire: Wire::new(),
            rng: SplitMix64::new(seed),
            order_latency_ns: sim.order_latency_us.saturating_mul(1_000),
            jitter_ns: sim.order_latency_jitter_us.saturating_mul(1_000),
            report_latency_ns: sim.report_latency_us.saturating_mul(1_000),
            client_id_max: 0,
            venue_id_last: 0,
            exec_id_last: 0,
            mid_event: false,
            finished: false,
            next_expiry_ns: u64::MAX,
        })
    }

    /// Ends the session at `now`: what is due arrives, day orders expire, and orders that arrive
    /// later are refused. Good-till-cancelled orders go on resting.
    pub fn finish(&mut self, now: RecvTs) {
        self.process_until(now);
        self.clock = self.clock.max(now);
        self.finished = true;
        self.expire_day_orders(u64::MAX);
    }

    /// Returns the number of our orders that rest.
    pub fn resting_count(&self) -> usize {
        self.own.len()
    }

    /// Returns the quantity displayed before our resting order in its queue; `None` if it does
    /// not rest. Exact on order data, an expectation on level data.
    pub fn queue_ahead(&self, id: ClientOrderId) -> Option<f64> {
        self.own.find(id).map(|i| self.own.get(i).queue.front())
    }

    fn send(&mut self, now: RecvTs, message: Message) {
        let latency = self.order_latency_ns.saturating_add(self.rng.up_to(self.jitter_ns));
        if self.wire.send(now.plus_ns(latency), message) {
            return;
        }
        // Our own line is full: the message never leaves this machine.
        self.clock = self.clock.max(now);
        match message {
            Message::New(o) => self.reject(&o, RejectReason::Congestion),
            Message::Cancel(c) => self.reject_cancel(c, RejectReason::Congestion),
        }
    }

    /// Lets arrivals and expiries up to `to` happen, in order of time; an expiry goes first.
    pub(crate) fn process_until(&mut self, to: RecvTs) {
        loop {
            let arrival = self.wire.next_arrival().filter(|a| *a <= to);
            let expiry = Some(RecvTs(self.next_expiry_ns)).filter(|e| *e <= to && e.0 < u64::MAX);
            match (arrival, expiry) {
                (None, None) => return,
                (arrival, Some(e)) if arrival.is_none_or(|a| e <= a) => {
                    self.clock = self.clock.max(e);
                    self.expire_day_orders(e.0);
                }
                _ => {
                    let Some((at, message)) = self.wire.take_arrival() else { return };
                    self.clock = self.clock.max(at);
                    match message {
                        Message::New(o) => self.arrive(&o),
                        Message::Cancel(c) => self.arrive_cancel(c),
                    }
                }
            }
        }
    }

    fn arrive(&mut self, o: &NewOrder) {
        if let Some(reason) = self.refusal(o) {
            if reason != RejectReason::DuplicateClientId {
                self.client_id_max = self.client_id_max.max(o.client_order_id.0);
            }
            return self.reject(o, reason);
        }
        self.client_id_max = o.client_order_id.0;
        self.venue_id_last += 1;
        let mut order = OwnOrder {
            client_order_id: o.client_order_id,
            venue_order_id: VenueOrderId(self.venue_id_last),
            px: o.px,
            leaves: o.qty.0,
            instrument: o.instrument,
            side: o.side,
            tif: o.tif,
            fees: OrderFees::default(),
            queue: QueuePosition::default(),
        };
        self.report(Party::from(&order), ReportKind::Ack, 0, order.leaves);
        let listing = &self.listings[o.instrument.index()];
        if listing.matches_at(self.clock) {
            let limit = (o.order_type == OrderType::Limit).then_some(o.px);
            self.take_displayed(&mut order, limit);
        }
        if order.leaves == 0 {
            return;
        }
        if o.tif == TimeInForce::Ioc || o.order_type == OrderType::Market {
            return self.report(Party::from(&order), ReportKind::Expired, order.leaves, 0);
        }
        let listing = &self.listings[o.instrument.index()];
        order.queue = QueuePosition::join(listing.book.qty_at(o.side, o.px).0);
        if o.tif == TimeInForce::Day {
            self.next_expiry_ns = self.next_expiry_ns.min(listing.instrument.session.close_ns);
        }
        self.own.insert(order);
    }

    fn refusal(&self, o: &NewOrder) -> Option<RejectReason> {
        let Some(listing) = self.listings.get(o.instrument.index()) else {
            return Some(RejectReason::UnknownInstrument);
        };
        if o.client_order_id.0 <= self.client_id_max {
            return Some(RejectReason::DuplicateClientId);
        }
        if self.finished || !listing.is_open(self.clock) {
            return Some(RejectReason::SessionClosed);
        }
        if self.own.is_full() {
            return Some(RejectReason::TooManyOrders);
        }
        let i = &listing.instrument;
        let limit = o.order_type == OrderType::Limit;
        let off_grid = limit && (o.px.0 <= 0 || o.px.0 % i.tick.0 != 0);
        if o.qty.0 <= 0 || o.qty.0 % i.lot.0 != 0 || off_grid {
            return Some(RejectReason::BadOrder);
        }
        // While the book cannot be matched against, only an order that would rest is taken.
        let reason = listing.stopped()?;
        let touch = listing.book.best(o.side.opposite());
        let crosses = touch.is_some_and(|t| !o.side.better(t.px, o.px));
        (!limit || o.tif == TimeInForce::Ioc || crosses).then_some(reason)
    }

    fn arrive_cancel(&mut self, c: CancelOrder) {
        let found = self.own.find(c.client_order_id);
        match found.filter(|&i| self.own.get(i).instrument == c.instrument) {
            None => self.reject_cancel(c, RejectReason::TooLate),
            Some(index) => {
                let order = self.remove_own(index);
                self.report(Party::from(&order), ReportKind::Canceled, order.leaves, 0);
            }
        }
    }

    /// Removes a resting order and keeps the next expiry right.
    pub(crate) fn remove_own(&mut self, index: usize) -> OwnOrder {
        let order = self.own.remove(index);
        let close = self.close_of(&order);
        if close == self.next_expiry_ns {
            self.find_next_expiry();
        }
        order
    }

    fn close_of(&self, o: &OwnOrder) -> u64 {
        match o.tif {
            TimeInForce::Day => self.listings[o.instrument.index()].instrument.session.close_ns,
            _ => u64::MAX,
        }
    }

    fn find_next_expiry(&mut self) {
        let next = self.own.iter().map(|o| self.close_of(o)).min();
        self.next_expiry_ns = next.unwrap_or(u64::MAX);
    }

    /// Ends every day order whose session closes at or before `close_ns`.
    fn expire_day_orders(&mut self, close_ns: u64) {
        let mut index = 0;
        while index < self.own.len() {
            let order = self.own.get(index);
            if order.tif == TimeInForce::Day && self.close_of(order) <= close_ns {
                let order = self.own.remove(index);
                self.report(Party::from(&order), ReportKind::Expired, order.leaves, 0);
            } else {
                index += 1;
            }
        }
        self.find_next_expiry();
    }
}

impl SimExchange {
    /// Most records by far: a level inside a venue event at a price where no order of ours stands.
    /// Returns false, with nothing done, for any other.
    #[inline]
    fn set_level_between(&mut self, ev: &MarketEvent) -> bool {
        if ev.kind != EventKind::LevelSet || !self.mid_event || ev.flags.has(RowFlags::BOOK_END) {
            return false;
        }
        let Some(listing) = self.listings.get_mut(ev.instrument.index()) else { return false };
        let Book::L2(book) = &mut listing.book else { return false };
        if self.own.span(ev.instrument, ev.side).may_hold(ev.px) {
            return false;
        }
        self.clock = self.clock.max(ev.ts_receive);
        book.apply(ev);
        true
    }

    fn follow_market(&mut self, ev: &MarketEvent) {
        if !self.mid_event {
            self.process_until(ev.ts_receive);
        }
        self.clock = self.clock.max(ev.ts_receive);
        let Some(listing) = self.listings.get_mut(ev.instrument.index()) else { return };
        let complete = ev.flags.has(RowFlags::BOOK_END);
        self.mid_event = !complete;
        match ev.kind {
            EventKind::Halt => listing.halted = true,
            EventKind::Resume => listing.halted = false,
            _ => {}
        }
        if self.own.len() > 0 {
            self.follow_queues(ev);
        }
        let listing = &mut self.listings[ev.instrument.index()];
        listing.book.apply(ev);
        if complete {
            if !listing.debts.is_empty() {
                let book = &listing.book;
                listing.debts.settle(|side, px| book.qty_at(side, px).0);
            }
            if self.own.len() > 0 {
                self.fill_crossed(ev.instrument);
            }
        }
    }

    /// Returns the next report delivered at or before `now`, with its time of delivery.
    pub fn take_report(&mut self, now: RecvTs) -> Option<(RecvTs, VenueReport)> {
        self.wire.take_report(now)
    }
}

impl Venue for SimExchange {
    fn finish(&mut self, now: RecvTs) {
        SimExchange::finish(self, now);
    }

    #[inline]
    fn on_market(&mut self, ev: &MarketEvent) {
        if !self.set_level_between(ev) {
            self.follow_market(ev);
        }
    }
    fn submit(&mut self, now: RecvTs, order: Approved<NewOrder>) {
        self.send(now, Message::New(order.into_inner()));
    }

    fn cancel(&mut self, now: RecvTs, cancel: CancelOrder) {
        self.send(now, Message::Cancel(cancel));
    }

    fn advance(&mut self, to: RecvTs) {
        self.process_until(to);
        self.clock = self.clock.max(to);
    }

    fn next_due(&self) -> Option<RecvTs> {
        let expiry = Some(RecvTs(self.next_expiry_ns)).filter(|e| e.0 < u64::MAX);
        let due = [self.wire.next_arrival(), self.wire.next_delivery(), expiry];
        due.into_iter().flatten().min()
    }

    fn poll(&mut self, now: RecvTs) -> Option<(RecvTs, VenueMessage)> {
        self.wire.take_report(now).map(|(at, report)| (at, VenueMessage::Report(report)))
    }

    fn outlives_process(&self) -> bool {
        false
    }

    fn request_snapshot(&mut self, _: RecvTs, _: SnapshotRequest) {}
}
