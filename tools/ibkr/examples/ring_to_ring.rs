//! How long an order takes through the adapter and back: from the kernel's ring to the simulator
//! over loopback and to the kernel's ring again. The broker's own time is not in it; real ones add
//! milliseconds. `cargo run --release -p ijk-ibkr --example ring_to_ring -- 2000`

use ijk_core::config::IbkrConfig;
use ijk_core::{
    ClientOrderId, Instrument, InstrumentId, NewOrder, OrderType, ParentId, Px, Qty, RecvTs,
    ReportKind, Side, Symbol, TimeInForce,
};
use ijk_ibkr::connection::{GatewaySettings, Money};
use ijk_ibkr::orders::IbkrVenue;
use ijk_twsim::{Server, SimConfig};
use ijk_venue::{Venue, VenueMessage};
use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

fn main() -> Result<(), Box<dyn Error>> {
    let count: u64 = std::env::args().nth(1).map_or(Ok(2_000), |n| n.parse())?;
    let server = Server::start(0, SimConfig { order_delay_ms: 0, ..SimConfig::default() })?;
    server.command("limit messages 0")?;
    let config = IbkrConfig {
        port: server.addr().port(),
        messages_per_s: 1_000_000,
        ..IbkrConfig::default()
    };
    let settings = GatewaySettings::new(&config, Money::Paper, 10_000);
    let table = [Instrument::us_equity(Symbol::new("AAPL")?)];
    let mut venue = IbkrVenue::start(&settings, &table, Arc::new(|_| {}))?;
    while !matches!(venue.poll(RecvTs(1)), Some((_, VenueMessage::Link(_)))) {}
    let (mut handed, mut there, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..count {
        // Two of three reach the simulator, which refuses them at once for want of money; the
        // third is refused here: the way to the sending thread and back alone.
        let here = n % 3 == 2;
        let order = NewOrder {
            client_order_id: ClientOrderId(ClientOrderId::first_of(1).0 + n),
            qty: Qty(if here { 0 } else { 90_000_000 }),
            px: Px(100_000_000_000),
            parent_id: ParentId(0),
            instrument: InstrumentId(0),
            side: Side::Bid,
            order_type: OrderType::Limit,
            tif: TimeInForce::Day,
            reserved: [0; 7],
        };
        let began = Instant::now();
        venue.send(RecvTs(1), &order);
        handed.push(began.elapsed());
        loop {
            let Some((_, VenueMessage::Report(r))) = venue.poll(RecvTs(1)) else { continue };
            if r.kind == ReportKind::Reject && r.client_order_id == order.client_order_id {
                break;
            }
        }
        if here { &mut refused } else { &mut there }.push(began.elapsed());
    }
    for (name, mut times) in [
        ("hand over (kernel thread)", handed),
        ("kernel ring, sending thread, kernel ring", refused),
        ("kernel ring, gateway simulator, kernel ring", there),
    ] {
        times.sort_unstable();
        let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize].as_nanos() as f64 / 1e3;
        println!(
            "{name}: n {} p50 {:.1} us, p90 {:.1} us, p99 {:.1} us, max {:.1} us",
            times.len(),
            at(0.5),
            at(0.9),
            at(0.99),
            at(1.0)
        );
    }
    Ok(())
}
