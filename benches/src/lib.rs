//! Criterion and hdrhistogram benches.
