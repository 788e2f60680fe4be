//! Names of the twelve features and the hash that ties weights to them.

/// Number of features of one token.
pub const FEATURE_COUNT: usize = 12;

/// Names in the order of the vector; see `docs/formats.md` for the formulas.
pub const FEATURE_NAMES: [&str; FEATURE_COUNT] = [
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

/// Version of the formulas. Raise it when any formula changes, so that old weights are refused.
pub const FEATURE_SET_VERSION: u32 = 1;

/// EWMA smoothing of the features: half-life of 100 tokens.
pub fn ewma_alpha() -> f64 {
    1.0 - (-1.0f64 / 100.0).exp2()
}

/// Hash of names, order and version (FNV-1a, 64 bit). A weights file made for another feature
/// set carries another hash and is refused.
pub const FEATURE_SET_HASH: u64 = {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut i = 0;
    while i < FEATURE_COUNT {
        let name = FEATURE_NAMES[i].as_bytes();
        let mut j = 0;
        while j < name.len() {
            hash = (hash ^ name[j] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            j += 1;
        }
        hash = (hash ^ b';' as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    (hash ^ FEATURE_SET_VERSION as u64).wrapping_mul(0x0000_0100_0000_01b3)
};

/// One closed token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// Index of the token in its instrument's stream, from 0.
    pub index: u64,
    /// Index of the source row that closed it, from 0.
    pub event_index: u64,
    /// Exchange time of that row.
    pub ts: crate::ExchTs,
    /// The twelve features in the order of [`FEATURE_NAMES`].
    pub features: [f64; FEATURE_COUNT],
    /// Best bid at the close; zero price and size where the side is empty.
    pub bid: (crate::Px, crate::Qty),
    /// Best ask at the close.
    pub ask: (crate::Px, crate::Qty),
    /// False where the book lacks a side at the close (or the mid is not positive): features that
    /// need a mid are then zero and the token must not be traded on.
    pub two_sided: bool,
}
