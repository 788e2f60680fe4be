//! From the records of a run to observations, in one pass.

use super::{ChildObservation, LatencyObservation, ParentObservation, SymbolObservations};
use crate::market::Market;
use ijk_core::record::{ParentRecord, ParentStatus, RecordKind};
use ijk_core::{
    ClientOrderId, DepthKind, Instrument, MarketEvent, NewOrder, Qty, RecvTs, ReportKind, Side,
    TimeInForce, VenueReport,
};
use std::collections::BTreeMap;
use zerocopy::TryFromBytes;

/// Seconds of returns that make the volatility beside a latency.
const VOLATILITY_S: usize = 60;

struct Child {
    order: NewOrder,
    sent_ns: u64,
    placed_ns: u64,
    queue: f64,
    behind_ticks: f64,
    own_share: f64,
    filled: i64,
}

struct Start {
    spread_bps: f64,
}

/// Folds records. Feed it every record of a run in order.
pub struct Fold {
    symbols: Vec<SymbolObservations>,
    latencies: Vec<LatencyObservation>,
    live: BTreeMap<ClientOrderId, Child>,
    starts: BTreeMap<u32, Start>,
    now_ns: u64,
}

impl Fold {
    /// Returns a fold for a run's instruments.
    pub fn new(instruments: &[Instrument], depths: &[DepthKind]) -> Fold {
        let symbol = |(i, d): (&Instrument, &DepthKind)| SymbolObservations {
            market: Market::new(i, *d),
            parents: Vec::new(),
            children: Vec::new(),
        };
        Fold {
            symbols: instruments.iter().zip(depths).map(symbol).collect(),
            latencies: Vec::new(),
            live: BTreeMap::new(),
            starts: BTreeMap::new(),
            now_ns: 0,
        }
    }

    /// Takes a record. A payload that is not of its kind is passed over: the journal's reader has
    /// already vouched for its bytes.
    pub fn record(&mut self, now: RecvTs, kind: RecordKind, payload: &[u8]) {
        self.now_ns = now.0;
        match kind {
            RecordKind::Market => {
                if let Ok(ev) = MarketEvent::try_read_from_bytes(payload)
                    && let Some(s) = self.symbols.get_mut(ev.instrument.index())
                {
                    s.market.take(now.0, &ev);
                }
            }
            RecordKind::Order => {
                if let Ok(order) = NewOrder::try_read_from_bytes(payload) {
                    self.sent(now.0, order);
                }
            }
            RecordKind::Report => {
                if let Ok(report) = VenueReport::try_read_from_bytes(payload) {
                    self.reported(now.0, &report);
                }
            }
            RecordKind::ParentState => {
                if let Ok(record) = ParentRecord::try_read_from_bytes(payload) {
                    self.parent(&record);
                }
            }
            _ => {}
        }
    }

    fn sent(&mut self, now: u64, order: NewOrder) {
        if order.instrument.index() >= self.symbols.len() {
            return;
        }
        let child = Child {
            order,
            sent_ns: now,
            placed_ns: 0,
            queue: 0.0,
            behind_ticks: 0.0,
            own_share: 0.5,
            filled: 0,
        };
        self.live.insert(order.client_order_id, child);
    }

    fn reported(&mut self, now: u64, report: &VenueReport) {
        let Some(child) = self.live.get_mut(&report.client_order_id) else { return };
        let market = &self.symbols[child.order.instrument.index()].market;
        match report.kind {
            ReportKind::Ack => {
                child.placed_ns = now;
                stand_in_queue(child, market);
                let us = |from: u64, to: u64| to.saturating_sub(from) as f64 / 1e3;
                self.latencies.push(LatencyObservation {
                    sent_ns: child.sent_ns,
                    order_us: us(child.sent_ns, report.ts_exchange.0),
                    report_us: us(report.ts_exchange.0, now),
                    volatility: recent_volatility(market),
                });
            }
            ReportKind::Fill => {
                child.filled += report.qty.0;
                if report.leaves.0 == 0 {
                    self.end(report.client_order_id, now, true);
                }
            }
            ReportKind::Canceled | ReportKind::Expired | ReportKind::Reject => {
                self.end(report.client_order_id, now, false);
            }
            _ => {}
        }
    }

