//! Text to a template.

use super::helpers;
use super::space;
use super::tree::{Block, Call, Expr, Inverse, Node, Partial, Strip, Tag, Template, Text};
use crate::error::Fault;
use hanok_base::names::did_you_mean;
use serde_json::Value;

/// How deep blocks and expressions may be nested. Rendering counts on it, too.
const DEEPEST: usize = 48;
/// How long a template may be, in bytes.
const LONGEST: usize = 4 << 20;

impl Template {
    /// Reads a template. A fault's offset is a byte of `source`.
    pub(crate) fn parse(source: &str) -> Result<Self, Fault> {
        if source.len() > LONGEST {
            return Err(Fault::new(
                0,
                format!("longer than {LONGEST} bytes; give what is long as a variable"),
            ));
        }
        let mut parser = Parser { source, at: 0, depth: 0 };
        let (mut body, stop) = parser.program()?;
        match stop {
            Stop::End => {}
            Stop::Else { at, .. } => {
                return Err(Fault::new(
                    at,
                    "`{{else}}` stands outside of a block; write \\{{else}} for the text",
                ));
            }
            Stop::Close { name, at, .. } => {
                return Err(Fault::new(
                    at,
                    format!("`{{{{/{name}}}}}` closes nothing; its `{{{{#{name}}}}}` is missing"),
                ));
            }
        }
        space::control(&mut body);
        Ok(Self { body })
    }
}

/// What ends a body.
enum Stop {
    End,
    Else { at: usize, strip: Strip, chain: Option<(Call, Vec<String>)> },
    Close { at: usize, name: String, strip: Strip },
}

/// Reads a template from its beginning to its end.
pub(super) struct Parser<'s> {
    source: &'s str,
    pub(super) at: usize,
    depth: usize,
}

