//! The twelve features of one token, each from the whole stored history by its definition.

use ijk_core::features::{FEATURE_COUNT, Token};
use ijk_core::{ExchTs, MarketEvent, Px, Qty, RowFlags, Side};

/// All that happened in one source row, and the book after it.
#[derive(Clone, Debug, Default)]
pub struct NaiveRow {
    /// Exchange time, ns.
    pub ts: u64,
    /// Row number of the source.
    pub row: u64,
    /// Best bids `(px, qty)`, at most five.
    pub bids: Vec<(i64, i64)>,
    /// Best asks.
    pub asks: Vec<(i64, i64)>,
    /// Visible trades `(px, qty, aggressor)`.
    pub trades: Vec<(i64, i64, Option<Side>)>,
}

/// Groups records into rows; `book` applies a record and returns bids and asks after it.
pub fn rows<B>(events: &[MarketEvent], mut book: B) -> Vec<NaiveRow>
where
    B: FnMut(&MarketEvent) -> [Vec<(i64, i64)>; 2],
{
    let first = events.iter().position(|e| !e.flags.has(RowFlags::DERIVED));
    let mut out = Vec::new();
    let mut open = NaiveRow::default();
    for (i, ev) in events.iter().enumerate() {
        let [bids, asks] = book(ev);
        if first.is_none_or(|first| i < first) {
            continue;
        }
        if let Some((qty, side)) = ev.visible_trade()
            && qty.0 > 0
        {
            open.trades.push((ev.px.0, qty.0, side));
        }
        if ev.ends_row() {
            let five = |mut levels: Vec<(i64, i64)>| {
                levels.truncate(5);
                levels
            };
            open.ts = ev.ts_exchange.0;
            open.row = ev.row;
            open.bids = five(bids);
            open.asks = five(asks);
            out.push(std::mem::take(&mut open));
        }
    }
    out
}

/// Returns token `k` of `rows`, `None` if it has not closed.
pub fn token(rows: &[NaiveRow], stride: usize, k: usize) -> Option<Token> {
    let closes: Vec<usize> = (0..=k).map(|t| (t + 1) * stride - 1).collect();
    let last = *closes.last()?;
    let close = rows.get(last)?;
    let part = |t: usize| &rows[t * stride..(t + 1) * stride];
    let returns: Vec<f64> = (0..=k).map(|t| return_bps(rows, &closes, t)).collect();
    let square: Vec<f64> = returns.iter().map(|r| r * r).collect();
    let depth1: Vec<f64> =
        closes.iter().map(|&i| (size(&rows[i].bids, 1) + size(&rows[i].asks, 1)) / 2.0).collect();
    let depth5: Vec<f64> =
        closes.iter().map(|&i| (size(&rows[i].bids, 5) + size(&rows[i].asks, 5)) / 10.0).collect();
    let volumes: Vec<f64> = (0..=k).map(|t| traded(part(t), |_| true)).collect();
    let first_row = k * stride;
    let flow = |levels: usize| -> f64 {
        let mut sum = 0.0;
        for n in first_row.max(1)..=last {
            for level in 0..levels {
                sum += flow_at(&rows[n - 1], &rows[n], level);
            }
        }
        sum
    };
    let seconds =
        if k == 0 { 0.0 } else { close.ts.saturating_sub(rows[closes[k - 1]].ts) as f64 / 1e9 };
    let buys = traded(part(k), |s| s == Some(Side::Bid));
    let sells = traded(part(k), |s| s == Some(Side::Ask));
    let mid = mid(close);
    let b = close.bids.first().copied().unwrap_or((0, 0));
    let a = close.asks.first().copied().unwrap_or((0, 0));
    let features: [f64; FEATURE_COUNT] = [
        returns[k],
        mid.map_or(0.0, |m| 1e4 * (a.0 - b.0) as f64 / m),
        mid.map_or(0.0, |_| micro(b, a)),
        share(size(&close.bids, 1), size(&close.asks, 1)),
        share(size(&close.bids, 5), size(&close.asks, 5)),
        over(flow(1), ewma(&depth1)),
        over(flow(5), ewma(&depth5)),
        share(buys, sells),
        (1.0 + over(volumes[k], ewma(&volumes))).ln(),
        ewma(&square).sqrt(),
        (1e-6 + seconds).ln(),
        mid.map_or(0.0, |m| vwap_deviation(m, &rows[..=last])),
    ];
    Some(Token {
        index: k as u64,
        event_index: close.row,
        ts: ExchTs(close.ts),
        features,
        bid: (Px(b.0), Qty(b.1)),
        ask: (Px(a.0), Qty(a.1)),
        two_sided: mid.is_some(),
    })
}

