//! A TWS and IB Gateway simulator.
