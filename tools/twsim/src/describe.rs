//! Frames as lines of text, for transcripts: every field present, by name, nothing left out.

use crate::proto::registry::{self, Entry};
use crate::proto::{Field, Kind, Schema};
use std::fmt::Write;

/// Deepest nesting shown; deeper bytes are hostile.
const DEPTH_MAX: u32 = 8;

/// Returns answer `id` of the gateway as `Name{field=value ...}`.
pub fn answer(id: u32, body: &[u8]) -> String {
    named(registry::ANSWERS, id, body)
}

/// Returns request `id` of a client as `Name{field=value ...}`.
pub fn request(id: u32, body: &[u8]) -> String {
    named(registry::REQUESTS, id, body)
}

fn named(table: &'static [Entry], id: u32, body: &[u8]) -> String {
    let mut out = String::new();
    let fields = match registry::find(table, id) {
        Some(entry) => {
            out.push_str(entry.name);
            (entry.schema)().fields
        }
        None => {
            let _ = write!(out, "Message{id}");
            &[]
        }
    };
    write_fields(&mut out, fields, body, 0);
    out
}

fn write_fields(out: &mut String, fields: &[Field], mut body: &[u8], depth: u32) {
    out.push('{');
    let mut first = true;
    while !body.is_empty() {
        if !first {
            out.push(' ');
        }
        first = false;
        if write_field(out, fields, &mut body, depth).is_none() {
            out.push_str("not protobuf");
            break;
        }
    }
    out.push('}');
}

fn write_field(out: &mut String, fields: &[Field], body: &mut &[u8], depth: u32) -> Option<()> {
    let key = varint(body)?;
    let tag = key >> 3;
    let field = fields.iter().find(|f| u64::from(f.tag) == tag);
    match field {
        Some(field) => _ = write!(out, "{}=", field.name),
        None => _ = write!(out, "#{tag}="),
    }
    let kind = field.map(|f| f.kind);
    match key & 7 {
        0 => {
            let value = varint(body)?;
            let _ = match kind {
                Some(Kind::Bool) => write!(out, "{}", value != 0),
                _ => write!(out, "{}", value as i64),
            };
        }
        1 => {
            let raw: [u8; 8] = take(body, 8)?.try_into().ok()?;
            let value = f64::from_le_bytes(raw);
            let _ = match value == f64::MAX {
                true => write!(out, "unset"),
                false => write!(out, "{value}"),
            };
        }
        2 => {
            let length = usize::try_from(varint(body)?).ok()?;
            write_bytes(out, kind, take(body, length)?, depth);
        }
        5 => {
            let raw: [u8; 4] = take(body, 4)?.try_into().ok()?;
            let _ = write!(out, "{}", u32::from_le_bytes(raw));
        }
        _ => return None,
    }
    Some(())
}

fn write_bytes(out: &mut String, kind: Option<Kind>, bytes: &[u8], depth: u32) {
    const PAIR: &[Field] = &[
        Field { name: "key", tag: 1, kind: Kind::Text, many: false },
        Field { name: "value", tag: 2, kind: Kind::Text, many: false },
    ];
    match kind {
        Some(Kind::Message(schema)) if depth < DEPTH_MAX => {
            let Schema { fields, .. } = schema();
            write_fields(out, fields, bytes, depth + 1);
        }
        Some(Kind::Map) if depth < DEPTH_MAX => write_fields(out, PAIR, bytes, depth + 1),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => _ = write!(out, "{text:?}"),
            Err(_) => {
                out.push_str("0x");
                bytes.iter().for_each(|b| _ = write!(out, "{b:02x}"));
            }
        },
    }
}

fn take<'a>(body: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (head, rest) = body.split_at_checked(count)?;
    *body = rest;
    Some(head)
}

fn varint(body: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = body.split_first()?;
        *body = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Contract, ContractDataRequest};
    use proptest::prelude::*;
    use prost::Message;

    #[test]
    fn known_and_unknown_fields_are_shown() {
        let contract = Contract {
            symbol: Some("AB".into()),
            strike: Some(1.5),
            include_expired: Some(true),
            ..Contract::default()
        };
        let body =
            ContractDataRequest { req_id: Some(-3), contract: Some(contract) }.encode_to_vec();
        let shown = request(9, &body);
        let want = "ContractDataRequest{req_id=-3 contract={symbol=\"AB\" strike=1.5 \
                    include_expired=true}}";
        assert_eq!(shown, want);
        assert_eq!(answer(9, &[0x98, 0x06, 5]), "NextValidId{#99=5}");
        assert_eq!(answer(999, &[0x0b]), "Message999{#1=not protobuf}");
        assert_eq!(answer(15, &[10, 2, 0xff, 0xfe]), "ManagedAccounts{accounts_list=0xfffe}");
    }

    proptest! {
        #[test]
        fn any_bytes_are_shown(
            id in 0u32..120,
            body in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let _ = answer(id, &body);
            let _ = request(id, &body);
        }
    }
}
