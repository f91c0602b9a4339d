//! What of a trace is kept: whether it is at all, whether with what was said, and without which secrets.
//!
//! Applied to the rows of a trace on the writer's side, just before they are stored: what goes to clients and
//! providers, and the responses that clients may ask back, stay as they are. What traces are found by (user,
//! session, source, prompt, tags) loses secrets, and keeps personal data: whoever must not be named there is given
//! another name by the caller.

use crate::attribute as name;
use hanok_base::{Caller, NanoDollars, Payloads, SpanStatus, TraceId};
use hanok_guard::Redactor;
use hanok_store::{SpanRow, TraceBatch};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;
use std::time::Duration;

/// What is kept, by project.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// Where a project has none of its own.
    pub default: Policy,
    /// By the project's name.
    pub projects: HashMap<String, Policy>,
}

impl Policies {
    /// What holds for a project.
    pub fn of(&self, project: &str) -> &Policy {
        self.projects.get(project).unwrap_or(&self.default)
    }
}

/// What is kept of a project's traces.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// What is replaced.
    pub redactor: Redactor,
    /// Whether what was said is kept, where the key does not say.
    pub payloads: Payloads,
    /// Which traces are kept.
    pub sampling: Sampling,
}

impl Policy {
    /// Everything is kept but secrets.
    pub fn careful() -> Self {
        Self { redactor: Redactor::new(true, []), ..Self::default() }
    }
}

/// Which traces are kept with their spans. Those that are not are charged and counted all the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// How many of all, from 0 to 1; the trace's id decides.
    pub rate: f64,
    /// Those that are kept in any case.
    pub keep: Vec<Keep>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self { rate: 1.0, keep: Vec::new() }
    }
}

/// What is kept in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Traces in which something failed.
    Errors,
    /// Traces that took longer.
    Slower(Duration),
    /// Traces that cost more.
    Dearer(NanoDollars),
}

/// A rule that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no rule of what is kept: write `errors`, `slow>10s` or `cost>0.1`")]
pub struct NoKeep(String);

impl std::str::FromStr for Keep {
    type Err = NoKeep;
    fn from_str(text: &str) -> Result<Self, NoKeep> {
        let bad = || NoKeep(text.to_owned());
        match text.split_once('>') {
            None if text.trim() == "errors" => Ok(Self::Errors),
            Some((what, than)) if what.trim() == "slow" => {
                let than = than.trim();
                let at = than.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(than.len());
                let (number, unit) = than.split_at(at);
                let factor = match unit {
                    "ms" => 0.001,
                    "s" => 1.0,
                    "m" => 60.0,
                    _ => return Err(bad()),
                };
                let number: f64 = number.trim().parse().map_err(|_| bad())?;
                Duration::try_from_secs_f64(number * factor).map(Self::Slower).map_err(|_| bad())
            }
            Some((what, than)) if what.trim() == "cost" => {
                than.trim().trim_start_matches('$').parse().map(Self::Dearer).map_err(|_| bad())
            }
            _ => Err(bad()),
        }
    }
}

impl std::fmt::Display for Keep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Errors => f.write_str("errors"),
            Self::Slower(than) => write!(f, "slow>{}s", than.as_secs_f64()),
            Self::Dearer(than) => write!(f, "cost>{}", than.dollars()),
        }
    }
}

impl Sampling {
    /// Whether a trace is kept.
    fn keeps(&self, batch: &TraceBatch) -> bool {
        self.rate >= 1.0 || self.draws(batch.trace_id) || self.keep.iter().any(|keep| keep.holds(batch))
    }

    /// The same for all pieces of a trace, in whatever process.
    fn draws(&self, trace_id: TraceId) -> bool {
        let (time, chance) = trace_id.as_bytes().split_at(8);
        let half = |bytes: &[u8]| bytes.try_into().map_or(0, u64::from_be_bytes);
        // Mixed, as not everybody's ids are random in each of their bits (splitmix64).
        let mut word = half(chance) ^ half(time).rotate_left(32);
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^= word >> 31;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are kept, which is what a float holds")]
        let drawn = (word >> 11) as f64 / (1_u64 << 53) as f64;
        drawn < self.rate
    }
}

