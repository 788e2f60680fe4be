//! Clients that send what no client should: nothing panics, everything is answered or closed, and
//! what is kept for one is bounded.

use ijk_twsim::proto::registry::REQUESTS;
use ijk_twsim::proto::{Contract, MarketDataRequest, Order, PlaceOrderRequest, StartApiRequest};
use ijk_twsim::{ConnId, Gateway, Server, SimConfig};
use proptest::prelude::*;
use prost::Message;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const KINDS: &[&str] = &["MKT", "LMT", "STP", "TRAIL", "TRAIL LIMIT", "MIT", "LOC", "X"];

fn gateway() -> (Gateway, ConnId) {
    let config = SimConfig {
        fixed_time_s: Some(1_741_012_200),
        feed: "synth:1:1:1".parse().ok(),
        symbols: vec!["AAPL".to_string()],
        ..SimConfig::default()
    };
    let mut gateway = Gateway::new(config).expect("a good configuration");
    let conn = gateway.connect(226).expect("nothing refuses");
    let start = StartApiRequest { client_id: Some(1), ..Default::default() };
    gateway.request(conn, 71, &start.encode_to_vec());
    (gateway, conn)
}

fn stock() -> Contract {
    Contract { symbol: Some("AAPL".into()), sec_type: Some("STK".into()), ..Default::default() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_as_any_request_are_answered_or_closed(
        requests in proptest::collection::vec(
            (0u32..130, proptest::collection::vec(any::<u8>(), 0..60)), 1..12),
    ) {
        let (mut gateway, conn) = gateway();
        for (id, body) in requests {
            gateway.request(conn, id, &body);
            gateway.advance(gateway.now_ns() + 50_000_000);
        }
        prop_assert!(gateway.take_output(conn).bytes.len() < 8 << 20);
    }

    #[test]
    fn hostile_numbers_in_orders_are_refused_or_kept(
        id in any::<i32>(),
        price in prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::MAX), 1.0..200.0],
        aux in prop_oneof![any::<f64>(), Just(f64::INFINITY), 1.0..200.0],
        qty in "[0-9.eE-]{0,14}",
        kind in prop::sample::select(KINDS),
        parent in any::<i32>(),
        percent in any::<f64>(),
    ) {
        let (mut gateway, conn) = gateway();
        let order = Order {
            action: Some("BUY".into()),
            total_quantity: Some(qty),
            order_type: Some(kind.to_string()),
            lmt_price: Some(price),
            aux_price: Some(aux),
            trailing_percent: Some(percent),
            trail_stop_price: Some(aux),
            lmt_price_offset: Some(price),
            parent_id: Some(parent),
            ..Default::default()
        };
        let request = PlaceOrderRequest {
            order_id: Some(id),
            contract: Some(stock()),
            order: Some(order),
            attached_orders: None,
        };
        for _ in 0..2 {
            gateway.request(conn, 3, &request.encode_to_vec());
            gateway.advance(gateway.now_ns() + 5_000_000_000);
        }
        let filled: f64 = gateway.truth_orders().iter().map(|o| o.filled).sum();
        let held: f64 = gateway.truth_positions().iter().map(|p| p.2).sum();
        prop_assert!((filled - held).abs() < 1e-6, "what was filled is held");
    }

    #[test]
    fn any_command_line_is_run_or_refused(line in "[a-z0-9 =.-]{0,40}") {
        let (mut gateway, _) = gateway();
        let _ = gateway.command(&line);
    }
}

#[test]
fn every_request_without_fields_is_answered_or_closed() {
    for entry in REQUESTS {
        let (mut gateway, conn) = gateway();
        gateway.take_output(conn);
        gateway.request(conn, entry.id, &[]);
        gateway.advance(gateway.now_ns() + 1_000_000_000);
        gateway.take_output(conn);
        // Whatever it was, the next one is still heard.
        if entry.id != 71 {
            gateway.request(conn, 49, &[]);
            assert!(!gateway.take_output(conn).bytes.is_empty(), "{}", entry.name);
        }
    }
}

#[test]
fn streams_of_one_client_are_bounded() {
    let (mut gateway, conn) = gateway();
    for i in 0..5_000 {
        let request =
            MarketDataRequest { req_id: Some(i), contract: Some(stock()), ..Default::default() };
        gateway.request(conn, 1, &request.encode_to_vec());
        gateway.take_output(conn);
    }
    gateway.advance(gateway.now_ns() + 1_000_000_000);
    // A hundred lines, a few frames each: not five thousand.
    assert!(gateway.take_output(conn).bytes.len() < 200_000);
}

#[test]
fn a_client_that_never_reads_is_cut_off() {
    let (mut gateway, conn) = gateway();
    let everything = MarketDataRequest {
        req_id: Some(1),
        contract: Some(stock()),
        generic_tick_list: Some("233".into()),
        ..Default::default()
    };
    gateway.request(conn, 1, &everything.encode_to_vec());
    let mut asked = 0u32;
    loop {
        gateway.request(conn, 99, &[]);
        gateway.request(conn, 9, &option_chain());
        asked += 1;
        let closed = gateway.waiting(conn).is_none();
        if closed {
            break;
        }
        assert!(asked < 5_000, "it is never cut off");
    }
}

/// A request that a few bytes make the answer to very long.
fn option_chain() -> Vec<u8> {
    let contract = Contract { sec_type: Some("OPT".into()), ..stock() };
    ijk_twsim::proto::ContractDataRequest { req_id: Some(1), contract: Some(contract) }
        .encode_to_vec()
}

#[test]
fn sockets_with_wrong_frames_are_closed_and_others_live() {
    let server = Server::start(0, SimConfig::default()).expect("a free port");
    let greeting = b"API\0\0\0\0\x09v213..226";
    for bytes in [&b"\xff\xff\xff\xff"[..], b"\0\0\0\x02ab", b"\0\0\0\x04\0\0\0\x01"] {
        let mut stream = TcpStream::connect(server.addr()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&[&greeting[..], bytes].concat()).unwrap();
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("closed, not left waiting");
    }
    let mut stream = TcpStream::connect(server.addr()).unwrap();
    stream.write_all(greeting).unwrap();
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
}

#[test]
fn the_admin_socket_answers_each_line() {
    let mut server = Server::start(0, SimConfig::default()).expect("a free port");
    let addr = server.open_admin(0).expect("a free port");
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = |line: &str, end: &str| {
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut text = String::new();
        let mut byte = [0];
        while !(text.ends_with('\n') && text.contains(end)) {
            stream.read_exact(&mut byte).expect("an answer");
            text.push(char::from(byte[0]));
        }
        text
    };
    assert_eq!(answer("link down", "ok"), "ok\n");
    assert!(answer("explode", "error").starts_with("error: no command 'explode'"));
    assert!(answer("truth", "ok\n").contains("\"cash_usd\":1000000.0"));
}
