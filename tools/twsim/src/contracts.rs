//! The instruments there are: the feed's stocks, and options on them.

use crate::num::price_f64;
use crate::proto::{Contract, ContractDetails};
use crate::time;
use jiff::civil::Date;

/// Symbols the default session trades, with the contract numbers the real gateway gives them.
pub const KNOWN: &[(&str, i32, &str, &str)] = &[
    ("AAPL", 265_598, "NASDAQ", "APPLE INC"),
    ("MSFT", 272_093, "NASDAQ", "MICROSOFT CORP"),
    ("TSLA", 76_792_991, "NASDAQ", "TESLA INC"),
    ("NVDA", 4_815_747, "NASDAQ", "NVIDIA CORP"),
    ("SPY", 756_733, "ARCA", "SPDR S&P 500 ETF TRUST"),
];
/// Exchanges stocks are routed to.
pub const EXCHANGES: &[&str] = &["SMART", "NASDAQ", "ISLAND", "NYSE", "ARCA", "BATS", "IEX"];
const STOCK_CON_ID: i32 = 900_000_000;
const OPTION_CON_ID: i32 = 700_000_000;
const OPTIONS_PER_STOCK: i32 = 1_000_000;
const EXPIRATION_COUNT: usize = 4;
/// Number of the price rule of every contract that has none of its own: whole cents.
pub const MARKET_RULE_ID: i32 = 26;
/// First number of the rules that stocks have of their own.
const OWN_RULE_ID: i32 = 1_000;
const CENT_PX: i64 = 10_000_000;
/// Most bands of a price rule.
const BAND_COUNT_MAX: usize = 64;

/// One instrument: a stock by its place in the feed, or an option on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inst {
    /// Place of the stock, or the underlying, in the feed.
    pub stock: usize,
    /// Which option, if it is one.
    pub option: Option<OptionId>,
}

/// An option on a stock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OptionId {
    /// Place in the expirations.
    pub expiry: usize,
    /// Strike in whole dollars.
    pub strike: i32,
    /// Whether it is a call.
    pub call: bool,
}

/// One stock of the universe.
#[derive(Clone, Debug)]
pub struct Stock {
    /// Symbol.
    pub symbol: String,
    /// Contract number.
    pub con_id: i32,
    /// Listing exchange.
    pub primary: String,
    /// Company.
    pub name: String,
    /// Price rule: least price of each band and the step within it, 1e-9, rising from 0.
    pub bands: Vec<(i64, i64)>,
    /// Strikes of its options, whole dollars, rising.
    pub strikes: Vec<i32>,
}

/// All instruments.
#[derive(Clone, Debug, Default)]
pub struct Universe {
    stocks: Vec<Stock>,
    expirations: Vec<Date>,
}

impl Universe {
    /// Returns the universe of `symbols` (with their price steps, 1e-9) on the day of `now_ns`.
    /// Options have strikes about 100 dollars until [`Universe::set_strikes`].
    pub fn new(symbols: &[(String, i64)], now_ns: u64) -> Universe {
        let stocks = symbols.iter().enumerate().map(|(i, (symbol, tick_px))| {
            let known = KNOWN.iter().find(|k| k.0 == symbol);
            Stock {
                symbol: symbol.clone(),
                con_id: known.map_or(STOCK_CON_ID + i as i32, |k| k.1),
                primary: known.map_or("NASDAQ", |k| k.2).to_string(),
                name: known.map_or(format!("{symbol} CORP"), |k| k.3.to_string()),
                bands: vec![(0, (*tick_px).max(1))],
                strikes: strikes(100.0),
            }
        });
        let expirations = time::monthly_expirations(time::date(now_ns), EXPIRATION_COUNT);
        Universe { stocks: stocks.collect(), expirations }
    }

    /// Sets the strikes about the price a stock opened at.
    pub fn set_strikes(&mut self, stock: usize, open_px: i64) {
        if let Some(stock) = self.stocks.get_mut(stock) {
            stock.strikes = strikes(price_f64(open_px));
        }
    }

    /// Returns the stocks.
    pub fn stocks(&self) -> &[Stock] {
        &self.stocks
    }

    /// Returns the expirations of options.
    pub fn expirations(&self) -> &[Date] {
        &self.expirations
    }

    /// Returns when an option ends.
    pub fn expiry_ns(&self, option: OptionId) -> u64 {
        self.expirations.get(option.expiry).map_or(0, |d| time::at(*d, 16, 0))
    }

