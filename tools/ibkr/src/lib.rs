//! The Interactive Brokers adapter.
