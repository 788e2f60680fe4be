//! Compares the machine's clock with a time server and tells the kernel, for venues that outlive
//! the process.

use crate::desk::{ToKernel, tell};
use ijk_core::Condition;
use ijk_core::config::{RiskConfig, VenueConfig};
use ijk_engine::runtime::desk::DeskOrder;
use rsntp::{Config, SntpClient};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

/// Longest wait for one answer.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Tries without an answer after which the offset is unknown.
const TRIES: u32 = 3;
/// Shortest pause between two questions.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Asks until `stop` is closed.
pub fn watch(venue: &VenueConfig, risk: &RiskConfig, to: &Arc<ToKernel>, stop: &Receiver<()>) {
    let pause = Duration::from_millis(venue.time_interval_ms).max(PAUSE_MIN);
    let client = SntpClient::with_config(Config::default().timeout(TIMEOUT));
    let blur_max_ns = risk.clock_block_ms.saturating_mul(1_000_000);
    let mut failures = 0;
    loop {
        let told = match ask(&client, &venue.time_server, blur_max_ns) {
            Ok(offset_ns) => {
                failures = 0;
                Some(Some(offset_ns))
            }
            Err(why) => {
                failures += 1;
                tracing::warn!(failures, "time server {}: {why}", venue.time_server);
                (failures >= TRIES).then_some(None)
            }
        };
        if let Some(offset) = told {
            // A full ring means a stuck kernel thread; the next answer comes soon.
            let _ = tell(to, DeskOrder::Condition(Condition::clock(offset)));
        }
        let wait = if failures == 0 { pause } else { pause.min(Duration::from_secs(1)) };
        match stop.recv_timeout(wait) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Asks a server once; returns how far the clock is ahead of its, nanoseconds. An answer that took
/// so long that half of it is more than `blur_max_ms` tells nothing.
///
/// # Errors
/// Why there is no answer, for a person.
pub fn ask_once(server: &str, blur_max_ms: u64) -> Result<i64, String> {
    let client = SntpClient::with_config(Config::default().timeout(TIMEOUT));
    ask(&client, server, blur_max_ms.saturating_mul(1_000_000))
}

/// Returns how far the clock is ahead of the server's, nanoseconds.
fn ask(client: &SntpClient, server: &str, blur_max_ns: u64) -> Result<i64, String> {
    let result = client.synchronize(server).map_err(|e| e.to_string())?;
    // The offset is known to half the round trip.
    let blur_ns = (result.round_trip_delay().as_secs_f64() * 0.5e9) as u64;
    if blur_ns > blur_max_ns {
        return Err(format!("its answer took {} ms: too long to tell", 2 * blur_ns / 1_000_000));
    }
    Ok((-result.clock_offset().as_secs_f64() * 1e9) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::time::SystemTime;

    /// Seconds from 1900 to 1970.
    const NTP_UNIX_S: u64 = 2_208_988_800;

    /// Answers `count` questions, `ahead_ms` ahead of the machine's clock.
    fn server(ahead_ms: i64, count: usize) -> String {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for _ in 0..count {
                let mut packet = [0; 48];
                let Ok((_, from)) = socket.recv_from(&mut packet) else { return };
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
                let ns = now.as_nanos() as i128 + i128::from(ahead_ms) * 1_000_000;
                let s = (ns / 1_000_000_000) as u64 + NTP_UNIX_S;
                let fraction = (((ns % 1_000_000_000) as u64) << 32) / 1_000_000_000;
                let stamp = ((s << 32) | fraction).to_be_bytes();
                let mut reply = [0; 48];
                (reply[0], reply[1]) = (0x24, 1);
                reply[24..32].copy_from_slice(&packet[40..48]);
                for at in [16, 32, 40] {
                    reply[at..at + 8].copy_from_slice(&stamp);
                }
                socket.send_to(&reply, from).unwrap();
            }
        });
        address
    }

    #[test]
    fn a_clock_behind_the_server_has_a_negative_offset() {
        let client = SntpClient::new();
        for ahead_ms in [0, 250, -250] {
            let offset = ask(&client, &server(ahead_ms, 1), 1_000_000_000).unwrap();
            let want = -ahead_ms * 1_000_000;
            assert!((offset - want).abs() < 100_000_000, "{offset}, {want}");
        }
        assert!(ask(&client, &server(0, 1), 0).unwrap_err().contains("too long"));
        assert!(ask(&client, "no such host:123", 1).is_err());
    }

    #[test]
    fn three_silences_make_the_offset_unknown_and_an_answer_makes_it_known_again() {
        let (producer, mut kernel) = rtrb::RingBuffer::new(64);
        let to = Arc::new(ToKernel::new(producer));
        let (stop, stopped) = std::sync::mpsc::channel();
        // One answer, then a socket that is gone.
        let venue = VenueConfig {
            time_server: server(0, 1),
            time_interval_ms: 100,
            ..VenueConfig::default()
        };
        let risk = RiskConfig { clock_block_ms: 10_000, ..RiskConfig::default() };
        let thread = std::thread::spawn(move || watch(&venue, &risk, &to, &stopped));
        let mut next = || loop {
            match kernel.pop() {
                Ok(DeskOrder::Condition(c)) => return c.kind,
                Ok(other) => panic!("{other:?}"),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        assert_eq!(next(), ijk_core::ConditionKind::ClockOffset);
        assert_eq!(next(), ijk_core::ConditionKind::ClockUnknown);
        drop(stop);
        thread.join().unwrap();
    }
}
