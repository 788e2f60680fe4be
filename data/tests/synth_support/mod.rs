//! Features and least squares for measuring how predictable a synthetic session is.
//!
//! Written from the formulas alone, apart from the kernel's feature code: an own oracle.

use ijk_core::{EventSource, MarketEvent, Px, Side};
use ijk_data::synth::stats::LevelBook;
use ijk_data::synth::{SynthConfig, SynthSource};

/// Rows a token, tokens of the label's horizon, features.
pub const STRIDE: u64 = 10;
pub const HORIZON: usize = 20;
pub const NAMES: [&str; 12] = [
    "ret_bps",
    "spread_bps",
    "micro",
    "imb1",
    "imb5",
    "ofi1",
    "ofi5",
    "trade_imb",
    "trade_log",
    "rv_bps",
    "gap_log",
    "vwap_dev_bps",
];

type Levels = [[(f64, f64); 5]; 2];

fn levels(book: &LevelBook) -> Levels {
    let mut out = [[(0.0, 0.0); 5]; 2];
    for (i, (px, qty)) in book.bids.iter().rev().take(5).enumerate() {
        out[0][i] = (Px(*px).as_f64(), *qty as f64);
    }
    for (i, (px, qty)) in book.asks.iter().take(5).enumerate() {
        out[1][i] = (Px(*px).as_f64(), *qty as f64);
    }
    out
}

fn ofi(new: &Levels, old: &Levels, i: usize) -> f64 {
    let (b, b0, a, a0) = (new[0][i], old[0][i], new[1][i], old[1][i]);
    let on = |yes: bool, qty: f64| if yes { qty } else { 0.0 };
    on(b.0 >= b0.0, b.1) - on(b.0 <= b0.0, b0.1) - on(a.0 <= a0.0, a.1) + on(a.0 >= a0.0, a0.1)
}

fn imbalance(book: &Levels, n: usize) -> f64 {
    let sum = |side: usize| book[side][..n].iter().map(|level| level.1).sum::<f64>();
    (sum(0) - sum(1)) / (sum(0) + sum(1))
}

struct Ewma(Option<f64>);

impl Ewma {
    fn next(&mut self, x: f64) -> f64 {
        let alpha = ijk_core::features::ewma_alpha();
        let value = self.0.map_or(x, |old| old + alpha * (x - old));
        self.0 = Some(value);
        value
    }
}

/// Returns mid and features of every token of one symbol's session.
pub fn tokens(source: &mut dyn EventSource) -> Vec<(f64, [f64; 12])> {
    let (mut book, mut out, mut rows) = (LevelBook::default(), Vec::new(), 0u64);
    let (mut old, mut e1, mut e5, mut buy, mut sell) = ([[(0.0, 0.0); 5]; 2], 0.0, 0.0, 0.0, 0.0);
    let (mut d1, mut d5, mut v, mut rv) = (Ewma(None), Ewma(None), Ewma(None), Ewma(None));
    let (mut last_mid, mut last_ns, mut value, mut volume) = (None::<f64>, None::<u64>, 0.0, 0.0);
    while let Some(event) = source.next_event().expect("synthetic sessions have no errors") {
        book.apply(&event);
        if !event.ends_row() {
            continue;
        }
        let new = levels(&book);
        if rows > 0 {
            e1 += ofi(&new, &old, 0);
            e5 += (0..5).map(|i| ofi(&new, &old, i)).sum::<f64>();
        }
        old = new;
        trade(&event, &mut buy, &mut sell, &mut value, &mut volume);
        rows += 1;
        if !rows.is_multiple_of(STRIDE) {
            continue;
        }
        let ((b, qb), (a, qa)) = (new[0][0], new[1][0]);
        let mid = (a + b) / 2.0;
        let ret = last_mid.map_or(0.0, |m| 1e4 * (mid / m).ln());
        let ns = event.ts_exchange.0;
        let gap = last_ns.map_or(0.0, |l| (ns - l) as f64 / 1e9);
        let total: f64 = new.iter().flatten().map(|level| level.1).sum();
        let (d1, d5) = (d1.next((qb + qa) / 2.0), d5.next(total / 10.0));
        let (traded, mean_traded) = (buy + sell, v.next(buy + sell));
        let micro = ((b * qa + a * qb) / (qa + qb) - mid) / (a - b);
        out.push((
            mid,
            [
                ret,
                1e4 * (a - b) / mid,
                micro,
                imbalance(&new, 1),
                imbalance(&new, 5),
                e1 / d1,
                e5 / d5,
                if traded > 0.0 { (buy - sell) / traded } else { 0.0 },
                if mean_traded > 0.0 { (traded / mean_traded).ln_1p() } else { 0.0 },
                rv.next(ret * ret).sqrt(),
                (1e-6 + gap).ln(),
                if volume > 0.0 { 1e4 * (mid - value / volume) / mid } else { 0.0 },
            ],
        ));
        (last_mid, last_ns) = (Some(mid), Some(ns));
        (e1, e5, buy, sell) = (0.0, 0.0, 0.0, 0.0);
    }
    out
}

