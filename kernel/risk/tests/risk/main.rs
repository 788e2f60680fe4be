//! Tests of the gate through its public interface.

mod boundary;
mod docs;
mod ledger;
mod loss;
mod refusals;
mod rig;
