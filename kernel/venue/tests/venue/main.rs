//! Tests of the simulated exchange through its public interface.

mod fees;
mod latency;
mod laws;
mod life;
mod naive;
mod queue;
mod random;
mod rig;
mod taking;
