//! Contracts, and messages that many requests share.

use super::messages;

messages! {
    ComboLeg {
        con_id: i32 = 1, ratio: i32 = 2, action: text = 3, exchange: text = 4,
        open_close: i32 = 5, short_sales_slot: i32 = 6, designated_location: text = 7,
        exempt_code: i32 = 8, per_leg_price: f64 = 9,
    }
    DeltaNeutralContract { con_id: i32 = 1, delta: f64 = 2, price: f64 = 3 }
    /// An instrument as requests name it and answers repeat it.
    Contract {
        con_id: i32 = 1, symbol: text = 2, sec_type: text = 3,
        last_trade_date_or_contract_month: text = 4, strike: f64 = 5, right: text = 6,
        multiplier: f64 = 7, exchange: text = 8, primary_exch: text = 9, currency: text = 10,
        local_symbol: text = 11, trading_class: text = 12, sec_id_type: text = 13,
        sec_id: text = 14, description: text = 15, issuer_id: text = 16,
        delta_neutral_contract: {DeltaNeutralContract} = 17, include_expired: bool = 18,
        combo_legs_descrip: text = 19, combo_legs: [ComboLeg] = 20, last_trade_date: text = 21,
    }
    /// Any request that carries nothing but its number: most cancels, and ends of lists.
    ReqIdOnly { req_id: i32 = 1 }
    /// A message without fields.
    Empty {}
}
