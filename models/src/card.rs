//! The model card: what a weights file was made of and what it can do.

use crate::compare::Comparison;
use crate::conformal::Reliability;
use crate::evaluate::HorizonReport;
use crate::fit::{FitSettings, Provenance};
use crate::labels::LabelScale;
use crate::metrics::Interval;
use crate::scaler::Scaler;
use crate::train::MemberHistory;
use ijk_core::forecast::HORIZON_COUNT;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// Everything known of a weights file, as JSON beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Where it comes from.
    pub provenance: CardProvenance,
    /// SHA-256 of the weights file.
    pub weights_sha256: String,
    /// SHA-256 of the training sessions' tokens.
    pub training_data_sha256: String,
    /// Settings of the fit.
    pub settings: FitSettings,
    /// Sessions and the part each stood in.
    pub sessions: Vec<CardSession>,
    /// Scaler of the features.
    pub scaler: Scaler,
    /// Thresholds, scales and class shares of the training labels.
    pub label_scale: LabelScale,
    /// How each member came to be.
    pub members: Vec<MemberCard>,
    /// Scores on the test part.
    pub test: Vec<HorizonReport>,
    /// What the slots are worth; absent in cards of models without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotsCard>,
    /// What the forecast's own uncertainty is worth; absent in older cards.
    #[serde(default)]
    pub reliability: Option<Reliability>,
    /// The ensemble beside its baselines on the test part, where that was asked for.
    #[serde(default)]
    pub comparison: Vec<Comparison>,
    /// Scores of the walk-forward folds, oldest first.
    #[serde(default)]
    pub walk_forward: Vec<FoldCard>,
}

/// What is known of a model's slots; their shapes and files stand in the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SlotsCard {
    /// How often each slot was known.
    pub known: Vec<KnownShare>,
    /// Scores on the same test part with every slot missing.
    pub missing: Vec<HorizonReport>,
}

/// How often one slot was known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KnownShare {
    /// Name of the slot.
    pub name: String,
    /// Share of the training tokens.
    pub training: f64,
    /// Share of the test tokens.
    pub test: f64,
}

/// One fold of a walk-forward evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FoldCard {
    /// Tokens that trained.
    pub train_tokens: usize,
    /// Tokens that tested.
    pub test_tokens: usize,
    /// Scores of one member on them.
    pub test: Vec<HorizonReport>,
}

/// Provenance as the card keeps it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardProvenance {
    /// The command as given.
    pub command: String,
    /// ISO 8601.
    pub created: String,
    /// Version of the code.
    pub code_version: String,
    /// SHA-256 of the program; absent in older cards.
    #[serde(default)]
    pub code_sha256: String,
    /// Where it trained; absent in older cards.
    #[serde(default)]
    pub device: String,
}

impl From<&Provenance> for CardProvenance {
    fn from(p: &Provenance) -> Self {
        CardProvenance {
            command: p.command.clone(),
            created: p.created.clone(),
            code_version: p.code_version.clone(),
            code_sha256: p.code_sha256.clone(),
            device: p.device.clone(),
        }
    }
}

/// One session and its part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardSession {
    /// Feed and symbol.
    pub name: String,
    /// `training`, `validation` or `test`.
    pub part: String,
    /// First token used.
    pub first_token: usize,
    /// Tokens used.
    pub tokens: usize,
    /// SHA-256 of the whole session's tokens.
    pub sha256: String,
}

/// One member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberCard {
    /// Losses.
    pub history: MemberHistory,
    /// Factor put on its variances by the validation part, per horizon.
    pub variance_factor: [f64; HORIZON_COUNT],
}

