//! Records in a circle: a bench takes one at a time for as long as it runs.

use ijk_core::{EventKind, MarketEvent};

/// Hands out the records of a session again and again. A session begins with a `Clear`, so every
/// round finds the book empty.
#[derive(Clone, Debug)]
pub struct Cycle<'a> {
    events: &'a [MarketEvent],
    at: usize,
}

impl<'a> Cycle<'a> {
    /// Returns the circle over `events`.
    ///
    /// # Panics
    /// If they do not begin with a `Clear`.
    pub fn new(events: &'a [MarketEvent]) -> Cycle<'a> {
        assert!(events.first().is_some_and(|e| e.kind == EventKind::Clear));
        Cycle { events, at: 0 }
    }

    /// Returns the next record.
    #[inline]
    pub fn next_event(&mut self) -> &'a MarketEvent {
        let event = &self.events[self.at];
        self.at = if self.at + 1 == self.events.len() { 0 } else { self.at + 1 };
        event
    }
}

#[test]
fn rounds_follow_each_other() {
    let session = crate::Session::synthetic(1);
    let mut cycle = Cycle::new(&session.events);
    for round in 0..2 {
        for event in &session.events {
            assert_eq!(cycle.next_event(), event, "round {round}");
        }
    }
}
