//! Versioned prompts: dotprompt files to messages, settings and schemas.
//!
//! Deliberately not here: calling a model, HTTP, and where rows of examples come from (an
//! [`ExampleSource`](hanok_base::ExampleSource) knows).
//!
//! Reading order: [`prompt`] (a file, parsed), `matter` (its front matter), `picoschema`, [`techniques`] (what Hanok
//! adds to it), `template` (its Handlebars), `turns` (who says what), [`variables`], [`render`] (what a model is
//! asked), `settings`, [`answer`] (how what it says is read), `structured`, [`version`], [`library`] (all
//! prompts: `folder`, versions, labels), `watch`, [`diff`], [`examples`] (few-shot examples
//! from files and the store), [`drafts`] (prompts that nobody saved).

pub mod answer;
pub mod diff;
pub mod drafts;
mod error;
pub mod examples;
mod folder;
pub mod library;
mod matter;
mod picoschema;
pub mod prompt;
pub mod render;
mod settings;
mod structured;
pub mod techniques;
mod template;
mod turns;
pub mod variables;
pub mod version;
mod watch;

#[cfg(test)]
mod conformance;

pub use answer::{Misfit, Reading, Splitter};
pub use diff::Diff;
pub use drafts::Drafts;
pub use error::{Place, PromptError};
pub use examples::{Examples, OpenEmbedder};
pub use library::{Found, Library, LibraryError, Listed, Saved};
pub use matter::Metadata;
pub use prompt::{Partials, Prompt};
pub use render::{Context, Rendered, Wish};
pub use techniques::Techniques;
pub use variables::{Variable, Variables};
pub use version::VersionId;
