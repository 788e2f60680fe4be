//! Questions that change nothing.

use super::{Answer, Asker, Outcome};
use ibapi::accounts::types::AccountGroup;
use ibapi::client::blocking::NoticeStream;
use ibapi::contracts::Contract;
use ibapi::market_data::historical::{BarSize, ToDuration};
use ibapi::market_data::realtime::{MarketDepths, TickTypes, generic_tick};
use ibapi::market_data::{MarketDataType, SmartDepth};
use ibapi::orders::ExecutionFilter;
use ibapi::subscriptions::SubscriptionItem;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long a stream is listened to.
const LISTEN: Duration = Duration::from_secs(4);

impl Asker<'_> {
    fn stock(&self) -> Contract {
        Contract::stock(self.options.symbol.as_str()).build()
    }

    pub(super) fn session(&mut self, version: &str, began: Instant, notices: &NoticeStream) {
        self.ask("session", |s, a| {
            a.fact("accounts", s.accounts.len());
            let paper = s.accounts.iter().filter(|n| n.starts_with("DU")).count();
            a.fact("paper_accounts", paper);
            a.fact("time_zone_known", s.client.time_zone().is_some());
            a.note(format!("server version {version}, protocol {}", s.client.server_version()));
            a.note(format!("session after {} ms", began.elapsed().as_millis()));
            let mut codes = Vec::new();
            while let Some(n) = notices.next_timeout(Duration::from_millis(500)) {
                codes.push(n.code.to_string());
            }
            a.note(format!("first notices: {}", codes.join(" ")));
            if s.accounts.is_empty() { Outcome::Bad } else { Outcome::Good }
        });
        self.ask("clock", |s, a| {
            let (seconds, millis) = (s.client.server_time(), s.client.server_time_millis());
            a.fact("seconds", seconds.is_ok());
            a.fact("milliseconds", millis.is_ok());
            let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            match (seconds, millis) {
                (_, Ok(t)) => {
                    let told_ms = t.unix_timestamp_nanos() / 1_000_000;
                    a.note(format!("ahead by {} ms", told_ms - machine.as_millis() as i128));
                    Outcome::Good
                }
                (Ok(_), Err(e)) | (Err(_), Err(e)) => a.error(&e),
            }
        });
    }

    pub(super) fn reference(&mut self) {
        self.ask("contract", |s, a| {
            let details = match s.client.contract_details(&s.stock()) {
                Ok(details) => details,
                Err(e) => return a.error(&e),
            };
            a.fact("rows", details.len());
            let Some(d) = details.first() else { return Outcome::Bad };
            a.fact("contract_id", d.contract.contract_id);
            a.fact("min_tick", d.min_tick);
            a.fact("has_size_rules", d.min_size.is_some() && d.size_increment.is_some());
            a.fact("has_market_rules", !d.market_rule_ids.is_empty());
            a.fact("time_zone", &d.time_zone_id);
            let now = crate::market::today(&d.liquid_hours, &d.time_zone_id, now_ns(s));
            a.fact("hours_readable", now != crate::market::Hours::Unknown);
            a.note(format!("liquid hours {}", d.liquid_hours.join(";")));
            a.note(format!("size steps {:?} {:?}", d.min_size, d.size_increment));
            if details.len() == 1 { Outcome::Good } else { Outcome::Bad }
        });
        self.ask("unknown contract", |s, a| {
            let none = Contract::stock("NOSUCHSTOCK").build();
            match s.client.contract_details(&none) {
                Ok(rows) => {
                    a.fact("rows", rows.len());
                    Outcome::Bad
                }
                Err(e) => {
                    let _ = a.error(&e);
                    let is_200 = a.facts.get("code").is_some_and(|c| c == "200");
                    if is_200 { Outcome::Good } else { Outcome::Bad }
                }
            }
        });
        self.ask("price steps", |s, a| match s.client.market_rule(26) {
            Ok(rule) => {
                a.fact("steps", rule.price_increments.len());
                Outcome::Good
            }
            Err(e) => a.error(&e),
        });
    }

    pub(super) fn market(&mut self) {
        self.ask("quotes", |s, a| {
            let ticks = [generic_tick::SHORTABLE];
            let stock = s.stock();
            let stream = s.client.market_data(&stock).generic_ticks(&ticks).subscribe();
            let stream = match stream {
                Ok(stream) => stream,
                Err(e) => return a.error(&e),
            };
            let (mut prices, mut sizes, mut halted, mut kind) = (0u32, 0u32, false, None);
            let outcome = listen(a, &mut || stream.next_timeout(LISTEN), |tick| match tick {
                TickTypes::Price(_) | TickTypes::PriceSize(_) => prices += 1,
                TickTypes::Size(_) => sizes += 1,
                TickTypes::Generic(g) => halted |= g.tick_type as i32 == 49,
                TickTypes::MarketDataType(k) => kind = Some(k),
                _ => {}
            });
            a.fact("kind", kind.map_or("not told".to_string(), |k| format!("{k:?}")));
            a.fact("prices", prices > 0);
            a.fact("halts_told", halted);
            a.note(format!("{prices} prices, {sizes} sizes"));
            let live = kind.is_none_or(|k| k == MarketDataType::Realtime);
            if outcome == Outcome::Good && prices > 0 && live { outcome } else { Outcome::Bad }
        });
        self.ask("every trade", |s, a| {
            let stock = s.stock();
            let stream = match s.client.tick_by_tick(&stock, 0).last() {
                Ok(stream) => stream,
                Err(e) => return a.error(&e),
            };
            let mut trades = 0u32;
            let outcome = listen(a, &mut || stream.next_timeout(LISTEN), |_| trades += 1);
            a.note(format!("{trades} trades"));
            outcome
        });
        self.ask("depth", |s, a| {
            let stock = s.stock();
            let depth = s.client.market_depth(&stock, 5).smart_depth(SmartDepth::Yes);
            let stream = match depth.subscribe() {
                Ok(stream) => stream,
                Err(e) => return a.error(&e),
            };
            let (mut rows, mut named) = (0u32, false);
            let outcome = listen(a, &mut || stream.next_timeout(LISTEN), |row| {
                rows += 1;
                named |= matches!(&row, MarketDepths::MarketDepthL2(d) if d.smart_depth);
            });
            a.fact("rows", rows > 0);
            a.fact("smart", named);
            outcome
        });
        self.ask("history", |s, a| {
            let stock = s.stock();
            let bars = s.client.historical_data(&stock, BarSize::Hour).duration(5.days()).fetch();
            match bars {
                Ok(h) => {
                    a.fact("bars", !h.bars.is_empty());
                    a.note(format!("{} bars", h.bars.len()));
                    Outcome::Good
                }
                Err(e) => a.error(&e),
            }
        });
    }

    pub(super) fn account(&mut self) {
        let deadline = self.options.deadline;
        self.ask("positions", |s, a| match s.client.positions() {
            Err(e) => a.error(&e),
            Ok(stream) => {
                let end = Instant::now() + deadline;
                let mut count = 0;
                while let Some(item) = stream.next_timeout(left(end)) {
                    match item {
                        Ok(SubscriptionItem::Data(
                            ibapi::accounts::PositionUpdate::PositionEnd,
                        )) => {
                            a.note(format!("{count} positions"));
                            a.fact("complete", true);
                            return Outcome::Good;
                        }
                        Ok(_) => count += 1,
                        Err(e) => return a.error(&e),
                    }
                }
                a.fact("complete", false);
                Outcome::NoAnswer
            }
        });
        self.ask("account summary", |s, a| {
            let tags = ["NetLiquidation", "TotalCashValue", "BuyingPower"];
            match s.client.account_summary(&AccountGroup("All".to_string()), &tags) {
                Err(e) => a.error(&e),
                Ok(stream) => {
                    let end = Instant::now() + deadline;
                    let mut found = std::collections::BTreeSet::new();
                    while let Some(item) = stream.next_timeout(left(end)) {
                        use ibapi::accounts::AccountSummaryResult as R;
                        match item {
                            Ok(SubscriptionItem::Data(R::End)) => {
                                let tags: Vec<String> = found.into_iter().collect();
                                a.fact("tags", tags.join(" "));
                                return Outcome::Good;
                            }
                            Ok(SubscriptionItem::Data(R::Summary(row))) => {
                                found.insert(row.tag);
                            }
                            Ok(SubscriptionItem::Notice(n)) => a.note(n),
                            Err(e) => return a.error(&e),
                        }
                    }
                    Outcome::NoAnswer
                }
            }
        });
        self.ask("open orders", |s, a| match s.client.all_open_orders() {
            Err(e) => a.error(&e),
            Ok(stream) => counted(a, stream.collect_to_end_within(deadline).map(|r| r.len())),
        });
        self.ask("completed orders", |s, a| match s.client.completed_orders(false) {
            Err(e) => a.error(&e),
            Ok(stream) => counted(a, stream.collect_to_end_within(deadline).map(|r| r.len())),
        });
        self.ask("executions", |s, a| match s.client.executions(ExecutionFilter::default()) {
            Err(e) => a.error(&e),
            Ok(stream) => counted(a, stream.collect_to_end_within(deadline).map(|r| r.len())),
        });
    }
}

