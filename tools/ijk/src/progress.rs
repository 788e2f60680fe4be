//! Progress on stderr, only where a person looks at it.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

/// A bar over `total` units, or a counter where the total is unknown. It shows itself only when
/// stderr is a terminal and `quiet` is false.
pub fn bar(total: Option<u64>, what: &'static str, quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match total {
        Some(n) => {
            (ProgressBar::new(n), "{prefix} {wide_bar} {percent:>3}% {elapsed} (left {eta}) {msg}")
        }
        None => (ProgressBar::new_spinner(), "{prefix} {spinner} {elapsed} {msg}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
