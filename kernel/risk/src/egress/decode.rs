//! The bytes of an order, little endian, read by their offsets: eight each of client order id,
//! quantity, price; four of the parent; two of the instrument; one each of side, type and time in
//! force; seven of zeros.

/// An order as its bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub id: u64,
    pub qty: i64,
    pub px: i64,
    pub parent: u32,
    pub instrument: usize,
    pub is_market: bool,
    pub outlives_day: bool,
}

fn eight(bytes: &[u8; 40], at: usize) -> [u8; 8] {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    out
}

/// Returns the order, `None` where a byte has no meaning.
pub(super) fn order(bytes: &[u8; 40]) -> Option<Order> {
    let [.., side, kind, tif] = bytes[..33] else { return None };
    let rest_is_zero = bytes[33..].iter().all(|b| *b == 0);
    if side > 1 || kind > 1 || tif > 2 || !rest_is_zero {
        return None;
    }
    Some(Order {
        id: u64::from_le_bytes(eight(bytes, 0)),
        qty: i64::from_le_bytes(eight(bytes, 8)),
        px: i64::from_le_bytes(eight(bytes, 16)),
        parent: u32::from_le_bytes([bytes[24], bytes[25], bytes[26], bytes[27]]),
        instrument: usize::from(u16::from_le_bytes([bytes[28], bytes[29]])),
        is_market: kind == 0,
        outlives_day: tif == 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ijk_core::{
        ClientOrderId, InstrumentId, NewOrder, OrderType, ParentId, Px, Qty, Side, TimeInForce,
    };
    use proptest::prelude::*;
    use zerocopy::{IntoBytes, TryFromBytes};

    proptest! {
        /// Reads what the kernel's own layout says, and refuses what it refuses.
        #[test]
        fn equals_the_layout(
            id in any::<u64>(), qty in any::<i64>(), px in any::<i64>(), parent in any::<u32>(),
            instrument in any::<u16>(), flags in any::<[bool; 2]>(), tif in 0u8..3,
            noise in prop::option::of((30usize..40, any::<u8>())),
        ) {
            let order = NewOrder {
                client_order_id: ClientOrderId(id),
                qty: Qty(qty),
                px: Px(px),
                parent_id: ParentId(parent),
                instrument: InstrumentId(instrument),
                side: if flags[0] { Side::Bid } else { Side::Ask },
                order_type: if flags[1] { OrderType::Market } else { OrderType::Limit },
                tif: [TimeInForce::Day, TimeInForce::Ioc, TimeInForce::Gtc][usize::from(tif)],
                reserved: [0; 7],
            };
            let mut bytes: [u8; 40] = order.as_bytes().try_into().unwrap();
            if let Some((at, byte)) = noise {
                bytes[at] = byte;
            }
            let want = NewOrder::try_read_from_bytes(&bytes).ok().filter(|o| o.reserved == [0; 7]);
            let got = super::order(&bytes);
            prop_assert_eq!(got.is_some(), want.is_some());
            if let (Some(got), Some(want)) = (got, want) {
                prop_assert_eq!(got, Order {
                    id,
                    qty,
                    px,
                    parent,
                    instrument: usize::from(instrument),
                    is_market: want.order_type == OrderType::Market,
                    outlives_day: want.tif == TimeInForce::Gtc,
                });
            }
        }
    }
}
