//! Position sizing: Kelly under uncertainty, no-trade band, volatility target.
