//! The market data side of the adapter: laws of the conversion, and every thing that went wrong
//! for others as a test against the simulator.

mod conversion;
mod day;
mod recording;
mod rig;
mod threads;
