//! Who is who: our order ids in the broker's reference field, the broker's execution ids as
//! numbers, its times, quantities and prices as ours.

use ijk_core::num::E9;
use ijk_core::{ClientOrderId, ExecId, Qty};
use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};

/// Text before the number in an order's reference.
const PREFIX: &str = "ijk-";

/// Returns the reference an order of ours carries for ever: `ijk-` and sixteen hex digits.
pub fn order_ref(id: ClientOrderId) -> String {
    format!("{PREFIX}{:016x}", id.0)
}

/// Returns our id behind a reference; `None` for every other text.
pub fn client_order_id(order_ref: &str) -> Option<ClientOrderId> {
    let digits = order_ref.strip_prefix(PREFIX)?;
    let is_ours = digits.len() == 16
        && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let id = u64::from_str_radix(digits, 16).ok().filter(|_| is_ours).map(ClientOrderId)?;
    (id.0 != 0 && !id.is_foreign()).then_some(id)
}

/// Splits an execution id into what names the execution and the version of its report: the digits
/// after the last point. A correction has the same name and a later version.
pub fn exec_version(exec_id: &str) -> (&str, u32) {
    match exec_id.rsplit_once('.') {
        Some((name, version)) => match version.parse() {
            Ok(version) => (name, version),
            Err(_) => (exec_id, 0),
        },
        None => (exec_id, 0),
    }
}

/// Returns the number of an execution id: 61 bits of its SHA-256, never zero, the same in every
/// run.
pub fn exec_number(exec_id: &str) -> ExecId {
    let digest = Sha256::digest(exec_id.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    ExecId((u64::from_le_bytes(first) >> 3) + 1)
}

/// Returns shares as a quantity in units of `unit_e9`; `None` where it is no whole number of them.
pub fn to_qty(shares: f64, unit_e9: i64) -> Option<Qty> {
    let units = shares * (E9 as f64 / unit_e9 as f64);
    let whole = units.round();
    ((units - whole).abs() < 1e-6 && whole.abs() < 1e15).then_some(Qty(whole as i64))
}

/// Returns a quantity as shares.
pub fn to_shares(qty: Qty, unit_e9: i64) -> f64 {
    qty.0 as f64 * (unit_e9 as f64 / E9 as f64)
}

/// Reads the broker's time, `20260102 09:30:00 US/Eastern` or `20260102-14:30:00` (UTC), as
/// nanoseconds since 1970.
pub fn parse_time(text: &str) -> Option<u64> {
    let date = Date::strptime("%Y%m%d", text.get(..8)?).ok()?;
    let rest = text.get(8..)?;
    let clock = rest.trim_start_matches(['-', ' ']);
    let time = Time::strptime("%H:%M:%S", clock.get(..8)?).ok()?;
    let zone = match clock.get(8..)?.trim() {
        "" => TimeZone::UTC,
        name => TimeZone::get(name).ok()?,
    };
    let at: Timestamp = zone.to_ambiguous_zoned(date.to_datetime(time)).compatible().ok()?.into();
    u64::try_from(at.as_nanosecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_our_own_references_are_read() {
        let id = ClientOrderId::first_of(7);
        assert_eq!(client_order_id(&order_ref(id)), Some(id));
        for text in [
            "",
            "ijk-",
            "ijk-1",
            "ijk-0000000000000000",
            "IJK-0000007000000001",
            "mine",
            "ijk-8000000000000001",
            "ijk-000000700000000A",
            "ijk-+000007000000001",
            "ijk-00000070000000011",
        ] {
            assert_eq!(client_order_id(text), None, "{text}");
        }
    }

    #[test]
    fn a_correction_has_the_same_name() {
        assert_eq!(exec_version("0000e1a7.00000001.01.01"), ("0000e1a7.00000001.01", 1));
        assert_eq!(exec_version("0000e1a7.00000001.01.12"), ("0000e1a7.00000001.01", 12));
        assert_eq!(exec_version("odd"), ("odd", 0));
        assert_eq!(exec_version("a.b"), ("a.b", 0));
        assert_ne!(exec_number("a.01"), exec_number("a.02"));
    }

    #[test]
    fn times_are_read_with_their_zone() {
        let noon = Some(1_735_837_200_000_000_000);
        assert_eq!(parse_time("20250102 12:00:00 US/Eastern"), noon);
        assert_eq!(parse_time("20250102-17:00:00"), noon);
        assert_eq!(parse_time("20250102 17:00:00 UTC"), noon);
        for text in [
            "",
            "20250102",
            "20250102 12",
            "20251302 12:00:00",
            "20250102 12:00:00 Mars",
            "2025010é 12:00:00",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn references_come_back(raw in 1u64..1 << 63) {
            let id = ClientOrderId(raw);
            prop_assert_eq!(client_order_id(&order_ref(id)), Some(id));
        }

        #[test]
        fn numbers_fit_the_kernels_table(text in "[0-9a-f.]{0,30}") {
            let number = exec_number(&text).0;
            prop_assert!(number > 0 && number < 1 << 62);
        }

        #[test]
        fn whole_quantities_come_back(units in -1_000_000_000i64..1_000_000_000) {
            prop_assert_eq!(to_qty(to_shares(Qty(units), E9), E9), Some(Qty(units)));
            prop_assert_eq!(to_qty(units as f64 + 0.5, E9), None);
        }

        #[test]
        fn any_text_is_a_time_or_none(text in ".{0,40}") {
            let _ = parse_time(&text);
            let _ = client_order_id(&text);
        }
    }
}
