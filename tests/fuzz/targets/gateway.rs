//! The gateway's answer to the greeting.
#![no_main]

use ijk_ibkr::handshake::{answer_bytes, parse_answer};

ijk_fuzz::target!(|data| {
    let Some((length, rest)) = data.split_first_chunk::<4>() else { return 0 };
    let Ok(bytes) = answer_bytes(*length) else { return 0 };
    let Some(answer) = rest.get(..bytes) else { return 0 };
    match parse_answer(answer) {
        Ok(info) => {
            assert!(!info.connection_time.contains(char::is_control), "{info:?}");
            1
        }
        Err(e) => {
            assert!(!e.to_string().is_empty());
            0
        }
    }
});
