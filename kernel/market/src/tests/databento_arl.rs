//! ARL, 2025-07-17, NASDAQ: market-by-order in, every state of the vendor's own ten-level book
//! out, prices, sizes and order counts.

use super::files;
use crate::{Book, Level};
use csv::StringRecord;
use ijk_core::num::parse_decimal_e9;
use ijk_core::{
    DepthKind, EventKind, Instrument, InstrumentId, MarketEvent, Px, Qty, Side, Symbol,
};
use std::collections::BTreeMap;

/// Vendor's key of a state: sequence, order id, action.
type Key = (u64, u64, String);

/// Ten levels as (bid px, size, count, ask px, size, count).
type State = Vec<[(i64, i64, usize); 2]>;

struct Table {
    columns: BTreeMap<String, usize>,
    rows: Vec<StringRecord>,
}

impl Table {
    fn read(name: &str) -> Option<Table> {
        let text = files::gunzip(files::data(name)?);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let columns = header.iter().enumerate().map(|(i, n)| (n.to_string(), i)).collect();
        Some(Table { columns, rows: reader.records().map(Result::unwrap).collect() })
    }

    fn text<'r>(&self, row: &'r StringRecord, column: &str) -> &'r str {
        &row[self.columns[column]]
    }

    fn int(&self, row: &StringRecord, column: &str) -> i64 {
        self.text(row, column).parse().unwrap()
    }

    fn px(&self, row: &StringRecord, column: &str) -> i64 {
        match self.text(row, column) {
            "" => 0,
            text => parse_decimal_e9(text.as_bytes()).unwrap(),
        }
    }

    fn key(&self, row: &StringRecord) -> Key {
        let int = |c: &str| self.int(row, c) as u64;
        (int("sequence"), int("order_id"), self.text(row, "action").to_string())
    }

    fn state(&self, row: &StringRecord) -> State {
        let side = |name: &str, k: usize| {
            let column = |what: &str| format!("{name}_{what}_{k:02}");
            let qty = self.int(row, &column("sz"));
            (self.px(row, &column("px")), qty, self.int(row, &column("ct")) as usize)
        };
        (0..10).map(|k| [side("bid", k), side("ask", k)]).collect()
    }

    fn event(&self, row: &StringRecord) -> MarketEvent {
        let kind = match self.text(row, "action") {
            "A" => EventKind::Add,
            "C" => EventKind::Reduce,
            "M" => EventKind::Modify,
            "T" => EventKind::Trade,
            "F" => EventKind::Fill,
            "R" => EventKind::Clear,
            other => panic!("action {other}"),
        };
        let mut ev = MarketEvent::new(kind, InstrumentId(0));
        ev.side = if self.text(row, "side") == "A" { Side::Ask } else { Side::Bid };
        ev.px = Px(self.px(row, "price"));
        ev.qty = Qty(self.int(row, "size"));
        ev.order_id = self.int(row, "order_id") as u64;
        ev
    }
}

fn state_of(book: &Book) -> State {
    let mut out = vec![[(0, 0, 0); 2]; 10];
    for side in [Side::Bid, Side::Ask] {
        let mut levels = [Level::default(); 10];
        let count = book.levels(side, &mut levels);
        for (k, level) in levels[..count].iter().enumerate() {
            let orders = book.level_order_count(side, level.px);
            out[k][side as usize] = (level.px.0, level.qty.0, orders);
        }
    }
    out
}

#[test]
fn market_by_order_gives_every_state_of_the_vendors_ten_levels() {
    let Some(orders) = Table::read("databento_equity/ARL_xnas_mbo_20250717.csv.gz") else { return };
    let file = "databento_equity/ARL_xnas_mbp10_20250717_expected.csv.gz";
    let Some(expected) = Table::read(file) else { return };
    let states: BTreeMap<Key, State> =
        expected.rows.iter().map(|r| (expected.key(r), expected.state(r))).collect();
    assert_eq!(states.len(), expected.rows.len(), "keys of the states are unique");

    let instrument = Instrument::us_equity(Symbol::new("ARL").unwrap());
    let mut book = Book::new(DepthKind::L3, &instrument);
    let mut equal = 0;
    let mut seen = 0;
    for (i, row) in orders.rows.iter().enumerate() {
        let applied = book.apply(&orders.event(row));
        assert_eq!(applied.notes, crate::Notes::NONE, "row {i}");
        // The vendor shows a trade with the book after its fill and cancel, which follow.
        let action = orders.text(row, "action");
        let filled = i >= 2
            && action == "C"
            && orders.text(&orders.rows[i - 1], "action") == "F"
            && orders.text(&orders.rows[i - 2], "action") == "T";
        let next_fills = orders.rows.get(i + 1).is_some_and(|r| orders.text(r, "action") == "F");
        let key = match action {
            "T" if next_fills => continue,
            "C" if filled => orders.key(&orders.rows[i - 2]),
            _ => orders.key(row),
        };
        if let Some(state) = states.get(&key) {
            seen += 1;
            equal += usize::from(state_of(&book) == *state);
        }
    }
    eprintln!("ARL: {equal} equal of {seen} seen of {} states", states.len());
    assert_eq!((equal, seen), (states.len(), states.len()));
    assert_eq!(states.len(), 3_928);
    let counts = book.counts();
    assert_eq!((counts.unknown_orders, counts.over_reductions), (0, 0));
}
