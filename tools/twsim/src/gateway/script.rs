//! Fault scripts: commands that run at a time, or when something happens.
//!
//! A line is `at MS COMMAND`, `on EVENT N COMMAND` or a bare `COMMAND`, which runs at the start.
//! Events: `connect`, `order`, `fill`, `cancel` (N counts them from 1), and `request` (N is the
//! number of the request's message; it happens once). What follows `#` is a remark.

use super::Gateway;
use crate::config::SetupError;
use crate::time::MILLI;

/// Longest script.
const LINE_COUNT_MAX: usize = 10_000;

/// When a line runs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum When {
    /// So many nanoseconds after the start.
    At(u64),
    /// The n-th time of an event.
    On(String, u64),
}

/// A script and what of it is still to run.
#[derive(Clone, Debug, Default)]
pub(super) struct Script {
    lines: Vec<(When, String, bool)>,
}

impl Script {
    /// Reads lines.
    pub fn read(lines: &[String]) -> Result<Script, SetupError> {
        let mut script = Script::default();
        for (i, line) in lines.iter().enumerate() {
            let fail = |text: String| SetupError::Script { line: i + 1, text };
            script.add(line).map_err(fail)?;
        }
        Ok(script)
    }

    /// Adds a line; returns its place and time if it runs at one.
    pub fn add(&mut self, line: &str) -> Result<Option<(usize, u64)>, String> {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() {
            return Ok(None);
        }
        if self.lines.len() >= LINE_COUNT_MAX {
            return Err("the script is full".into());
        }
        let (when, command) = split(line)?;
        super::command::check(command)?;
        let at = match &when {
            When::At(ns) => Some((self.lines.len(), *ns)),
            When::On(..) => None,
        };
        self.lines.push((when, command.to_string(), true));
        Ok(at)
    }

    /// Returns places and times of the lines that run at one, nanoseconds after the start.
    pub fn times(&self) -> Vec<(usize, u64)> {
        let timed = |(i, (when, ..)): (usize, &(When, String, bool))| match when {
            When::At(ns) => Some((i, *ns)),
            When::On(..) => None,
        };
        self.lines.iter().enumerate().filter_map(timed).collect()
    }

    fn take(&mut self, event: &str, n: u64) -> Vec<String> {
        let mut found = Vec::new();
        for (when, command, waits) in &mut self.lines {
            if *waits && matches!(when, When::On(e, k) if e == event && *k == n) {
                *waits = false;
                found.push(command.clone());
            }
        }
        found
    }
}

fn split(line: &str) -> Result<(When, &str), String> {
    let mut words = line.splitn(3, ' ');
    match (words.next(), words.next(), words.next()) {
        (Some("at"), Some(ms), Some(command)) => {
            let ms: u64 = ms.parse().map_err(|_| format!("'at' takes milliseconds, not '{ms}'"))?;
            Ok((When::At(ms.saturating_mul(MILLI)), command.trim()))
        }
        (Some("on"), Some(event), Some(rest)) => {
            let known = ["connect", "order", "fill", "cancel", "request"];
            if !known.contains(&event) {
                return Err(format!("no event '{event}'; there are {}", known.join(", ")));
            }
            let (n, command) = rest.trim().split_once(' ').ok_or("a command must follow")?;
            let n =
                n.parse().map_err(|_| format!("'on {event}' takes a whole number, not '{n}'"))?;
            Ok((When::On(event.to_string(), n), command.trim()))
        }
        (Some("at" | "on"), ..) => Err("expected 'at MS COMMAND' or 'on EVENT N COMMAND'".into()),
        _ => Ok((When::At(0), line)),
    }
}

impl Gateway {
    /// Something scripts wait for happened for the `n`-th time.
    pub(super) fn happened(&mut self, event: &str, n: u64) {
        for command in self.script.take(event, n) {
            // Checked when it was read; what it names may be gone meanwhile.
            let _ = self.command(&command);
        }
    }

    pub(super) fn script_line(&mut self, line: usize) {
        let Some((_, command, waits)) = self.script.lines.get_mut(line) else { return };
        if std::mem::take(waits) {
            let command = command.clone();
            let _ = self.command(&command);
        }
    }

    /// Adds a line to the running script; its time counts from now.
    pub(super) fn add_line(&mut self, line: &str) -> Result<(), String> {
        if let Some((i, ns)) = self.script.add(line)? {
            self.timer(self.now_ns.saturating_add(ns), super::Timer::Line(i));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_times_and_events() {
        let lines = ["# nothing", "at 20 link down", "on fill 2 drop  # now", "farm usfarm down"];
        let mut script = Script::read(&lines.map(String::from)).unwrap();
        assert_eq!(script.times(), [(0, 20_000_000), (2, 0)]);
        assert!(script.take("fill", 1).is_empty());
        assert_eq!(script.take("fill", 2), ["drop"]);
        assert!(script.take("fill", 2).is_empty(), "it runs once");
    }

    #[test]
    fn lines_that_mean_nothing_are_refused_with_their_number() {
        for bad in [
            "at x link down",
            "at 5",
            "on",
            "on fill drop",
            "on birth 1 drop",
            "explode",
            "order explode",
        ] {
            let lines = ["link down".to_string(), bad.to_string()];
            let error = Script::read(&lines).unwrap_err();
            assert!(error.to_string().starts_with("script line 2: "), "{bad}: {error}");
        }
    }
}
