//! The broker's side of the protocol, byte by byte.

/// What a client says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// It greets.
    Hello {
        /// Version of the protocol.
        protocol: u32,
        /// Its number.
        client_number: u32,
        /// Its start.
        boot_epoch: u64,
        /// INSTRUMENT frames that follow.
        instrument_count: u16,
    },
    /// An instrument's number in this session.
    Instrument {
        /// The number.
        id: u16,
        /// The symbol.
        symbol: String,
    },
    /// A new order.
    New(NewMessage),
    /// A cancel of the order with this id.
    Cancel(u64),
    /// A question with this number.
    SnapshotRequest(u64),
    /// A ping with this number.
    Ping(u64),
}

/// A new order as it arrives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMessage {
    /// Client order id.
    pub id: u64,
    /// Quantity.
    pub qty: i64,
    /// Limit price, 1e-9; 0 for a market order.
    pub px: i64,
    /// Number of the instrument.
    pub instrument: u16,
    /// Whether it buys.
    pub buy: bool,
    /// Whether it takes any price.
    pub market: bool,
    /// 0 day, 1 immediate or cancel, 2 until cancelled.
    pub tif: u8,
}

/// Kinds of reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Report {
    /// Working.
    Ack = 0,
    /// Refused.
    Reject = 1,
    /// Traded.
    Fill = 2,
    /// Cancelled.
    Canceled = 3,
    /// Ran out.
    Expired = 4,
    /// Cancel refused.
    CancelReject = 5,
}

/// Fields of a report; what means nothing is zero.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReportFields {
    /// Venue's time.
    pub ts: u64,
    /// Client order id.
    pub id: u64,
    /// The broker's id.
    pub venue_id: u64,
    /// Execution id.
    pub exec_id: u64,
    /// Price.
    pub px: i64,
    /// Quantity.
    pub qty: i64,
    /// What still works.
    pub leaves: i64,
    /// Fee.
    pub fee: i64,
    /// Number of the instrument.
    pub instrument: u16,
    /// Reason of a reject.
    pub reason: u16,
    /// Whether it sells.
    pub sell: bool,
}

/// Fields of a snapshot item.
#[derive(Clone, Copy, Debug, Default)]
pub struct ItemFields {
    /// The request.
    pub request: u64,
    /// Client order id.
    pub id: u64,
    /// The broker's id.
    pub venue_id: u64,
    /// Execution id.
    pub exec_id: u64,
    /// Venue's time.
    pub ts: u64,
    /// Price.
    pub px: i64,
    /// Quantity.
    pub qty: i64,
    /// Filled.
    pub filled: i64,
    /// Working.
    pub leaves: i64,
    /// Fee.
    pub fee: i64,
    /// Number of the instrument.
    pub instrument: u16,
    /// 0 begin, 1 execution, 2 order, 3 position, 4 end.
    pub kind: u8,
    /// 0 working, 1 filled, 2 cancelled, 3 expired, 4 rejected.
    pub status: u8,
    /// Whether it sells.
    pub sell: bool,
}

fn u16_at(b: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([b[at], b[at + 1]])
}

fn u32_at(b: &[u8], at: usize) -> u32 {
    u32::from(u16_at(b, at)) | u32::from(u16_at(b, at + 2)) << 16
}

fn u64_at(b: &[u8], at: usize) -> u64 {
    u64::from(u32_at(b, at)) | u64::from(u32_at(b, at + 4)) << 32
}

/// Reads the first message of `bytes` and how long it is; `None` where it is not whole.
///
/// # Errors
/// What is wrong with it.
pub fn parse(bytes: &[u8]) -> Result<Option<(Inbound, usize)>, String> {
    if bytes.len() < 8 {
        return Ok(None);
    }
    let length = u32_at(bytes, 0) as usize;
    let kind = bytes[4];
    let want = match kind {
        1 | 3 => 44,
        2 => 28,
        4 => 20,
        5 | 6 => 12,
        _ => return Err(format!("type {kind}")),
    };
    if length != want || bytes[5..8] != [0; 3] {
        return Err(format!("length {length} or padding of type {kind}"));
    }
    if bytes.len() < 4 + length {
        return Ok(None);
    }
    let p = &bytes[8..4 + length];
    Ok(Some((message(kind, p)?, 4 + length)))
}

