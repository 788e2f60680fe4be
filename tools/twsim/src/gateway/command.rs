//! Commands of the admin socket, of scripts and of tests that embed the simulator.

use super::{Gateway, conn};
use crate::codes;
use crate::num::Shares;
use crate::orders::OrderFaults;

/// The commands, as `help` prints them.
pub const HELP: &str = "\
link down [lose] | link up kept|lost     1100; then 1102, or 1101 and every stream dead
farm usfarm|ushmds|secdefil down|up|inactive|connecting [silent]
notice CODE [TEXT]                       an error message to every client, of no request
tell REQUEST_ID CODE [TEXT]              an error message about one request or order
drop [CLIENT] [ghost]                    connections end; ghost: 326 until `unghost`
unghost | refuse on|off                  old sessions end; new connections are refused
mute MS                                  half-open: nothing is heard or said for so long
drip MS|off                              one byte every so many milliseconds
restart MS [rollback]                    daily restart, down for MS; rollback: ids begin anew
next-id N|auto                           the next valid id told
order KEY[=VALUE]...                     what goes wrong with the next order
cancel ORDER_ID CLIENT [REASON]          the broker cancels an order
hang WHAT | answer WHAT                  positions, executions, completed, open, account,
                                         contracts, rules, history, options: no answer
data deny CODE | data kind 1..4 | data ok    what new streams get
data dead | data stop SYMBOL | data go       no data, with no word about it
data compete | data bust                 10197 ends every stream; 10225 every bar stream
spike PRICE|off                          the price told instead of the real one
depth reset|halt                         317; 316
halt SYMBOL | resume SYMBOL              trading halts
session open|closed|auto                 regular hours
shortable SYMBOL 1|2|3                   none, to be located, many
price-rule SYMBOL LOW:STEP...            price steps by band, dollars, rising from 0
limit messages|lines|depth|ticks N       numbers of clients; 0 none
read-only on|off                         orders are refused
frame ID HEX                             raw bytes as a frame
position SYMBOL SHARES PRICE             a position from before
at MS COMMAND | on EVENT N COMMAND       later; events connect, order, fill, cancel, request
advance MS                               the clock goes on (and waits for nobody)
time | truth | help";

type Words<'a> = std::str::SplitAsciiWhitespace<'a>;

/// Checks that a line of a script is a command, without running it.
pub(super) fn check(line: &str) -> Result<(), String> {
    let mut words = line.split_ascii_whitespace();
    let first = words.next().unwrap_or("");
    let known = HELP.lines().flat_map(|l| l.split(" | ")).any(|l| {
        let word = l.trim_start().split([' ', '|']).next().unwrap_or("");
        word == first && !first.is_empty()
    });
    match first {
        "order" => OrderFaults::parse(words).map(|_| ()),
        _ if known => Ok(()),
        _ => Err(format!("no command '{first}'; `help` lists them")),
    }
}

fn number<T: std::str::FromStr>(word: Option<&str>, what: &str) -> Result<T, String> {
    let word = word.ok_or_else(|| format!("{what} is missing"))?;
    word.parse().map_err(|_| format!("{what}: '{word}' is no number of its range"))
}

fn rest(words: Words<'_>, code: i32) -> String {
    let text = words.collect::<Vec<_>>().join(" ");
    if text.is_empty() { codes::text(code).to_string() } else { text }
}

fn on_off(word: Option<&str>) -> Result<bool, String> {
    match word {
        Some("on") => Ok(true),
        Some("off") => Ok(false),
        other => Err(format!("expected on or off, not '{}'", other.unwrap_or(""))),
    }
}

impl Gateway {
    /// Runs one command and returns what it says, often nothing.
    ///
    /// # Errors
    /// A sentence for whoever typed it.
    pub fn command(&mut self, line: &str) -> Result<String, String> {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap_or("");
        match first {
            "help" => return Ok(HELP.to_string()),
            "time" => return Ok(self.now_ns.to_string()),
            "truth" => return Ok(self.truth_json()),
            "at" | "on" => self.add_line(line)?,
            "link" | "farm" | "notice" | "tell" | "frame" => self.notice_command(first, words)?,
            "drop" | "unghost" | "refuse" | "mute" | "drip" | "restart" => {
                self.line_command(first, words)?;
            }
            "next-id" | "order" | "cancel" | "read-only" | "position" | "shortable" => {
                self.order_command(first, words)?;
            }
            "hang" | "answer" | "data" | "spike" | "depth" | "halt" | "resume" | "session" => {
                self.data_command(first, words)?;
            }
            "limit" => self.limit_command(words)?,
            "price-rule" => self.price_rule_command(words)?,
            "advance" => {
                let ms: u64 = number(words.next(), "milliseconds")?;
                self.advance(self.now_ns.saturating_add(conn::ms(ms.min(86_400_000))));
            }
            _ => return Err(format!("no command '{first}'; `help` lists them")),
        }
        Ok(String::new())
    }