fn trade(event: &MarketEvent, buy: &mut f64, sell: &mut f64, value: &mut f64, volume: &mut f64) {
    if let Some((qty, aggressor)) = event.visible_trade() {
        let qty = qty.0 as f64;
        match aggressor {
            Some(Side::Bid) => *buy += qty,
            Some(Side::Ask) => *sell += qty,
            None => {}
        }
        *value += qty * event.px.as_f64();
        *volume += qty;
    }
}

/// Appends features (with a constant) and labels in basis points, without the first 100 tokens.
fn rows(seed: u64, signal_strength: f64, x: &mut Vec<Vec<f64>>, y: &mut Vec<f64>) {
    let config = SynthConfig { seed, signal_strength, ..SynthConfig::default() };
    let all = tokens(&mut SynthSource::new(&config).expect("valid settings"));
    for k in 100..all.len() - HORIZON {
        let ahead = all[k + 1..=k + HORIZON].iter().map(|t| t.0).sum::<f64>() / HORIZON as f64;
        y.push(1e4 * (ahead / all[k].0 - 1.0));
        x.push([&[1.0], &all[k].1[..]].concat());
    }
}

/// Solves the normal equations by Gaussian elimination with pivoting.
pub fn least_squares(x: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let n = x[0].len();
    let mut m = vec![vec![0.0; n + 1]; n];
    for (row, target) in x.iter().zip(y) {
        for i in 0..n {
            for j in 0..n {
                m[i][j] += row[i] * row[j];
            }
            m[i][n] += row[i] * target;
        }
    }
    // micro is imb1 / 2 at every state: a small ridge keeps the system regular.
    (0..n).for_each(|i| m[i][i] *= 1.0 + 1e-9);
    for i in 0..n {
        let best = (i..n).max_by(|&a, &b| m[a][i].abs().total_cmp(&m[b][i].abs())).unwrap_or(i);
        m.swap(i, best);
        let pivot = m[i].clone();
        for row in &mut m[i + 1..] {
            let factor = row[i] / pivot[i];
            row.iter_mut().zip(&pivot).skip(i).for_each(|(value, top)| *value -= factor * top);
        }
    }
    let mut beta = vec![0.0; n];
    for i in (0..n).rev() {
        beta[i] = (m[i][n] - (i + 1..n).map(|j| m[i][j] * beta[j]).sum::<f64>()) / m[i][i];
    }
    beta
}

/// What the best linear forecast achieves on sessions it has not seen.
#[derive(Debug)]
pub struct Outcome {
    pub r2: f64,
    pub forecast_std_bps: f64,
    pub label_std_bps: f64,
    /// Share of tokens whose forecast exceeds 2 bps either way.
    pub above_2_bps: f64,
    /// Out-of-sample correlation of each feature with the label.
    pub correlations: Vec<(&'static str, f64)>,
}

/// Fits on the train seeds, measures on the test seeds.
pub fn measure(train: &[u64], test: &[u64], signal_strength: f64) -> Outcome {
    let (mut x, mut y, mut tx, mut ty) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    train.iter().for_each(|&seed| rows(seed, signal_strength, &mut x, &mut y));
    test.iter().for_each(|&seed| rows(seed, signal_strength, &mut tx, &mut ty));
    let beta = least_squares(&x, &y);
    let n = ty.len() as f64;
    let forecast: Vec<f64> =
        tx.iter().map(|row| row.iter().zip(&beta).map(|(a, b)| a * b).sum()).collect();
    let mean = ty.iter().sum::<f64>() / n;
    let total = ty.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    let residual = ty.iter().zip(&forecast).map(|(v, f)| (v - f).powi(2)).sum::<f64>();
    let fmean = forecast.iter().sum::<f64>() / n;
    let fvar = forecast.iter().map(|f| (f - fmean).powi(2)).sum::<f64>() / n;
    let correlation = |i: usize| {
        let xm = tx.iter().map(|row| row[i]).sum::<f64>() / n;
        let xx = tx.iter().map(|row| (row[i] - xm).powi(2)).sum::<f64>();
        let xy = tx.iter().zip(&ty).map(|(row, v)| (row[i] - xm) * (v - mean)).sum::<f64>();
        xy / (xx * total).sqrt()
    };
    Outcome {
        r2: 1.0 - residual / total,
        forecast_std_bps: fvar.sqrt(),
        label_std_bps: (total / n).sqrt(),
        above_2_bps: forecast.iter().filter(|f| f.abs() > 2.0).count() as f64 / n,
        correlations: NAMES.iter().enumerate().map(|(i, &c)| (c, correlation(i + 1))).collect(),
    }
}
