//! A channel of the checker's mutex and condition variable, in place of the standard library's,
//! with its ends' lives: loom's own does not know that its senders are gone.

use crate::world::sync::{Arc, Condvar, Mutex};
use std::collections::VecDeque;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

struct State<T> {
    queue: VecDeque<T>,
    sender_gone: bool,
    receiver_gone: bool,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

pub struct Sender<T>(Arc<Shared<T>>);
pub struct Receiver<T>(Arc<Shared<T>>);

pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let state = State { queue: VecDeque::new(), sender_gone: false, receiver_gone: false };
    let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
    (Sender(Arc::clone(&shared)), Receiver(shared))
}

impl<T> Sender<T> {
    pub fn send(&self, value: T) -> Result<(), Gone> {
        let mut state = self.0.state.lock().unwrap();
        if state.receiver_gone {
            return Err(Gone);
        }
        state.queue.push_back(value);
        self.0.changed.notify_one();
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Ok(mut state) = self.0.state.lock() {
            state.sender_gone = true;
            self.0.changed.notify_one();
        }
    }
}

impl<T> Receiver<T> {
    pub fn recv(&self) -> Result<T, Gone> {
        let mut state = self.0.state.lock().unwrap();
        loop {
            if let Some(value) = state.queue.pop_front() {
                return Ok(value);
            }
            if state.sender_gone {
                return Err(Gone);
            }
            state = self.0.changed.wait(state).unwrap();
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if let Ok(mut state) = self.0.state.lock() {
            state.receiver_gone = true;
        }
    }
}
