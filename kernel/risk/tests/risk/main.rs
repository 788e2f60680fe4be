//! Tests of the gate through its public interface.

mod boundary;
mod docs;
mod ledger;
mod loss;
mod oracle;
mod refusals;
mod rig;
mod stream;