    /// Returns the number of a contract.
    pub fn con_id(&self, inst: Inst) -> i32 {
        match inst.option {
            None => self.stocks.get(inst.stock).map_or(0, |s| s.con_id),
            Some(o) => {
                OPTION_CON_ID
                    + inst.stock as i32 * OPTIONS_PER_STOCK
                    + o.expiry as i32 * 100_000
                    + o.strike.clamp(0, 49_999) * 2
                    + i32::from(o.call)
            }
        }
    }

    /// Returns the instrument of a contract number.
    pub fn by_con_id(&self, con_id: i32) -> Option<Inst> {
        let stock = self.stocks.iter().position(|s| s.con_id == con_id);
        if let Some(stock) = stock {
            return Some(Inst { stock, option: None });
        }
        let rest = con_id.checked_sub(OPTION_CON_ID).filter(|r| *r >= 0)?;
        let stock = usize::try_from(rest / OPTIONS_PER_STOCK).ok()?;
        let rest = rest % OPTIONS_PER_STOCK;
        let (expiry, rest) = ((rest / 100_000) as usize, rest % 100_000);
        let option = OptionId { expiry, strike: rest / 2, call: rest % 2 == 1 };
        self.has_option(stock, option).then_some(Inst { stock, option: Some(option) })
    }

    fn has_option(&self, stock: usize, option: OptionId) -> bool {
        option.expiry < self.expirations.len()
            && self.stocks.get(stock).is_some_and(|s| s.strikes.contains(&option.strike))
    }

    /// Returns every instrument that fits what a request names: an option's missing fields stand
    /// for all.
    pub fn matching(&self, c: &Contract) -> Vec<Inst> {
        if let Some(con_id) = c.con_id.filter(|&id| id > 0) {
            return self.by_con_id(con_id).into_iter().collect();
        }
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        let (symbol, local) = (text(&c.symbol), text(&c.local_symbol));
        let currency = text(&c.currency);
        let exchange = text(&c.exchange);
        let routed = exchange.is_empty() || EXCHANGES.contains(&exchange.as_str());
        if !routed || !(currency.is_empty() || currency == "USD") {
            return Vec::new();
        }
        let by_symbol = |s: &Stock| {
            s.symbol.eq_ignore_ascii_case(if symbol.is_empty() { &local } else { &symbol })
        };
        let Some(stock) = self.stocks.iter().position(by_symbol) else { return Vec::new() };
        match text(&c.sec_type).as_str() {
            "STK" => vec![Inst { stock, option: None }],
            "OPT" => self.options(stock, c),
            _ => Vec::new(),
        }
    }

    fn options(&self, stock: usize, c: &Contract) -> Vec<Inst> {
        let date = c.last_trade_date_or_contract_month.as_deref().unwrap_or("");
        let strike = c.strike.filter(|s| *s > 0.0 && s.is_finite());
        let right = c.right.as_deref().unwrap_or("").chars().next().map(|r| r.to_ascii_uppercase());
        let mut found = Vec::new();
        for (expiry, day) in self.expirations.iter().enumerate() {
            if !day.strftime("%Y%m%d").to_string().starts_with(date) {
                continue;
            }
            for &s in &self.stocks[stock].strikes {
                if strike.is_some_and(|want| (want - f64::from(s)).abs() > 1e-6) {
                    continue;
                }
                for call in [true, false] {
                    if !matches!((right, call), (Some('C'), false) | (Some('P'), true)) {
                        let option = Some(OptionId { expiry, strike: s, call });
                        found.push(Inst { stock, option });
                    }
                }
            }
        }
        found
    }

    /// Returns the contract as answers give it.
    pub fn contract(&self, inst: Inst) -> Contract {
        let Some(stock) = self.stocks.get(inst.stock) else { return Contract::default() };
        let mut c = Contract {
            con_id: Some(self.con_id(inst)),
            symbol: Some(stock.symbol.clone()),
            sec_type: Some("STK".into()),
            exchange: Some("SMART".into()),
            primary_exch: Some(stock.primary.clone()),
            currency: Some("USD".into()),
            local_symbol: Some(stock.symbol.clone()),
            trading_class: Some(stock.symbol.clone()),
            ..Contract::default()
        };
        if let Some(o) = inst.option {
            let day = self.expirations.get(o.expiry).copied().unwrap_or_default();
            let text = day.strftime("%Y%m%d").to_string();
            let right = if o.call { "C" } else { "P" };
            let local = format!("{:<6}{}{right}{:05}000", stock.symbol, &text[2..], o.strike);
            c.sec_type = Some("OPT".into());
            c.primary_exch = None;
            c.last_trade_date_or_contract_month = Some(text.clone());
            c.last_trade_date = Some(text);
            c.strike = Some(f64::from(o.strike));
            c.right = Some(right.into());
            c.multiplier = Some(100.0);
            c.local_symbol = Some(local);
        }
        c
    }

