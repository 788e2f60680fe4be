//! The link's bytes as the broker reads and writes them, from the protocol's text alone:
//! little endian, `u32` length of what follows, `u8` type, three zeros, payload.

/// Largest length a frame may claim.
const LENGTH_MAX: usize = 4096;
/// Version of the protocol.
pub const PROTOCOL: u32 = 1;

/// An order as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Client order id.
    pub id: u64,
    /// Quantity.
    pub qty: i64,
    /// Limit price, 1e-9; 0 for a market order.
    pub px: i64,
    /// The client's instrument number.
    pub instrument: u16,
    /// 0 buys, 1 sells.
    pub side: u8,
    /// 0 market, 1 limit.
    pub order_type: u8,
    /// 0 day, 1 immediate or cancel, 2 until cancelled.
    pub tif: u8,
}

/// What a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Up {
    /// Who it is; `instruments` definitions follow.
    Hello {
        /// Version it speaks.
        protocol: u32,
        /// Its number of starts.
        boot_epoch: u64,
        /// Account, zero padded.
        account: [u8; 16],
        /// Definitions that follow.
        instruments: u16,
    },
    /// What it calls an instrument.
    Instrument {
        /// Its number.
        id: u16,
        /// Symbol, zero padded.
        symbol: [u8; 16],
    },
    /// A new order.
    New(NewMessage),
    /// Cancel this order.
    Cancel {
        /// Client order id.
        id: u64,
        /// The client's instrument number.
        instrument: u16,
    },
    /// What do you have of ours?
    SnapshotRequest(u64),
    /// Are you there?
    Ping(u64),
}

/// One report, 72 bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Broker's time.
    pub ts: u64,
    /// Client order id, 0 where there is none.
    pub id: u64,
    /// The broker's order id.
    pub venue_id: u64,
    /// Execution id, else 0.
    pub exec_id: u64,
    /// Price, 1e-9.
    pub px: i64,
    /// Quantity.
    pub qty: i64,
    /// Still working.
    pub leaves: i64,
    /// Fee, 1e-9 dollars.
    pub fee: i64,
    /// The client's instrument number.
    pub instrument: u16,
    /// Reason of a reject.
    pub reason: u16,
    /// Kind, see [`kind`].
    pub kind: u8,
    /// 0 buys, 1 sells.
    pub side: u8,
    /// 1 where liquidity was added.
    pub maker: u8,
}

/// Kinds of reports.
pub mod kind {
    /// Working.
    pub const ACK: u8 = 0;
    /// Refused.
    pub const REJECT: u8 = 1;
    /// Traded.
    pub const FILL: u8 = 2;
    /// Cancelled.
    pub const CANCELED: u8 = 3;
    /// Ran out.
    pub const EXPIRED: u8 = 4;
    /// The cancel was refused.
    pub const CANCEL_REJECT: u8 = 5;
    /// An execution never happened.
    pub const BUST: u8 = 6;
    /// A fee became known.
    pub const COMMISSION: u8 = 7;
}

/// One item of a snapshot, 88 bytes on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Item {
    /// The question.
    pub request: u64,
    /// Client order id.
    pub id: u64,
    /// The broker's order id.
    pub venue_id: u64,
    /// Execution id.
    pub exec_id: u64,
    /// When it happened.
    pub ts: u64,
    /// Price.
    pub px: i64,
    /// Quantity; of the end, the number of items.
    pub qty: i64,
    /// Filled so far.
    pub filled: i64,
    /// Still working.
    pub leaves: i64,
    /// Fee.
    pub fee: i64,
    /// The client's instrument number.
    pub instrument: u16,
    /// 0 begin, 1 execution, 2 order, 3 position, 4 end.
    pub kind: u8,
    /// 0 working, 1 filled, 2 cancelled, 3 expired, 4 rejected.
    pub status: u8,
    /// 0 buys, 1 sells.
    pub side: u8,
    /// 1 where liquidity was added.
    pub maker: u8,
}

/// Takes the first whole message off `buf`. `Ok(None)`: more bytes are needed.
///
/// # Errors
/// What is wrong with the bytes; the session cannot go on.
pub fn take(buf: &mut Vec<u8>) -> Result<Option<Up>, &'static str> {
    let Some(head) = buf.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_le_bytes(*head) as usize;
    if !(4..=LENGTH_MAX).contains(&length) {
        return Err("length outside 4 to 4096");
    }
    if buf.len() < 4 + length {
        return Ok(None);
    }
    let message = parse(&buf[4..4 + length])?;
    buf.drain(..4 + length);
    Ok(Some(message))
}

fn parse(bytes: &[u8]) -> Result<Up, &'static str> {
    if bytes[1..4] != [0; 3] {
        return Err("reserved bytes of the head are not zero");
    }
    let (code, body) = (bytes[0], &bytes[4..]);
    let size = match code {
        1 => 40,
        2 => 24,
        3 => 40,
        4 => 16,
        5 | 6 => 8,
        _ => return Err("no message of a client"),
    };
    if body.len() != size {
        return Err("payload of the wrong length");
    }
    Ok(match code {
        1 => Up::Hello {
            protocol: number(body, 0, 4) as u32,
            boot_epoch: number(body, 8, 8),
            account: sixteen(body, 16),
            instruments: number(body, 32, 2) as u16,
        },
        2 => Up::Instrument { id: number(body, 0, 2) as u16, symbol: sixteen(body, 8) },
        3 => Up::New(NewMessage {
            id: number(body, 0, 8),
            qty: number(body, 8, 8) as i64,
            px: number(body, 16, 8) as i64,
            instrument: number(body, 28, 2) as u16,
            side: body[30],
            order_type: body[31],
            tif: body[32],
        }),
        4 => Up::Cancel { id: number(body, 0, 8), instrument: number(body, 8, 2) as u16 },
        5 => Up::SnapshotRequest(number(body, 0, 8)),
        _ => Up::Ping(number(body, 0, 8)),
    })
}

