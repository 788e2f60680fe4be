//! The text part of the gateway's protocol: the greeting and its answer. No sockets here.

/// Oldest server version whose messages are all protobuf: the oldest this adapter speaks to.
pub const SERVER_VERSION_MIN: u32 = 213;
/// Newest server version known when this was written.
pub const SERVER_VERSION_MAX: u32 = 226;
/// Longest answer taken for a greeting; real ones have about 40 bytes.
pub const ANSWER_BYTES_MAX: u32 = 1024;

/// What a gateway says of itself when greeted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayInfo {
    /// Protocol version both sides speak.
    pub server_version: u32,
    /// Time and zone of the connection as the gateway writes them, such as
    /// `20260102 09:30:00 US/Eastern`; characters outside printable text replaced.
    pub connection_time: String,
}

/// Why an answer is not a gateway's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The length before the answer is impossible: another service listens there.
    #[error("the answer claims {bytes} bytes (expected 5 to 1024): not a TWS or IB Gateway port")]
    Length {
        /// Bytes claimed.
        bytes: u32,
    },
    /// The answer is not `VERSION NUL TIME NUL`.
    #[error("the answer is not a version and a time: {what}")]
    Malformed {
        /// What is wrong.
        what: &'static str,
    },
    /// The version is outside what we offered: update TWS or IB Gateway (10.40 or newer).
    #[error("server version {found}: expected 213 to 226 (TWS or IB Gateway 10.40 or newer)")]
    ServerVersion {
        /// Version found.
        found: u32,
    },
}

/// Returns the greeting: `API` NUL, then the offered versions behind their length.
pub fn greeting() -> Vec<u8> {
    let versions = format!("v{SERVER_VERSION_MIN}..{SERVER_VERSION_MAX}");
    let mut bytes = b"API\0".to_vec();
    bytes.extend_from_slice(&(versions.len() as u32).to_be_bytes());
    bytes.extend_from_slice(versions.as_bytes());
    bytes
}

/// Checks the big-endian length before the answer.
///
/// # Errors
/// [`HandshakeError::Length`] unless it can be an answer's.
pub fn answer_bytes(length: [u8; 4]) -> Result<usize, HandshakeError> {
    let bytes = u32::from_be_bytes(length);
    if (5..=ANSWER_BYTES_MAX).contains(&bytes) {
        Ok(bytes as usize)
    } else {
        Err(HandshakeError::Length { bytes })
    }
}

/// Reads the answer (without its length).
///
/// # Errors
/// [`HandshakeError::Malformed`] and [`HandshakeError::ServerVersion`].
pub fn parse_answer(answer: &[u8]) -> Result<GatewayInfo, HandshakeError> {
    let malformed = |what| HandshakeError::Malformed { what };
    let body = answer.strip_suffix(b"\0").ok_or(malformed("it does not end with NUL"))?;
    let mut fields = body.split(|&b| b == 0);
    let version = fields.next().unwrap_or_default();
    let time = fields.next().ok_or(malformed("one field where two were expected"))?;
    if fields.next().is_some() {
        return Err(malformed("more than two fields"));
    }
    let digits =
        !version.is_empty() && version.len() <= 6 && version.iter().all(u8::is_ascii_digit);
    if !digits {
        return Err(malformed("the version is not a number"));
    }
    let found = version.iter().fold(0, |v, &b| v * 10 + u32::from(b - b'0'));
    if !(SERVER_VERSION_MIN..=SERVER_VERSION_MAX).contains(&found) {
        return Err(HandshakeError::ServerVersion { found });
    }
    // The zone's name comes in the gateway's own character set.
    let connection_time = String::from_utf8_lossy(time)
        .chars()
        .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    Ok(GatewayInfo { server_version: found, connection_time })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn greeting_bytes() {
        assert_eq!(greeting(), b"API\0\0\0\0\x09v213..226");
    }

    #[test]
    fn a_gateways_answer_is_read() {
        let info = parse_answer(b"222\x0020260102 09:30:00 US/Eastern\0").unwrap();
        assert_eq!(info.server_version, 222);
        assert_eq!(info.connection_time, "20260102 09:30:00 US/Eastern");
        let local = parse_answer(b"213\x0020260102 09:30:00 \xd6\xd0\x1b[2J\0").unwrap();
        assert!(!local.connection_time.contains('\x1b'), "{}", local.connection_time);
    }

    #[test]
    fn malformed_answers_say_what_is_wrong() {
        for (answer, expected) in [
            (&b""[..], "it does not end with NUL"),
            (b"222\0time", "it does not end with NUL"),
            (b"222\0", "one field where two were expected"),
            (b"222\0a\0b\0", "more than two fields"),
            (b"\0a\0", "the version is not a number"),
            (b"-22\0a\0", "the version is not a number"),
            (b"+222\0a\0", "the version is not a number"),
            (b"9999999999999\0a\0", "the version is not a number"),
            (b"HTTP/1.1 400\0\0", "the version is not a number"),
        ] {
            let what = HandshakeError::Malformed { what: expected };
            assert_eq!(parse_answer(answer), Err(what), "{answer:?}");
        }
        for found in [0, 76, 212, 227, 999_999] {
            let answer = format!("{found}\0t\0");
            let error = HandshakeError::ServerVersion { found };
            assert_eq!(parse_answer(answer.as_bytes()), Err(error));
        }
    }

    #[test]
    fn lengths_outside_an_answer_are_refused() {
        assert_eq!(answer_bytes([0, 0, 0, 5]), Ok(5));
        assert_eq!(answer_bytes([0, 0, 4, 0]), Ok(1024));
        for length in [[0; 4], [0, 0, 0, 4], [0, 0, 4, 1], [255; 4], *b"HTTP"] {
            assert!(matches!(answer_bytes(length), Err(HandshakeError::Length { .. })));
        }
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(answer in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(info) = parse_answer(&answer) {
                prop_assert!((213..=226).contains(&info.server_version));
            }
        }
    }
}
