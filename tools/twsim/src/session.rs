//! What follows the greeting: requests in, answers out. No sockets, no clock.

use crate::wire::{Message, int_field};

/// Numbers of the messages spoken.
mod id {
    pub const ERROR: u32 = 4;
    pub const NEXT_VALID_ID: u32 = 9;
    pub const MANAGED_ACCOUNTS: u32 = 15;
    pub const CURRENT_TIME: u32 = 49;
    pub const START_API: u32 = 71;
    pub const CURRENT_TIME_MS_REQUEST: u32 = 105;
    pub const CURRENT_TIME_MS: u32 = 109;
}

/// Account the simulator manages; paper accounts begin with `DU`.
pub const ACCOUNT: &str = "DU0000001";

/// Answer to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Bytes for the client.
    pub bytes: Vec<u8>,
    /// Whether the connection ends with them.
    pub close: bool,
}

/// One connection after its greeting.
#[derive(Debug, Default)]
pub struct Session {
    client_id: Option<i32>,
}

impl Session {
    /// Returns the client id once the session was started.
    pub fn client_id(&self) -> Option<i32> {
        self.client_id
    }

    /// Answers request `request` with fields `body` at `now_ms`. `claim` says whether a client id
    /// is free, and takes it.
    pub fn answer(
        &mut self,
        request: u32,
        body: &[u8],
        now_ms: i64,
        claim: &mut dyn FnMut(i32) -> bool,
    ) -> Reply {
        let now_s = now_ms / 1_000;
        match request {
            id::START_API => self.start(body, now_ms, claim),
            _ if self.client_id.is_none() => {
                last(error(321, "StartApi must be the first request", now_ms))
            }
            id::CURRENT_TIME => more(Message::new(id::CURRENT_TIME).int(1, now_s).finish()),
            id::CURRENT_TIME_MS_REQUEST => {
                more(Message::new(id::CURRENT_TIME_MS).int(1, now_ms).finish())
            }
            other => more(error(321, &format!("request {other} is not simulated"), now_ms)),
        }
    }

    fn start(&mut self, body: &[u8], now_ms: i64, claim: &mut dyn FnMut(i32) -> bool) -> Reply {
        let client_id = int_field(body, 1).and_then(|v| i32::try_from(v).ok());
        let Some(client_id) = client_id.filter(|&v| v >= 0 && self.client_id.is_none()) else {
            return last(error(321, "StartApi expects one client id of 0 or more", now_ms));
        };
        if !claim(client_id) {
            return last(error(326, "client id is already in use", now_ms));
        }
        self.client_id = Some(client_id);
        let accounts = Message::new(id::MANAGED_ACCOUNTS).text(1, ACCOUNT).finish();
        more([accounts, Message::new(id::NEXT_VALID_ID).int(1, 1).finish()].concat())
    }
}

fn error(code: i64, text: &str, now_ms: i64) -> Vec<u8> {
    Message::new(id::ERROR).int(1, -1).int(2, now_ms).int(3, code).text(4, text).finish()
}

fn more(bytes: Vec<u8>) -> Reply {
    Reply { bytes, close: false }
}

fn last(bytes: Vec<u8>) -> Reply {
    Reply { bytes, close: true }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Incoming, read_frame};

    fn body(message: Message) -> Vec<u8> {
        message.finish()[8..].to_vec()
    }

    /// Returns ids and the named integer field of each frame in `bytes`.
    fn frames(mut bytes: &[u8], tag: u32) -> Vec<(u32, i64)> {
        let mut found = Vec::new();
        while let Incoming::Frame { id, body, consumed } = read_frame(bytes) {
            found.push((id, int_field(body, tag).unwrap()));
            bytes = &bytes[consumed..];
        }
        assert!(bytes.is_empty());
        found
    }

    #[test]
    fn a_session_starts_with_accounts_and_an_order_id() {
        let mut session = Session::default();
        let start = body(Message::new(71).int(1, 7).text(2, ""));
        let mut claimed = Vec::new();
        let reply = session.answer(71, &start, 5_000, &mut |id| {
            claimed.push(id);
            true
        });
        assert_eq!((claimed, session.client_id(), reply.close), (vec![7], Some(7), false));
        assert_eq!(frames(&reply.bytes, 1), [(15, 0), (9, 1)]);
        let seconds = session.answer(49, &[], 1_700_000_000_999, &mut |_| false);
        assert_eq!(frames(&seconds.bytes, 1), [(49, 1_700_000_000)]);
        let millis = session.answer(105, &[], 1_700_000_000_999, &mut |_| false);
        assert_eq!(frames(&millis.bytes, 1), [(109, 1_700_000_000_999)]);
        let unknown = session.answer(3, &[1, 2, 3], 0, &mut |_| false);
        assert_eq!((frames(&unknown.bytes, 3), unknown.close), (vec![(4, 321)], false));
        let again = session.answer(71, &start, 0, &mut |_| true);
        assert_eq!((frames(&again.bytes, 3), again.close), (vec![(4, 321)], true));
    }

    #[test]
    fn sessions_without_a_right_to_start_are_closed() {
        let taken = Session::default().answer(71, &[8, 7], 0, &mut |_| false);
        assert_eq!((frames(&taken.bytes, 3), taken.close), (vec![(4, 326)], true));
        let early = Session::default().answer(49, &[], 0, &mut |_| true);
        assert_eq!((frames(&early.bytes, 3), early.close), (vec![(4, 321)], true));
        let negative = body(Message::new(71).int(1, -3));
        for bad in [&negative[..], &[0xff], &[8, 0x80]] {
            let reply = Session::default().answer(71, bad, 0, &mut |_| true);
            assert!(reply.close, "{bad:?}");
        }
    }
}
