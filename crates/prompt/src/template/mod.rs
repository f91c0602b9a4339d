//! Handlebars, as prompts use it: parsed once, rendered often.
//!
//! Our own rather than a library's, for three reasons. What a template marks (roles, media, the history) are pieces
//! of the result here, never text: a value cannot forge them. Nothing a template or a value holds can exhaust the
//! stack, the memory or the time: nesting, output and work have limits. And whatever is wrong has a line and a column.
//!
//! Reading order: `tree` (what a template is), `parse` and `expr`, `space` (which white space tags take with them), `value`,
//! `helpers`, `scope` (what names mean), `eval`, `render`.

mod eval;
mod expr;
mod helpers;
mod parse;
mod render;
mod scope;
mod space;
mod tree;
mod value;

pub(crate) use render::{Limits, Piece, Renderer};
pub(crate) use tree::{Named, Template};
