//! Positions, values, profit and loss of the account.

use super::{Contract, messages};

messages! {
    Position { account: text = 1, contract: {Contract} = 2, position: text = 3, avg_cost: f64 = 4 }
    AccountSummaryRequest { req_id: i32 = 1, group: text = 2, tags: text = 3 }
    AccountSummary {
        req_id: i32 = 1, account: text = 2, tag: text = 3, value: text = 4, currency: text = 5,
    }
    AccountDataRequest { subscribe: bool = 1, acct_code: text = 2 }
    AccountValue { key: text = 1, value: text = 2, currency: text = 3, account_name: text = 4 }
    PortfolioValue {
        contract: {Contract} = 1, position: text = 2, market_price: f64 = 3, market_value: f64 = 4,
        average_cost: f64 = 5, unrealized_pnl: f64 = 6, realized_pnl: f64 = 7,
        account_name: text = 8,
    }
    AccountUpdateTime { time_stamp: text = 1 }
    AccountDataEnd { account_name: text = 1 }
    PositionsMultiRequest { req_id: i32 = 1, account: text = 2, model_code: text = 3 }
    PositionMulti {
        req_id: i32 = 1, account: text = 2, contract: {Contract} = 3, position: text = 4,
        avg_cost: f64 = 5, model_code: text = 6,
    }
    AccountUpdatesMultiRequest {
        req_id: i32 = 1, account: text = 2, model_code: text = 3, ledger_and_nlv: bool = 4,
    }
    AccountUpdateMulti {
        req_id: i32 = 1, account: text = 2, model_code: text = 3, key: text = 4, value: text = 5,
        currency: text = 6,
    }
    PnLRequest { req_id: i32 = 1, account: text = 2, model_code: text = 3 }
    PnL { req_id: i32 = 1, daily_pn_l: f64 = 2, unrealized_pn_l: f64 = 3, realized_pn_l: f64 = 4 }
    PnLSingleRequest { req_id: i32 = 1, account: text = 2, model_code: text = 3, con_id: i32 = 4 }
    PnLSingle {
        req_id: i32 = 1, position: text = 2, daily_pn_l: f64 = 3, unrealized_pn_l: f64 = 4,
        realized_pn_l: f64 = 5, value: f64 = 6,
    }
}
