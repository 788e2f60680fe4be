//! Why no new order may leave: for the whole account, or for one instrument.

use crate::RiskCode;
use crate::gate::Gate;
use ijk_core::{Block, InstrumentId, RecvTs};

/// Why no new order of one instrument may leave. Each is set and lifted by itself; orders pass
/// only while none is set. Cancels always pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum InstrumentBlock {
    /// An order is in an unknown state, or one that is not ours appeared.
    UnknownOrder = 0,
    /// The venue's position or open quantity is not the ledger's.
    PositionMismatch = 1,
    /// A fill came after its order's end, or was larger than its rest.
    LateFill = 2,
    /// Quotes were crossed, zero or jumped.
    Quarantine = 3,
    /// Trading is halted or in an auction, or has just resumed.
    MarketHalt = 4,
    /// A touch stands at the limit-up or limit-down band.
    LimitState = 5,
    /// The caller distrusts the data.
    Data = 6,
}

impl InstrumentBlock {
    /// Every reason, in the order of its number.
    pub const ALL: [InstrumentBlock; 7] = [
        InstrumentBlock::UnknownOrder,
        InstrumentBlock::PositionMismatch,
        InstrumentBlock::LateFill,
        InstrumentBlock::Quarantine,
        InstrumentBlock::MarketHalt,
        InstrumentBlock::LimitState,
        InstrumentBlock::Data,
    ];

    /// The reasons that only reconciliation lifts.
    pub const LEDGER: [InstrumentBlock; 3] = [
        InstrumentBlock::UnknownOrder,
        InstrumentBlock::PositionMismatch,
        InstrumentBlock::LateFill,
    ];

    /// Returns the reason's bit in a set of reasons.
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Returns the code of orders refused for this reason.
    pub const fn code(self) -> RiskCode {
        match self {
            InstrumentBlock::UnknownOrder => RiskCode::InstrumentUnknownOrder,
            InstrumentBlock::PositionMismatch => RiskCode::InstrumentPositionMismatch,
            InstrumentBlock::LateFill => RiskCode::InstrumentLateFill,
            InstrumentBlock::Quarantine => RiskCode::InstrumentQuarantine,
            InstrumentBlock::MarketHalt => RiskCode::InstrumentMarketHalt,
            InstrumentBlock::LimitState => RiskCode::InstrumentLimitState,
            InstrumentBlock::Data => RiskCode::InstrumentData,
        }
    }
}

impl Gate {
    /// Forbids new orders for one reason until [`Gate::unblock`].
    pub fn block(&mut self, now: RecvTs, block: Block) {
        self.see_time(now);
        self.blocks |= block.bit();
    }

    /// Lifts one reason; orders pass when none is left.
    pub fn unblock(&mut self, now: RecvTs, block: Block) {
        self.see_time(now);
        self.blocks &= !block.bit();
    }

    /// Returns the reasons that stand, as a set of [`Block::bit`]s. A new gate has none.
    pub fn blocks(&self) -> u8 {
        if self.clock_off { self.blocks | Block::Clock.bit() } else { self.blocks }
    }

    /// Forbids new orders of one instrument for one reason. An unknown instrument is ignored.
    pub fn block_instrument(&mut self, now: RecvTs, id: InstrumentId, block: InstrumentBlock) {
        self.see_time(now);
        if let Some(account) = self.accounts.get_mut(id.index()) {
            account.watch.blocks |= block.bit();
        }
    }

    /// Lifts one reason of one instrument. An unknown instrument is ignored.
    pub fn unblock_instrument(&mut self, now: RecvTs, id: InstrumentId, block: InstrumentBlock) {
        self.see_time(now);
        if let Some(account) = self.accounts.get_mut(id.index()) {
            account.watch.blocks &= !block.bit();
        }
    }

    /// Returns the instrument's reasons, as a set of [`InstrumentBlock::bit`]s; all of them for an
    /// unknown instrument.
    pub fn instrument_blocks(&self, id: InstrumentId) -> u8 {
        let all = InstrumentBlock::ALL.iter().fold(0, |set, b| set | b.bit());
        self.accounts.get(id.index()).map_or(all, |a| a.watch.blocks)
    }

    /// The first account-wide reason, in the order of their numbers.
    pub(crate) fn check_blocks(&self) -> Result<(), RiskCode> {
        if bug!(BlockIgnored) {
            return Ok(());
        }
        let blocks = self.blocks();
        if blocks == 0 && self.market_wide_level == 0 {
            return Ok(());
        }
        match Block::ALL.iter().find(|b| blocks & b.bit() != 0) {
            Some(block) => Err(RiskCode::of_block(*block)),
            None if self.market_wide_level > 0 => Err(RiskCode::MarketWideHalt),
            None => Ok(()),
        }
    }

    pub(crate) fn check_instrument_blocks(&self, index: usize) -> Result<(), RiskCode> {
        let set = self.accounts[index].watch.blocks;
        if set == 0 {
            return Ok(());
        }
        match InstrumentBlock::ALL.iter().find(|b| set & b.bit() != 0) {
            Some(block) => Err(block.code()),
            None => Ok(()),
        }
    }
}
