//! Plays a client's session against a gateway whose clock it moves, and writes down every frame:
//! the transcript of a scenario. No sockets: the bytes are those a socket would carry.
//!
//! Lines of a session:
//!
//! ```text
//! connect CLIENT | use CLIENT | hangup      a connection; later lines speak for the last one
//! wait MS                                   the clock goes on
//! place ID buy|sell QTY TYPE [PRICE [AUX]] SYMBOL [key=value]...   prices also bid-0.10, ask+1
//! cancel ID | global-cancel | open | all-open | completed | executions REQ | positions
//! contract REQ SYMBOL [STK|OPT|FUT] | rule ID | quotes REQ SYMBOL [GENERIC,...]
//! snapshot REQ SYMBOL | depth REQ SYMBOL ROWS | ticks REQ SYMBOL KIND | bars REQ SYMBOL
//! chain REQ SYMBOL
//! history REQ SYMBOL DURATION SIZE          with _ for spaces
//! account | summary REQ TAGS | pnl REQ | time | ids | data-kind N | stop ID REQ (cancel message)
//! admin COMMAND                             a command of the admin socket
//! expect TEXT                               a line after the last one expected holds it
//! never TEXT                                no frame so far holds it
//! expect-closed                             the connection has ended
//! ```

use crate::contracts::Inst;
use crate::gateway::{ConnId, Gateway};
use crate::num::price_f64;
use crate::proto::*;
use crate::wire::{Incoming, frame, read_frame};
use crate::{SetupError, SimConfig, describe};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What a session came to.
#[derive(Clone, Debug, Default)]
pub struct Played {
    /// Every request and frame, a line each.
    pub transcript: String,
    /// Every byte clients were sent, in order.
    pub bytes: Vec<u8>,
    /// Expectations that were not met.
    pub failures: Vec<String>,
}

/// A session under way.
struct Player {
    gateway: Gateway,
    conns: BTreeMap<i32, Option<ConnId>>,
    rest: BTreeMap<i32, Vec<u8>>,
    current: i32,
    played: Played,
    mark: usize,
}

/// Plays `lines` against a gateway with `config`.
///
/// # Errors
/// [`SetupError`] of the configuration.
pub fn play(config: SimConfig, lines: &[&str]) -> Result<Played, SetupError> {
    let mut player = Player {
        gateway: Gateway::new(config)?,
        conns: BTreeMap::new(),
        rest: BTreeMap::new(),
        current: 0,
        played: Played::default(),
        mark: 0,
    };
    for line in lines {
        if let Err(text) = player.line(line) {
            player.played.failures.push(format!("'{line}': {text}"));
        }
    }
    Ok(player.played)
}

impl Player {
    fn note(&mut self, text: &str) {
        let ns = self.gateway.now_ns() - self.gateway.start_ns();
        let (s, us) = (ns / 1_000_000_000, ns / 1_000 % 1_000_000);
        let _ = writeln!(self.played.transcript, "{s:>4}.{us:06} {text}");
    }

    fn line(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let number = |i: usize| -> Result<i64, String> {
            let word = words.get(i).ok_or("a number is missing")?;
            word.parse().map_err(|_| format!("'{word}' is no number"))
        };
        let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
        match words[0] {
            "connect" => self.connect(number(1)? as i32),
            "use" => self.current = number(1)? as i32,
            "hangup" => {
                if let Some(Some(conn)) = self.conns.insert(self.current, None) {
                    self.gateway.hang_up(conn);
                }
            }
            "wait" => {
                let until = self.gateway.now_ns() + number(1)? as u64 * 1_000_000;
                self.run_until(until);
            }
            "admin" => {
                self.note(&format!("# {rest}"));
                self.gateway.command(rest)?;
                self.drain();
            }
            "expect" | "never" | "expect-closed" => self.judge(words[0], rest),
            _ => self.ask(&words)?,
        }
        Ok(())
    }

    fn connect(&mut self, client: i32) {
        self.current = client;
        let conn = self.gateway.connect(226);
        self.conns.insert(client, conn);
        self.rest.insert(client, Vec::new());
        match conn {
            None => self.note(&format!("{client} x the connection is refused")),
            Some(_) => {
                self.request(71, &StartApiRequest { client_id: Some(client), ..Default::default() })
            }
        }
    }

    fn run_until(&mut self, until: u64) {
        while let Some(due) = self.gateway.next_due().filter(|ns| *ns <= until) {
            self.gateway.advance(due.max(self.gateway.now_ns()));
            self.drain();
        }
        self.gateway.advance(until);
        self.drain();
    }

