//! Random event streams: a small world of prices and ids, so that events meet.

use ijk_core::{EventKind, ExchTs, InstrumentId, MarketEvent, Px, Qty, RowFlags, Side};
use proptest::prelude::*;

/// Price step of the streams.
pub const TICK: i64 = 10;

/// How wild a stream is.
#[derive(Clone, Copy, Debug)]
pub struct Wildness {
    /// Prices move over this many ticks.
    pub center_ticks: i64,
    /// Nonsense quantities and prices at the ends of the number range.
    pub nonsense: bool,
    /// Weight of kinds that only books by order know.
    pub modify: u32,
}

fn kind(wild: Wildness) -> impl Strategy<Value = EventKind> {
    use EventKind as K;
    prop_oneof![
        24 => Just(K::Add),
        6 => Just(K::Reduce),
        6 => Just(K::Delete),
        wild.modify => Just(K::Modify),
        6 => Just(K::ExecVisible),
        5 => Just(K::LevelSet),
        3 => Just(K::BestSet),
        2 => Just(K::Trade),
        3 => prop_oneof![
            Just(K::ExecHidden), Just(K::Fill), Just(K::Status), Just(K::Halt), Just(K::Resume)
        ],
        1 => prop_oneof![1 => Just(K::Clear), 2 => Just(K::Gap)],
    ]
}

fn px(wild: Wildness) -> impl Strategy<Value = i64> {
    let on_grid = (0..4i64, -20..20i64)
        .prop_map(move |(c, o)| (1_000_000 / TICK + c * wild.center_ticks / 4 + o) * TICK);
    let off_grid = (on_grid.clone(), 1..TICK).prop_map(|(px, o)| px + o);
    let ends = prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(0),
        Just(-TICK),
        Just(i64::MIN + 7),
        Just(i64::MAX - 7)
    ];
    let nonsense = if wild.nonsense { 1 } else { 0 };
    prop_oneof![40 => on_grid, 4 => off_grid, nonsense => ends]
}

fn qty(wild: Wildness) -> impl Strategy<Value = i64> {
    let nonsense = if wild.nonsense { 1 } else { 0 };
    prop_oneof![
        60 => 1..60i64,
        3 => Just(0i64),
        nonsense => prop_oneof![
            Just(-1i64), Just(i64::MIN), Just(i64::MAX), Just(crate::applied::LEVEL_QTY_MAX)
        ],
    ]
}

/// Returns a stream of up to `len` records; rows end at about every second record.
pub fn events(len: usize, wild: Wildness) -> impl Strategy<Value = Vec<MarketEvent>> {
    let one = (
        kind(wild),
        any::<bool>(),
        px(wild),
        qty(wild),
        0..24u64,
        any::<bool>(),
        prop::bool::weighted(0.1),
        prop_oneof![3 => 0..1_000u64, 1 => 0..3_000_000_000u64],
    );
    prop::collection::vec(one, 1..len).prop_map(|raw| {
        let mut ts = 34_200_000_000_000u64;
        let mut row = 0;
        let mut out = Vec::with_capacity(raw.len());
        for (kind, is_bid, px, qty, id, ends, no_side, gap) in raw {
            let mut ev = MarketEvent::new(kind, InstrumentId(0));
            ts += gap;
            ev.ts_exchange = ExchTs(ts);
            ev.row = row;
            ev.side = if is_bid { Side::Bid } else { Side::Ask };
            ev.px = Px(px);
            ev.qty = Qty(qty);
            ev.order_id = id;
            if no_side {
                ev.flags = ev.flags.with(RowFlags::NO_SIDE);
            }
            if ends {
                ev.flags = ev.flags.with(RowFlags::ROW_END);
                row += 1;
            }
            out.push(ev);
        }
        out
    })
}

/// Moves asks above bids: without it a random stream is crossed nearly always.
pub fn uncrossed(mut events: Vec<MarketEvent>, by_ticks: i64) -> Vec<MarketEvent> {
    for ev in &mut events {
        if ev.side == Side::Ask && ev.kind != EventKind::Trade {
            ev.px = Px(ev.px.0.saturating_add(by_ticks * TICK));
        }
    }
    events
}
