//! What a report and a snapshot item must hold to be believed at all. Whether they fit what is
//! known of the order is the ledger's question, not this one's.

use super::codec::Fault;
use core::mem::offset_of;
use ijk_core::{
    ClientOrderId, ExecId, ReportKind, Side, SnapshotItem, SnapshotKind, VenueOrderId,
    VenueOrderStatus, VenueReport,
};
use zerocopy::TryFromBytes;

/// Largest price, quantity and fee of either sign: 1.15e9 currency units at the 1e-9 scale. Sums
/// of a day's worth of products of two of them fit the ledger's 128 bits.
pub(super) const VALUE_MAX: i64 = 1 << 60;

const SIDE: Fault = ("side", "0 (buy) or 1 (sell)");
const RESERVED: Fault = ("reserved", "zero");
const POSITIVE: &str = "a positive number up to 2^60";
const NOT_NEGATIVE: &str = "a number from 0 to 2^60";
const BOUNDED: &str = "a number between -2^60 and 2^60";

fn known<T: TryFromBytes>(byte: u8, fault: Fault) -> Result<T, Fault> {
    T::try_read_from_bytes(&[byte]).map_err(|_| fault)
}

fn positive(name: &'static str, v: i64) -> Result<(), Fault> {
    if 0 < v && v <= VALUE_MAX { Ok(()) } else { Err((name, POSITIVE)) }
}

fn not_negative(name: &'static str, v: i64) -> Result<(), Fault> {
    if (0..=VALUE_MAX).contains(&v) { Ok(()) } else { Err((name, NOT_NEGATIVE)) }
}

fn bounded(name: &'static str, v: i64) -> Result<(), Fault> {
    if (-VALUE_MAX..=VALUE_MAX).contains(&v) { Ok(()) } else { Err((name, BOUNDED)) }
}

fn zero(name: &'static str, v: i64) -> Result<(), Fault> {
    if v == 0 { Ok(()) } else { Err((name, "zero in this kind")) }
}

fn maker(v: u8) -> Result<(), Fault> {
    if v <= 1 { Ok(()) } else { Err(("maker", "0 or 1")) }
}

/// The top bit marks ids that are made up here for orders without one of ours, so it never
/// arrives; an order has at least one of the two ids.
fn ids(client: ClientOrderId, venue: VenueOrderId) -> Result<(), Fault> {
    if client.0 >> 63 != 0 {
        return Err(("client_order_id", "an id of ours, or zero"));
    }
    if venue.0 >> 63 != 0 {
        return Err(("venue_order_id", "a number below 2^63"));
    }
    if client.0 == 0 && venue.0 == 0 {
        return Err(("venue_order_id", "an id, where the order has none of ours"));
    }
    Ok(())
}

/// The top two bits mark busts and late fees in the kernel's table of executions.
fn exec_id(id: ExecId) -> Result<(), Fault> {
    if id.0 >> 62 == 0 { Ok(()) } else { Err(("exec_id", "a number below 2^62")) }
}

fn instrument(index: u16, count: u16) -> Result<(), Fault> {
    if index < count {
        Ok(())
    } else {
        Err(("instrument", "an index of this session's INSTRUMENT frames"))
    }
}

/// Reads the payload of a REPORT frame.
pub(super) fn report(payload: &[u8], instrument_count: u16) -> Result<VenueReport, Fault> {
    let kind: ReportKind =
        known(payload[offset_of!(VenueReport, kind)], ("kind", "a kind of report, 0 to 7"))?;
    let _: Side = known(payload[offset_of!(VenueReport, side)], SIDE)?;
    let r = VenueReport::try_read_from_bytes(payload).map_err(|_| ("payload", "a report"))?;
    if r.reserved != 0 {
        return Err(RESERVED);
    }
    instrument(r.instrument.0, instrument_count)?;
    ids(r.client_order_id, r.venue_order_id)?;
    maker(r.maker)?;
    bounded("fee_e9", r.fee_e9)?;
    not_negative("leaves", r.leaves.0)?;
    match kind {
        ReportKind::Fill | ReportKind::Bust => {
            positive("qty", r.qty.0)?;
            positive("px", r.px.0)?;
        }
        ReportKind::Ack | ReportKind::Reject | ReportKind::CancelReject => {
            zero("qty", r.qty.0)?;
            zero("px", r.px.0)?;
        }
        ReportKind::Canceled | ReportKind::Expired => {
            not_negative("qty", r.qty.0)?;
            zero("px", r.px.0)?;
        }
        // A late fee may repeat the execution's numbers.
        ReportKind::Commission => {
            not_negative("qty", r.qty.0)?;
            not_negative("px", r.px.0)?;
        }
        // That an order never arrived is concluded here, from snapshots; no venue reports it.
        ReportKind::Absent => return Err(("kind", "a kind of report, 0 to 7")),
    }
    let of_execution = matches!(kind, ReportKind::Fill | ReportKind::Bust | ReportKind::Commission);
    if of_execution != (r.exec_id.0 != 0) {
        return Err(("exec_id", "an id in reports of executions, zero in all others"));
    }
    exec_id(r.exec_id)?;
    Ok(r)
}

/// Reads the payload of a SNAPSHOT frame.
pub(super) fn snapshot(payload: &[u8], instrument_count: u16) -> Result<SnapshotItem, Fault> {
    let kind: SnapshotKind =
        known(payload[offset_of!(SnapshotItem, kind)], ("kind", "a kind of item, 0 to 4"))?;
    let _: VenueOrderStatus =
        known(payload[offset_of!(SnapshotItem, status)], ("status", "an order status, 0 to 4"))?;
    let _: Side = known(payload[offset_of!(SnapshotItem, side)], SIDE)?;
    let s = SnapshotItem::try_read_from_bytes(payload).map_err(|_| ("payload", "an item"))?;
    if s.reserved != [0; 2] {
        return Err(RESERVED);
    }
    maker(s.maker)?;
    bounded("fee_e9", s.fee_e9)?;
    match kind {
        SnapshotKind::Begin => zero("qty", s.qty.0)?,
        SnapshotKind::End => not_negative("qty", s.qty.0)?,
        SnapshotKind::Position => bounded("qty", s.qty.0)?,
        SnapshotKind::Execution => {
            positive("qty", s.qty.0)?;
            positive("px", s.px.0)?;
            if s.exec_id.0 == 0 {
                return Err(("exec_id", "the execution's id"));
            }
            exec_id(s.exec_id)?;
        }
        SnapshotKind::Order => {
            positive("qty", s.qty.0)?;
            not_negative("px", s.px.0)?;
        }
    }
    if kind == SnapshotKind::Order {
        not_negative("filled", s.filled.0)?;
        not_negative("leaves", s.leaves.0)?;
        if s.filled.0 + s.leaves.0 > s.qty.0 {
            return Err(("leaves", "no more than the total less what was filled"));
        }
    } else {
        zero("filled", s.filled.0)?;
        zero("leaves", s.leaves.0)?;
    }
    if matches!(kind, SnapshotKind::Execution | SnapshotKind::Order) {
        ids(s.client_order_id, s.venue_order_id)?;
    }
    if !matches!(kind, SnapshotKind::Begin | SnapshotKind::End) {
        instrument(s.instrument.0, instrument_count)?;
    }
    Ok(s)
}