fn message(kind: u8, p: &[u8]) -> Result<Inbound, String> {
    Ok(match kind {
        1 => Inbound::Hello {
            protocol: u32_at(p, 0),
            client_number: u32_at(p, 4),
            boot_epoch: u64_at(p, 8),
            instrument_count: u16_at(p, 32),
        },
        2 => {
            let name: Vec<u8> = p[8..24].iter().copied().take_while(|b| *b != 0).collect();
            let symbol = String::from_utf8(name).map_err(|_| "symbol".to_string())?;
            Inbound::Instrument { id: u16_at(p, 0), symbol }
        }
        3 => {
            if p[30] > 1 || p[31] > 1 || p[32] > 2 || p[33..40] != [0; 7] {
                return Err("side, type, time in force or reserved bytes of NEW".to_string());
            }
            Inbound::New(NewMessage {
                id: u64_at(p, 0),
                qty: u64_at(p, 8) as i64,
                px: u64_at(p, 16) as i64,
                instrument: u16_at(p, 28),
                buy: p[30] == 0,
                market: p[31] == 0,
                tif: p[32],
            })
        }
        4 => Inbound::Cancel(u64_at(p, 0)),
        5 => Inbound::SnapshotRequest(u64_at(p, 0)),
        _ => Inbound::Ping(u64_at(p, 0)),
    })
}

fn frame(out: &mut Vec<u8>, kind: u8, payload: &[u8]) {
    out.extend((4 + payload.len() as u32).to_le_bytes());
    out.extend([kind, 0, 0, 0]);
    out.extend(payload);
}

/// Appends WELCOME.
pub fn welcome(out: &mut Vec<u8>, time_ns: u64, highest: u64) {
    let mut p = vec![1, 0, 0, 0, 0, 0, 0, 0];
    p.extend(time_ns.to_le_bytes());
    p.extend(highest.to_le_bytes());
    frame(out, 65, &p);
}

/// Appends REPORT.
pub fn report(out: &mut Vec<u8>, kind: Report, r: &ReportFields) {
    let mut p = Vec::with_capacity(72);
    for word in [r.ts, r.id, r.venue_id, r.exec_id] {
        p.extend(word.to_le_bytes());
    }
    for word in [r.px, r.qty, r.leaves, r.fee] {
        p.extend(word.to_le_bytes());
    }
    p.extend(r.instrument.to_le_bytes());
    p.extend(r.reason.to_le_bytes());
    p.extend([kind as u8, u8::from(r.sell), 0, 0]);
    frame(out, 66, &p);
}

/// Appends SNAPSHOT.
pub fn item(out: &mut Vec<u8>, s: &ItemFields) {
    let mut p = Vec::with_capacity(88);
    for word in [s.request, s.id, s.venue_id, s.exec_id, s.ts] {
        p.extend(word.to_le_bytes());
    }
    for word in [s.px, s.qty, s.filled, s.leaves, s.fee] {
        p.extend(word.to_le_bytes());
    }
    p.extend(s.instrument.to_le_bytes());
    p.extend([s.kind, s.status, u8::from(s.sell), 0, 0, 0]);
    frame(out, 67, &p);
}

/// Appends PONG.
pub fn pong(out: &mut Vec<u8>, number: u64) {
    frame(out, 68, &number.to_le_bytes());
}

/// Appends REFUSED.
pub fn refused(out: &mut Vec<u8>, code: u16) {
    let [a, b] = code.to_le_bytes();
    frame(out, 69, &[a, b, 0, 0, 0, 0, 0, 0]);
}
