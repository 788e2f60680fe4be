//! A whole session of five symbols: depth applied as a client applies it stays a book, trades and
//! positions agree, day orders end at the close.

use ijk_twsim::proto::{
    Contract, ExecutionDetails, MarketDepthData, MarketDepthL2, MarketDepthRequest, Order,
    PlaceOrderRequest, StartApiRequest,
};
use ijk_twsim::wire::{Incoming, read_frame};
use ijk_twsim::{ConnId, Gateway, SimConfig};
use prost::Message;
use std::collections::BTreeMap;

const SYMBOLS: [&str; 5] = ["AAPL", "MSFT", "TSLA", "NVDA", "SPY"];

fn stock(symbol: &str) -> Contract {
    Contract { symbol: Some(symbol.into()), sec_type: Some("STK".into()), ..Default::default() }
}

/// What the client knows.
#[derive(Default)]
struct Client {
    /// Bids and asks of each request.
    books: BTreeMap<i32, [Vec<f64>; 2]>,
    shares: f64,
    frames: u64,
}

impl Client {
    fn hear(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Incoming::Frame { id, body, consumed } = read_frame(rest) {
            self.frames += 1;
            match id {
                13 => {
                    let m = MarketDepthL2::decode(body).expect("depth");
                    self.row(m.req_id.expect("a number"), &m.market_depth_data.expect("a row"));
                }
                11 => {
                    let e = ExecutionDetails::decode(body).expect("an execution").execution;
                    let e = e.expect("an execution");
                    let shares: f64 = e.shares.expect("shares").parse().expect("a number");
                    self.shares += if e.side.as_deref() == Some("BOT") { shares } else { -shares };
                }
                _ => {}
            }
            rest = &rest[consumed..];
        }
        assert!(rest.is_empty());
    }

    fn row(&mut self, req_id: i32, row: &MarketDepthData) {
        // The protocol's sides: 0 asks, 1 bids.
        let side = 1 - row.side.expect("a side") as usize;
        let rows = &mut self.books.entry(req_id).or_default()[side];
        let (at, price) = (row.position.expect("a row") as usize, row.price.expect("a price"));
        match row.operation {
            Some(0) => rows.insert(at, price),
            Some(1) => rows[at] = price,
            _ => _ = rows.remove(at),
        }
    }

    /// Bids fall, asks rise, and the best ask is not below the best bid.
    fn check_books(&self) {
        for [bids, asks] in self.books.values() {
            assert!(bids.len() <= 5 && asks.len() <= 5, "more rows than asked for");
            assert!(bids.windows(2).all(|w| w[0] > w[1]), "{bids:?}");
            assert!(asks.windows(2).all(|w| w[0] < w[1]), "{asks:?}");
        }
    }
}

fn order(
    gateway: &mut Gateway,
    conn: ConnId,
    id: i32,
    symbol: &str,
    buy: bool,
    limit: Option<f64>,
) {
    let order = Order {
        action: Some(if buy { "BUY" } else { "SELL" }.into()),
        total_quantity: Some("10".into()),
        order_type: Some(if limit.is_some() { "LMT" } else { "MKT" }.into()),
        lmt_price: limit,
        ..Default::default()
    };
    let request = PlaceOrderRequest {
        order_id: Some(id),
        contract: Some(stock(symbol)),
        order: Some(order),
        attached_orders: None,
    };
    gateway.request(conn, 3, &request.encode_to_vec());
}

#[test]
fn a_whole_session_of_five_symbols_ends_reconciled() {
    let config = SimConfig { fixed_time_s: Some(1_741_012_200), ..SimConfig::default() };
    let mut gateway = Gateway::new(config).expect("a good configuration");
    let conn = gateway.connect(226).expect("nothing refuses");
    let start = StartApiRequest { client_id: Some(1), ..Default::default() };
    gateway.request(conn, 71, &start.encode_to_vec());
    for (i, symbol) in SYMBOLS.iter().enumerate() {
        let request = MarketDepthRequest {
            req_id: Some(i as i32),
            contract: Some(stock(symbol)),
            num_rows: Some(5),
            is_smart_depth: Some(true),
        };
        gateway.request(conn, 10, &request.encode_to_vec());
    }
    order(&mut gateway, conn, 1, "AAPL", true, Some(10.0));
    let mut client = Client::default();
    // 6.5 hours and two minutes, a market order every five minutes.
    for step in 0..392 {
        if step % 5 == 0 && step < 385 {
            let symbol = SYMBOLS[step as usize / 5 % 5];
            order(&mut gateway, conn, 2 + step, symbol, step % 2 == 0, None);
        }
        gateway.advance(gateway.now_ns() + 60_000_000_000);
        client.hear(&gateway.take_output(conn).bytes);
        client.check_books();
    }
    assert!(client.frames > 500_000, "only {} frames", client.frames);
    let orders = gateway.truth_orders();
    let status = |id| orders.iter().find(|o| o.order_id == id).map(|o| o.status);
    assert_eq!(status(1), Some("Cancelled"), "the day order ends at the close");
    assert!(orders.iter().filter(|o| o.order_id > 1).all(|o| o.status == "Filled"));
    let held: f64 = gateway.truth_positions().iter().map(|p| p.2).sum();
    assert_eq!(client.shares, held);
    // Cash is what was brought in, less what was bought, plus what was sold, less commissions.
    let buys = |perm: i64| orders.iter().any(|o| o.perm_id == perm && o.buy);
    let spent: f64 = gateway
        .truth_execs()
        .iter()
        .map(|e| if buys(e.perm_id) { 1.0 } else { -1.0 } * e.shares * e.price + e.commission)
        .sum();
    assert!((gateway.truth_cash() - (1e6 - spent)).abs() < 1e-6);
}
