//! The venue seam and the simulated exchange.
