//! FI-2010 (Ntakaris et al. 2018) as an evaluation format: the public text files of 149 rows, one
//! column a snapshot of the book. The files are the user's own; none is kept here.
//!
//! Rows 1 to 40 are ask price, ask size, bid price, bid size of ten levels, rows 41 to 144
//! derived features (not used), rows 145 to 149 the labels of 10, 20, 30, 50 and 100 events: 1 up,
//! 2 flat, 3 down. Prices must be of the decimal-precision files (`DecPre`): the z-scored ones
//! hold no mid. The standard split trains on days 1 to 7 (`Train_..._CF_7`) and tests on the three
//! days after (`Test_..._CF_7`, `_8`, `_9`).

use crate::scaler::Scaler;
use crate::sequences::Part;
use ijk_core::features::FEATURE_COUNT;
use std::path::Path;

/// Rows of a file.
pub const ROWS: usize = 149;
/// Rows of prices and sizes.
const BOOK: usize = 40;
/// Label rows used, in the order of the encoder's four horizons: 10, 20, 50, 100 events.
const LABELS: [usize; 4] = [144, 145, 147, 148];
/// Events of the label rows used.
pub const EVENTS: [u32; 4] = [10, 20, 50, 100];

/// Published macro-F1 in per cent at 10, 20, 50, 100 events, days 1 to 7 against 8 to 10: name,
/// as claimed by its authors, as reproduced by LOBCAST (Prata et al. 2023). Zero: not given.
pub const PUBLISHED: [(&str, [f64; 4], [f64; 4]); 9] = [
    ("MLP", [48.3, 51.1, 56.0, 0.0], [48.2, 44.0, 49.0, 51.6]),
    ("LSTM", [66.3, 62.4, 61.4, 0.0], [66.5, 58.8, 66.9, 59.4]),
    ("CTABL", [77.6, 66.9, 78.4, 0.0], [69.5, 62.4, 71.6, 73.9]),
    ("DeepLOB", [83.4, 72.8, 80.4, 0.0], [71.1, 62.4, 75.4, 77.6]),
    ("TransLOB", [88.7, 80.7, 88.2, 91.6], [61.4, 54.7, 60.6, 60.5]),
    ("BiNCTABL", [81.0, 71.2, 88.1, 0.0], [81.1, 71.5, 87.7, 92.1]),
    ("DeepLOBAtt", [82.4, 73.7, 79.4, 81.5], [70.6, 54.8, 73.6, 71.6]),
    ("DLA", [77.8, 0.0, 79.0, 0.0], [79.4, 69.3, 87.1, 52.2]),
    ("AxialLOB", [85.1, 75.8, 83.3, 85.9], [73.2, 63.4, 78.3, 79.2]),
];

/// Why a file is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fi2010Error {
    /// The file system.
    #[error("{0}")]
    Io(String),
    /// Not 149 rows.
    #[error("{found} rows, expected {ROWS}: is it a file of the FI-2010 text set?")]
    RowCount {
        /// Rows found.
        found: usize,
    },
    /// Rows of different lengths.
    #[error("row {row}: {found} columns, the first row has {expected}")]
    Columns {
        /// Row, from 1.
        row: usize,
        /// Columns found.
        found: usize,
        /// Columns of the first row.
        expected: usize,
    },
    /// No number.
    #[error("row {row}, column {column}: '{text}' is not a finite number")]
    Number {
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
        /// What stands there.
        text: String,
    },
    /// No label.
    #[error("row {row}, column {column}: label {found}, expected 1, 2 or 3")]
    Label {
        /// Row, from 1.
        row: usize,
        /// Column, from 1.
        column: usize,
        /// What stands there.
        found: String,
    },
    /// A book that cannot be.
    #[error(
        "column {column}: best bid {bid} and ask {ask}; is the file z-scored? DecPre is needed"
    )]
    Book {
        /// Column, from 1.
        column: usize,
        /// Best bid.
        bid: String,
        /// Best ask.
        ask: String,
    },
}

/// Snapshots with their labels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshots {
    /// Prices and sizes: ask price, ask size, bid price, bid size of each level.
    pub book: Vec<[f64; BOOK]>,
    /// Classes at 10, 20, 50 and 100 events: 0 down, 1 flat, 2 up.
    pub classes: Vec<[u8; 4]>,
}

