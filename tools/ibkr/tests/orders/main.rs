//! The order side of the adapter against the gateway simulator: the plain life of orders, each
//! known way in which it goes wrong, and sessions of random faults.

mod dead_man;
mod faults;
mod link;
mod plain;
mod rig;
mod rules;
mod shelved;