impl Keep {
    fn holds(self, batch: &TraceBatch) -> bool {
        match self {
            Self::Errors => failed(batch),
            Self::Slower(than) => {
                let start = batch.spans.iter().map(|span| span.start.0).min().unwrap_or(0);
                let ends = batch.spans.iter().map(|span| span.start.0.saturating_add(span.duration_ns));
                let took = ends.max().unwrap_or(0).saturating_sub(start);
                u128::from(took.unsigned_abs()) > than.as_nanos()
            }
            Self::Dearer(than) => batch.cost() > than,
        }
    }
}

fn failed(batch: &TraceBatch) -> bool {
    let bad = |status: &SpanStatus| *status != SpanStatus::Ok;
    bad(&batch.summary.status) || batch.spans.iter().any(|span| bad(&span.status))
}

/// Makes of a trace what is kept of it.
pub(crate) fn govern(batch: &mut TraceBatch, policy: &Policy, caller: &Caller) {
    batch.kept = policy.sampling.keeps(batch);
    if !batch.kept {
        return;
    }
    let silent = match caller.payloads.unwrap_or(policy.payloads) {
        Payloads::On => false,
        Payloads::Errors => !failed(batch),
        Payloads::Off => true,
    };
    if silent {
        silence(batch);
    }
    if !policy.redactor.is_idle() {
        redact(batch, &policy.redactor);
    }
}

/// Attributes in which something was said, where they are small enough to stand among the others.
const SAID: [&str; 14] = [
    name::INPUT_MESSAGES,
    name::OUTPUT_MESSAGES,
    name::TOOL_DEFINITIONS,
    name::RAW_REQUEST,
    name::RAW_RESPONSE,
    name::STOP,
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.retrieval.query.text",
    "input.value",
    "output.value",
    "hanok.query",
    "hanok.hits",
];

/// Leaves out what was said.
fn silence(batch: &mut TraceBatch) {
    batch.summary.input_preview = None;
    batch.summary.output_preview = None;
    for span in &mut batch.spans {
        span.bodies.clear();
        span.attributes.retain(|(key, _)| !SAID.contains(&key.as_ref()));
    }
}

fn redact(batch: &mut TraceBatch, redactor: &Redactor) {
    let labels = redactor.with_pii([]);
    let mut all = 0;
    for span in &mut batch.spans {
        let count = redact_span(span, redactor, &labels);
        if count > 0 {
            all += count;
            span.attributes.push((Cow::Borrowed(name::REDACTIONS), count.into()));
        }
    }
    let summary = &mut batch.summary;
    let mut text = |text: &mut String, redactor: &Redactor| all += replace(text, redactor);
    text(&mut summary.name, redactor);
    if let SpanStatus::Error(error) = &mut summary.status {
        text(error, redactor);
    }
    let said = [&mut summary.session, &mut summary.user, &mut summary.prompt, &mut summary.source];
    for label in said.into_iter().flatten().chain(&mut summary.tags) {
        text(label, &labels);
    }
    for preview in [&mut summary.input_preview, &mut summary.output_preview].into_iter().flatten() {
        text(preview, redactor);
    }
    if all > 0 {
        // A preview is cut, and what the cut went through is not found by its form.
        for preview in [&mut summary.input_preview, &mut summary.output_preview].into_iter().flatten() {
            drop_cut_word(preview);
        }
    }
}