    fn request(&mut self, id: u32, message: &impl prost::Message) {
        let bytes = frame(id, message);
        let client = self.current;
        self.note(&format!("{client} > {}", describe::request(id, &bytes[8..])));
        if let Some(Some(conn)) = self.conns.get(&client) {
            self.gateway.request(*conn, id, &bytes[8..]);
        }
        self.drain();
    }

    /// Takes what every connection was sent.
    fn drain(&mut self) {
        let clients: Vec<(i32, ConnId)> =
            self.conns.iter().filter_map(|(client, conn)| Some((*client, (*conn)?))).collect();
        for (client, conn) in clients {
            let output = self.gateway.take_output(conn);
            self.played.bytes.extend_from_slice(&output.bytes);
            let mut input = self.rest.remove(&client).unwrap_or_default();
            input.extend_from_slice(&output.bytes);
            while let Incoming::Frame { id, body, consumed } = read_frame(&input) {
                let text = describe::answer(id, body);
                self.note(&format!("{client} < {text}"));
                input.drain(..consumed);
            }
            if output.close {
                self.conns.insert(client, None);
                self.note(&format!("{client} x closed, {} bytes of a frame left", input.len()));
                input.clear();
            }
            self.rest.insert(client, input);
        }
    }

    fn judge(&mut self, what: &str, text: &str) {
        let mut found = None;
        let mut end = self.mark;
        for line in self.played.transcript[self.mark..].lines() {
            end += line.len() + 1;
            if line.contains(text) && !line.contains(" > ") && !line.contains(" # ") {
                found = Some(end);
                break;
            }
        }
        let told = |l: &str| l.contains(" < ") && l.contains(text);
        let met = match what {
            "expect" => found.is_some(),
            "never" => !self.played.transcript.lines().any(told),
            _ => self.conns.get(&self.current).is_some_and(Option::is_none),
        };
        if !met {
            self.played.failures.push(format!("{what} {text}"));
        }
        if what == "expect" {
            self.mark = found.unwrap_or(self.mark);
        }
    }

    fn price(&self, word: &str, symbol: &str) -> Option<f64> {
        let (base, off) = match word.find(['+', '-']).filter(|i| *i > 0) {
            Some(i) => (&word[..i], word[i..].parse().ok()?),
            None => (word, 0.0),
        };
        let stock = self.gateway.universe().stocks().iter().position(|s| s.symbol == symbol)?;
        let bbo = self.gateway.best_quote(Inst { stock, option: None });
        let cents = |x: f64| (x * 100.0).round() / 100.0;
        match base {
            "bid" => Some(cents(price_f64(bbo.bid_px) + off)),
            "ask" => Some(cents(price_f64(bbo.ask_px) + off)),
            _ => word.parse().ok(),
        }
    }

    fn place(&mut self, words: &[&str]) -> Result<(), String> {
        let keys: BTreeMap<&str, &str> = words.iter().filter_map(|w| w.split_once('=')).collect();
        let plain: Vec<&str> = words.iter().copied().filter(|w| !w.contains('=')).collect();
        let [_, id, side, qty, kind, prices @ .., symbol] = plain.as_slice() else {
            return Err("expected place ID buy|sell QTY TYPE [PRICE [AUX]] SYMBOL".into());
        };
        let price = |i: usize| prices.get(i).and_then(|w| self.price(w, symbol));
        let kind = kind.to_ascii_uppercase().replace('_', " ");
        let stop_only = matches!(kind.as_str(), "STP" | "TRAIL" | "MIT");
        let text = |key: &str| keys.get(key).map(|v| v.to_string());
        let order = Order {
            action: Some(side.to_ascii_uppercase()),
            total_quantity: Some(qty.to_string()),
            order_type: Some(kind),
            lmt_price: if stop_only { None } else { price(0) },
            aux_price: if stop_only { price(0) } else { price(1) },
            tif: text("tif"),
            parent_id: keys.get("parent").and_then(|p| p.parse().ok()),
            transmit: Some(keys.get("transmit") != Some(&"no")),
            outside_rth: keys.get("outside").map(|v| *v == "yes"),
            what_if: keys.get("whatif").map(|v| *v == "yes"),
            order_ref: text("ref"),
            oca_group: text("oca"),
            ..Order::default()
        };
        let order_id = id.parse().ok();
        let contract = Some(stock(symbol, "STK"));
        self.request(
            3,
            &PlaceOrderRequest { order_id, contract, order: Some(order), attached_orders: None },
        );
        Ok(())
    }

