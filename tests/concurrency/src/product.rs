//! The product's own source, as build.rs made it ready.
#![allow(dead_code, unused_imports, clippy::all)]

macro_rules! generated {
    ($name:literal) => {
        include!(concat!(env!("OUT_DIR"), "/", $name, ".rs"));
    };
}

pub mod rtrb {
    generated!("rtrb");
}

pub mod link {
    generated!("transport");
}

pub mod wait {
    //! Waiting means letting others run.
    use ijk_core::config::WaitStrategy;

    pub struct Waiter;

    impl Waiter {
        pub fn new(_: WaitStrategy) -> Waiter {
            Waiter
        }

        pub fn wait(&mut self) {
            crate::world::thread::yield_now();
        }

        pub fn reset(&mut self) {}
    }

    pub fn pin(_: i32) -> bool {
        true
    }
}

pub mod hash {
    //! Hashing is no business of threads.
    use ijk_core::record::RecordKind;

    #[derive(Clone, Debug)]
    pub struct RunHashes;

    #[derive(Default)]
    pub struct RunHasher;

    impl RunHasher {
        pub fn output(&mut self, _: RecordKind, _: &[u8]) {}

        pub fn finish(self, _: &[u8]) -> RunHashes {
            RunHashes
        }
    }
}

pub mod stages {
    //! A sample that tells when it is written to its file.

    #[derive(Clone, Copy, Debug)]
    pub struct StageSample(pub u8);

    impl StageSample {
        pub fn to_bytes(self) -> [u8; 1] {
            crate::device::current().sample(self.0);
            [self.0]
        }
    }
}

pub mod entry {
    generated!("entry");
}

pub mod journal_port {
    generated!("journal_port");
}

pub mod pump {
    generated!("pump");
}

pub mod ports {
    use crate::product::rtrb::Consumer;
    use ijk_core::{MarketEvent, RecvTs};
    generated!("feed_port");
}

pub mod counters {
    generated!("counters");
}

pub mod spares {
    generated!("spares");
}

pub mod socket {
    generated!("socket");
}

pub mod session {
    //! The part of the session that obeys the kill switch.
    use crate::product::counters::Counters;
    use crate::world::sync::Arc;
    use ijk_core::RecvTs;
    use ijk_core::record::ControlKind;

    /// What was done, in order.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Done {
        Blocked,
        Recorded,
        Sent,
    }

    #[derive(Default)]
    pub struct Outbox {
        pub killed: bool,
        pub done: Vec<Done>,
    }

    impl Outbox {
        pub fn kill(&mut self, _: RecvTs) {
            self.killed = true;
            self.done.push(Done::Blocked);
        }
    }

    pub struct Parts {
        pub counters: Arc<Counters>,
        pub outbox: Outbox,
    }

    pub struct Driver {
        pub s: Parts,
        pub killed: bool,
        pub now: RecvTs,
    }

    impl Driver {
        fn control(&mut self, kind: ControlKind) {
            assert_eq!(kind, ControlKind::Kill);
            self.s.outbox.done.push(Done::Recorded);
        }

        fn publish(&self) {}
    }

    generated!("obey_kill");
}