    /// Returns the details of a contract; `hours` as the protocol writes them.
    pub fn details(&self, inst: Inst, hours: &str, liquid: &str) -> ContractDetails {
        let Some(stock) = self.stocks.get(inst.stock) else { return ContractDetails::default() };
        let mut d = ContractDetails {
            market_name: Some(stock.symbol.clone()),
            min_tick: Some(crate::num::plain(price_f64(self.tick_px(inst)))),
            order_types: Some(ORDER_TYPES.into()),
            valid_exchanges: Some(EXCHANGES.join(",")),
            price_magnifier: Some(1),
            long_name: Some(stock.name.clone()),
            industry: Some("Simulated".into()),
            category: Some("Simulated".into()),
            subcategory: Some("Simulated".into()),
            time_zone_id: Some(time::ZONE.into()),
            trading_hours: Some(hours.into()),
            liquid_hours: Some(liquid.into()),
            agg_group: Some(1),
            market_rule_ids: Some(vec![self.rule_id(inst).to_string(); EXCHANGES.len()].join(",")),
            stock_type: Some("COMMON".into()),
            min_size: Some("0.0001".into()),
            size_increment: Some("0.0001".into()),
            suggested_size_increment: Some("100".into()),
            ..ContractDetails::default()
        };
        if let Some(o) = inst.option {
            let day = self.expirations.get(o.expiry).copied().unwrap_or_default();
            d.min_tick = Some("0.01".into());
            d.under_con_id = Some(stock.con_id);
            d.under_symbol = Some(stock.symbol.clone());
            d.under_sec_type = Some("STK".into());
            d.contract_month = Some(day.strftime("%Y%m").to_string());
            d.real_expiration_date = Some(day.strftime("%Y%m%d").to_string());
            d.stock_type = None;
            d.min_size = Some("1".into());
            d.size_increment = Some("1".into());
            d.suggested_size_increment = Some("1".into());
        }
        d
    }

    /// Returns the least price step of an instrument in 1e-9, whatever the price.
    pub fn tick_px(&self, inst: Inst) -> i64 {
        self.bands(inst).iter().map(|b| b.1).min().unwrap_or(CENT_PX)
    }

    /// Returns the price rule of an instrument: least price of each band and its step, 1e-9.
    pub fn bands(&self, inst: Inst) -> &[(i64, i64)] {
        match (inst.option, self.stocks.get(inst.stock)) {
            (None, Some(stock)) => &stock.bands,
            _ => &[(0, CENT_PX)],
        }
    }

    /// Returns whether an order of an instrument may have this price.
    pub fn is_on_step(&self, inst: Inst, px: i64) -> bool {
        let band = self.bands(inst).iter().rev().find(|b| b.0 <= px);
        px.rem_euclid(band.map_or(CENT_PX, |b| b.1)) == 0
    }

    /// Returns the number of an instrument's price rule.
    pub fn rule_id(&self, inst: Inst) -> i32 {
        match self.bands(inst) {
            [(_, CENT_PX)] => MARKET_RULE_ID,
            _ => OWN_RULE_ID + inst.stock as i32,
        }
    }

    /// Returns the bands of a price rule.
    pub fn rule(&self, id: i32) -> Option<&[(i64, i64)]> {
        let stock = usize::try_from(id.checked_sub(OWN_RULE_ID)?).ok();
        match (id, stock.and_then(|s| self.stocks.get(s))) {
            (MARKET_RULE_ID, _) => Some(&[(0, CENT_PX)]),
            (_, Some(stock)) => Some(&stock.bands),
            _ => None,
        }
    }