    fn ask(&mut self, words: &[&str]) -> Result<(), String> {
        let text = |i: usize| words.get(i).copied().unwrap_or("");
        let req_id: Option<i32> = text(1).parse().ok();
        let contract = Some(stock(text(2), if text(3).is_empty() { "STK" } else { text(3) }));
        let plain = Some(stock(text(2), "STK"));
        match words[0] {
            "place" => return self.place(words),
            "cancel" => {
                self.request(4, &CancelOrderRequest { order_id: req_id, order_cancel: None })
            }
            "global-cancel" => self.request(58, &GlobalCancelRequest { order_cancel: None }),
            "open" => self.request(5, &Empty {}),
            "all-open" => self.request(16, &Empty {}),
            "completed" => self.request(99, &CompletedOrdersRequest { api_only: Some(false) }),
            "executions" => self.request(7, &ExecutionRequest { req_id, execution_filter: None }),
            "positions" => self.request(61, &Empty {}),
            "contract" => self.request(9, &ContractDataRequest { req_id, contract }),
            "rule" => self.request(91, &MarketRuleRequest { market_rule_id: req_id }),
            "time" => self.request(49, &Empty {}),
            "ids" => self.request(8, &IdsRequest { num_ids: Some(1) }),
            "data-kind" => self.request(59, &MarketDataTypeRequest { market_data_type: req_id }),
            "account" => {
                self.request(6, &AccountDataRequest { subscribe: Some(true), acct_code: None });
            }
            "summary" => {
                let (group, tags) = (Some("All".into()), Some(text(2).into()));
                self.request(62, &AccountSummaryRequest { req_id, group, tags });
            }
            "pnl" => self.request(92, &PnLRequest { req_id, account: None, model_code: None }),
            "stop" => {
                let id = text(1).parse().map_err(|_| "expected stop MESSAGE REQ")?;
                self.request(id, &ReqIdOnly { req_id: text(2).parse().ok() });
            }
            _ => return self.ask_data(words, req_id, plain),
        }
        Ok(())
    }

    fn ask_data(
        &mut self,
        words: &[&str],
        req_id: Option<i32>,
        contract: Option<Contract>,
    ) -> Result<(), String> {
        let text = |i: usize| words.get(i).copied().unwrap_or("");
        match words[0] {
            "quotes" | "snapshot" => {
                let generic_tick_list = Some(text(3).to_string());
                let snapshot = Some(words[0] == "snapshot");
                let request = MarketDataRequest {
                    req_id,
                    contract,
                    generic_tick_list,
                    snapshot,
                    ..Default::default()
                };
                self.request(1, &request);
            }
            "depth" => {
                let num_rows = text(3).parse().ok();
                let request =
                    MarketDepthRequest { req_id, contract, num_rows, is_smart_depth: Some(true) };
                self.request(10, &request);
            }
            "ticks" => {
                let tick_type = Some(text(3).to_string());
                let request =
                    TickByTickRequest { req_id, contract, tick_type, ..Default::default() };
                self.request(97, &request);
            }
            "bars" => {
                let what_to_show = Some("TRADES".to_string());
                let request = RealTimeBarsRequest {
                    req_id,
                    contract,
                    bar_size: Some(5),
                    what_to_show,
                    use_rth: Some(true),
                };
                self.request(50, &request);
            }
            "chain" => {
                let request = SecDefOptParamsRequest {
                    req_id,
                    underlying_symbol: Some(text(2).into()),
                    underlying_sec_type: Some("STK".into()),
                    ..Default::default()
                };
                self.request(78, &request);
            }
            "history" => {
                let request = HistoricalDataRequest {
                    req_id,
                    contract,
                    duration: Some(text(3).replace('_', " ")),
                    bar_size_setting: Some(text(4).replace('_', " ")),
                    what_to_show: Some("TRADES".into()),
                    use_rth: Some(true),
                    format_date: Some(1),
                    ..Default::default()
                };
                self.request(20, &request);
            }
            other => return Err(format!("no line begins with '{other}'")),
        }
        Ok(())
    }
}

fn stock(symbol: &str, sec_type: &str) -> Contract {
    Contract {
        symbol: Some(symbol.into()),
        sec_type: Some(sec_type.into()),
        exchange: Some("SMART".into()),
        currency: Some("USD".into()),
        ..Contract::default()
    }
}
