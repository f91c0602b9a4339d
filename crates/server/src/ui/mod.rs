//! The pages: pure functions from plain data to HTML, and the files they load.
//!
//! Nothing here does I/O or knows the rest of the server: handlers fill the structs of [`view`],
//! [`view_gateway`], [`view_costs`], [`view_evals`], [`view_judges`], [`view_annotation`], [`view_sessions`], [`view_knowledge`], [`view_prompts`] and
//! [`view_settings`], call a page function and send what it gives. A page holds no inline style or script and only relative addresses, so it
//! works under the strictest policy ([`CSP`]) and mounted under any path.

mod annotation;
mod ask;
mod assets;
mod chart;
mod chunks;
mod commands;
mod compare;
mod costs;
mod datasets;
mod effects;
mod experiments;
mod failure;
mod findings;
mod format;
mod gate_words;
mod icon;
mod judge;
mod judge_figures;
mod judges;
mod key_form;
mod keys;
mod knowledge;
mod label;
mod login;
mod messages;
mod models;
mod playground;
mod prefs;
mod prompt;
mod prompt_diff;
mod prompt_scores;
mod prompts;
mod prose;
mod reasons;
mod results;
mod scores;
mod search;
mod sessions;
mod settings;
mod shell;
mod source;
mod span;
mod start;
mod text;
mod text_annotation;
mod text_en;
mod text_evals;
mod text_gateway;
mod text_judges;
mod text_knowledge;
mod text_ko;
mod text_prompts;
mod text_reasons;
mod text_records;
mod trace;
mod traces;
mod tree;
pub mod view;
pub mod view_annotation;
pub mod view_costs;
pub mod view_evals;
pub mod view_gateway;
pub mod view_judges;
pub mod view_knowledge;
pub mod view_prompts;
pub mod view_sessions;
pub mod view_settings;
mod words;

pub use annotation::annotation_page;
pub use ask::{ask_page, question_about};
pub use assets::{Asset, asset};
pub use chunks::{chunks_page, tried};
pub use compare::{choose_page, compare_page};
pub use costs::costs_page;
pub use datasets::{dataset_page, datasets_page};
pub use experiments::{experiment_page, experiments_page};
pub use failure::{error_page, not_found_page};
pub use findings::judge_findings;
pub use judge::judge_page;
pub use judges::judges_page;
pub use keys::keys_page;
pub use knowledge::{collection_page, knowledge_page};
pub use label::{label_page, label_part};
pub use login::login_page;
pub use models::models_page;
pub use playground::playground_page;
pub use prefs::Prefs;
pub use prompt::prompt_page;
pub use prompts::prompts_page;
pub use search::search_page;
pub use sessions::{session_page, sessions_page};
pub use settings::settings_page;
pub use shell::{Page, Pulse, Theme, Tick};
pub use source::source_page;
pub use span::span_pane;
pub(crate) use start::shell_word;
pub use text::{Count, Lang, ScriptTexts, Texts};
pub use text_annotation::{AnnotationTexts, AnnotationWords};
pub use text_evals::EvalTexts;
pub use text_gateway::GatewayTexts;
pub use text_judges::JudgeTexts;
pub use text_knowledge::{KnowledgeTexts, KnowledgeWords};
pub use text_prompts::{PromptTexts, PromptWords};
pub use text_records::{RecordTexts, RecordWords};
pub use trace::{trace_page, trace_rows};
pub use traces::{filter_of_query, trace_row, traces_page};
pub use tree::{Stretch, guides, spent};

/// The `Content-Security-Policy` that the pages keep to.
pub const CSP: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_evals;
#[cfg(test)]
mod tests_judges;
#[cfg(test)]
mod tests_prompts;
