//! A time server on this machine: what it says is the machine's own time, so that tests with real
//! processes need no network.

use std::net::UdpSocket;
use std::time::SystemTime;

/// Seconds from 1900 to 1970.
const NTP_UNIX_S: u64 = 2_208_988_800;

/// Starts a server that lives as long as this process; returns its address.
///
/// # Errors
/// What the system says.
pub fn start() -> std::io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    std::thread::spawn(move || {
        let mut question = [0; 48];
        while let Ok((bytes, from)) = socket.recv_from(&mut question) {
            if bytes == question.len() {
                // Whoever asked may be dead by now.
                let _ = socket.send_to(&answer(&question, now()), from);
            }
        }
    });
    Ok(address)
}

/// Returns the machine's time as seconds since 1900 and a fraction of 2^-32.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(now.subsec_nanos()) << 32) / 1_000_000_000;
    ((now.as_secs() + NTP_UNIX_S) << 32) | fraction
}

/// A server's answer of version 4, stratum 1 (RFC 5905, section 7.3).
fn answer(question: &[u8; 48], stamp: u64) -> [u8; 48] {
    let mut answer = [0; 48];
    (answer[0], answer[1]) = (0x24, 1);
    answer[24..32].copy_from_slice(&question[40..48]);
    for at in [16, 32, 40] {
        answer[at..at + 8].copy_from_slice(&stamp.to_be_bytes());
    }
    answer
}
