//! A template with values to pieces.

use super::eval::{Env, weight};
use super::helpers;
use super::scope::{Inlines, Locals, Scope, defined, inline};
use super::tree::{Block, Call, Expr, Node, PARTIAL_BLOCK, Partial, Tag, Template};
use super::value::{element_name, escape, is_empty, is_true, print};
use crate::error::Fault;
use hanok_base::Object;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;

/// A piece of a rendered template.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    /// Text.
    Text(String),
    /// From here on, this one speaks.
    Role(String),
    /// The conversation so far goes here.
    History,
    /// An image, audio or a file.
    Media {
        /// Where its bytes are.
        url: String,
        /// Its MIME type.
        content_type: Option<String>,
    },
    /// Something of this purpose goes here later.
    Section(String),
}

/// What a rendering may use at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes of text.
    pub(crate) output: usize,
    /// Tags and texts that are gone through, and values that are copied or compared.
    pub(crate) steps: usize,
    /// Blocks and partials inside one another.
    pub(crate) depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { output: 8 << 20, steps: 1_000_000, depth: 96 }
    }
}

/// Renders templates.
pub(crate) struct Renderer<'t> {
    partials: &'t BTreeMap<String, Template>,
    env: Env<'t>,
    limits: Limits,
    out: Vec<Piece>,
    written: usize,
    depth: usize,
    /// The partial that is being rendered, or was when it failed.
    within: Option<&'t str>,
}

impl<'t> Renderer<'t> {
    pub(crate) fn new(
        partials: &'t BTreeMap<String, Template>,
        context: &'t Object,
        steps: &'t Cell<usize>,
        limits: Limits,
    ) -> Self {
        Self {
            partials,
            env: Env { context, steps, escaped: None },
            limits,
            out: Vec::new(),
            written: 0,
            depth: 0,
            within: None,
        }
    }

    /// The same with values escaped, but for those of the variables `trusted`.
    pub(crate) fn escaping(mut self, trusted: Option<&'t [String]>) -> Self {
        self.env.escaped = trusted;
        self
    }

    /// The template's pieces; or what is wrong, and in which partial.
    pub(crate) fn render(
        mut self,
        template: &'t Template,
        variables: &Value,
    ) -> Result<Vec<Piece>, (Option<String>, Fault)> {
        let scope = Scope {
            this: variables,
            up: None,
            params: Vec::new(),
            locals: None,
            root: variables,
            inlines: None,
            block: None,
            escapes: self.env.escaped.is_some(),
            trusted: false,
            outermost: true,
        };
        match self.body(&template.body, &scope) {
            Ok(()) => Ok(self.out),
            Err(fault) => Err((self.within.map(str::to_owned), fault)),
        }
    }

