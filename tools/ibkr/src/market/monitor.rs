//! What others may see of the market data thread.

use super::convert::ConvertCounts;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Notes kept at most; the oldest go first.
const NOTE_COUNT_MAX: usize = 256;

/// Notes and counts of a feed.
#[derive(Debug, Default)]
pub struct FeedMonitor {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    notes: VecDeque<String>,
    counts: ConvertCounts,
}

impl FeedMonitor {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a note.
    pub(super) fn note(&self, text: String) {
        let mut inner = self.lock();
        if inner.notes.len() == NOTE_COUNT_MAX {
            inner.notes.pop_front();
        }
        inner.notes.push_back(text);
    }

    pub(super) fn set_counts(&self, counts: ConvertCounts) {
        self.lock().counts = counts;
    }

    /// Takes the notes there are: sentences for a person.
    pub fn take_notes(&self) -> Vec<String> {
        self.lock().notes.drain(..).collect()
    }

    /// Returns what was counted up to now.
    pub fn counts(&self) -> ConvertCounts {
        self.lock().counts
    }
}
