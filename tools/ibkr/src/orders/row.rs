//! One order, one execution.

use ijk_core::{ClientOrderId, ExchTs, ExecId, InstrumentId, Px, Side, VenueOrderId};

/// Who an order is: our id, or a stand-in made from the broker's permanent number. Ours sort
/// below all others, in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(ClientOrderId);

impl Key {
    /// The key of an order of ours.
    pub fn of(id: ClientOrderId) -> Key {
        Key(id)
    }

    /// The key of somebody else's order.
    pub fn foreign(perm_id: i64) -> Key {
        Key(ClientOrderId::foreign(VenueOrderId(perm_id.unsigned_abs())))
    }

    /// Returns our id, if the order is ours.
    pub fn ours(self) -> Option<ClientOrderId> {
        (!self.0.is_foreign()).then_some(self.0)
    }

    /// Returns the stand-in's number, if the order is not ours.
    pub fn number(self) -> u64 {
        self.0.0 & !ClientOrderId::FOREIGN
    }
}

/// An order.
#[derive(Clone, Debug)]
pub struct Row {
    /// Who it is.
    pub key: Key,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Side.
    pub side: Side,
    /// Limit price, 0 for none.
    pub px: Px,
    /// Quantity ordered.
    pub total: i64,
    /// Sum of its executions.
    pub filled: i64,
    /// What the broker's status says was filled: more than `filled` while executions are missing.
    pub hinted: i64,
    /// The broker's permanent number, 0 while unknown.
    pub perm_id: i64,
    /// Client id that sent it.
    pub client_id: i32,
    /// That client's number of it, 0 while unknown.
    pub order_id: i32,
    /// Immediate or cancel.
    pub is_ioc: bool,
    /// The broker has it.
    pub acked: bool,
    /// Nothing of it works any more, and the kernel was told.
    pub ended: bool,
    /// The broker says it neither works nor is over.
    pub is_inactive: bool,
    /// We asked to cancel it.
    pub cancel_asked: bool,
    /// Its number was refused as used before.
    pub number_taken: bool,
}

impl Row {
    /// Returns an order of which nothing else is known.
    pub fn new(key: Key, instrument: InstrumentId, side: Side, total: i64) -> Row {
        Row {
            key,
            instrument,
            side,
            px: Px(0),
            total,
            filled: 0,
            hinted: 0,
            perm_id: 0,
            client_id: 0,
            order_id: 0,
            is_ioc: false,
            acked: false,
            ended: false,
            is_inactive: false,
            cancel_asked: false,
            number_taken: false,
        }
    }

    /// Notes its numbers where they are told.
    pub fn know(&mut self, client_id: i32, order_id: i32, perm_id: i64) {
        if perm_id > 0 && self.perm_id == 0 {
            self.perm_id = perm_id;
        }
        if order_id > 0 && self.order_id == 0 {
            (self.client_id, self.order_id) = (client_id, order_id);
        }
    }

    /// Returns whether nothing of it can trade any more, as far as was told.
    pub fn is_over(&self) -> bool {
        self.ended || self.filled >= self.total
    }

    /// Returns whether the broker counts fills of it that never arrived.
    pub fn lacks_fills(&self) -> bool {
        self.hinted > self.filled
    }

    /// Returns the broker's number of it for the kernel.
    pub fn venue_order_id(&self) -> u64 {
        match self.key.ours() {
            Some(_) => self.perm_id.unsigned_abs(),
            None => self.key.number(),
        }
    }
}

/// An execution, in its latest version.
#[derive(Clone, Debug)]
pub struct ExecRow {
    /// Order it belongs to.
    pub key: Key,
    /// Version of the report.
    pub version: u32,
    /// Number for the kernel.
    pub number: ExecId,
    /// Instrument.
    pub instrument: InstrumentId,
    /// Side.
    pub side: Side,
    /// Quantity.
    pub qty: i64,
    /// Price.
    pub px: Px,
    /// Time at the broker; 0 where it could not be read.
    pub ts: ExchTs,
    /// It added liquidity.
    pub maker: bool,
    /// Fee told to the kernel, of all versions together, 1e-9.
    pub fee_told: i64,
}
