//! The simulator of bad days: one thread, virtual time, a seed. The real kernel trades against a
//! broker that misbehaves, over a network, a disk and a clock that misbehave too; an auditor that
//! shares no code with either reads what was sent and what was written down.
//!
//! | part | what it is |
//! |---|---|
//! | [`broker`] | an adversarial broker with a ledger of its own; bytes in, bytes out |
//! | [`auditor`] | the rules, checked on the wire log, the journal and the broker's books |
//! | [`faults`] | every kind of fault, its rate drawn per run, its count |
//! | [`rng`] | the one source of chance |
//! | [`market`], [`net`], [`disk`], [`ports`] | feed, wire, device, clock of the machine |
//! | [`desk`] | time server and person beside the kernel |
//! | [`process`] | one start of the real kernel: recovery, session, death |
//! | [`world`] | one day from its seed to its verdict |
//! | [`campaign`], [`trace`] | many days; one day told in lines |

pub mod auditor;
pub mod broker;
pub mod campaign;
pub mod desk;
pub mod disk;
pub mod faults;
pub mod market;
pub mod net;
pub mod ports;
pub mod process;
pub mod rng;
pub mod scene;
pub mod trace;
pub mod world;
