//! What the core keeps per instrument.

use ijk_core::features::Token;
use ijk_core::record::Level;
use ijk_core::{DepthKind, EventKind, Instrument, MarketEvent, ParentId, RecvTs, Side};
use ijk_execution::MarketView;
use ijk_infer::EncoderState;
use ijk_market::{Book, FeatureEngine};
use ijk_risk::Quote;

/// Index of `rv_bps` among the twelve features.
const RV_BPS: usize = 9;
/// Trading day assumed where the session has no bounds.
const DAY_NS: u64 = 24 * 3_600 * 1_000_000_000;

/// Book, features, encoder rings and running measures of one instrument.
pub(crate) struct InstrumentState {
    pub instrument: Instrument,
    pub book: Book,
    pub features: FeatureEngine,
    pub encoder: Option<EncoderState>,
    /// Visible volume of the session so far.
    pub volume_qty: i64,
    /// The same by aggressor: bought, sold.
    pub aggressive_qty: [i64; 2],
    /// Receive time of the last record.
    pub last_event: RecvTs,
    /// The row being applied had a visible trade.
    pub row_traded: bool,
    /// Trading is halted: nothing may be priced on the book until it resumes.
    pub halted: bool,
    /// The first cut-off before the session's end is over: nothing adds risk any more.
    pub day_ends: bool,
    /// Position that outside parents built: the forecast neither sizes nor flattens it.
    pub outside_qty: i64,
    /// The parent that the forecast started last.
    pub own_parent: ParentId,
    first_token: Option<RecvTs>,
    token_count: u64,
    rv_bps: f64,
}

impl InstrumentState {
    pub fn new(
        instrument: &Instrument,
        depth: DepthKind,
        stride: u32,
        encoder: Option<EncoderState>,
    ) -> InstrumentState {
        InstrumentState {
            instrument: *instrument,
            book: Book::new(depth, instrument),
            features: FeatureEngine::new(stride),
            encoder,
            volume_qty: 0,
            aggressive_qty: [0; 2],
            last_event: RecvTs(0),
            row_traded: false,
            halted: false,
            day_ends: false,
            outside_qty: 0,
            own_parent: ParentId(0),
            first_token: None,
            token_count: 0,
            rv_bps: 0.0,
        }
    }

    /// Applies one record to everything but the features.
    pub fn apply(&mut self, now: RecvTs, ev: &MarketEvent) {
        self.book.apply(ev);
        if let Some((qty, aggressor)) = ev.visible_trade() {
            self.volume_qty = self.volume_qty.saturating_add(qty.0);
            if let Some(side) = aggressor {
                let sum = &mut self.aggressive_qty[side as usize];
                *sum = sum.saturating_add(qty.0);
            }
            self.row_traded = true;
        }
        self.last_event = now;
        match ev.kind {
            EventKind::Halt => self.halted = true,
            EventKind::Resume => self.halted = false,
            _ => {}
        }
    }

    /// Notes a closed token for the running volatility.
    pub fn on_token(&mut self, now: RecvTs, token: &Token) {
        self.first_token.get_or_insert(now);
        self.token_count += 1;
        self.rv_bps = token.features[RV_BPS];
    }

    /// Returns the quote an order would be priced on.
    pub fn quote(&self) -> Quote {
        let level = |side| self.book.best(side).unwrap_or_default();
        Quote {
            bid: level(Side::Bid),
            ask: level(Side::Ask),
            ts: self.last_event,
            trusted: self.book.is_trusted() && !self.halted,
        }
    }

    /// Returns what the execution engine sees.
    pub fn view(&self, now: RecvTs) -> MarketView {
        self.view_of(now, &self.quote())
    }

    /// The same with the quote of now, where it is known already.
    pub fn view_of(&self, now: RecvTs, quote: &Quote) -> MarketView {
        MarketView {
            now,
            bid: quote.bid,
            ask: quote.ask,
            two_sided: quote.trusted && is_two_sided(&quote.bid, &quote.ask),
            volume_qty: self.volume_qty,
            aggressive_qty: self.aggressive_qty,
            session_close_ns: self.instrument.session.close_ns,
        }
    }

    /// Returns the mid in currency, or `None` without two uncrossed sides.
    pub fn mid(&self) -> Option<f64> {
        mid_of(&self.quote())
    }

    /// Returns tokens a trading day at the pace so far.
    pub fn tokens_per_day(&self, now: RecvTs) -> f64 {
        self.token_count as f64 * self.days_per_elapsed(now)
    }

    /// Returns visible volume a trading day at the pace so far, quantity units.
    pub fn volume_per_day(&self, now: RecvTs) -> f64 {
        self.volume_qty as f64 * self.days_per_elapsed(now)
    }

    /// Returns the visible volume to be expected in `horizon_ns` at the pace so far, quantity
    /// units.
    pub fn volume_in(&self, now: RecvTs, horizon_ns: f64) -> f64 {
        let elapsed_ns = self.first_token.map_or(0, |t| now.since_ns(t)).max(1);
        self.volume_qty as f64 * horizon_ns / elapsed_ns as f64
    }

    fn days_per_elapsed(&self, now: RecvTs) -> f64 {
        let session = self.instrument.session;
        let day_ns = if session.close_ns == u64::MAX {
            DAY_NS
        } else {
            session.close_ns.saturating_sub(session.open_ns)
        };
        let elapsed_ns = self.first_token.map_or(0, |t| now.since_ns(t)).max(1);
        day_ns as f64 / elapsed_ns as f64
    }

    /// Returns realised volatility in basis points a day: per-token volatility scaled by the
    /// square root of tokens a day.
    pub fn vol_bps_per_day(&self, now: RecvTs) -> f64 {
        self.rv_bps * self.tokens_per_day(now).sqrt()
    }
}

/// Returns the mid of a quote, currency, or `None` without two uncrossed sides.
pub(crate) fn mid_of(quote: &Quote) -> Option<f64> {
    is_two_sided(&quote.bid, &quote.ask)
        .then(|| (quote.bid.px.as_f64() + quote.ask.px.as_f64()) / 2.0)
}

fn is_two_sided(bid: &Level, ask: &Level) -> bool {
    bid.qty.0 > 0 && ask.qty.0 > 0 && bid.px < ask.px
}
