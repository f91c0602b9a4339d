//! Every word of the interface, in every language. A text that is missing in one does not compile.

use super::text_annotation::{AnnotationTexts, AnnotationWords};
use super::text_evals::EvalTexts;
use super::text_gateway::GatewayTexts;
use super::text_judges::JudgeTexts;
use super::text_knowledge::{KnowledgeTexts, KnowledgeWords};
use super::text_prompts::{PromptTexts, PromptWords};
use super::text_records::{RecordTexts, RecordWords};
use super::view::{Kind, TokenKind};
use serde::Serialize;

/// A language of the interface.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Korean.
    Ko,
}

impl Lang {
    /// Its tag in `lang` attributes, cookies and `?lang=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ko => "ko",
        }
    }

    /// The language of a tag (`ko`, `ko-KR`).
    pub fn parse(tag: &str) -> Option<Self> {
        match tag.split(['-', '_']).next() {
            Some(main) if main.eq_ignore_ascii_case("en") => Some(Self::En),
            Some(main) if main.eq_ignore_ascii_case("ko") => Some(Self::Ko),
            _ => None,
        }
    }

    /// The other one.
    pub(super) fn other(self) -> Self {
        match self {
            Self::En => Self::Ko,
            Self::Ko => Self::En,
        }
    }

    /// Its name in itself.
    pub(super) fn own_name(self) -> &'static str {
        match self {
            Self::En => "English",
            Self::Ko => "한국어",
        }
    }

    /// Its texts.
    pub fn texts(self) -> &'static Texts {
        match self {
            Self::En => &super::text_en::EN,
            Self::Ko => &super::text_ko::KO,
        }
    }
}

/// A text that holds a number, for one and for many; `{n}` stands for it.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Count {
    pub(super) one: &'static str,
    pub(super) many: &'static str,
}

impl Count {
    /// The text for `n`.
    pub(super) fn of(self, n: u64) -> String {
        let form = if n == 1 { self.one } else { self.many };
        form.replace("{n}", &super::format::count(n))
    }
}

/// Fills `{name}` in a text.
pub(super) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