fn number(bytes: &[u8], at: usize, size: usize) -> u64 {
    bytes[at..at + size].iter().rev().fold(0, |n, &b| n << 8 | u64::from(b))
}

fn sixteen(bytes: &[u8], at: usize) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&bytes[at..at + 16]);
    out
}

fn frame(code: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + body.len());
    out.extend_from_slice(&(body.len() as u32 + 4).to_le_bytes());
    out.extend_from_slice(&[code, 0, 0, 0]);
    out.extend_from_slice(body);
    out
}

/// The answer to a hello.
pub fn welcome(now: u64, highest_id: u64) -> Vec<u8> {
    let mut body = Vec::with_capacity(24);
    body.extend_from_slice(&PROTOCOL.to_le_bytes());
    body.extend_from_slice(&0u32.to_le_bytes());
    body.extend_from_slice(&now.to_le_bytes());
    body.extend_from_slice(&highest_id.to_le_bytes());
    frame(65, &body)
}

/// A report.
pub fn report(r: &Report) -> Vec<u8> {
    let mut body = Vec::with_capacity(72);
    for n in [r.ts, r.id, r.venue_id, r.exec_id] {
        body.extend_from_slice(&n.to_le_bytes());
    }
    for n in [r.px, r.qty, r.leaves, r.fee] {
        body.extend_from_slice(&n.to_le_bytes());
    }
    body.extend_from_slice(&r.instrument.to_le_bytes());
    body.extend_from_slice(&r.reason.to_le_bytes());
    body.extend_from_slice(&[r.kind, r.side, r.maker, 0]);
    frame(66, &body)
}

/// One item of a snapshot.
pub fn item(i: &Item) -> Vec<u8> {
    let mut body = Vec::with_capacity(88);
    for n in [i.request, i.id, i.venue_id, i.exec_id, i.ts] {
        body.extend_from_slice(&n.to_le_bytes());
    }
    for n in [i.px, i.qty, i.filled, i.leaves, i.fee] {
        body.extend_from_slice(&n.to_le_bytes());
    }
    body.extend_from_slice(&i.instrument.to_le_bytes());
    body.extend_from_slice(&[i.kind, i.status, i.side, i.maker, 0, 0]);
    frame(67, &body)
}

/// The answer to a ping.
pub fn pong(n: u64) -> Vec<u8> {
    frame(68, &n.to_le_bytes())
}

/// No session for this reason.
pub fn refused(code: u16) -> Vec<u8> {
    let mut body = [0; 8];
    body[..2].copy_from_slice(&code.to_le_bytes());
    frame(69, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_out_of_any_pieces() {
        let mut body = [0u8; 40];
        body[..8].copy_from_slice(&77u64.to_le_bytes());
        body[8..16].copy_from_slice(&(-5i64).to_le_bytes());
        body[16..24].copy_from_slice(&9i64.to_le_bytes());
        body[28] = 2;
        body[30..33].copy_from_slice(&[1, 1, 2]);
        let bytes = [frame(3, &body), frame(6, &4u64.to_le_bytes())].concat();
        for cut in 0..=bytes.len() {
            let mut buf = bytes[..cut].to_vec();
            let mut seen = Vec::new();
            for part in [&[][..], &bytes[cut..]] {
                buf.extend_from_slice(part);
                while let Some(up) = take(&mut buf).unwrap() {
                    seen.push(up);
                }
            }
            let new = NewMessage {
                id: 77,
                qty: -5,
                px: 9,
                instrument: 2,
                side: 1,
                order_type: 1,
                tif: 2,
            };
            assert_eq!(seen, [Up::New(new), Up::Ping(4)], "cut at {cut}");
        }
    }

    #[test]
    fn malformed_bytes_end_the_session() {
        let mut reserved = frame(6, &[0; 8]);
        reserved[5] = 1;
        let wrong: [&[u8]; 5] =
            [&[3, 0, 0, 0], &[1, 16, 0, 0], &reserved, &frame(6, &[0; 9]), &frame(66, &[0; 72])];
        for bytes in wrong {
            assert!(take(&mut bytes.to_vec()).is_err(), "{bytes:?}");
        }
        assert_eq!(take(&mut vec![1, 0]), Ok(None));
    }

    #[test]
    fn what_is_sent_has_the_documented_length() {
        assert_eq!(report(&Report::default()).len(), 8 + 72);
        assert_eq!(item(&Item::default()).len(), 8 + 88);
        assert_eq!(welcome(1, 2).len(), 8 + 24);
        assert_eq!(refused(326)[..10], [12, 0, 0, 0, 69, 0, 0, 0, 70, 1]);
    }
}
