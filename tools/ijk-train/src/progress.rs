//! Progress on stderr: a bar on a terminal, a line an epoch elsewhere.

use ijk_models::train::Progress;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// Shows what a fit does.
pub struct Display {
    bar: ProgressBar,
    terminal: bool,
    /// Member or stage shown now.
    shown: String,
    started: Instant,
    tokens: usize,
    loss: f64,
}

impl Display {
    /// Returns a display that has shown nothing.
    pub fn new() -> Display {
        Display {
            bar: ProgressBar::hidden(),
            terminal: std::io::stderr().is_terminal(),
            shown: String::new(),
            started: Instant::now(),
            tokens: 0,
            loss: f64::NAN,
        }
    }

    /// Shows one report.
    pub fn show(&mut self, progress: &Progress) {
        match progress {
            Progress::Step { member, step, steps, loss, tokens } => {
                self.begin(format!("member {}", member + 1), *steps);
                self.tokens += tokens;
                // A slow mean: single steps jump.
                self.loss = if self.loss.is_nan() { *loss } else { 0.95 * self.loss + 0.05 * loss };
                let rate = self.tokens as f64 / self.started.elapsed().as_secs_f64().max(1e-3);
                self.bar.set_position(*step as u64);
                self.bar.set_message(format!("loss {:.4}, {rate:.0} tokens/s", self.loss));
            }
            Progress::Epoch { member, epoch } => {
                let line = format!(
                    "member {}, epoch {}: training loss {:.4}, validation loss {:.4}",
                    member + 1,
                    epoch.epoch,
                    epoch.train_loss,
                    epoch.validation_loss
                );
                if self.terminal { self.bar.println(line) } else { eprintln!("{line}") }
            }
            Progress::Stage { name, done, total } => {
                self.begin((*name).to_owned(), *total);
                self.bar.set_position(*done as u64);
            }
        }
    }

    /// Removes the bar.
    pub fn finish(&mut self) {
        self.bar.finish_and_clear();
    }

    fn begin(&mut self, name: String, length: usize) {
        if name == self.shown {
            return;
        }
        self.bar.finish_and_clear();
        (self.started, self.tokens, self.loss) = (Instant::now(), 0, f64::NAN);
        if self.terminal {
            let style = "{prefix:10} {wide_bar} {pos}/{len} {msg} {eta} left";
            let style = ProgressStyle::with_template(style)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar = ProgressBar::new(length as u64).with_style(style);
            self.bar.set_prefix(name.clone());
        }
        self.shown = name;
    }
}