/// Returns all tokens that closed.
pub fn tokens(rows: &[NaiveRow], stride: usize) -> Vec<Token> {
    (0..rows.len() / stride).filter_map(|k| token(rows, stride, k)).collect()
}

fn mid(row: &NaiveRow) -> Option<f64> {
    let (bid, ask) = (row.bids.first()?.0, row.asks.first()?.0);
    let mid = (ask as f64 + bid as f64) / 2.0;
    (mid > 0.0).then_some(mid)
}

fn return_bps(rows: &[NaiveRow], closes: &[usize], t: usize) -> f64 {
    let Some(now) = mid(&rows[closes[t]]) else { return 0.0 };
    match closes[..t].iter().rev().find_map(|&i| mid(&rows[i])) {
        Some(before) => 1e4 * (now / before).ln(),
        None => 0.0,
    }
}

/// (p−m)/(a−b) with p = (b·qa + a·qb)/(qa+qb), over a common denominator in integers.
fn micro(b: (i64, i64), a: (i64, i64)) -> f64 {
    let [pb, qb, pa, qa] = [b.0, b.1, a.0, a.1].map(i128::from);
    if pa == pb {
        return share(qb as f64, qa as f64) / 2.0;
    }
    let above = 2 * (pb * qa + pa * qb) - (pa + pb) * (qa + qb);
    above as f64 / (2 * (qa + qb) * (pa - pb)) as f64
}

/// eₙ at one level, a missing bid at price −∞ and a missing ask at +∞, both of size 0.
fn flow_at(before: &NaiveRow, after: &NaiveRow, level: usize) -> f64 {
    let bid = |row: &NaiveRow| row.bids.get(level).copied().unwrap_or((i64::MIN, 0));
    let ask = |row: &NaiveRow| row.asks.get(level).copied().unwrap_or((i64::MAX, 0));
    let ((b0, qb0), (b1, qb1)) = (bid(before), bid(after));
    let ((a0, qa0), (a1, qa1)) = (ask(before), ask(after));
    let when = |condition: bool, qty: i64| if condition { qty as f64 } else { 0.0 };
    when(b1 >= b0, qb1) - when(b1 <= b0, qb0) - when(a1 <= a0, qa1) + when(a1 >= a0, qa0)
}

fn size(levels: &[(i64, i64)], count: usize) -> f64 {
    levels.iter().take(count).map(|l| l.1 as f64).sum()
}

fn traded(rows: &[NaiveRow], which: impl Fn(Option<Side>) -> bool) -> f64 {
    rows.iter().flat_map(|r| &r.trades).filter(|t| which(t.2)).map(|t| t.1 as f64).sum()
}

fn vwap_deviation(mid: f64, rows: &[NaiveRow]) -> f64 {
    let trades = || rows.iter().flat_map(|r| &r.trades);
    let volume: i128 = trades().map(|t| i128::from(t.1)).sum();
    let notional: i128 = trades().map(|t| i128::from(t.0) * i128::from(t.1)).sum();
    if volume == 0 {
        return 0.0;
    }
    1e4 * (mid - notional as f64 / volume as f64) / mid
}

/// x̄₁ = x₁, x̄ₖ = x̄ₖ₋₁ + α(xₖ − x̄ₖ₋₁), α = 1 − 2^(−1/100).
fn ewma(values: &[f64]) -> f64 {
    let alpha = 1.0 - 2f64.powf(-1.0 / 100.0);
    let mut mean = values[0];
    for x in &values[1..] {
        mean += alpha * (x - mean);
    }
    mean
}

fn share(a: f64, b: f64) -> f64 {
    over(a - b, a + b)
}

fn over(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a / b }
}
