//! Tests of the gate through its public interface.

mod adoption;
mod boundary;
mod controls;
mod docs;
mod egress;
mod ledger;
mod loss;
mod market;
mod refusals;
mod rig;
mod runs;
mod sizes;