/// Reads one file.
///
/// # Errors
/// [`Fi2010Error`] with row and column.
pub fn read(path: &Path) -> Result<Snapshots, Fi2010Error> {
    let text = std::fs::read_to_string(path).map_err(|e| Fi2010Error::Io(e.to_string()))?;
    parse(&text)
}

/// Reads the text of one file.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str) -> Result<Snapshots, Fi2010Error> {
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
    if lines.len() != ROWS {
        return Err(Fi2010Error::RowCount { found: lines.len() });
    }
    let expected = lines[0].split_whitespace().count();
    let mut out = Snapshots { book: vec![[0.0; BOOK]; expected], classes: vec![[1; 4]; expected] };
    for (r, line) in lines.iter().enumerate() {
        let (row, label) = (r + 1, LABELS.iter().position(|&l| l == r));
        let mut found = 0;
        for (c, text) in line.split_whitespace().enumerate() {
            found = c + 1;
            if found > expected {
                break;
            }
            let value = text.parse::<f64>().ok().filter(|v| v.is_finite());
            let value = value.ok_or_else(|| {
                let text = text.chars().take(40).collect();
                Fi2010Error::Number { row, column: c + 1, text }
            })?;
            if r < BOOK {
                out.book[c][r] = value;
            } else if let Some(h) = label {
                out.classes[c][h] = match value {
                    1.0 => 2,
                    2.0 => 1,
                    3.0 => 0,
                    _ => {
                        let found = text.chars().take(40).collect();
                        return Err(Fi2010Error::Label { row, column: c + 1, found });
                    }
                };
            }
        }
        let found = found.max(line.split_whitespace().count());
        if found != expected {
            return Err(Fi2010Error::Columns { row, found, expected });
        }
    }
    for (c, b) in out.book.iter().enumerate() {
        if !(b[2] > 0.0 && b[0] > b[2]) {
            let (bid, ask) = (b[2].to_string(), b[0].to_string());
            return Err(Fi2010Error::Book { column: c + 1, bid, ask });
        }
    }
    Ok(out)
}

impl Snapshots {
    /// Returns the twelve features as far as snapshots give them: trades and times are not in the
    /// files, so those five are zero. Formulas as in the contract of the twelve features, each
    /// snapshot a token.
    pub fn features(&self) -> Vec<[f64; FEATURE_COUNT]> {
        let alpha = 1.0 - 0.5f64.powf(0.01);
        let (mut depth1, mut depth5, mut square) = (f64::NAN, f64::NAN, f64::NAN);
        let ewma = |state: &mut f64, x: f64| {
            *state = if state.is_nan() { x } else { *state + alpha * (x - *state) };
            *state
        };
        let mut before: Option<&[f64; BOOK]> = None;
        let mut out = Vec::with_capacity(self.book.len());
        for b in &self.book {
            let (mid, last) = (0.5 * (b[0] + b[2]), before.unwrap_or(b));
            let ret = 1e4 * (mid / (0.5 * (last[0] + last[2]))).ln();
            let sum = |from: usize| -> f64 { (0..5).map(|l| b[4 * l + from]).sum() };
            let (asks, bids) = (sum(1), sum(3));
            let imbalance = |bid: f64, ask: f64| {
                if bid + ask > 0.0 { (bid - ask) / (bid + ask) } else { 0.0 }
            };
            let micro = if b[1] + b[3] > 0.0 {
                let price = (b[2] * b[1] + b[0] * b[3]) / (b[1] + b[3]);
                (price - mid) / (b[0] - b[2])
            } else {
                0.0
            };
            let flow = |l: usize| flow_at(last, b, l);
            let first = before.is_none();
            let d1 = ewma(&mut depth1, 0.5 * (b[1] + b[3])).max(1e-12);
            let d5 = ewma(&mut depth5, 0.1 * (asks + bids)).max(1e-12);
            let rv = ewma(&mut square, ret * ret).sqrt();
            let ofi1 = if first { 0.0 } else { flow(0) / d1 };
            let ofi5 = if first { 0.0 } else { (0..5).map(flow).sum::<f64>() / d5 };
            let spread = 1e4 * (b[0] - b[2]) / mid;
            let (imb1, imb5) = (imbalance(b[3], b[1]), imbalance(bids, asks));
            out.push([ret, spread, micro, imb1, imb5, ofi1, ofi5, 0.0, 0.0, rv, 0.0, 0.0]);
            before = Some(b);
        }
        out
    }

