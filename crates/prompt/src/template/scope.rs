//! What names mean at a place of a template.

use super::tree::Node;
use serde_json::Value;
use std::borrow::Cow;

/// What names mean at a place.
pub(super) struct Scope<'s> {
    pub(super) this: &'s Value,
    pub(super) up: Option<&'s Scope<'s>>,
    /// Names after `as`.
    pub(super) params: Vec<(&'s str, Cow<'s, Value>)>,
    /// `@index` and the like, of the innermost `each` first.
    pub(super) locals: Option<&'s Locals<'s>>,
    pub(super) root: &'s Value,
    pub(super) inlines: Option<&'s Inlines<'s>>,
    /// What the partial was called with, and where.
    pub(super) block: Option<(&'s [Node], &'s Scope<'s>)>,
    pub(super) escapes: bool,
    /// The scope's values are of a variable that is not escaped.
    pub(super) trusted: bool,
    /// This scope's `this` is the prompt's own variables.
    pub(super) outermost: bool,
}

pub(super) struct Locals<'s> {
    pub(super) index: usize,
    pub(super) key: Value,
    pub(super) first: bool,
    pub(super) last: bool,
    pub(super) up: Option<&'s Locals<'s>>,
}

pub(super) struct Inlines<'s> {
    pub(super) defined: Vec<(&'s str, &'s [Node])>,
    pub(super) up: Option<&'s Inlines<'s>>,
}

impl<'s> Scope<'s> {
    /// The same place with other values inside.
    pub(super) fn inside<'i>(&'i self, this: &'i Value, trusted: bool) -> Scope<'i>
    where
        's: 'i,
    {
        Scope {
            this,
            up: Some(self),
            params: Vec::new(),
            locals: self.locals,
            root: self.root,
            inlines: self.inlines,
            block: self.block,
            escapes: self.escapes,
            trusted,
            outermost: false,
        }
    }

    /// The same place, with the same values.
    pub(super) fn same<'i>(&'i self) -> Scope<'i>
    where
        's: 'i,
    {
        Scope {
            up: self.up,
            params: self.params.clone(),
            outermost: self.outermost,
            ..self.inside(self.this, self.trusted)
        }
    }

    pub(super) fn param(&self, name: &str) -> Option<&Value> {
        let own = self.params.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value);
        own.or_else(|| self.up.and_then(|up| up.param(name)))
    }
}

/// The partials that a body defines for itself.
pub(super) fn defined(body: &[Node]) -> Vec<(&str, &[Node])> {
    let defines = |node: &'_ Node| matches!(node, Node::Partial(partial) if partial.defines);
    if !body.iter().any(defines) {
        return Vec::new();
    }
    body.iter()
        .filter_map(|node| match node {
            Node::Partial(partial) if partial.defines => {
                Some((partial.name.as_str(), partial.block.as_deref().unwrap_or_default()))
            }
            _ => None,
        })
        .collect()
}

/// The partial that is defined nearest to here.
pub(super) fn inline<'s>(inlines: &Inlines<'s>, name: &str) -> Option<&'s [Node]> {
    let own = inlines.defined.iter().find(|(known, _)| *known == name).map(|(_, body)| *body);
    own.or_else(|| inlines.up.and_then(|up| inline(up, name)))
}
