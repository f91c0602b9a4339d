//! What a template is, once it is parsed.

use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// A parsed template.
#[derive(Clone, Debug, Default)]
pub(crate) struct Template {
    pub(super) body: Vec<Node>,
}

/// A piece of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// Text, as it is written out.
    Text(Text),
    /// `{{…}}`.
    Value(Tag),
    /// `{{#…}}…{{/…}}`.
    Block(Box<Block>),
    /// `{{> …}}`, or a block that has a partial around it.
    Partial(Box<Partial>),
    /// `{{! … }}`; here only for the white space around it.
    Comment(Strip),
}

/// Text between tags. What tags strip of it is decided by what stood there at first.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub(super) original: String,
    pub(super) value: String,
    pub(super) left_stripped: bool,
    pub(super) right_stripped: bool,
}

impl Text {
    pub(super) fn new(text: String) -> Self {
        Self { original: text.clone(), value: text, ..Self::default() }
    }
}

/// Which sides of a tag have a `~`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Strip {
    pub(super) open: bool,
    pub(super) close: bool,
}

/// `{{…}}`.
#[derive(Clone, Debug)]
pub(super) struct Tag {
    pub(super) call: Call,
    pub(super) strip: Strip,
}

/// A name with what is given to it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) name: Expr,
    pub(super) args: Vec<Expr>,
    pub(super) hash: Vec<(String, Expr)>,
    /// The byte of the template at which it stands.
    pub(super) at: usize,
}

impl Call {
    pub(super) fn is_bare(&self) -> bool {
        self.args.is_empty() && self.hash.is_empty()
    }

    pub(super) fn named(&self, name: &str) -> Option<&Expr> {
        self.hash.iter().find(|(known, _)| known == name).map(|(_, expr)| expr)
    }

    /// The helper it is a call of, where it is one.
    pub(super) fn helper(&self) -> Option<&str> {
        match &self.name {
            Expr::Path(path) => path.simple(),
            _ => None,
        }
    }
}

/// What has a value.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    Path(Path),
    Literal(Value),
    Undefined,
    Call(Box<Call>),
}

/// The way to a value: `../a.b`, `this`, `@root.x`.
#[derive(Clone, Debug, Default)]
pub(super) struct Path {
    /// Begins with `@`.
    pub(super) local: bool,
    /// How many `../`.
    pub(super) up: usize,
    /// Begins with `this` or `.`, so that it names no helper.
    pub(super) scoped: bool,
    pub(super) parts: Vec<String>,
}

impl Path {
    /// Its one part, where it could name a helper.
    pub(super) fn simple(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [name] if !self.local && !self.scoped && self.up == 0 => Some(name),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut text = if self.local { "@".to_owned() } else { String::new() };
        text.push_str(&"../".repeat(self.up));
        if self.parts.is_empty() && !self.local {
            text.push_str("this");
        }
        text.push_str(&self.parts.join("."));
        text
    }
}

/// `{{#…}}…{{else}}…{{/…}}`.
#[derive(Clone, Debug)]
pub(super) struct Block {
    pub(super) call: Call,
    pub(super) params: Vec<String>,
    pub(super) body: Vec<Node>,
    /// What follows `{{else}}`.
    pub(super) inverse: Option<Inverse>,
    /// The block is `{{^…}}`: the first body is for what is not there.
    pub(super) inverted: bool,
    pub(super) open: Strip,
    pub(super) close: Strip,
}

/// What follows `{{else}}`.
#[derive(Clone, Debug)]
pub(super) struct Inverse {
    pub(super) body: Vec<Node>,
    pub(super) strip: Strip,
    /// It is one block: `{{else if …}}`.
    pub(super) chained: bool,
}

/// `{{> name context key=value}}`.
#[derive(Clone, Debug)]
pub(super) struct Partial {
    pub(super) name: String,
    pub(super) context: Option<Expr>,
    pub(super) hash: Vec<(String, Expr)>,
    /// What `{{#> name}}…{{/name}}` holds: shown where there is no such partial, and as `@partial-block` in it.
    pub(super) block: Option<Vec<Node>>,
    /// `{{#*inline "name"}}…{{/inline}}`: a partial for the rest of the block it stands in.
    pub(super) defines: bool,
    /// White space before a partial that stands alone on its line, which goes before each of its lines.
    pub(super) indent: String,
    pub(super) open: Strip,
    pub(super) close: Strip,
    pub(super) at: usize,
}

/// The partial block's own name in partials.
pub(super) const PARTIAL_BLOCK: &str = "@partial-block";

impl Template {
    /// The partials it names, wherever; without those it defines itself.
    pub(crate) fn partials(&self) -> Vec<Named<'_>> {
        let mut found = Partials::default();
        found.look(&self.body);
        let Partials { mut named, defined, .. } = found;
        named.retain(|named| !defined.contains(named.name) && named.name != PARTIAL_BLOCK);
        named
    }

    /// The first parts of the paths it reads of its own variables, in order of first use. Paths inside blocks that
    /// change what a name means (`each`, `with`) are not among them.
    pub(crate) fn variables(&self) -> Vec<&str> {
        let mut found = Found::default();
        variables(&self.body, &mut found);
        found.names
    }

    /// Whether it reads this `@` variable anywhere.
    pub(crate) fn reads_local(&self, name: &str) -> bool {
        reads_local(&self.body, name)
    }
}

