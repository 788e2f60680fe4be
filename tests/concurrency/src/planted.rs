//! Which weakening is planted. None while a model is checked; each in turn
//! afterwards, in a process of its own, and the checker must find it.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

static PLANTED: Mutex<String> = Mutex::new(String::new());

/// Plants one.
pub fn plant(name: &str) {
    *PLANTED.lock().unwrap() = name.to_string();
}

/// Returns whether this one is planted.
pub fn on(name: &str) -> bool {
    *PLANTED.lock().unwrap() == name
}

/// Returns the order of a store: release, or relaxed where that is planted.
pub fn release(name: &str) -> Ordering {
    if on(name) { Ordering::Relaxed } else { Ordering::Release }
}
