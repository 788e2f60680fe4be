//! The text part of the protocol, from the gateway's side.

/// Oldest server version with an all-protobuf protocol.
pub const SERVER_VERSION_MIN: u32 = 213;
/// Newest server version simulated.
pub const SERVER_VERSION_MAX: u32 = 226;
/// Longest greeting read: versions and the options some clients add.
const VERSIONS_BYTES_MAX: usize = 1024;

/// What the bytes so far mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Greeting {
    /// The greeting is not complete.
    NeedMore,
    /// Not a client we serve: close without a word, as the real one does.
    Refuse,
    /// The greeting took `consumed` bytes; both sides speak `version` from here.
    Accept {
        /// Agreed version.
        version: u32,
        /// Bytes of the greeting.
        consumed: usize,
    },
}

/// Reads a greeting: `API` NUL, big-endian length, `vMIN..MAX` or `vN`, perhaps a space and
/// options.
pub fn read(bytes: &[u8], server_version: u32) -> Greeting {
    let prefix = b"API\0";
    let seen = bytes.len().min(prefix.len());
    if bytes[..seen] != prefix[..seen] {
        return Greeting::Refuse;
    }
    let Some(length) = bytes.get(4..8) else { return Greeting::NeedMore };
    let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
    if length > VERSIONS_BYTES_MAX {
        return Greeting::Refuse;
    }
    let Some(text) = bytes.get(8..8 + length) else { return Greeting::NeedMore };
    match agree(text, server_version) {
        Some(version) => Greeting::Accept { version, consumed: 8 + length },
        None => Greeting::Refuse,
    }
}

fn agree(text: &[u8], server_version: u32) -> Option<u32> {
    let text = std::str::from_utf8(text).ok()?;
    let versions = text.split(' ').next()?.strip_prefix('v')?;
    let (oldest, newest) = versions.split_once("..").unwrap_or((versions, versions));
    let number = |t: &str| t.bytes().all(|b| b.is_ascii_digit()).then(|| t.parse().ok()).flatten();
    let (oldest, newest): (u32, u32) = (number(oldest)?, number(newest)?);
    let version = newest.min(server_version);
    (version >= SERVER_VERSION_MIN && version >= oldest).then_some(version)
}

/// Returns the answer with its length.
pub fn answer(version: u32, connection_time: &str) -> Vec<u8> {
    let text = format!("{version}\0{connection_time}\0");
    [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn greet(text: &str) -> Vec<u8> {
        [b"API\0", &(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
    }

    #[test]
    fn versions_agree_on_the_newest_common_one() {
        for (text, server, expected) in [
            ("v213..226", 226, Some(226)),
            ("v213..226", 213, Some(213)),
            ("v100..226", 220, Some(220)),
            ("v100..215 +PACEAPI", 226, Some(215)),
            ("v214", 226, Some(214)),
            ("v220..226", 215, None),
            ("v100..178", 226, None),
            ("v227..300", 226, None),
            ("v226..213", 226, None),
            ("213..226", 226, None),
            ("v", 226, None),
            ("v+213..226", 226, None),
            ("v99999999999..226", 226, None),
        ] {
            let bytes = greet(text);
            let expected = match expected {
                Some(version) => Greeting::Accept { version, consumed: bytes.len() },
                None => Greeting::Refuse,
            };
            assert_eq!(read(&bytes, server), expected, "{text} at {server}");
        }
    }

    #[test]
    fn every_prefix_needs_more_and_what_follows_is_left() {
        let mut bytes = greet("v213..226");
        for len in 0..bytes.len() {
            assert_eq!(read(&bytes[..len], 226), Greeting::NeedMore);
        }
        let consumed = bytes.len();
        bytes.extend_from_slice(b"rest");
        assert_eq!(read(&bytes, 226), Greeting::Accept { version: 226, consumed });
    }

    #[test]
    fn others_are_refused_at_their_first_wrong_byte() {
        assert_eq!(read(b"G", 226), Greeting::Refuse);
        assert_eq!(read(b"API1", 226), Greeting::Refuse);
        assert_eq!(read(b"API\0\xff\xff\xff\xff", 226), Greeting::Refuse);
        assert_eq!(read(b"API\0\0\0\0\x02v\xff", 226), Greeting::Refuse);
    }

    #[test]
    fn the_answer_is_two_fields_behind_their_length() {
        assert_eq!(answer(226, "T"), b"\0\0\0\x06226\0T\0");
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes, 226);
            let _ = read(&[b"API\0\0\0\0", &bytes[..]].concat(), 226);
        }
    }
}