/// Returns the gateway's time, or the machine's.
fn now_ns(s: &Asker<'_>) -> u64 {
    let told = s.client.server_time().ok();
    let told = told.and_then(|t| u64::try_from(t.unix_timestamp_nanos()).ok());
    told.unwrap_or_else(|| {
        let machine = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(machine.as_nanos()).unwrap_or(u64::MAX)
    })
}

fn left(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
}

fn counted(a: &mut Answer, rows: Result<usize, ibapi::Error>) -> Outcome {
    match rows {
        Ok(count) => {
            a.note(format!("{count} rows"));
            Outcome::Good
        }
        Err(e) => a.error(&e),
    }
}

type Item<T> = Option<Result<SubscriptionItem<T>, ibapi::Error>>;

/// Listens to a stream for a while. Good if anything came.
fn listen<T>(a: &mut Answer, next: &mut dyn FnMut() -> Item<T>, mut on: impl FnMut(T)) -> Outcome {
    let end = Instant::now() + LISTEN;
    let mut outcome = Outcome::NoAnswer;
    while Instant::now() < end {
        match next() {
            Some(Ok(SubscriptionItem::Data(data))) => {
                outcome = Outcome::Good;
                on(data);
            }
            Some(Ok(SubscriptionItem::Notice(n))) => {
                a.fact("code", n.code);
                a.note(n);
            }
            Some(Err(e)) => return a.error(&e),
            None => break,
        }
    }
    outcome
}