    fn body<'s>(&mut self, body: &'s [Node], scope: &'s Scope<'s>) -> Result<(), Fault>
    where
        't: 's,
    {
        let defined = defined(body);
        if defined.is_empty() {
            return body.iter().try_for_each(|node| self.node(node, scope));
        }
        let inlines = Inlines { defined, up: scope.inlines };
        let scope = Scope { inlines: Some(&inlines), ..scope.same() };
        body.iter().try_for_each(|node| self.node(node, &scope))
    }

    fn node(&mut self, node: &Node, scope: &Scope<'_>) -> Result<(), Fault> {
        self.env.spend(1);
        let at = match node {
            Node::Text(_) | Node::Comment(_) => 0,
            Node::Value(tag) => tag.call.at,
            Node::Block(block) => block.call.at,
            Node::Partial(partial) => partial.at,
        };
        if self.env.steps.get() > self.limits.steps {
            return Err(Fault::new(
                at,
                format!("more than {} steps; does a partial or a list repeat too often?", self.limits.steps),
            ));
        }
        match node {
            Node::Text(text) => self.write(&text.value, at),
            Node::Comment(_) => Ok(()),
            Node::Value(tag) => self.value(tag, scope),
            Node::Block(block) => self.deeper(at, |this| this.block(block, scope)),
            Node::Partial(partial) if partial.defines => Ok(()),
            Node::Partial(partial) => self.deeper(at, |this| this.partial(partial, scope)),
        }
    }

    fn deeper(&mut self, at: usize, work: impl FnOnce(&mut Self) -> Result<(), Fault>) -> Result<(), Fault> {
        if self.depth >= self.limits.depth {
            return Err(Fault::new(
                at,
                format!(
                    "blocks and partials are more than {} deep; does a partial hold itself?",
                    self.limits.depth
                ),
            ));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    fn write(&mut self, text: &str, at: usize) -> Result<(), Fault> {
        self.written += text.len();
        if self.written > self.limits.output {
            return Err(Fault::new(
                at,
                format!("the rendered text is longer than {} bytes", self.limits.output),
            ));
        }
        match self.out.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.out.push(Piece::Text(text.to_owned())),
        }
        Ok(())
    }

    /// `{{…}}`.
    fn value(&mut self, tag: &Tag, scope: &Scope<'_>) -> Result<(), Fault> {
        let call = &tag.call;
        let helper = call.helper().filter(|name| !call.is_bare() || helpers::is_helper_when_bare(name));
        let text = |expr: Option<&Expr>| -> Result<Option<String>, Fault> {
            let Some(value) = expr.map(|expr| self.env.eval(expr, scope)).transpose()?.flatten() else {
                return Ok(None);
            };
            let mut text = String::new();
            print(&value, &mut text);
            Ok(Some(text))
        };
        let piece = match helper {
            None => {
                let value = self.env.eval(&call.name, scope)?;
                let mut text = String::new();
                if let Some(value) = &value {
                    print(value, &mut text);
                }
                if scope.escapes && !self.env.is_trusted(&call.name, scope) {
                    let mut escaped = String::with_capacity(text.len());
                    escape(&text, &mut escaped);
                    text = escaped;
                }
                return self.write(&text, call.at);
            }
            Some("history") => Piece::History,
            Some("role") => {
                let role = text(call.args.first())?.unwrap_or_default();
                helpers::check_role(&role, call.at)?;
                Piece::Role(role)
            }
            Some("section") => Piece::Section(text(call.args.first())?.unwrap_or_default()),
            Some("media") => return self.media(call, scope),
            Some("log") => return Ok(()),
            Some(_) => {
                let mut text = String::new();
                if let Some(value) = self.env.called(call, scope)? {
                    print(&value, &mut text);
                }
                if scope.escapes {
                    text = match helper {
                        Some("json") => text.replace('<', "\\u003c").replace('>', "\\u003e"),
                        Some("lookup") => {
                            let mut escaped = String::new();
                            escape(&text, &mut escaped);
                            escaped
                        }
                        _ => text,
                    };
                }
                return self.write(&text, call.at);
            }
        };
        self.out.push(piece);
        Ok(())
    }

    /// `{{media url=… contentType=…}}`; the url may be an object that has both.
    fn media(&mut self, call: &Call, scope: &Scope<'_>) -> Result<(), Fault> {
        let named = |name: &str| {
            call.named(name).map(|expr| self.env.eval(expr, scope)).transpose().map(Option::flatten)
        };
        let (given, content_type) = (named("url")?, named("contentType")?);
        let text = |value: Option<&Value>| {
            value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (url, own) = match given.as_deref() {
            Some(Value::Object(object)) => (text(object.get("url")), text(object.get("contentType"))),
            value => (text(value), None),
        };
        let Some(url) = url else {
            let name = call.named("url").map(Expr::text).unwrap_or_default();
            return Err(Fault::new(
                call.at,
                format!("`media` has no url: `{name}` must be a text, or an object with a `url`"),
            ));
        };
        self.written += url.len();
        if self.written > self.limits.output {
            return Err(Fault::new(
                call.at,
                format!("what is rendered is longer than {} bytes", self.limits.output),
            ));
        }
        self.out.push(Piece::Media { url, content_type: text(content_type.as_deref()).or(own) });
        Ok(())
    }

    /// `{{#…}}`.
    fn block(&mut self, block: &Block, scope: &Scope<'_>) -> Result<(), Fault> {
        let call = &block.call;
        let inverse = block.inverse.as_ref().map_or(&[][..], |inverse| &inverse.body);
        let (yes, no): (&[Node], &[Node]) =
            if block.inverted { (inverse, &block.body) } else { (&block.body, inverse) };
        if call.is_bare() {
            let value = self.env.eval(&call.name, scope)?;
            return match value.as_deref() {
                value if is_empty(value) => self.body(no, scope),
                None | Some(Value::Bool(_)) => self.body(yes, scope),
                Some(Value::Array(items)) => self.each_item(block, &call.name, items, yes, scope),
                Some(value) => self.with(block, &call.name, value, yes, scope),
            };
        }
        let mut args = Vec::with_capacity(call.args.len());
        for expr in &call.args {
            args.push(self.env.eval(expr, scope)?);
        }
        let given = |at: usize| args.get(at).and_then(Option::as_deref);
        let subject = call.args.first().unwrap_or(&Expr::Undefined);
        match call.helper().unwrap_or_default() {
            "if" | "unless" => {
                let zero =
                    call.named("includeZero").map(|expr| self.env.eval(expr, scope)).transpose()?.flatten();
                let holds = is_true(given(0), is_true(zero.as_deref(), false));
                self.body(if holds == (call.helper() == Some("if")) { yes } else { no }, scope)
            }
            "ifEquals" => self.body(if self.env.same(given(0), given(1)) { yes } else { no }, scope),
            "unlessEquals" => self.body(if self.env.same(given(0), given(1)) { no } else { yes }, scope),
            "with" => match given(0) {
                value if is_empty(value) => self.body(no, scope),
                Some(value) => self.with(block, subject, value, yes, scope),
                None => Ok(()),
            },
            "each" => match given(0) {
                Some(Value::Array(items)) if !items.is_empty() => {
                    self.each_item(block, subject, items, yes, scope)
                }
                Some(Value::Object(members)) if !members.is_empty() => {
                    self.each_member(block, subject, members, yes, scope)
                }
                _ => self.body(no, scope),
            },
            _ => {
                let mut tag = String::new();
                if let Some(value) = given(0) {
                    print(value, &mut tag);
                }
                let tag = element_name(&tag);
                let attributes = self.env.attributes(call, scope)?;
                self.write(&format!("<{tag}{attributes}>"), call.at)?;
                let inside = Scope { escapes: true, ..scope.same() };
                self.body(yes, &inside)?;
                self.write(&format!("</{tag}>"), call.at)
            }
        }
    }

    fn with(
        &mut self,
        block: &Block,
        subject: &Expr,
        value: &Value,
        body: &[Node],
        scope: &Scope<'_>,
    ) -> Result<(), Fault> {
        let params = block.params.first().map(|name| (name.as_str(), Cow::Borrowed(value)));
        let inside = Scope {
            params: params.into_iter().collect(),
            ..scope.inside(value, self.env.is_trusted(subject, scope))
        };
        self.body(body, &inside)
    }

    fn each_item(
        &mut self,
        block: &Block,
        subject: &Expr,
        items: &[Value],
        body: &[Node],
        scope: &Scope<'_>,
    ) -> Result<(), Fault> {
        let items = items.iter().enumerate().map(|(index, value)| (Value::from(index), value));
        self.each(block, subject, items, body, scope)
    }

    fn each_member(
        &mut self,
        block: &Block,
        subject: &Expr,
        members: &Object,
        body: &[Node],
        scope: &Scope<'_>,
    ) -> Result<(), Fault> {
        let members = members.iter().map(|(name, value)| (Value::from(name.as_str()), value));
        self.each(block, subject, members, body, scope)
    }

    fn each<'v>(
        &mut self,
        block: &Block,
        subject: &Expr,
        values: impl ExactSizeIterator<Item = (Value, &'v Value)>,
        body: &[Node],
        scope: &Scope<'_>,
    ) -> Result<(), Fault> {
        let (trusted, count) = (self.env.is_trusted(subject, scope), values.len());
        for (index, (key, value)) in values.enumerate() {
            let named = [Cow::Borrowed(value), Cow::Owned(key.clone())];
            let params = block.params.iter().map(String::as_str).zip(named).collect();
            let locals = Locals { index, key, first: index == 0, last: index + 1 == count, up: scope.locals };
            let inside = Scope { params, locals: Some(&locals), ..scope.inside(value, trusted) };
            self.env.spend(1);
            self.body(body, &inside)?;
            if self.env.steps.get() > self.limits.steps {
                return Err(Fault::new(
                    block.call.at,
                    format!("more than {} steps; is the list too long?", self.limits.steps),
                ));
            }
        }
        Ok(())
    }

    /// `{{> …}}`.
    fn partial(&mut self, partial: &Partial, scope: &Scope<'_>) -> Result<(), Fault> {
        if partial.name == PARTIAL_BLOCK {
            return match scope.block {
                Some((body, outer)) => self.body(body, outer),
                None => Err(Fault::new(
                    partial.at,
                    "`@partial-block` stands outside of a partial that was called as a block",
                )),
            };
        }
        let given = partial.context.as_ref().map(|expr| self.env.eval(expr, scope)).transpose()?;
        let mut this = match given {
            None => Cow::Borrowed(scope.this),
            Some(value) => value.unwrap_or(Cow::Owned(Value::Null)),
        };
        let moved = partial.context.as_ref().map_or(scope.trusted, |expr| self.env.is_trusted(expr, scope));
        if !partial.hash.is_empty() {
            self.env.spend(weight(&this));
            let mut object = if let Value::Object(object) = &*this { object.clone() } else { Object::new() };
            for (name, expr) in &partial.hash {
                let value = self.env.eval(expr, scope)?;
                self.env.spend(value.as_deref().map_or(0, weight));
                object.insert(name.clone(), value.map_or(Value::Null, Cow::into_owned));
            }
            this = Cow::Owned(Value::Object(object));
        }
        let block = partial.block.as_deref();
        let inlines = Inlines { defined: defined(block.unwrap_or_default()), up: scope.inlines };
        let inside = Scope {
            this: &this,
            up: None,
            params: Vec::new(),
            locals: scope.locals,
            root: scope.root,
            inlines: Some(&inlines),
            block: block.map(|body| (body, scope)).or(scope.block),
            escapes: scope.escapes,
            trusted: moved,
            outermost: scope.outermost && partial.context.is_none() && partial.hash.is_empty(),
        };
        let before = (!partial.indent.is_empty()).then(|| std::mem::take(&mut self.out));
        if let Some(body) = inline(&inlines, &partial.name) {
            self.body(body, &inside)?;
        } else if let Some((name, template)) = self.partials.get_key_value(&partial.name) {
            let outer = self.within.replace(name);
            self.body(&template.body, &inside)?;
            self.within = outer;
        } else if let Some(body) = block {
            self.body(body, scope)?;
        } else {
            let message =
                format!("there is no partial `{}`; a partial is a file named `_{0}.prompt`", partial.name);
            return Err(Fault::new(partial.at, message));
        }
        if let Some(before) = before {
            self.indent(before, &partial.indent, partial.at)?;
        }
        Ok(())
    }

    /// Puts what was rendered since, each of its lines indented, behind what was there before.
    fn indent(&mut self, before: Vec<Piece>, indent: &str, at: usize) -> Result<(), Fault> {
        let mut begins = true;
        for piece in std::mem::replace(&mut self.out, before) {
            let Piece::Text(text) = piece else {
                self.out.push(piece);
                begins = false;
                continue;
            };
            self.written = self.written.saturating_sub(text.len());
            for line in text.split_inclusive('\n') {
                if begins {
                    self.write(indent, at)?;
                }
                self.write(line, at)?;
                begins = line.ends_with('\n');
            }
        }
        Ok(())
    }
}
