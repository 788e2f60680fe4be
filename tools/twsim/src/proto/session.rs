//! Session, clock, notices.

use super::messages;

messages! {
    StartApiRequest { client_id: i32 = 1, optional_capabilities: text = 2 }
    ManagedAccounts { accounts_list: text = 1 }
    NextValidId { order_id: i32 = 1 }
    IdsRequest { num_ids: i32 = 1 }
    ErrorMessage {
        id: i32 = 1, error_time: i64 = 2, error_code: i32 = 3, error_msg: text = 4,
        advanced_order_reject_json: text = 5,
    }
    CurrentTime { current_time: i64 = 1 }
    CurrentTimeInMillis { current_time_in_millis: i64 = 1 }
    SetServerLogLevelRequest { log_level: i32 = 1 }
    MarketDataTypeRequest { market_data_type: i32 = 1 }
    UserInfo { req_id: i32 = 1, white_branding_id: text = 2 }
    FamilyCode { account_id: text = 1, family_code: text = 2 }
    FamilyCodes { family_codes: [FamilyCode] = 1 }
    SoftDollarTier { name: text = 1, value: text = 2, display_name: text = 3 }
    SoftDollarTiers { req_id: i32 = 1, soft_dollar_tiers: [SoftDollarTier] = 2 }
    NewsBulletinsRequest { all_messages: bool = 1 }
    NewsBulletin {
        news_msg_id: i32 = 1, news_msg_type: i32 = 2, news_message: text = 3,
        originating_exch: text = 4,
    }
}