    /// Returns the snapshots as a part to train on, classes only.
    pub fn part(&self, scaler: &Scaler) -> Part {
        let features = self.features();
        Part {
            inputs: features.iter().map(|f| scaler.apply(f)).collect(),
            targets: vec![[0.0; 4]; features.len()],
            classes: self.classes.clone(),
            market: 0,
            slots: Vec::new(),
        }
    }
}

/// Order flow between two snapshots at one level (Cont, Kukanov and Stoikov 2014).
fn flow_at(last: &[f64; BOOK], now: &[f64; BOOK], level: usize) -> f64 {
    let at = |b: &[f64; BOOK], i: usize| b[4 * level + i];
    let mut e = 0.0;
    if at(now, 2) >= at(last, 2) {
        e += at(now, 3);
    }
    if at(now, 2) <= at(last, 2) {
        e -= at(last, 3);
    }
    if at(now, 0) <= at(last, 0) {
        e -= at(now, 1);
    }
    if at(now, 0) >= at(last, 0) {
        e += at(last, 1);
    }
    e
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of `n` snapshots: level `l` at `1 ∓ 0.0001 (l + 1)`, sizes and labels by column.
    fn file(n: usize) -> Vec<Vec<String>> {
        (0..ROWS)
            .map(|r| {
                (0..n)
                    .map(|c| match r {
                        0..40 => {
                            let step = 1e-4 * (r / 4 + 1) as f64;
                            match r % 4 {
                                0 => format!("{:e}", 1.0 + step),
                                2 => format!("{:e}", 1.0 - step),
                                1 => "0.003".into(),
                                _ => format!("{}", 0.001 * (c + 1) as f64),
                            }
                        }
                        144.. => format!("{}.0000000e+00", (c + r) % 3 + 1),
                        _ => "0.5".into(),
                    })
                    .collect()
            })
            .collect()
    }

    fn text(rows: &[Vec<String>]) -> String {
        rows.iter().map(|r| format!("   {}\n", r.join("   "))).collect()
    }

    #[test]
    fn a_file_of_149_rows_is_read_and_its_features_are_those_by_hand() {
        let s = parse(&text(&file(5))).unwrap();
        assert_eq!((s.book.len(), s.classes.len()), (5, 5));
        // Label row 145 (index 144) of column 1: (0 + 144) % 3 + 1 = 1, up.
        assert_eq!(s.classes[0], [2, 1, 2, 1]);
        let f = s.features();
        // Column 2: bid size 0.002 against 0.003.
        assert!((f[1][3] - (0.002 - 0.003) / 0.005).abs() < 1e-12);
        assert!((f[1][1] - 2.0).abs() < 1e-9, "a spread of 2e-4 of the mid");
        // Microprice (bid 0.003 + ask 0.002) / 0.005, over the spread: -0.1.
        assert!((f[1][2] + 0.1).abs() < 1e-9);
        // Prices stand, the bid grew by 0.001: flow 0.001 over the averaged depth.
        let depth = 0.002 + (1.0 - 0.5f64.powf(0.01)) * 0.0005;
        assert!((f[1][5] - 0.001 / depth).abs() < 1e-9, "{}", f[1][5]);
        assert_eq!((f[0][5], f[0][0], f[3][7], f[3][11]), (0.0, 0.0, 0.0, 0.0));
    }

    #[test]
    fn hostile_files_name_row_and_column() {
        let change = |r: usize, c: usize, v: &str| {
            let mut rows = file(4);
            rows[r][c] = v.into();
            parse(&text(&rows)).unwrap_err().to_string()
        };
        assert!(change(7, 2, "x").contains("row 8, column 3: 'x'"));
        assert!(change(7, 2, "nan").contains("row 8, column 3"));
        assert!(change(144, 1, "4").contains("row 145, column 2: label 4"));
        assert!(change(2, 3, "-0.7").contains("column 4: best bid -0.7"));
        let mut short = file(4);
        short[20].pop();
        let e = parse(&text(&short)).unwrap_err();
        assert_eq!(e, Fi2010Error::Columns { row: 21, found: 3, expected: 4 });
        short.truncate(144);
        assert_eq!(parse(&text(&short)).unwrap_err(), Fi2010Error::RowCount { found: 144 });
        assert!(parse("").is_err() && read(Path::new("/no/such")).is_err());
    }
}