    /// Gives a stock a price rule of its own.
    ///
    /// # Errors
    /// A sentence for bands that do not rise from 0, or steps that are not positive.
    pub fn set_bands(&mut self, stock: usize, bands: Vec<(i64, i64)>) -> Result<(), String> {
        let rise = bands.windows(2).all(|w| w[0].0 < w[1].0);
        let begins = bands.first().is_some_and(|b| b.0 == 0);
        if !rise || !begins || bands.len() > BAND_COUNT_MAX || bands.iter().any(|b| b.1 <= 0) {
            return Err("bands: expected LOW:STEP, rising from 0, with positive steps".into());
        }
        if let Some(stock) = self.stocks.get_mut(stock) {
            stock.bands = bands;
        }
        Ok(())
    }
}

const ORDER_TYPES: &str = "ACTIVETIM,AD,ADJUST,ALGO,AVGCOST,BASKET,COND,DAY,DEACT,GTC,GTD,HID,IOC,\
                           LIT,LMT,LOC,MIT,MKT,MOC,OCA,OPG,OUTSIDERTH,REL,STP,STPLMT,TRAIL,\
                           TRAILLIT,TRAILLMT,WHATIF";

/// Returns about thirteen strikes, five dollars (one below 50) apart.
fn strikes(price: f64) -> Vec<i32> {
    let step = if price >= 50.0 { 5 } else { 1 };
    let middle = ((price / f64::from(step)).round() as i32) * step;
    (-6..=6).map(|i| middle + i * step).filter(|s| *s > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn universe() -> Universe {
        let symbols = [("AAPL".to_string(), 10_000_000), ("SYN1".to_string(), 10_000_000)];
        Universe::new(&symbols, 1_741_012_200_000_000_000)
    }

    #[test]
    fn a_price_goes_by_the_step_of_its_band() {
        let mut u = universe();
        let (aapl, syn) = (Inst { stock: 0, option: None }, Inst { stock: 1, option: None });
        assert_eq!((u.rule_id(aapl), u.rule(26)), (26, Some(&[(0, CENT_PX)][..])));
        assert!(u.is_on_step(aapl, 5 * CENT_PX) && !u.is_on_step(aapl, CENT_PX / 2));
        let bands =
            vec![(0, CENT_PX / 100), (100 * CENT_PX, CENT_PX), (9_800 * CENT_PX, 5 * CENT_PX)];
        u.set_bands(0, bands.clone()).unwrap();
        assert_eq!((u.rule_id(aapl), u.rule_id(syn)), (1_000, 26));
        assert_eq!((u.rule(1_000), u.rule(7)), (Some(&bands[..]), None));
        assert_eq!(u.tick_px(aapl), CENT_PX / 100);
        for (px, fits) in [
            (99 * CENT_PX + CENT_PX / 100, true),
            (100 * CENT_PX + CENT_PX / 100, false),
            (9_799 * CENT_PX, true),
            (9_800 * CENT_PX, true),
            (9_801 * CENT_PX, false),
            (9_805 * CENT_PX, true),
        ] {
            assert_eq!(u.is_on_step(aapl, px), fits, "{px}");
        }
        for bad in [vec![], vec![(1, 1)], vec![(0, 0)], vec![(0, 1), (0, 1)], vec![(0, 1), (-1, 1)]]
        {
            assert!(u.set_bands(0, bad).is_err());
        }
    }

    fn named(symbol: &str, sec_type: &str) -> Contract {
        Contract {
            symbol: Some(symbol.into()),
            sec_type: Some(sec_type.into()),
            ..Contract::default()
        }
    }

    #[test]
    fn every_contract_is_found_again_by_its_number_and_by_its_fields() {
        let u = universe();
        let all = u.matching(&named("AAPL", "OPT"));
        assert_eq!(all.len(), 4 * 13 * 2);
        for inst in all.into_iter().chain(u.matching(&named("SYN1", "STK"))) {
            assert_eq!(u.by_con_id(u.con_id(inst)), Some(inst));
            let mut c = u.contract(inst);
            c.con_id = None;
            assert_eq!(u.matching(&c), [inst]);
        }
        assert_eq!(u.con_id(Inst { stock: 0, option: None }), 265_598);
    }

    #[test]
    fn what_is_not_listed_is_not_found() {
        let u = universe();
        for c in [named("AAPL", "FUT"), named("ZZZZ", "STK"), Contract::default()] {
            assert!(u.matching(&c).is_empty(), "{c:?}");
        }
        for con_id in [1, -5, i32::MIN, i32::MAX, 700_000_000, 700_900_000] {
            assert_eq!(u.by_con_id(con_id), None, "{con_id}");
        }
        let mut euros = named("AAPL", "STK");
        euros.currency = Some("EUR".into());
        assert!(u.matching(&euros).is_empty());
    }
}
