//! What a gateway does, asked question by question: for a user with a paper account, who can lay
//! the answers beside those of the simulator and share both. No account number leaves here.

mod orders;
mod questions;
mod report;

use crate::probe::{ProbeError, ProbeTimeouts, probe};
use ibapi::client::blocking::Client;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub use report::{Compared, Comparison, compare, markdown};

/// How a check is run.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The gateway.
    pub address: SocketAddr,
    /// Client id to take.
    pub client_id: i32,
    /// A US stock.
    pub symbol: String,
    /// Longest wait for the answer to one question.
    pub deadline: Duration,
    /// Places one order of one share far from the market and cancels it.
    pub place_order: bool,
}

/// How an answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As the adapter needs it.
    Good,
    /// An answer, but one that the adapter cannot trade on.
    Bad,
    /// None in time, or an error.
    NoAnswer,
    /// Not asked.
    NotAsked,
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Name of the question.
    pub name: &'static str,
    /// How it was answered.
    pub outcome: Outcome,
    /// What matters of the answer: what two gateways should agree on.
    pub facts: BTreeMap<&'static str, String>,
    /// What else was said; differs from day to day.
    pub notes: Vec<String>,
    /// Time until it was complete, milliseconds.
    pub took_ms: u64,
}

/// Why nothing was asked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// No gateway there.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The gateway refused the session.
    #[error("{address}: {text}")]
    Session {
        /// Address of the gateway.
        address: SocketAddr,
        /// What the library said.
        text: String,
    },
}

/// Asks every question.
///
/// # Errors
/// [`CheckError`] where there is no session; questions without an answer are answers.
pub fn check(options: &CheckOptions) -> Result<Vec<Answer>, CheckError> {
    let greeting = probe(options.address, &ProbeTimeouts::default())?;
    let began = Instant::now();
    let opened = Client::builder()
        .address(options.address.to_string())
        .client_id(options.client_id)
        .tcp_no_delay(true)
        .max_reconnect_attempts(0)
        .one_shot_timeout(options.deadline)
        .connect_with_notice_stream();
    let (client, notices) = opened
        .map_err(|e| CheckError::Session { address: options.address, text: e.to_string() })?;
    let accounts: Vec<String> = client.handshake_managed_accounts().to_vec();
    let mut asker = Asker { client: &client, options, accounts, answers: Vec::new() };
    asker.session(&greeting.server_version.to_string(), began, &notices);
    asker.reference();
    asker.market();
    asker.account();
    asker.orders();
    let (mut answers, accounts) = (asker.answers, asker.accounts);
    answers.iter_mut().for_each(|a| a.hide(&accounts));
    Ok(answers)
}

/// Somebody who asks.
struct Asker<'a> {
    client: &'a Client,
    options: &'a CheckOptions,
    accounts: Vec<String>,
    answers: Vec<Answer>,
}

impl Asker<'_> {
    /// Asks one question; `ask` fills in facts and notes and says how the answer was.
    fn ask(&mut self, name: &'static str, ask: impl FnOnce(&Self, &mut Answer) -> Outcome) {
        let began = Instant::now();
        let mut answer = Answer {
            name,
            outcome: Outcome::NotAsked,
            facts: BTreeMap::new(),
            notes: Vec::new(),
            took_ms: 0,
        };
        answer.outcome = ask(self, &mut answer);
        answer.took_ms = began.elapsed().as_millis() as u64;
        self.answers.push(answer);
    }
}

impl Answer {
    fn fact(&mut self, name: &'static str, value: impl ToString) {
        self.facts.insert(name, value.to_string());
    }

    fn note(&mut self, text: impl ToString) {
        self.notes.push(text.to_string());
    }

    /// Notes an error, its code as a fact.
    fn error(&mut self, error: &ibapi::Error) -> Outcome {
        if let ibapi::Error::Notice(n) = error {
            self.fact("code", n.code);
        }
        self.note(error);
        Outcome::NoAnswer
    }

    /// Hides account numbers: those the gateway named, and whatever else looks like one.
    fn hide(&mut self, accounts: &[String]) {
        for text in self.facts.values_mut().chain(&mut self.notes) {
            *text = hidden(text, accounts);
        }
    }
}

/// Returns `text` without account numbers.
fn hidden(text: &str, accounts: &[String]) -> String {
    let mut text = text.to_string();
    for account in accounts.iter().filter(|a| !a.is_empty()) {
        text = text.replace(account.as_str(), "ACCOUNT");
    }
    // Letters U, DU, F, DF, I and so on before at least five digits.
    let mut out = String::with_capacity(text.len());
    let is_word = |c: char| c.is_ascii_alphanumeric();
    let mut rest = text.as_str();
    while let Some(start) = rest.find(is_word) {
        let end = rest[start..].find(|c| !is_word(c)).map_or(rest.len(), |e| start + e);
        let word = &rest[start..end];
        let letters = word.chars().take_while(char::is_ascii_uppercase).count();
        let digits = word[letters..].chars().all(|c| c.is_ascii_digit());
        let is_account = (1..=3).contains(&letters) && digits && word.len() - letters >= 5;
        out.push_str(&rest[..start]);
        out.push_str(if is_account { "ACCOUNT" } else { word });
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

#[test]
fn account_numbers_are_hidden_and_nothing_else() {
    let accounts = ["DU0000001".to_string(), "x-9".to_string()];
    let text = "DU0000001: U1234567, DF12345 (x-9) AAPL 265598 Q1 at 20261122 U12";
    let want = "ACCOUNT: ACCOUNT, ACCOUNT (ACCOUNT) AAPL 265598 Q1 at 20261122 U12";
    assert_eq!(hidden(text, &accounts), want);
}
