//! Where messages go: the systemd journal, with fields, where stderr leads there; else stderr as
//! one line each. Results go to stdout and are none of this.

use std::fmt::{self, Write as _};
use std::os::linux::fs::MetadataExt as _;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Starts logging for this process.
pub fn start() {
    let registry = tracing_subscriber::registry();
    let begun = match leads_to_journal().then(tracing_journald::layer) {
        Some(Ok(layer)) => {
            let layer = layer
                .with_field_prefix(Some("IJK".to_string()))
                .with_syslog_identifier("ijk".to_string());
            registry.with(LevelFilter::INFO).with(layer).try_init()
        }
        Some(Err(_)) | None => {
            let lines =
                tracing_subscriber::fmt::layer().event_format(Lines).with_writer(std::io::stderr);
            registry.with(LevelFilter::WARN).with(lines).try_init()
        }
    };
    if let Err(error) = begun {
        eprintln!("ijk: no log: {error}");
    }
}

/// Returns whether stderr is the very stream that systemd connected to its journal, by the
/// device and inode it names in `JOURNAL_STREAM` (systemd.exec(5)).
fn leads_to_journal() -> bool {
    let Ok(named) = std::env::var("JOURNAL_STREAM") else { return false };
    // The descriptor's own file, without duplicating the descriptor.
    let Ok(stderr) = std::fs::metadata("/proc/self/fd/2") else { return false };
    is_stream(&named, stderr.st_dev(), stderr.st_ino())
}

fn is_stream(named: &str, device: u64, inode: u64) -> bool {
    named
        .split_once(':')
        .is_some_and(|(d, i)| d.parse::<u64>() == Ok(device) && i.parse::<u64>() == Ok(inode))
}

/// `ijk: MESSAGE`; fields are for the journal, messages are whole without them.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = Message(String::new());
        event.record(&mut message);
        writeln!(writer, "ijk: {}", message.0)
    }
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.0, "{value:?}");
        }
    }
}

#[test]
fn only_the_named_stream_is_the_journal() {
    assert!(is_stream("9:1234", 9, 1234));
    for other in ["9:1235", "8:1234", "1234", "", "9:", "9:1234:5"] {
        assert!(!is_stream(other, 9, 1234), "{other}");
    }
}
