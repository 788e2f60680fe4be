//! From a frame to what answers it.

use super::{ConnId, Gateway};
use crate::proto::*;
use crate::time::SECOND;
use prost::Message;

/// Times the message rate may be exceeded before the connection ends.
const STRIKES_MAX: u32 = 3;

/// Requests that only remove a stream or a pending answer.
const CANCELS: &[u32] = &[2, 11, 13, 25, 51, 56, 57, 63, 64, 75, 77, 89, 90, 93, 95, 98, 106, 107];

impl Gateway {
    /// Answers request `id` of a connection. Bodies that are not the request's message end the
    /// connection, as those of the real gateway do.
    pub fn request(&mut self, conn: ConnId, id: u32, body: &[u8]) {
        let now_ns = self.now_ns;
        let Some(c) = self.conn(conn).filter(|c| !c.closing) else { return };
        if c.is_mute(now_ns) {
            return;
        }
        if c.client_id.is_none() && id != 71 {
            self.error(conn, -1, 321, "StartApi must be the first request");
            self.close(conn);
            return;
        }
        if !self.within_rate(conn, id) {
            return;
        }
        let answered = match id {
            71 | 8 | 14 | 17 | 49 | 59 | 105 | 104 | 79 | 80 => {
                self.session_request(conn, id, body)
            }
            3 | 4 | 5 | 7 | 15 | 16 | 21 | 58 | 99 => self.order_request(conn, id, body),
            6 | 61 | 62 | 74 | 76 | 92 | 94 => self.account_request(conn, id, body),
            1 | 10 | 50 | 97 => self.data_request(conn, id, body),
            20 | 87 | 88 | 96 => self.past_request(conn, id, body),
            9 | 12 | 54 | 55 | 78 | 81..=86 | 91 => self.reference_request(conn, id, body),
            _ if CANCELS.contains(&id) => self.cancel_request(conn, id, body),
            other => {
                self.error(conn, -1, 321, &format!("request {other} is not simulated"));
                Ok(())
            }
        };
        if answered.is_err() {
            self.error(conn, -1, 320, "Error reading request. Message not readable");
            self.close(conn);
            return;
        }
        self.happened("request", u64::from(id));
    }

    /// Counts a message; returns whether it is to be answered.
    fn within_rate(&mut self, conn: ConnId, id: u32) -> bool {
        let limit = self.config.limits.messages_per_s as usize;
        let counted =
            limit > 0 && (self.config.fixed_time_s.is_none() || self.faults.count_messages);
        if !counted || id == 71 {
            return true;
        }
        let from = self.now_ns.saturating_sub(SECOND);
        while self.message_times.front().is_some_and(|ns| *ns <= from) {
            self.message_times.pop_front();
        }
        self.message_times.push_back(self.now_ns);
        let count = self.message_times.len();
        if count == limit {
            self.error_code(conn, -1, 0);
        }
        if count <= limit {
            return true;
        }
        self.message_times.pop_back();
        self.error_code(conn, -1, 100);
        let Some(c) = self.conn(conn) else { return false };
        c.strikes += 1;
        if c.strikes >= STRIKES_MAX {
            c.closing = true;
        }
        false
    }