    fn notice_command(&mut self, first: &str, mut words: Words<'_>) -> Result<(), String> {
        match first {
            "link" => match (words.next(), words.next()) {
                (Some("down"), None) => self.link(true, false),
                (Some("down"), Some("lose")) => self.link(true, true),
                (Some("up"), Some("kept")) => self.link(false, false),
                (Some("up"), Some("lost")) => self.link(false, true),
                _ => return Err("expected 'link down [lose]' or 'link up kept|lost'".into()),
            },
            "farm" => {
                let (name, state) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                let silent = words.next() == Some("silent");
                self.farm(name, state, silent)?;
            }
            "notice" => {
                let code = number(words.next(), "code")?;
                self.notice_all(code, &rest(words, code));
            }
            "tell" => {
                let id = number(words.next(), "request id")?;
                let code = number(words.next(), "code")?;
                let text = rest(words, code);
                for conn in self.started() {
                    self.error(conn, id, code, &text);
                }
            }
            _ => {
                let id = number::<u32>(words.next(), "message id")?.min(10_000);
                let hex = words.next().unwrap_or("");
                let byte =
                    |i: usize| hex.get(i..i + 2).and_then(|h| u8::from_str_radix(h, 16).ok());
                let body: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
                let body = body.ok_or("bytes must be pairs of hexadecimal digits")?;
                self.bad_frame(id, &body);
            }
        }
        Ok(())
    }

    fn line_command(&mut self, first: &str, mut words: Words<'_>) -> Result<(), String> {
        match first {
            "drop" => {
                let mut client = None;
                let mut ghost = false;
                for word in words {
                    match word {
                        "ghost" => ghost = true,
                        other => client = Some(number(Some(other), "client id")?),
                    }
                }
                self.drop_conns(client, ghost);
            }
            "unghost" => self.faults.ghosts.clear(),
            "refuse" => self.faults.refuse = on_off(words.next())?,
            "mute" => {
                let until =
                    self.now_ns.saturating_add(conn::ms(number(words.next(), "milliseconds")?));
                self.conns.values_mut().for_each(|c| c.mute_until = until);
            }
            "drip" => {
                let ns = match words.next() {
                    Some("off") => None,
                    word => Some(conn::ms(number(word, "milliseconds")?)),
                };
                self.conns.values_mut().for_each(|c| c.drip_ns = ns);
            }
            _ => {
                let ms = number(words.next(), "milliseconds")?;
                self.restart(words.next() == Some("rollback"), ms);
            }
        }
        Ok(())
    }

    fn order_command(&mut self, first: &str, mut words: Words<'_>) -> Result<(), String> {
        match first {
            "next-id" => {
                self.faults.next_id = match words.next() {
                    Some("auto") => None,
                    word => Some(number(word, "id")?),
                }
            }
            "order" => self.faults.next_order = Some(OrderFaults::parse(words)?),
            "read-only" => self.faults.read_only = on_off(words.next())?,
            "cancel" => {
                let order_id = number(words.next(), "order id")?;
                let client_id = number(words.next(), "client id")?;
                let perm = self.orders.find(client_id, order_id);
                let perm =
                    perm.ok_or_else(|| format!("client {client_id} has no order {order_id}"))?;
                self.end_order(perm, &words.collect::<Vec<_>>().join(" "));
            }
            "shortable" => {
                let stock = self.stock_named(words.next().unwrap_or(""))?;
                let level = number::<u8>(words.next(), "level")?;
                self.faults.shortable.insert(stock, f64::from(level));
            }
            _ => {
                let symbol = words.next().unwrap_or("");
                let shares =
                    Shares::parse(words.next().unwrap_or("")).ok_or("shares: no number")?;
                let price: f64 = number(words.next(), "price")?;
                if !price.is_finite() || price.abs() > 1e9 {
                    return Err("price: expected at most 1e9".into());
                }
                self.endow(symbol, shares, price)?;
            }
        }
        Ok(())
    }