impl Card {
    /// Returns the card as a document for people.
    pub fn to_markdown(&self, title: &str) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_markdown(&mut out, title);
        out
    }

    fn write_markdown(&self, out: &mut String, title: &str) -> std::fmt::Result {
        let p = &self.provenance;
        writeln!(out, "# {title}\n")?;
        writeln!(out, "Made {} by ijk-train {} with\n", p.created, p.code_version)?;
        writeln!(out, "```sh\n{}\n```\n", p.command)?;
        writeln!(out, "Weights sha256 `{}`.\n", self.weights_sha256)?;
        if !p.code_sha256.is_empty() {
            writeln!(out, "Program sha256 `{}`.\n", p.code_sha256)?;
        }
        if !p.device.is_empty() {
            writeln!(out, "Trained on: {}.\n", p.device)?;
        }
        self.write_model(out)?;
        self.write_data(out)?;
        self.write_scores(out)?;
        self.write_slots(out)?;
        self.write_comparison(out)?;
        self.write_reliability(out)?;
        self.write_walk_forward(out)?;
        self.write_members(out)?;
        writeln!(out, "\n## Limits\n")?;
        if self.sessions.iter().any(|s| s.name.starts_with("synth")) {
            writeln!(
                out,
                "Synthetic sessions carry a signal that was put there. Skill on them shows that \
                 the whole chain works, and says nothing of any real market: fit on recorded \
                 data before trading."
            )?;
        }
        writeln!(
            out,
            "Baselines here are the class shares of the training part and ordinary least squares \
             on the features of the same token; the result after costs is not part of this card."
        )
    }

    fn write_model(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Model\n")?;
        writeln!(
            out,
            "{} members of the streaming encoder (12 features, 6 blocks, 64 wide, 8 heads, \
             feed-forward 256, window 64 tokens), stride {}, fp16. Heads at 1, 5, 10 and 20 \
             tokens: classes down, flat, up; mean; log variance. Seeds {} to {}{}.\n",
            self.members.len(),
            self.settings.stride,
            self.settings.seed,
            self.settings.seed + self.members.len().saturating_sub(1) as u64,
            if self.members.len() > 1 { ", each on its own bootstrap of sequences" } else { "" },
        )
    }

    fn write_data(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Data\n")?;
        writeln!(
            out,
            "Training data sha256 `{}`. Scaler, class thresholds and label scales come from the \
             training part only.\n",
            self.training_data_sha256
        )?;
        writeln!(out, "| part | session | first token | tokens | sha256 of tokens |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        for s in &self.sessions {
            let hash = s.sha256.get(..16).unwrap_or_default();
            writeln!(
                out,
                "| {} | {} | {} | {} | `{hash}...` |",
                s.part, s.name, s.first_token, s.tokens
            )?;
        }
        writeln!(out)
    }

    fn write_scores(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "## Test scores\n")?;
        writeln!(
            out,
            "On the test sessions, after rounding to fp16, with the kernel's streaming encoder, \
             from token {} on. R² is against the forecast \"no change\"; brackets are 95 % \
             intervals from a bootstrap of 200-token blocks.\n",
            crate::evaluate::warm_up_tokens()
        )?;
        writeln!(out, "| horizon | rows | R² | R² of OLS | IC | IC of OLS |")?;
        writeln!(out, "|---|---|---|---|---|---|")?;
        for h in &self.test {
            let ols = |pick: fn(&crate::metrics::MeanScores) -> &Interval| {
                h.mean_ols.as_ref().map_or("-".into(), |s| interval(pick(s)))
            };
            writeln!(
                out,
                "| {} | {} | {} | {} | {} | {} |",
                h.horizon_tokens,
                h.rows,
                interval(&h.mean.r2),
                ols(|s| &s.r2),
                interval(&h.mean.ic),
                ols(|s| &s.ic)
            )?;
        }
        writeln!(out, "\n| horizon | macro-F1 (prior) | log loss (prior) | Brier (prior) |")?;
        writeln!(out, "|---|---|---|---|")?;
        for h in &self.test {
            let (c, p) = (&h.class, &h.class_prior);
            writeln!(
                out,
                "| {} | {:.4} ({:.4}) | {:.4} ({:.4}) | {:.4} ({:.4}) |",
                h.horizon_tokens, c.macro_f1, p.macro_f1, c.log_loss, p.log_loss, c.brier, p.brier
            )?;
        }
        writeln!(
            out,
            "\n| horizon | within ±1.645σ | mean z² | NLL | label rms bps | forecast sd bps | \
             epistemic sd bps | aleatoric sd bps |"
        )?;
        writeln!(out, "|---|---|---|---|---|---|---|---|")?;
        for h in &self.test {
            let v = &h.variance;
            writeln!(
                out,
                "| {} | {:.4} | {:.3} | {:.4} | {:.3} | {:.3} | {:.3} | {:.3} |",
                h.horizon_tokens,
                v.coverage_90,
                v.mean_z2,
                v.nll,
                v.label_rms_bps,
                v.forecast_sd_bps,
                v.epistemic_sd_bps,
                v.aleatoric_sd_bps
            )?;
        }
        Ok(())
    }

    fn write_slots(&self, out: &mut String) -> std::fmt::Result {
        let Some(slots) = &self.slots else { return Ok(()) };
        writeln!(out, "\n## Slots\n")?;
        let s = &self.settings.slots;
        writeln!(
            out,
            "From {}; missing in a training sequence with probability {}. The vectors and their \
             times are part of the data's hash.\n",
            s.files.join(", "),
            s.drop_probability
        )?;
        writeln!(out, "| slot | width | stale after s | known in training | known in test |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        for (shape, known) in s.slot.iter().zip(&slots.known) {
            writeln!(
                out,
                "| {} | {} | {} | {:.1} % | {:.1} % |",
                shape.name,
                shape.width,
                shape.stale_after_s,
                100.0 * known.training,
                100.0 * known.test
            )?;
        }
        writeln!(out, "\nOn the same test rows with every slot missing:\n")?;
        writeln!(out, "| horizon | log loss with, without | IC with, without |")?;
        writeln!(out, "|---|---|---|")?;
        for (with, without) in self.test.iter().zip(&slots.missing) {
            writeln!(
                out,
                "| {} | {:.4}, {:.4} | {}, {} |",
                with.horizon_tokens,
                with.class.log_loss,
                without.class.log_loss,
                interval(&with.mean.ic),
                interval(&without.mean.ic)
            )?;
        }
        Ok(())
    }

    fn write_comparison(&self, out: &mut String) -> std::fmt::Result {
        if self.comparison.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n## Beside its baselines\n")?;
        writeln!(
            out,
            "Trained on the same rows, scored on the same test rows; brackets are 95 % intervals \
             from the same 200-token blocks for all, p of equal log loss by Diebold and Mariano.\n"
        )?;
        out.push_str(&crate::compare::to_markdown(&self.comparison));
        Ok(())
    }

    fn write_reliability(&self, out: &mut String) -> std::fmt::Result {
        let Some(r) = &self.reliability else { return Ok(()) };
        writeln!(out, "\n## Reliability\n")?;
        writeln!(
            out,
            "Conformal 90 % intervals from {} tokens that neither trained nor validated; coverage \
             is that of the test part. Tracked widths start there and follow the labels as they \
             come to be known, by 1 % a step. {:.2} % of the test tokens lie outside what the \
             training features covered: there sizing adds no risk.\n",
            r.calibration_rows,
            100.0 * r.distrusted_share
        )?;
        writeln!(
            out,
            "| horizon | half width in sd | coverage | coverage of ±1.645 sd | tracked: mean half \
             width, coverage |"
        )?;
        writeln!(out, "|---|---|---|---|---|")?;
        for (h, report) in self.test.iter().enumerate() {
            writeln!(
                out,
                "| {} | {:.3} | {} | {} | {} |",
                report.horizon_tokens,
                r.interval_z90[h],
                interval(&r.coverage[h]),
                interval(&r.coverage_normal[h]),
                r.tracked.as_ref().map_or("-".into(), |t| {
                    format!("{:.3}, {}", t.half_width[h], interval(&t.coverage[h]))
                })
            )?;
        }
        Ok(())
    }

    fn write_walk_forward(&self, out: &mut String) -> std::fmt::Result {
        if self.walk_forward.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n## Walk-forward folds\n")?;
        writeln!(
            out,
            "One member a fold, trained on everything before it; labels purged, 20 tokens left \
             out at each cut. IC and log loss (prior) per horizon.\n"
        )?;
        writeln!(out, "| training tokens | test tokens | horizon | IC | log loss (prior) |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        for fold in &self.walk_forward {
            for h in &fold.test {
                writeln!(
                    out,
                    "| {} | {} | {} | {} | {:.4} ({:.4}) |",
                    fold.train_tokens,
                    fold.test_tokens,
                    h.horizon_tokens,
                    interval(&h.mean.ic),
                    h.class.log_loss,
                    h.class_prior.log_loss
                )?;
            }
        }
        Ok(())
    }

    fn write_members(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "\n## Members\n")?;
        writeln!(out, "| seed | steps | kept epoch | validation loss | R² at each horizon |")?;
        writeln!(out, "|---|---|---|---|---|")?;
        for (m, member) in self.members.iter().enumerate() {
            let history = &member.history;
            let kept = history.epochs.iter().find(|e| e.epoch == history.best_epoch);
            let loss = kept.map_or(f64::NAN, |e| e.validation_loss);
            let r2: Vec<String> =
                self.test.iter().map(|h| format!("{:.4}", h.member_r2[m])).collect();
            writeln!(
                out,
                "| {} | {} | {} | {loss:.4} | {} |",
                history.seed,
                history.steps,
                history.best_epoch,
                r2.join(", ")
            )?;
        }
        Ok(())
    }
}

fn interval(i: &Interval) -> String {
    format!("{:.4} [{:.4}, {:.4}]", i.value, i.low, i.high)
}