fn redact_span(span: &mut SpanRow, redactor: &Redactor, labels: &Redactor) -> usize {
    let mut count = replace(&mut span.name, redactor);
    if let SpanStatus::Error(error) = &mut span.status {
        count += replace(error, redactor);
    }
    for (key, value) in &mut span.attributes {
        let is_label = matches!(
            key.as_ref(),
            name::USER
                | name::CONVERSATION
                | name::SOURCE
                | name::TAGS
                | name::PROMPT_NAME
                | name::PROMPT_VERSION
        );
        count += redact_value(value, if is_label { labels } else { redactor });
    }
    for (_, body) in &mut span.bodies {
        if let Some(redacted) = redactor.json(body) {
            *body = redacted.value;
            count += redacted.count;
        }
    }
    count
}

fn redact_value(value: &mut Value, redactor: &Redactor) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 0,
        Value::String(text) => replace(text, redactor),
        // A card's number, say, that is nobody's text.
        Value::Number(number) => match redactor.text(&number.to_string()) {
            Some(redacted) => {
                *value = redacted.value.into();
                redacted.count
            }
            None => 0,
        },
        Value::Array(items) => items.iter_mut().map(|item| redact_value(item, redactor)).sum(),
        Value::Object(members) => {
            let mut count = 0;
            let named = members.keys().any(|key| redactor.text(key).is_some());
            if named {
                *members = std::mem::take(members)
                    .into_iter()
                    .map(|(mut key, value)| {
                        count += replace(&mut key, redactor);
                        (key, value)
                    })
                    .collect();
            }
            count + members.values_mut().map(|member| redact_value(member, redactor)).sum::<usize>()
        }
    }
}

fn replace(text: &mut String, redactor: &Redactor) -> usize {
    match redactor.text(text) {
        Some(redacted) => {
            *text = redacted.value;
            redacted.count
        }
        None => 0,
    }
}

