//! What every part of the simulated world shares: the time, the clock of the machine the kernel
//! runs on, the auditor that sees everything, and a hash of everything it saw.

use super::auditor::{Auditor, Rule, What};
use super::trace;
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::rc::Rc;

/// A handle to the one scene of a world.
pub type Shared = Rc<RefCell<Scene>>;

/// See the module.
pub struct Scene {
    /// True time, nanoseconds.
    pub now: u64,
    /// What the machine's clock is off by.
    pub clock_offset: i64,
    /// The machine's clock jumped further than may be trusted since it was last looked at.
    pub clock_jumped: bool,
    /// Reads everything.
    pub auditor: Auditor,
    hash: Sha256,
}

impl Scene {
    /// Returns a scene that begins at `now`.
    pub fn new(now: u64, auditor: Auditor) -> Shared {
        let hash = Sha256::new();
        let scene = Scene { now, clock_offset: 0, clock_jumped: false, auditor, hash };
        Rc::new(RefCell::new(scene))
    }

    /// Shows the auditor something.
    pub fn see(&mut self, what: &What) {
        self.hash.update(self.now.to_le_bytes());
        match what {
            What::Wire { up, connection, bytes, .. } => {
                self.hash.update([1, u8::from(*up)]);
                self.hash.update(connection.to_le_bytes());
                self.hash.update(bytes);
            }
            What::Record { kind, payload } => {
                self.hash.update([2, *kind]);
                self.hash.update(payload);
            }
            What::Device { bytes } => {
                self.hash.update([3]);
                self.hash.update(bytes);
            }
            What::Boot => self.hash.update([4]),
            What::ClockStep => self.hash.update([5]),
            What::KillCleared => self.hash.update([6]),
        }
        if trace::is_on() {
            trace::print(self.now, what);
        }
        self.auditor.see(self.now, what);
    }

    /// Accuses the kernel of something that cannot be seen in bytes.
    pub fn accuse(&mut self, rule: Rule, text: String) {
        self.auditor.accuse(self.now, rule, text);
    }

    /// Returns the time of the machine's clock.
    pub fn clock(&self) -> u64 {
        self.now.saturating_add_signed(self.clock_offset)
    }

    /// Returns the hash of everything seen so far, hexadecimal.
    pub fn digest(&self) -> String {
        self.hash.clone().finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}
