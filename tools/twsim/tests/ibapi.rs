//! The crate `ibapi`, a client of others, against the simulator in this process.

use ibapi::client::blocking::Client;
use ibapi::prelude::*;
use ijk_twsim::{Server, SimConfig};
use std::time::{Duration, Instant};

fn connected() -> (Server, Client) {
    let config = SimConfig { speed: 10.0, ..SimConfig::default() };
    let server = Server::start(0, config).expect("a free loopback port");
    let client = Client::connect(&server.addr().to_string(), 100).expect("the client connects");
    (server, client)
}

#[test]
fn the_session_begins_and_reference_data_comes() {
    let (_server, client) = connected();
    assert_eq!(client.server_version(), 226);
    assert_eq!(client.server_time().expect("the time").year(), 2025);
    let contract = Contract::stock("AAPL").build();
    let details = client.contract_details(&contract).expect("details");
    assert_eq!(details.len(), 1);
    assert_eq!(details[0].contract.contract_id, 265_598);
    let none = Contract::stock("NOSUCH").build();
    assert!(client.contract_details(&none).is_err());
}

#[test]
fn an_order_fills_and_the_update_stream_tells_all_of_it() {
    let (server, client) = connected();
    let updates = client.order_update_stream().expect("the stream");
    let contract = Contract::stock("AAPL").build();
    let sent = client.order(&contract).buy(100.0).market().submit();
    sent.expect("the order is sent");
    let end = Instant::now() + Duration::from_secs(30);
    let (mut filled, mut shares, mut commission) = (false, 0.0, 0.0);
    while Instant::now() < end && !(filled && commission > 0.0) {
        let Some(update) = updates.next_timeout(Duration::from_secs(1)) else { continue };
        match update.expect("no error") {
            SubscriptionItem::Data(OrderUpdate::OrderStatus(s)) => {
                filled |= s.status.to_string() == "Filled";
            }
            SubscriptionItem::Data(OrderUpdate::ExecutionData(e)) => shares += e.execution.shares,
            SubscriptionItem::Data(OrderUpdate::CommissionReport(r)) => commission += r.commission,
            _ => {}
        }
    }
    assert!(filled && commission > 0.0, "filled {filled}, commission {commission}");
    assert_eq!(shares, 100.0);
    assert_eq!(server.with(|g| g.truth_positions()), [(265_598, "AAPL".to_string(), 100.0)]);
    let positions = client.positions().expect("positions");
    let first = positions.next_data().expect("one").expect("no error");
    assert!(matches!(first, PositionUpdate::Position(p) if p.position == 100.0));
}
