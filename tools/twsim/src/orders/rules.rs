//! What is to go wrong with one order, as a fault command says it.

/// Faults of one order. The default has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderFaults {
    /// Refused with this code.
    pub reject: Option<i32>,
    /// Text of the refusal.
    pub text: Option<String>,
    /// Details of the refusal as the protocol's JSON.
    pub json: Option<String>,
    /// Codes told before the first status.
    pub warn_before: Vec<i32>,
    /// Codes told after the first status.
    pub warn_after: Vec<i32>,
    /// Held for shares to borrow for so many milliseconds, with code 404 first.
    pub hold_ms: Option<u64>,
    /// Put aside (status Inactive) so many milliseconds after the first word about it; with
    /// `reject` its code is told then.
    pub inactive_ms: Option<u64>,
    /// Milliseconds until an order put aside comes back to life.
    pub revive_ms: Option<u64>,
    /// No status is ever told.
    pub no_status: bool,
    /// No open-order message is ever told.
    pub no_open_order: bool,
    /// Every status is told so many times more.
    pub repeat: u32,
    /// Executions are told before the statuses that lead to them.
    pub exec_first: bool,
    /// Milliseconds until the commission report; `None`: as configured.
    pub commission_ms: Option<u64>,
    /// No commission report is ever told.
    pub no_commission: bool,
    /// Milliseconds until every execution is told again with a price a cent worse.
    pub correct_ms: Option<u64>,
    /// Fills come in so many pieces.
    pub pieces: u32,
    /// Milliseconds until the first word about it; `u64::MAX`: never.
    pub ack_ms: Option<u64>,
    /// Lost on the way: it never existed.
    pub swallow: bool,
    /// The connection drops after the order was accepted, before any word about it.
    pub drop_after: bool,
    /// The connection drops and the order was never accepted.
    pub drop_before: bool,
    /// A cancel is answered by this code and not done.
    pub cancel_code: Option<i32>,
    /// A cancel meets a fill.
    pub cancel_fills: bool,
    /// A cancel gets no answer and is not done.
    pub cancel_ignored: bool,
    /// A modification is answered by this code and not done.
    pub modify_code: Option<i32>,
    /// A modification leaves the old order alive beside the new one.
    pub modify_twins: bool,
    /// It rests and never fills.
    pub park: bool,
    /// Fills in full at once at this price, dollars times 1e4.
    pub fill_at: Option<i64>,
}

impl OrderFaults {
    /// Reads `KEY` and `KEY=VALUE` words.
    ///
    /// # Errors
    /// A sentence that names the word.
    pub fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<OrderFaults, String> {
        let mut f = OrderFaults::default();
        for word in words {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            f.set(key, value)?;
        }
        Ok(f)
    }

    /// Returns whether it is refused only after it was received: put aside, with a code.
    pub fn is_refused_after(&self) -> bool {
        self.inactive_ms.is_some()
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let number = || -> Result<u64, String> {
            value.parse().map_err(|_| format!("'{key}' takes a whole number, not '{value}'"))
        };
        let code = || number().map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let words = || Some(value.replace('_', " "));
        match key {
            "reject" => self.reject = Some(code()?),
            "text" => self.text = words(),
            "json" => self.json = Some(value.to_string()),
            "warn-before" => self.warn_before.push(code()?),
            "warn-after" => self.warn_after.push(code()?),
            "hold" => self.hold_ms = Some(number()?),
            "inactive" => self.inactive_ms = Some(number()?),
            "revive" => self.revive_ms = Some(number()?),
            "no-status" => self.no_status = true,
            "no-open-order" => self.no_open_order = true,
            "repeat" => self.repeat = number()?.min(100) as u32,
            "exec-first" => self.exec_first = true,
            "commission" if value == "never" => self.no_commission = true,
            "commission" => self.commission_ms = Some(number()?),
            "correct" => self.correct_ms = Some(number()?),
            "pieces" => self.pieces = number()?.clamp(1, 100) as u32,
            "ack" if value == "never" => self.ack_ms = Some(u64::MAX),
            "ack" => self.ack_ms = Some(number()?),
            "swallow" => self.swallow = true,
            "drop" if value == "before" => self.drop_before = true,
            "drop" if value == "after" => self.drop_after = true,
            "cancel" if value == "fills" => self.cancel_fills = true,
            "cancel" if value == "ignored" => self.cancel_ignored = true,
            "cancel" => self.cancel_code = Some(code()?),
            "modify" if value == "twins" => self.modify_twins = true,
            "modify" => self.modify_code = Some(code()?),
            "park" => self.park = true,
            "fill-at" => {
                let px: f64 = value.parse().map_err(|_| format!("'{key}' takes a price"))?;
                self.fill_at = Some((px * 1e4).round() as i64);
            }
            _ => return Err(format!("'{key}' is no fault of an order; these are: {KEYS}")),
        }
        Ok(())
    }
}

/// The words there are.
pub const KEYS: &str = "reject=CODE text=A_TEXT json=JSON warn-before=CODE warn-after=CODE hold=MS \
                        inactive=MS revive=MS no-status no-open-order repeat=N exec-first \
                        commission=MS|never correct=MS pieces=N ack=MS|never swallow \
                        drop=before|after cancel=CODE|fills|ignored modify=CODE|twins park \
                        fill-at=PRICE";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read_and_others_refused() {
        let f = OrderFaults::parse("hold=2000 warn-before=10349 commission=never".split(' '));
        let f = f.unwrap();
        assert_eq!(
            (f.hold_ms, f.warn_before.as_slice(), f.no_commission),
            (Some(2000), &[10_349][..], true)
        );
        assert_eq!(OrderFaults::parse(std::iter::empty()).unwrap(), OrderFaults::default());
        for bad in ["hold", "hold=x", "drop", "drop=x", "explode", "=", "fill-at=x"] {
            assert!(OrderFaults::parse(bad.split(' ')).is_err(), "{bad}");
        }
    }
}