impl<'s> Parser<'s> {
    pub(super) fn rest(&self) -> &'s str {
        self.source.get(self.at..).unwrap_or_default()
    }

    fn program(&mut self) -> Result<(Vec<Node>, Stop), Fault> {
        let mut body = Vec::new();
        loop {
            let text = self.text();
            if !text.is_empty() {
                body.push(Node::Text(Text::new(text)));
            }
            if self.rest().is_empty() {
                return Ok((body, Stop::End));
            }
            if let Some(stop) = self.tag(&mut body)? {
                return Ok((body, stop));
            }
        }
    }

    /// The text up to the next tag. `\{{` is text, and so is all up to the tag after it; `\\{{` is a backslash and a
    /// tag.
    fn text(&mut self) -> String {
        let mut out = String::new();
        let mut from = self.at;
        while let Some(found) = self.source.get(from..).and_then(|rest| rest.find("{{")) {
            let tag = from + found;
            let before = self.source.get(self.at..tag).unwrap_or_default();
            if let Some(one) = before.strip_suffix("\\\\") {
                out.push_str(one);
                out.push('\\');
                self.at = tag;
                return out;
            }
            let Some(before) = before.strip_suffix('\\') else {
                out.push_str(before);
                self.at = tag;
                return out;
            };
            out.push_str(before);
            self.at = tag;
            from = tag + 2;
        }
        out.push_str(self.rest());
        self.at = self.source.len();
        out
    }

    /// One tag, at its `{{`.
    fn tag(&mut self, body: &mut Vec<Node>) -> Result<Option<Stop>, Fault> {
        let at = self.at;
        if self.rest().starts_with("{{{{") {
            return Err(Fault::new(
                at,
                "raw blocks (`{{{{…}}}}`) are not part of prompts; write \\{{ for a literal {{",
            ));
        }
        self.at += 2;
        let left = self.take("~");
        if self.rest().starts_with('!') {
            return self.comment(at, left, body).map(|()| None);
        }
        if self.take("{") {
            let call = self.call(at, true)?;
            self.expect("}", at)?;
            body.push(self.value(call, left, at)?);
        } else if self.take("&") {
            let call = self.call(at, true)?;
            body.push(self.value(call, left, at)?);
        } else if self.take(">") {
            let mut partial = self.partial(at)?;
            let strip = Strip { open: left, close: self.end(at)? };
            (partial.open, partial.close) = (strip, strip);
            body.push(Node::Partial(Box::new(partial)));
        } else if self.take("#") {
            self.nested(at, |parser| parser.block(at, left, body))?;
        } else if self.take("^") {
            self.space();
            if self.rest().starts_with("}}") || self.rest().starts_with("~}}") {
                let strip = Strip { open: left, close: self.end(at)? };
                return Ok(Some(Stop::Else { at, strip, chain: None }));
            }
            let call = self.call(at, true)?;
            let params = self.params(at)?;
            let open = Strip { open: left, close: self.end(at)? };
            let block = self.nested(at, |parser| parser.finish(call, params, open, true))?;
            body.push(Node::Block(Box::new(block)));
        } else if self.take("/") {
            self.space();
            let name = self.name_text(at)?;
            let strip = Strip { open: left, close: self.end(at)? };
            return Ok(Some(Stop::Close { at, name, strip }));
        } else if self.is_else() {
            return self.otherwise(at, left).map(Some);
        } else {
            let call = self.call(at, true)?;
            body.push(self.value(call, left, at)?);
        }
        Ok(None)
    }

    fn comment(&mut self, at: usize, left: bool, body: &mut Vec<Node>) -> Result<(), Fault> {
        let rest = self.rest();
        let (mark, skip) = if rest.starts_with("!--") { ("--", 3) } else { ("", 1) };
        let inside = rest.get(skip..).unwrap_or_default();
        let ends = [format!("{mark}}}}}"), format!("{mark}~}}}}")];
        let found = ends.iter().filter_map(|end| inside.find(end.as_str()).map(|found| (found, end))).min();
        let Some((found, end)) = found else {
            let message = format!(
                "the comment is not closed; end it with `{}`",
                ends.first().map_or("}}", String::as_str)
            );
            return Err(Fault::new(at, message));
        };
        // `{{! a ~}}`: the earlier end is the one without the `~`, which belongs to it.
        let close = end.contains('~')
            || (mark.is_empty() && inside.get(..found).is_some_and(|text| text.ends_with('~')));
        self.at += skip + found + end.len();
        body.push(Node::Comment(Strip { open: left, close }));
        Ok(())
    }

    fn value(&mut self, call: Call, left: bool, at: usize) -> Result<Node, Fault> {
        let close = self.end(at)?;
        helpers::check_inline(&call)?;
        Ok(Node::Value(Tag { call, strip: Strip { open: left, close } }))
    }

    fn is_else(&self) -> bool {
        let rest = self.rest().trim_start();
        rest.strip_prefix("else")
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_whitespace() || matches!(c, '}' | '~')))
    }

    fn otherwise(&mut self, at: usize, left: bool) -> Result<Stop, Fault> {
        self.space();
        self.take("else");
        self.space();
        let chain = if self.rest().starts_with('}') || self.rest().starts_with('~') {
            None
        } else {
            let call = self.call(at, true)?;
            Some((call, self.params(at)?))
        };
        let strip = Strip { open: left, close: self.end(at)? };
        Ok(Stop::Else { at, strip, chain })
    }

    fn block(&mut self, at: usize, left: bool, body: &mut Vec<Node>) -> Result<(), Fault> {
        if self.take("*") {
            let mut partial = self.inline(at)?;
            partial.open = Strip { open: left, close: self.end(at)? };
            return self.partial_block(partial, "inline", body);
        }
        if self.take(">") {
            let mut partial = self.partial(at)?;
            partial.open = Strip { open: left, close: self.end(at)? };
            let name = partial.name.clone();
            return self.partial_block(partial, &name, body);
        }
        let call = self.call(at, true)?;
        let params = self.params(at)?;
        let open = Strip { open: left, close: self.end(at)? };
        let block = self.finish(call, params, open, false)?;
        body.push(Node::Block(Box::new(block)));
        Ok(())
    }

    /// `{{#*inline "name"}}`, without its braces.
    fn inline(&mut self, at: usize) -> Result<Partial, Fault> {
        let call = self.call(at, true)?;
        match (call.helper(), call.args.as_slice()) {
            (Some("inline"), [Expr::Literal(Value::String(name))]) => Ok(Partial {
                name: name.clone(),
                context: None,
                hash: Vec::new(),
                block: None,
                defines: true,
                indent: String::new(),
                open: Strip::default(),
                close: Strip::default(),
                at,
            }),
            _ => Err(Fault::new(at, "the only decorator is `{{#*inline \"name\"}}`")),
        }
    }

    fn partial_block(&mut self, mut partial: Partial, name: &str, body: &mut Vec<Node>) -> Result<(), Fault> {
        let at = partial.at;
        let (inside, stop) = self.program()?;
        partial.close = self.closed(name, at, stop)?;
        partial.block = Some(inside);
        body.push(Node::Partial(Box::new(partial)));
        Ok(())
    }

    /// What follows a block's first tag, to its last.
    fn finish(
        &mut self,
        call: Call,
        params: Vec<String>,
        open: Strip,
        inverted: bool,
    ) -> Result<Block, Fault> {
        helpers::check_block(&call)?;
        let (name, at) = (call.name.text(), call.at);
        let (body, stop) = self.program()?;
        let mut block = Block { call, params, body, inverse: None, inverted, open, close: Strip::default() };
        let stop = match stop {
            Stop::Else { at: other, strip, chain } => {
                if inverted && chain.is_some() {
                    return Err(Fault::new(
                        other,
                        "a block that begins with `{{^` has no `{{else if}}`; begin it with `{{#unless`",
                    ));
                }
                let (inside, chained, stop) = match chain {
                    None => {
                        let (inside, stop) = self.program()?;
                        (inside, false, stop)
                    }
                    Some((call, params)) => {
                        let inner =
                            self.nested(other, |parser| parser.chained(call, params, strip, &name))?;
                        let close = inner.close;
                        let inside = vec![Node::Block(Box::new(inner))];
                        // The chain's last link has taken the closing tag, which is this block's.
                        block.close = close;
                        (inside, true, Stop::End)
                    }
                };
                block.inverse = Some(Inverse { body: inside, strip, chained });
                if chained {
                    return Ok(block);
                }
                stop
            }
            stop => stop,
        };
        block.close = self.closed(&name, at, stop)?;
        Ok(block)
    }

    /// A link of a chain, which ends where the block of this name ends.
    fn chained(&mut self, call: Call, params: Vec<String>, open: Strip, name: &str) -> Result<Block, Fault> {
        helpers::check_block(&call)?;
        let at = call.at;
        let (body, stop) = self.program()?;
        let mut block =
            Block { call, params, body, inverse: None, inverted: false, open, close: Strip::default() };
        match stop {
            Stop::Else { at: other, strip, chain: Some((call, params)) } => {
                let inner = self.nested(other, |parser| parser.chained(call, params, strip, name))?;
                block.close = inner.close;
                block.inverse =
                    Some(Inverse { body: vec![Node::Block(Box::new(inner))], strip, chained: true });
            }
            Stop::Else { strip, chain: None, .. } => {
                let (inside, stop) = self.program()?;
                block.close = self.closed(name, at, stop)?;
                block.inverse = Some(Inverse { body: inside, strip, chained: false });
            }
            stop => block.close = self.closed(name, at, stop)?,
        }
        Ok(block)
    }

    #[expect(clippy::unused_self, reason = "reads as the other steps of a parser")]
    fn closed(&self, name: &str, at: usize, stop: Stop) -> Result<Strip, Fault> {
        match stop {
            Stop::Close { name: found, strip, .. } if found == name => Ok(strip),
            Stop::Close { name: found, at, .. } => Err(Fault::new(
                at,
                format!("`{{{{/{found}}}}}` stands where `{{{{/{name}}}}}` should close its block"),
            )),
            Stop::Else { at, .. } => Err(Fault::new(
                at,
                "a second `{{else}}` in one block; conditions go before it: `{{else if …}}`",
            )),
            Stop::End => Err(Fault::new(
                at,
                format!("the block `{name}` is not closed; end it with `{{{{/{name}}}}}`"),
            )),
        }
    }

    /// `name context key=value`, behind the `>`.
    fn partial(&mut self, at: usize) -> Result<Partial, Fault> {
        self.space();
        if self.rest().starts_with('(') {
            return Err(Fault::new(
                at,
                "a partial's name cannot be computed: a prompt's version is its text with that of its partials; name it",
            ));
        }
        let name = self.name_text(at)?;
        let (mut args, hash) = self.given(at)?;
        if args.len() > 1 {
            return Err(Fault::new(
                at,
                format!("the partial `{name}` takes one context at most; name further values: key=value"),
            ));
        }
        Ok(Partial {
            name,
            context: args.pop(),
            hash,
            block: None,
            defines: false,
            indent: String::new(),
            open: Strip::default(),
            close: Strip::default(),
            at,
        })
    }

    /// The end of a tag; whether it has a `~`.
    fn end(&mut self, at: usize) -> Result<bool, Fault> {
        self.space();
        let strip = self.take("~");
        if self.take("}}") {
            return Ok(strip);
        }
        if self.rest().is_empty() {
            return Err(Fault::new(at, "the tag is not closed; end it with `}}`"));
        }
        let c = self.rest().chars().next().unwrap_or_default();
        Err(Fault::new(self.at, format!("`}}}}` is expected here, not `{c}`")))
    }

    fn expect(&mut self, text: &str, at: usize) -> Result<(), Fault> {
        self.space();
        if self.take(text) { Ok(()) } else { Err(Fault::new(at, "the tag is not closed; end it with `}}}`")) }
    }

    pub(super) fn nested<T>(
        &mut self,
        at: usize,
        parse: impl FnOnce(&mut Self) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.depth >= DEEPEST {
            return Err(Fault::new(
                at,
                format!("nested more than {DEEPEST} deep; put the inner part into a partial"),
            ));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    pub(super) fn space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    pub(super) fn take(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }
}

/// A name that is no helper's was given something.
pub(super) fn unknown_helper(call: &Call) -> Fault {
    let name = call.name.text();
    let known = helpers::NAMES.iter().copied();
    Fault::new(call.at, format!("there is no helper `{name}`{}", did_you_mean(&name, known)))
}