/// Leaves out the word that a preview was cut in, and digits before it.
fn drop_cut_word(preview: &mut String) {
    let Some(shown) = preview.strip_suffix('…') else { return };
    let word = shown.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let whole = shown.get(..word).unwrap_or_default();
    let whole =
        whole.trim_end_matches(|char: char| char.is_ascii_digit() || matches!(char, ' ' | '-' | '.' | '+'));
    *preview = if whole.is_empty() { "…".to_owned() } else { format!("{whole} …") };
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{SpanId, Timestamp, Usage};
    use hanok_guard::Pii;
    use hanok_store::{Slot, Summary};

    const SECRET: &str = "AKIAIOSFODNN7EXAMPLE";

    fn batch(id: u64) -> TraceBatch {
        let span = SpanRow {
            span_id: SpanId::from_bytes([1; 8]),
            parent_id: None,
            name: "chat".into(),
            operation: "chat".into(),
            start: Timestamp(0),
            duration_ns: 2_000_000_000,
            status: SpanStatus::Ok,
            counted: true,
            model: None,
            provider: None,
            usage: Usage { input: Some(1), ..Usage::default() },
            cost: Some(NanoDollars(200_000_000)),
            ttft_ns: None,
            attributes: vec![
                (name::USER.into(), "alice@example.com".into()),
                (
                    "note".into(),
                    serde_json::json!({"a": [format!("key {SECRET}"), 4_111_111_111_111_111_u64]}),
                ),
                ("input.value".into(), "mail alice@example.com".into()),
            ],
            bodies: vec![(
                Slot::Input,
                format!(r#"{{"c":"\n{SECRET} and alice@example.com"}}"#).into_bytes(),
            )],
        };
        let summary = Summary {
            rooted: true,
            name: "chat".into(),
            operation: "chat".into(),
            status: SpanStatus::Ok,
            model: None,
            provider: None,
            key_name: None,
            key_id: None,
            project: None,
            session: None,
            user: Some("alice@example.com".into()),
            tags: Vec::new(),
            prompt: None,
            source: None,
            made_of: Vec::new(),
            ttft_ns: None,
            input_preview: Some(format!("{SECRET} is it, or 010-2234-5678, and AKIAIOSF…")),
            output_preview: None,
        };
        let trace_id = TraceId::from_bytes((u128::from(id) << 64 | u128::from(id)).to_be_bytes());
        TraceBatch { trace_id, summary, spans: vec![span], kept: true }
    }

    fn policy(pii: &[Pii]) -> Policy {
        Policy { redactor: Redactor::new(true, pii.iter().copied()), ..Policy::default() }
    }

    #[test]
    fn nothing_of_what_is_found_is_left() {
        let mut batch = batch(1);
        govern(&mut batch, &policy(&[Pii::Email, Pii::Card, Pii::PhoneKr]), &Caller::default());
        let span = &batch.spans[0];
        assert_eq!(
            String::from_utf8_lossy(&span.bodies[0].1),
            r#"{"c":"\n[secret:aws-key-id] and [email]"}"#
        );
        let value = |key: &str| span.attributes.iter().find(|(known, _)| known == key).unwrap().1.clone();
        assert_eq!(value("note"), serde_json::json!({"a": ["key [secret:aws-key-id]", "[card]"]}));
        assert_eq!(value("input.value"), "mail [email]");
        assert_eq!(value(name::USER), "alice@example.com", "what it is found by stays");
        assert_eq!(value(name::REDACTIONS), 5);
        assert_eq!(
            batch.summary.input_preview.as_deref(),
            Some("[secret:aws-key-id] is it, or [phone], and …"),
            "the cut word is gone"
        );
    }

    #[test]
    fn what_was_said_is_kept_or_not() {
        let said = |payloads: Payloads, key: Option<Payloads>, fail: bool| {
            let mut batch = batch(1);
            if fail {
                batch.spans[0].status = SpanStatus::Error("no".into());
            }
            let caller = Caller { payloads: key, ..Caller::default() };
            govern(&mut batch, &Policy { payloads, ..Policy::default() }, &caller);
            assert_eq!(batch.cost(), NanoDollars(200_000_000));
            let span = &batch.spans[0];
            let some = !span.bodies.is_empty();
            assert_eq!(some, batch.summary.input_preview.is_some());
            assert_eq!(some, span.attributes.iter().any(|(key, _)| key == "input.value"));
            assert!(span.attributes.iter().any(|(key, _)| key == "note"));
            some
        };
        assert!(said(Payloads::On, None, false));
        assert!(!said(Payloads::Off, None, true));
        assert!(!said(Payloads::Errors, None, false));
        assert!(said(Payloads::Errors, None, true));
        assert!(!said(Payloads::On, Some(Payloads::Off), false), "the key has the last word");
        assert!(said(Payloads::Off, Some(Payloads::On), false));
    }

    #[test]
    fn sampling_is_the_traces_own_luck() {
        let kept = |rate: f64, keep: &[Keep], fail: bool| {
            let sampling = Sampling { rate, keep: keep.to_vec() };
            let policy = Policy { sampling, ..Policy::default() };
            (0..10_000_u64)
                .filter(|id| {
                    let mut one = batch(*id);
                    if fail {
                        one.spans[0].status = SpanStatus::Error("no".into());
                    }
                    govern(&mut one, &policy, &Caller::default());
                    one.kept
                })
                .count()
        };
        assert_eq!(kept(1.0, &[], false), 10_000);
        assert_eq!(kept(0.0, &[], false), 0);
        assert!((900..1_100).contains(&kept(0.1, &[], false)));
        assert_eq!(kept(0.1, &[], false), kept(0.1, &[], false));
        assert_eq!(kept(0.0, &[Keep::Errors], true), 10_000);
        assert_eq!(kept(0.0, &["slow>1s".parse().unwrap()], false), 10_000);
        assert_eq!(kept(0.0, &["slow>2s".parse().unwrap()], false), 0);
        assert_eq!(kept(0.0, &["cost>0.1".parse().unwrap()], false), 10_000);
        assert_eq!(kept(0.0, &["cost>$0.2".parse().unwrap()], false), 0);
        for bad in ["error", "slow", "slow>", "slow>1", "cost>x", "cheap>1"] {
            assert!(bad.parse::<Keep>().is_err(), "{bad}");
        }
    }
}