macro_rules! texts {
    ($(#[$doc:meta])* $name:ident { $($field:ident: $kind:ty),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Serialize)]
        pub struct $name { $(pub(super) $field: $kind),+ }
    };
}
pub(super) use texts;

texts! {
    /// The words that pages are made of.
    Texts {
        // shell
        skip: &'static str, sections: &'static str, ask: &'static str, traces: &'static str, more: &'static str,
        breadcrumb: &'static str, theme: &'static str, theme_system: &'static str, theme_light: &'static str,
        theme_dark: &'static str, language: &'static str, last_minute: &'static str, per_second: &'static str,
        today: &'static str, commands: &'static str, command_hint: &'static str, keys: &'static str,
        errors_only: &'static str, copy_curl: &'static str, new_question: &'static str, toggle_live: &'static str,
        key_go: &'static str, key_filter: &'static str, key_move: &'static str, key_open: &'static str,
        key_fold: &'static str, key_neighbour: &'static str, key_new: &'static str, key_keys: &'static str,
        key_close: &'static str,
        // ask
        conversation: &'static str, messages: &'static str, question: &'static str, new: &'static str,
        ask_lead: &'static str, ask_lead_hint: &'static str, ask_hint: &'static str, collection: &'static str,
        model: &'static str, no_documents: &'static str, extract: &'static str, send: &'static str,
        sources: &'static str, sources_hint: &'static str, no_script: &'static str, try_asking: &'static str, ask_about: &'static str,
        // first run
        start_title: &'static str, start_lead: &'static str, serving_on: &'static str, serving_hint: &'static str,
        read_title: &'static str, read_hint: &'static str, copy_command: &'static str, read_waiting: &'static str,
        client_title: &'static str, client_hint: &'static str, client: &'static str, client_waiting: &'static str,
        client_done: &'static str, example: &'static str, key_title: &'static str, key_hint: &'static str,
        key_done: &'static str, key_missing: &'static str,
        // traces
        filter: &'static str, filter_example: &'static str, apply: &'static str, remove: &'static str,
        filter_help: &'static str, found: Count, live: &'static str, list_caption: &'static str,
        time: &'static str, trace: &'static str, tokens_in: &'static str, tokens_out: &'static str,
        cost: &'static str, seconds: &'static str, duration: &'static str, state: &'static str, ok: &'static str,
        error: &'static str, local: &'static str, no_price: &'static str, older: &'static str,
        none_match: &'static str, none_match_hint: &'static str, clear_filter: &'static str,
        chart: &'static str, chart_peak: &'static str, chart_errors: Count, no_traces: &'static str,
        // trace
        previous_trace: &'static str, next_trace: &'static str, copy_id: &'static str, first_token: &'static str,
        tokens: &'static str, spans: &'static str, span_count: Count, spans_of: &'static str,
        axis: &'static str, where_went: &'static str, selected: &'static str, select_hint: &'static str,
        tab_messages: &'static str, tab_hits: &'static str, tab_usage: &'static str,
        tab_attributes: &'static str, span: &'static str, provider: &'static str,
        role_system: &'static str, role_developer: &'static str, role_user: &'static str,
        role_assistant: &'static str, role_tool: &'static str, finish: &'static str, token_count: Count,
        reasoning: &'static str, refusal: &'static str, tool_in: &'static str, tool_out: &'static str,
        tool_failed: &'static str, hits_title: &'static str, chunk: &'static str, score: &'static str,
        more_hits: Count, hit_count: Count, key_name: &'static str, usage_title: &'static str, count: &'static str, per_million: &'static str,
        input: &'static str, input_cached: &'static str, input_written: &'static str, output: &'static str,
        total: &'static str, cost_unknown: &'static str,
        bytes_range: &'static str, copy: &'static str,
        // kinds, for "where the time went"
        kind_chat: &'static str, kind_search: &'static str, kind_embed: &'static str, kind_rerank: &'static str,
        kind_tool: &'static str, kind_guard: &'static str, kind_eval: &'static str, kind_agent: &'static str,
        kind_own: &'static str, kind_failed: &'static str,
        // source
        path: &'static str, heading: &'static str, bytes: &'static str, quoted: &'static str,
        text_of: &'static str, part_shown: &'static str, earlier: &'static str, later: &'static str,
        to_quote: &'static str,
        // errors
        not_found: &'static str, not_found_hint: &'static str, go_traces: &'static str, go_ask: &'static str,
        // models, keys, signing in
        gateway: GatewayTexts,
        // documents
        knowledge: KnowledgeTexts,
        // experiments, datasets
        evals: EvalTexts,
        // judges
        judges: JudgeTexts,
        // people's labels
        annotation: AnnotationTexts,
        // prompts, the playground
        prompts: PromptTexts,
        // traces in full, sessions, costs, settings
        records: RecordTexts,
        // what the scripts say
        js: ScriptTexts,
    }
}

texts! {
    /// The words the scripts need, handed to them in a `meta` element.
    ScriptTexts {
        ask: &'static str, dismiss: &'static str, copied: &'static str, copy_failed: &'static str,
        serving: &'static str, not_serving: &'static str, theme_system: &'static str,
        theme_light: &'static str, theme_dark: &'static str, open_trace: &'static str, ask_this: &'static str,
        filter_this: &'static str, nothing: &'static str,
        answering: &'static str, stop: &'static str, send: &'static str, stopped: &'static str,
        ask_first: &'static str, follow_up: &'static str, searching: &'static str, open_source: &'static str,
        verbatim: &'static str, unchecked: &'static str, all_verbatim: Count, some_verbatim: &'static str,
        uncovered: Count, cited: Count, cited_of: &'static str, no_sources: &'static str, uncited: Count, chunk: &'static str, score: &'static str, not_documents: &'static str,
        bytes: &'static str, first_token: &'static str, tokens: &'static str, local: &'static str, open_trace_link: &'static str,
        failed: &'static str, unreachable: &'static str, cut_short: &'static str, again: &'static str, covering: &'static str,
        read_waiting: &'static str, read_running: &'static str, read_done: &'static str, read_files: Count,
        calls_done: &'static str, new_rows: Count, live_on: &'static str, live_off: &'static str,
        table: &'static str, code: &'static str, took: &'static str, no_cost: &'static str, degraded: &'static str,
        records: RecordWords, knowledge: KnowledgeWords, prompts: PromptWords,
        annotation: AnnotationWords,
    }
}

impl Texts {
    /// The name of a theme.
    pub(super) fn theme_name(&self, theme: super::Theme) -> &'static str {
        match theme {
            super::Theme::System => self.theme_system,
            super::Theme::Light => self.theme_light,
            super::Theme::Dark => self.theme_dark,
        }
    }

    /// Who speaks.
    pub(super) fn role<'a>(&self, role: &'a str) -> &'a str
    where
        'static: 'a,
    {
        match role {
            "system" => self.role_system,
            "developer" => self.role_developer,
            "user" => self.role_user,
            "assistant" => self.role_assistant,
            "tool" => self.role_tool,
            other => other,
        }
    }

    /// What tokens are.
    pub(super) fn token_kind(&self, kind: TokenKind) -> &'static str {
        match kind {
            TokenKind::Input => self.input,
            TokenKind::Cached => self.input_cached,
            TokenKind::Written => self.input_written,
            TokenKind::InputAudio => self.records.input_audio,
            TokenKind::InputImage => self.records.input_image,
            TokenKind::Output => self.output,
            TokenKind::Reasoning => self.records.reasoning,
            TokenKind::OutputAudio => self.records.output_audio,
            TokenKind::OutputImage => self.records.output_image,
        }
    }

    /// What time is spent on.
    pub(super) fn kind(&self, kind: Kind) -> &'static str {
        match kind {
            Kind::Http => self.kind_own,
            Kind::Agent => self.kind_agent,
            Kind::Chat => self.kind_chat,
            Kind::Search => self.kind_search,
            Kind::Embed => self.kind_embed,
            Kind::Rerank => self.kind_rerank,
            Kind::Tool => self.kind_tool,
            Kind::Guard => self.kind_guard,
            Kind::Eval => self.kind_eval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn placeholders(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0)).collect()
    }

    /// Both trees have the same shape by construction; walks the leaves in step.
    fn walk(path: &str, en: &Value, ko: &Value) {
        match (en, ko) {
            (Value::Object(en), Value::Object(ko)) => {
                for (key, value) in en {
                    walk(&format!("{path}.{key}"), value, &ko[key]);
                }
            }
            (Value::String(en), Value::String(ko)) => {
                assert!(!en.is_empty() && !ko.is_empty(), "{path} is empty");
                // "1 span" may spell its number out.
                if path.rsplit('.').next() != Some("one") {
                    assert_eq!(placeholders(en), placeholders(ko), "{path}");
                }
            }
            _ => panic!("{path} differs in shape"),
        }
    }

    #[test]
    fn both_languages_fill_in_the_same_places() {
        let tree = |lang: Lang| serde_json::to_value(lang.texts()).unwrap();
        walk("", &tree(Lang::En), &tree(Lang::Ko));
    }
}