    fn data_command(&mut self, first: &str, mut words: Words<'_>) -> Result<(), String> {
        let word = words.next().unwrap_or("");
        match (first, word) {
            ("hang", what) => _ = self.faults.hung.insert(what.to_string()),
            ("answer", what) => _ = self.faults.hung.remove(what),
            ("data", "deny") => self.faults.data_code = Some(number(words.next(), "code")?),
            ("data", "kind") => {
                let kind = number::<i32>(words.next(), "kind")?;
                self.faults.data_kind = Some(kind.clamp(1, 4));
                self.retell_kind(kind.clamp(1, 4));
            }
            ("data", "ok") => (self.faults.data_code, self.faults.data_kind) = (None, None),
            ("data", "dead") => self.faults.data_dead = true,
            ("data", "stop") => {
                let stock = self.stock_named(words.next().unwrap_or(""))?;
                self.market.stock_mut(stock).into_iter().for_each(|s| s.silent = true);
            }
            ("data", "go") => {
                self.faults.data_dead = false;
                for i in 0..self.market.stocks().len() {
                    self.market.stock_mut(i).into_iter().for_each(|s| s.silent = false);
                }
            }
            ("data", "compete") => {
                self.faults.data_code = Some(10_197);
                self.end_streams(10_197);
            }
            ("data", "bust") => self.end_streams(10_225),
            ("spike", "off") => self.faults.spike_px = None,
            ("spike", price) => {
                let price = number::<f64>(Some(price), "price")?;
                self.faults.spike_px = Some((price.clamp(-9e9, 9e9) * 1e9) as i64);
            }
            ("depth", "reset") => self.depth_fault(317),
            ("depth", "halt") => self.depth_fault(316),
            ("halt" | "resume", symbol) => {
                let stock = self.stock_named(symbol)?;
                self.market.stock_mut(stock).into_iter().for_each(|s| s.halted = first == "halt");
                let change = crate::market::Change {
                    stock,
                    bbo: false,
                    print: None,
                    halt: Some(first == "halt"),
                };
                self.quotes_changed(&change);
            }
            ("session", "open") => self.faults.session = Some(true),
            ("session", "closed") => self.faults.session = Some(false),
            ("session", "auto") => self.faults.session = None,
            _ => return Err(format!("'{first} {word}' is no command; `help` lists them")),
        }
        Ok(())
    }

    /// Streams learn that their data is of another kind now.
    fn retell_kind(&mut self, kind: i32) {
        for conn in self.started() {
            let Some(c) = self.conn(conn) else { continue };
            let mut told = Vec::new();
            for (req_id, sub) in &mut c.subs {
                if let super::subs::SubKind::Quotes(q) = &mut sub.kind {
                    q.data_kind = kind;
                    told.push(*req_id);
                }
            }
            for req_id in told {
                let message = crate::proto::MarketDataType {
                    req_id: Some(req_id),
                    market_data_type: Some(kind),
                };
                self.send(conn, 58, &message);
            }
        }
    }

    fn limit_command(&mut self, mut words: Words<'_>) -> Result<(), String> {
        let what = words.next().unwrap_or("");
        let n: u32 = number(words.next(), "number")?;
        let limits = &mut self.config.limits;
        match what {
            "messages" => {
                limits.messages_per_s = n;
                self.faults.count_messages = true;
            }
            "lines" => limits.lines = n as usize,
            "depth" => limits.depth = n as usize,
            "ticks" => limits.ticks = n as usize,
            _ => return Err(format!("no limit '{what}'; there are messages, lines, depth, ticks")),
        }
        Ok(())
    }
}

#[test]
fn the_faults_of_orders_are_listed_where_help_says() {
    use crate::orders::rules::KEYS;
    assert!(KEYS.contains("hold=MS") && HELP.contains("order KEY"));
    for bad in ["", "explode", "linkdown", "order bang"] {
        assert!(check(bad).is_err(), "{bad}");
    }
    for good in ["link down", "unghost", "refuse on", "at 5 drop", "resume X", "time", "order park"]
    {
        assert!(check(good).is_ok(), "{good}");
    }
}
