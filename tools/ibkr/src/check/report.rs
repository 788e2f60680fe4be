//! The answers of two gateways side by side.

use super::{Answer, Outcome};
use serde::Serialize;
use std::collections::BTreeSet;

/// Whether two gateways answered a question alike.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Name of the question.
    pub name: &'static str,
    /// Facts that differ: name, the gateway's, the simulator's.
    pub differs: Vec<(&'static str, String, String)>,
}

/// A report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// What the gateway answered.
    pub gateway: Vec<Answer>,
    /// What the simulator answers to the same questions.
    pub simulator: Vec<Answer>,
    /// Question by question.
    pub compared: Vec<Compared>,
}

impl Comparison {
    /// Returns the questions that the gateway answered badly or not.
    pub fn failed(&self) -> Vec<&'static str> {
        let bad = |a: &&Answer| matches!(a.outcome, Outcome::Bad | Outcome::NoAnswer);
        self.gateway.iter().filter(bad).map(|a| a.name).collect()
    }

    /// Returns the questions that the two answer differently.
    pub fn different(&self) -> Vec<&'static str> {
        self.compared.iter().filter(|c| !c.differs.is_empty()).map(|c| c.name).collect()
    }
}

/// Compares the outcome and every fact of every question.
pub fn compare(gateway: Vec<Answer>, simulator: Vec<Answer>) -> Comparison {
    let outcome = |a: &Answer| format!("{:?}", a.outcome);
    let mut compared = Vec::with_capacity(gateway.len());
    for ours in &gateway {
        let mut differs = Vec::new();
        match simulator.iter().find(|s| s.name == ours.name) {
            None => differs.push(("question", "asked".to_string(), "not asked".to_string())),
            Some(theirs) => {
                if ours.outcome != theirs.outcome {
                    differs.push(("outcome", outcome(ours), outcome(theirs)));
                }
                let names: BTreeSet<_> = ours.facts.keys().chain(theirs.facts.keys()).collect();
                let said = |a: &Answer, n| a.facts.get(n).map_or("-".to_string(), String::clone);
                for name in names {
                    let (a, b) = (said(ours, name), said(theirs, name));
                    if a != b {
                        differs.push((*name, a, b));
                    }
                }
            }
        }
        compared.push(Compared { name: ours.name, differs });
    }
    Comparison { gateway, simulator, compared }
}

/// Returns the report as Markdown.
pub fn markdown(report: &Comparison) -> String {
    let mut out = String::from(
        "# ijk ib-check\n\nWhat a gateway answered, beside what the simulator `ijk-twsim` answers \
         to the same questions.\nAccount numbers are replaced by ACCOUNT; look through the notes \
         before you share it.\n\n| question | answer | ms | facts | differs from the simulator \
         |\n|---|---|---|---|---|\n",
    );
    for (answer, compared) in report.gateway.iter().zip(&report.compared) {
        let facts: Vec<String> =
            answer.facts.iter().map(|(n, v)| format!("{n} {}", cell(v))).collect();
        let differs: Vec<String> = compared
            .differs
            .iter()
            .map(|(n, a, b)| format!("{n}: {} / {}", cell(a), cell(b)))
            .collect();
        let outcome = match answer.outcome {
            Outcome::Good => "good",
            Outcome::Bad => "BAD",
            Outcome::NoAnswer => "NO ANSWER",
            Outcome::NotAsked => "not asked",
        };
        out.push_str(&format!(
            "| {} | {outcome} | {} | {} | {} |\n",
            answer.name,
            answer.took_ms,
            facts.join("; "),
            differs.join("; "),
        ));
    }
    out.push_str("\n## Notes\n\n");
    for answer in report.gateway.iter().filter(|a| !a.notes.is_empty()) {
        let notes: Vec<String> = answer.notes.iter().map(|n| cell(n)).collect();
        out.push_str(&format!("- {}: {}\n", answer.name, notes.join("; ")));
    }
    out
}

/// Returns text that keeps a table's row whole.
fn cell(text: &str) -> String {
    text.replace(['|', '\n', '\r'], " ")
}