    fn end(&mut self, id: ClientOrderId, now: u64, filled: bool) {
        let Some(child) = self.live.remove(&id) else { return };
        let rested = child.order.tif != TimeInForce::Ioc && child.placed_ns > 0;
        let symbol = &mut self.symbols[child.order.instrument.index()];
        if !rested {
            return;
        }
        let prints = symbol.market.prints.max(1) as f64;
        let mean_print = symbol.market.volume.iter().sum::<f64>() / prints;
        let seconds = now.saturating_sub(child.placed_ns) as f64 / 1e9;
        symbol.children.push(ChildObservation {
            placed_ns: child.placed_ns,
            queue_prints: if mean_print > 0.0 { child.queue / mean_print } else { 0.0 },
            behind_ticks: child.behind_ticks,
            own_share: child.own_share,
            seconds: seconds.max(1e-6),
            filled,
        });
    }

    fn parent(&mut self, record: &ParentRecord) {
        let Some(symbol) = self.symbols.get_mut(record.instrument.index()) else { return };
        let id = record.parent_id.0;
        self.starts.entry(id).or_insert_with(|| Start {
            spread_bps: spread_now(&symbol.market).unwrap_or(f64::NAN),
        });
        if !matches!(record.status, ParentStatus::Done | ParentStatus::Abandoned) {
            return;
        }
        let Some(start) = self.starts.remove(&id) else { return };
        if record.filled.0 <= 0 || !(record.arrival_mid > 0.0 && start.spread_bps >= 0.0) {
            return;
        }
        let instrument = &symbol.market.instrument;
        symbol.parents.push(ParentObservation {
            start_ns: record.ts_start.0,
            end_ns: record.ts_end.0,
            sign: record.side.sign() as f64,
            urgency: record.urgency as usize,
            qty: instrument.qty_as_f64(record.qty),
            filled: instrument.qty_as_f64(record.filled),
            arrival_mid: record.arrival_mid,
            spread_bps: start.spread_bps,
            average_px: record.filled_value / record.filled.0 as f64,
        });
    }

    /// Ends the fold: children still alive are censored where the records end.
    pub fn finish(mut self) -> (Vec<SymbolObservations>, Vec<LatencyObservation>) {
        let left: Vec<ClientOrderId> = self.live.keys().copied().collect();
        for id in left {
            self.end(id, self.now_ns, false);
        }
        for symbol in &mut self.symbols {
            symbol.parents.sort_by_key(|p| p.start_ns);
            symbol.children.sort_by_key(|c| c.placed_ns);
        }
        (self.symbols, self.latencies)
    }
}

fn spread_now(market: &Market) -> Option<f64> {
    let (bid, ask) = (market.best(Side::Bid)?.px.as_f64(), market.best(Side::Ask)?.px.as_f64());
    (bid > 0.0 && ask >= bid).then(|| 2e4 * (ask - bid) / (ask + bid))
}

/// Notes where a child stands when its arrival is reported.
fn stand_in_queue(child: &mut Child, market: &Market) {
    let side = child.order.side;
    let i = &market.instrument;
    let size = |q: Qty| i.qty_as_f64(q);
    child.queue = size(market.book().qty_at(side, child.order.px));
    if let (Some(own), Some(other)) = (market.best(side), market.best(side.opposite())) {
        let ticks = (own.px.0 - child.order.px.0) as f64 / i.tick.0.max(1) as f64;
        child.behind_ticks = ticks * side.sign() as f64;
        let both = size(own.qty) + size(other.qty);
        child.own_share = if both > 0.0 { size(own.qty) / both } else { 0.5 };
    }
}

fn recent_volatility(market: &Market) -> f64 {
    let from = market.mid.len().saturating_sub(VOLATILITY_S + 1);
    let squares: Vec<f64> = market.mid[from..]
        .windows(2)
        .filter(|w| w[0] > 0.0 && w[1] > 0.0)
        .map(|w| (1e4 * (w[1] / w[0]).ln()).powi(2))
        .collect();
    crate::stats::mean(&squares).sqrt()
}
