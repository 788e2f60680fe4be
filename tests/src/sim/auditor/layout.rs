//! Byte offsets of what the auditor reads, declared once more, from the documents alone.

/// Returns the little-endian number of `size` bytes at `at`; 0 beyond the end.
pub fn unsigned(bytes: &[u8], at: usize, size: usize) -> u64 {
    let Some(part) = bytes.get(at..at + size) else { return 0 };
    part.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

/// Returns the signed 64-bit number at `at`.
pub fn signed(bytes: &[u8], at: usize) -> i64 {
    unsigned(bytes, at, 8) as i64
}

/// Returns the 16-bit number at `at`.
pub fn short(bytes: &[u8], at: usize) -> u16 {
    unsigned(bytes, at, 2) as u16
}

/// Kinds of journal records.
pub mod kinds {
    /// A report came in.
    pub const REPORT: u8 = 2;
    /// An operator's or the runtime's command.
    pub const CONTROL: u8 = 4;
    /// The link came up or went down.
    pub const LINK: u8 = 6;
    /// An item of the broker's answer.
    pub const SNAPSHOT: u8 = 7;
    /// What an earlier run left.
    pub const CARRY: u8 = 8;
    /// Somebody outside says something.
    pub const CONDITION: u8 = 9;
    /// Lower limits, as JSON text.
    pub const LIMITS: u8 = 10;
    /// An order is about to leave.
    pub const ORDER: u8 = 17;
    /// A parent's account.
    pub const PARENT: u8 = 20;
    /// A person is told.
    pub const ALARM: u8 = 22;
    /// What is known of an order changed.
    pub const FATE: u8 = 23;
}

/// What somebody outside says.
pub mod condition {
    /// Nanoseconds the clock is off.
    pub const VALUE: usize = 0;
    pub const KIND: usize = 10;
    pub const CLOCK_OFFSET: u8 = 0;
    pub const CLOCK_UNKNOWN: u8 = 1;
}

/// Types of messages on the link.
pub mod message {
    pub const HELLO: u8 = 1;
    pub const INSTRUMENT: u8 = 2;
    pub const NEW: u8 = 3;
    pub const CANCEL: u8 = 4;
    pub const REQUEST: u8 = 5;
    pub const PING: u8 = 6;
    pub const REPORT: u8 = 66;
    pub const SNAPSHOT: u8 = 67;

    /// Bytes of a client's message behind its head, 0 where there is none of this type.
    pub const fn client_size(code: u8) -> usize {
        match code {
            HELLO | NEW => 40,
            INSTRUMENT => 24,
            CANCEL => 16,
            REQUEST | PING => 8,
            _ => 0,
        }
    }
}

/// An order: 40 bytes, on the wire and in the journal.
pub mod order {
    pub const ID: usize = 0;
    pub const QTY: usize = 8;
    pub const PX: usize = 16;
    pub const PARENT: usize = 24;
    pub const INSTRUMENT: usize = 28;
    pub const SIDE: usize = 30;
}

/// A report: 72 bytes, on the wire and in the journal.
pub mod report {
    pub const ID: usize = 8;
    pub const EXEC: usize = 24;
    pub const QTY: usize = 40;
    pub const INSTRUMENT: usize = 64;
    pub const KIND: usize = 68;
    pub const SIDE: usize = 69;

    pub const REJECT: u8 = 1;
    pub const FILL: u8 = 2;
    pub const CANCELED: u8 = 3;
    pub const EXPIRED: u8 = 4;
    pub const CANCEL_REJECT: u8 = 5;
    pub const BUST: u8 = 6;
    pub const ABSENT: u8 = 8;

    /// Whether a report of this kind ends its order.
    pub const fn ends(kind: u8) -> bool {
        matches!(kind, REJECT | CANCELED | EXPIRED | ABSENT)
    }
}

/// An item of a snapshot: 88 bytes, on the wire and in the journal.
pub mod item {
    pub const ID: usize = 8;
    pub const EXEC: usize = 24;
    pub const QTY: usize = 48;
    pub const FILLED: usize = 56;
    pub const LEAVES: usize = 64;
    pub const INSTRUMENT: usize = 80;
    pub const KIND: usize = 82;
    pub const STATUS: usize = 83;
    pub const SIDE: usize = 84;

    pub const BEGIN: u8 = 0;
    pub const EXECUTION: u8 = 1;
    pub const ORDER: u8 = 2;
    pub const END: u8 = 4;
}

/// A thing carried over: 96 bytes.
pub mod carry {
    pub const ID: usize = 48;
    pub const EXEC: usize = 56;
    pub const KIND: usize = 90;

    pub const ORDER: u8 = 1;
    pub const EXECUTION: u8 = 2;
    pub const DONE: u8 = 3;
}

/// What is known of an order: 24 bytes.
pub mod fate {
    pub const ID: usize = 0;
    pub const FATE: usize = 18;

    pub const NOT_SENT: u8 = 2;
    pub const ADOPTED: u8 = 3;
}

/// An alarm: 32 bytes.
pub mod alarm {
    pub const ID: usize = 8;
    pub const VALUE: usize = 16;
    pub const CODE: usize = 26;

    /// The last check refused an order that the first let pass.
    pub const EGRESS_REFUSED: u8 = 21;
    /// Reasons from here to below 110 say that the two do not know the same orders.
    pub const STRUCTURAL: std::ops::Range<i64> = 100..110;
}

/// A parent's account.
pub mod parent {
    pub const QTY: usize = 16;
    pub const FILLED: usize = 24;
    pub const WORKING: usize = 32;
    pub const UNSENT: usize = 40;
    pub const ABANDONED: usize = 48;
    pub const ID: usize = 100;
}

/// A command: kind, reason.
pub mod control {
    pub const KILL: u8 = 0;
    pub const BLOCK: u8 = 2;
    pub const UNBLOCK: u8 = 3;
}

/// A frame on the journal's device: head of 40 bytes, payload, zeros up to a multiple of 8.
pub mod frame {
    pub const LENGTH: usize = 4;
    pub const KIND: usize = 6;
    pub const MAGIC: usize = 36;
    pub const HEAD: usize = 40;
    pub const MAGIC_BYTES: &[u8] = b"IJKR";
}
