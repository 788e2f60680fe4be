//! News: headlines made up from the seed, one a stock every ten minutes. Bulletins.

use super::subs::QuoteSub;
use super::{ConnId, Gateway};
use crate::market::past::hash;
use crate::proto::*;
use crate::time::{self, SECOND};

/// Providers and their names.
const PROVIDERS: [(&str, &str); 3] = [
    ("BRFG", "Briefing.com General Market Columns"),
    ("BRFUPDN", "Briefing.com Analyst Actions"),
    ("DJNL", "Dow Jones Newsletters"),
];
/// Time between two headlines of a stock.
const EVERY_NS: u64 = 600 * SECOND;
const WHAT: [&str; 6] = [
    "announces quarterly results",
    "names a new chief financial officer",
    "is upgraded by an analyst",
    "is downgraded by an analyst",
    "recalls a product",
    "signs a supply agreement",
];

/// A made-up headline.
struct Headline {
    provider: &'static str,
    id: String,
    text: String,
}

impl Gateway {
    fn headline(&self, stock: usize, slot: u64) -> Headline {
        let noise = hash(self.config.seed ^ stock as u64, slot);
        let provider = PROVIDERS[(noise % 3) as usize].0;
        let symbol = self.universe.stocks().get(stock).map_or("?", |s| s.symbol.as_str());
        let what = WHAT[(noise / 3 % 6) as usize];
        let id = format!("{provider}${:08x}", (noise >> 16) as u32);
        Headline { provider, id, text: format!("{{A:1:L:en}}{symbol} {what} (simulated)") }
    }

    pub(super) fn news_providers(&mut self, conn: ConnId) {
        let provider = |(code, name): (&str, &str)| NewsProvider {
            provider_code: Some(code.into()),
            provider_name: Some(name.into()),
        };
        let news_providers = PROVIDERS.into_iter().map(provider).collect();
        self.send(conn, 85, &NewsProviders { news_providers });
    }

    pub(super) fn news_article(&mut self, conn: ConnId, r: &NewsArticleRequest) {
        let id = r.article_id.clone().unwrap_or_default();
        let known = PROVIDERS.iter().any(|(code, _)| id.starts_with(&format!("{code}$")));
        if !known {
            self.error(
                conn,
                r.req_id.unwrap_or(0),
                10_172,
                "Failed to request news article:No data available",
            );
            return;
        }
        let text = format!("<p>Article {id} of the simulator. Nothing in it happened.</p>");
        let message =
            NewsArticle { req_id: r.req_id, article_type: Some(1), article_text: Some(text) };
        self.send(conn, 83, &message);
    }

    pub(super) fn historical_news(&mut self, conn: ConnId, r: &HistoricalNewsRequest) {
        let inst = self.universe.by_con_id(r.con_id.unwrap_or(0));
        let Some(inst) = inst else {
            self.error_code(conn, r.req_id.unwrap_or(0), 200);
            return;
        };
        let bound =
            |t: &Option<String>| t.as_deref().map(|t| t.replace('-', "")).filter(|t| !t.is_empty());
        let read = |t: String| time::parse(t.trim_end_matches(".0"));
        let from = bound(&r.start_date_time).and_then(read).unwrap_or(0);
        let to = bound(&r.end_date_time).and_then(read).unwrap_or(self.now_ns).min(self.now_ns);
        let wanted = usize::try_from(r.total_results.unwrap_or(10)).unwrap_or(0).min(300);
        let codes = r.provider_codes.clone().unwrap_or_default();
        let mut slot = to / EVERY_NS;
        let mut told = 0;
        // A day of slots is looked through at most.
        for _ in 0..144 {
            let ns = slot * EVERY_NS;
            if told == wanted || ns < from {
                break;
            }
            let headline = self.headline(inst.stock, slot);
            if codes.is_empty() || codes.split(['+', ',']).any(|c| c == headline.provider) {
                let message = HistoricalNews {
                    req_id: r.req_id,
                    time: Some(time::news_stamp(ns)),
                    provider_code: Some(headline.provider.into()),
                    article_id: Some(headline.id),
                    headline: Some(headline.text),
                };
                self.send(conn, 86, &message);
                told += 1;
            }
            slot = slot.saturating_sub(1);
        }
        self.send(
            conn,
            87,
            &HistoricalNewsEnd { req_id: r.req_id, has_more: Some(told == wanted) },
        );
    }

    /// Tells a quote stream the headlines since its last.
    pub(super) fn tell_news(&mut self, conn: ConnId, req_id: i32, stock: usize, q: &mut QuoteSub) {
        let (last, slot) = (q.news_ns / EVERY_NS, self.now_ns / EVERY_NS);
        let first = q.news_ns < self.start_ns;
        q.news_ns = self.now_ns;
        if slot == last && !first {
            return;
        }
        let headline = self.headline(stock, slot);
        let message = TickNews {
            req_id: Some(req_id),
            timestamp: Some((slot * EVERY_NS / time::MILLI) as i64),
            provider_code: Some(headline.provider.into()),
            article_id: Some(headline.id),
            headline: Some(headline.text),
            extra_data: Some("A:1:L:en".into()),
        };
        self.send(conn, 84, &message);
    }

    pub(super) fn bulletins(&mut self, conn: ConnId, r: &NewsBulletinsRequest) {
        if let Some(c) = self.conn(conn) {
            c.bulletins = true;
        }
        if r.all_messages == Some(true) {
            self.bulletin(conn, 1, "Simulated bulletin: exchange operates normally");
        }
    }

    fn bulletin(&mut self, conn: ConnId, id: i32, text: &str) {
        let message = NewsBulletin {
            news_msg_id: Some(id),
            news_msg_type: Some(1),
            news_message: Some(text.into()),
            originating_exch: Some("NASDAQ".into()),
        };
        self.send(conn, 14, &message);
    }

    /// Every minute: a bulletin on the hour for those who want them.
    pub(super) fn news_due(&mut self) {
        if !(self.now_ns / SECOND).is_multiple_of(3_600) {
            return;
        }
        for conn in self.started() {
            if self.conn(conn).is_some_and(|c| c.bulletins) {
                self.bulletin(
                    conn,
                    (self.now_ns / (3_600 * SECOND) % 100_000) as i32,
                    "Simulated bulletin",
                );
            }
        }
    }
}