/// A partial that a template names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Named<'t> {
    pub(crate) name: &'t str,
    /// Where first.
    pub(crate) at: usize,
    /// It is called as a block only, whose own text is shown where there is no such partial.
    pub(crate) has_fallback: bool,
}

#[derive(Default)]
struct Partials<'t> {
    named: Vec<Named<'t>>,
    places: HashMap<&'t str, usize>,
    defined: HashSet<&'t str>,
}

impl<'t> Partials<'t> {
    fn look(&mut self, body: &'t [Node]) {
        for node in body {
            match node {
                Node::Partial(partial) => {
                    self.note(partial);
                    self.look(partial.block.as_deref().unwrap_or_default());
                }
                Node::Block(block) => {
                    self.look(&block.body);
                    self.look(block.inverse.as_ref().map_or(&[], |inverse| &inverse.body));
                }
                Node::Text(_) | Node::Value(_) | Node::Comment(_) => {}
            }
        }
    }

    fn note(&mut self, partial: &'t Partial) {
        let (name, has_fallback) = (partial.name.as_str(), partial.block.is_some());
        if partial.defines {
            self.defined.insert(name);
        } else if let Some(known) = self.places.get(name).and_then(|place| self.named.get_mut(*place)) {
            known.has_fallback &= has_fallback;
        } else {
            self.places.insert(name, self.named.len());
            self.named.push(Named { name, at: partial.at, has_fallback });
        }
    }
}

#[derive(Default)]
struct Found<'a> {
    names: Vec<&'a str>,
    seen: HashSet<&'a str>,
}

fn variables<'a>(body: &'a [Node], found: &mut Found<'a>) {
    for node in body {
        match node {
            Node::Value(tag) => of_call(&tag.call, found),
            Node::Block(block) => {
                of_call(&block.call, found);
                // A bare name is a section, unless it is a helper's.
                let moves = match block.call.helper() {
                    Some("if" | "unless" | "ifEquals" | "unlessEquals" | "xml") => false,
                    _ => !block.inverted,
                };
                if !moves {
                    variables(&block.body, found);
                }
                if let Some(inverse) = &block.inverse {
                    variables(&inverse.body, found);
                }
            }
            Node::Partial(partial) => {
                partial.context.iter().for_each(|expr| of_expr(expr, found));
                partial.hash.iter().for_each(|(_, expr)| of_expr(expr, found));
            }
            Node::Text(_) | Node::Comment(_) => {}
        }
    }
}

fn of_call<'a>(call: &'a Call, found: &mut Found<'a>) {
    if call.is_bare() {
        if call.helper().is_none_or(|name| !matches!(name, "history" | "else")) {
            of_expr(&call.name, found);
        }
        return;
    }
    call.args.iter().for_each(|expr| of_expr(expr, found));
    call.hash.iter().for_each(|(_, expr)| of_expr(expr, found));
}

fn of_expr<'a>(expr: &'a Expr, found: &mut Found<'a>) {
    match expr {
        Expr::Path(path) if !path.local && path.up == 0 => {
            if let Some(first) = path.parts.first().filter(|first| found.seen.insert(first)) {
                found.names.push(first);
            }
        }
        Expr::Call(call) => of_call(call, found),
        _ => {}
    }
}

fn reads_local(body: &[Node], name: &str) -> bool {
    let of_call = |call: &Call| call_reads(call, name);
    body.iter().any(|node| match node {
        Node::Value(tag) => of_call(&tag.call),
        Node::Block(block) => {
            of_call(&block.call)
                || reads_local(&block.body, name)
                || block.inverse.as_ref().is_some_and(|inverse| reads_local(&inverse.body, name))
        }
        Node::Partial(partial) => {
            partial
                .context
                .iter()
                .chain(partial.hash.iter().map(|(_, expr)| expr))
                .any(|expr| expr_reads(expr, name))
                || reads_local(partial.block.as_deref().unwrap_or_default(), name)
        }
        Node::Text(_) | Node::Comment(_) => false,
    })
}

fn call_reads(call: &Call, name: &str) -> bool {
    [&call.name]
        .into_iter()
        .chain(&call.args)
        .chain(call.hash.iter().map(|(_, expr)| expr))
        .any(|expr| expr_reads(expr, name))
}

fn expr_reads(expr: &Expr, name: &str) -> bool {
    match expr {
        Expr::Path(path) => path.local && path.parts.first().is_some_and(|first| first == name),
        Expr::Call(call) => call_reads(call, name),
        Expr::Literal(_) | Expr::Undefined => false,
    }
}