    fn session_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        match id {
            71 => self.start_api(conn, &StartApiRequest::decode(body)?),
            8 => {
                IdsRequest::decode(body)?;
                self.next_valid_id(conn);
            }
            14 => _ = SetServerLogLevelRequest::decode(body)?,
            17 => self.managed_accounts(conn),
            49 => self.current_time(conn),
            105 => self.current_time_ms(conn),
            59 => {
                let kind = MarketDataTypeRequest::decode(body)?.market_data_type.unwrap_or(0);
                self.set_data_kind(conn, kind);
            }
            104 => {
                let req_id = ReqIdOnly::decode(body)?.req_id;
                self.send(conn, 107, &UserInfo { req_id, white_branding_id: Some(String::new()) });
            }
            79 => {
                let req_id = ReqIdOnly::decode(body)?.req_id;
                let tier = SoftDollarTier {
                    name: Some("Maximize Rebate".into()),
                    value: Some("MaxRebate".into()),
                    display_name: Some("Maximize Rebate".into()),
                };
                self.send(conn, 77, &SoftDollarTiers { req_id, soft_dollar_tiers: vec![tier] });
            }
            _ => {
                let code = FamilyCode {
                    account_id: Some(crate::config::ACCOUNT.into()),
                    family_code: Some(String::new()),
                };
                self.send(conn, 78, &FamilyCodes { family_codes: vec![code] });
            }
        }
        Ok(())
    }

    fn order_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        match id {
            3 => self.place(conn, PlaceOrderRequest::decode(body)?),
            4 => self.cancel(conn, CancelOrderRequest::decode(body)?.order_id.unwrap_or(0)),
            58 => {
                GlobalCancelRequest::decode(body)?;
                self.global_cancel();
            }
            5 => self.open_orders(conn, false),
            16 => self.open_orders(conn, true),
            15 => {
                let bind = AutoOpenOrdersRequest::decode(body)?.auto_bind.unwrap_or(false);
                self.auto_open_orders(conn, bind);
            }
            7 => self.executions(conn, &ExecutionRequest::decode(body)?),
            99 => {
                CompletedOrdersRequest::decode(body)?;
                self.completed_orders(conn);
            }
            _ => self.exercise(conn, &ExerciseOptionsRequest::decode(body)?),
        }
        Ok(())
    }

    fn account_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        match id {
            6 => self.account_updates(conn, &AccountDataRequest::decode(body)?),
            61 => self.positions(conn),
            62 => self.account_summary(conn, &AccountSummaryRequest::decode(body)?),
            74 => self.positions_multi(conn, &PositionsMultiRequest::decode(body)?),
            76 => self.account_updates_multi(conn, &AccountUpdatesMultiRequest::decode(body)?),
            92 => self.pnl(conn, &PnLRequest::decode(body)?),
            _ => self.pnl_single(conn, &PnLSingleRequest::decode(body)?),
        }
        Ok(())
    }

    fn data_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        match id {
            1 => self.market_data(conn, &MarketDataRequest::decode(body)?),
            10 => self.market_depth(conn, &MarketDepthRequest::decode(body)?),
            50 => self.real_time_bars(conn, &RealTimeBarsRequest::decode(body)?),
            _ => self.tick_by_tick(conn, &TickByTickRequest::decode(body)?),
        }
        Ok(())
    }

    fn past_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        match id {
            20 => self.historical_data(conn, &HistoricalDataRequest::decode(body)?),
            87 => self.head_timestamp(conn, &HeadTimestampRequest::decode(body)?),
            88 => self.histogram(conn, &HistogramDataRequest::decode(body)?),
            _ => self.historical_ticks(conn, &HistoricalTicksRequest::decode(body)?),
        }
        Ok(())
    }

    fn reference_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        match id {
            9 => self.contract_data(conn, &ContractDataRequest::decode(body)?),
            12 => self.bulletins(conn, &NewsBulletinsRequest::decode(body)?),
            54 => self.implied_vol(conn, &CalculateImpliedVolatilityRequest::decode(body)?),
            55 => self.option_price(conn, &CalculateOptionPriceRequest::decode(body)?),
            78 => self.option_params(conn, &SecDefOptParamsRequest::decode(body)?),
            81 => self.matching_symbols(conn, &MatchingSymbolsRequest::decode(body)?),
            82 => self.depth_exchanges(conn),
            83 => self.smart_components(conn, &SmartComponentsRequest::decode(body)?),
            84 => self.news_article(conn, &NewsArticleRequest::decode(body)?),
            85 => self.news_providers(conn),
            86 => self.historical_news(conn, &HistoricalNewsRequest::decode(body)?),
            _ => self.market_rule(conn, &MarketRuleRequest::decode(body)?),
        }
        Ok(())
    }

    fn cancel_request(
        &mut self,
        conn: ConnId,
        id: u32,
        body: &[u8],
    ) -> Result<(), prost::DecodeError> {
        // Every cancel has its request number in field 1, or no field at all.
        let req_id = ReqIdOnly::decode(body)?.req_id.unwrap_or(0);
        let Some(c) = self.conn(conn) else { return Ok(()) };
        match id {
            13 => c.bulletins = false,
            63 => _ = c.summaries.remove(&req_id),
            64 => c.positions = false,
            75 => _ = c.positions_multi.remove(&req_id),
            77 => _ = c.account_multi.remove(&req_id),
            93 | 95 => _ = c.pnl.remove(&req_id),
            2 | 11 | 25 | 51 | 98 => {
                let found = c.subs.remove(&req_id).is_some();
                let code = match id {
                    2 | 51 | 98 => 300,
                    11 => 310,
                    // The end of a past request is nothing to complain about.
                    _ => 366,
                };
                if !found {
                    let text = format!("{}:{req_id}", crate::codes::text(code));
                    self.error(conn, req_id, code, &text);
                }
            }
            // Answers to the others were given at once: nothing is left to cancel.
            _ => {}
        }
        Ok(())
    }
}
