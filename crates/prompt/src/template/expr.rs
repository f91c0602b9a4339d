//! Names and expressions inside of tags.

use super::helpers;
use super::parse::Parser;
use super::tree::{Call, Expr, Path};
use crate::error::Fault;
use serde_json::{Number, Value};

impl Parser<'_> {
    /// A name as it is written, such as a partial's or a closing tag's.
    pub(super) fn name_text(&mut self, at: usize) -> Result<String, Fault> {
        self.space();
        if let Some(text) = self.string()? {
            return Ok(text);
        }
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '}' | '~' | '=' | '(' | ')' | '|'))
            .unwrap_or(rest.len());
        let name = rest.get(..end).unwrap_or_default();
        if name.is_empty() {
            return Err(Fault::new(at, "a name is missing"));
        }
        self.at += end;
        Ok(name.to_owned())
    }

    /// A name with what is given to it; `at` is where its tag begins.
    pub(super) fn call(&mut self, at: usize, top: bool) -> Result<Call, Fault> {
        self.space();
        let name = self.expr(at)?.ok_or_else(|| {
            let said = if self.rest().is_empty() {
                "the tag is not closed; end it with `}}`"
            } else {
                "a name is expected here"
            };
            Fault::new(if self.rest().is_empty() { at } else { self.at }, said)
        })?;
        let (args, hash) = self.given(at)?;
        let call = Call { name, args, hash, at };
        if !top {
            helpers::check_nested(&call)?;
        }
        Ok(call)
    }

    #[expect(clippy::type_complexity, reason = "what a call is given: values, and values by name")]
    pub(super) fn given(&mut self, at: usize) -> Result<(Vec<Expr>, Vec<(String, Expr)>), Fault> {
        let (mut args, mut hash) = (Vec::new(), Vec::new());
        loop {
            self.space();
            if self.is_as() {
                return Ok((args, hash));
            }
            if let Some(key) = self.key() {
                let value = self.expr(at)?;
                let value = value.ok_or_else(|| Fault::new(self.at, format!("`{key}=` has no value")))?;
                hash.push((key, value));
                continue;
            }
            let here = self.at;
            match self.expr(at)? {
                Some(_) if !hash.is_empty() => {
                    return Err(Fault::new(here, "values by name (key=value) go last"));
                }
                Some(expr) => args.push(expr),
                None => return Ok((args, hash)),
            }
        }
    }

    pub(super) fn is_as(&self) -> bool {
        self.rest()
            .strip_prefix("as")
            .is_some_and(|rest| rest.trim_start().starts_with('|') && rest.starts_with(char::is_whitespace))
    }

    /// `as |a b|`.
    pub(super) fn params(&mut self, at: usize) -> Result<Vec<String>, Fault> {
        self.space();
        if !self.is_as() {
            return Ok(Vec::new());
        }
        self.take("as");
        self.space();
        self.take("|");
        let rest = self.rest();
        let end = rest
            .find('|')
            .ok_or_else(|| Fault::new(at, "the names after `as` are not closed; write `as |item index|`"))?;
        let names: Vec<String> =
            rest.get(..end).unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        self.at += end + 1;
        if names.is_empty() {
            return Err(Fault::new(at, "`as ||` names nothing"));
        }
        Ok(names)
    }

    /// `key=`.
    pub(super) fn key(&mut self) -> Option<String> {
        let rest = self.rest();
        let end = rest.find(|c: char| !is_id(c))?;
        let (name, rest) = rest.split_at_checked(end)?;
        if name.is_empty() || !rest.starts_with('=') {
            return None;
        }
        self.at += end + 1;
        self.space();
        Some(name.to_owned())
    }

    pub(super) fn expr(&mut self, tag: usize) -> Result<Option<Expr>, Fault> {
        self.space();
        let at = self.at;
        if self.take("(") {
            let call = self.nested(at, |parser| parser.call(at, false))?;
            self.space();
            if !self.take(")") {
                return Err(Fault::new(at, "the expression is not closed; end it with `)`"));
            }
            return Ok(Some(Expr::Call(Box::new(call))));
        }
        if let Some(text) = self.string()? {
            return Ok(Some(Expr::Literal(Value::String(text))));
        }
        if let Some(literal) = self.literal() {
            return Ok(Some(literal));
        }
        self.path(tag).map(|path| path.map(Expr::Path))
    }

    pub(super) fn string(&mut self) -> Result<Option<String>, Fault> {
        let at = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return Ok(None);
        };
        let mut out = String::new();
        let mut chars = self.rest().char_indices().skip(1).peekable();
        while let Some((index, c)) = chars.next() {
            if c == quote {
                self.at += index + 1;
                return Ok(Some(out));
            }
            match (c, chars.peek()) {
                ('\\', Some((_, next))) if *next == quote => {
                    out.push(quote);
                    chars.next();
                }
                _ => out.push(c),
            }
        }
        Err(Fault::new(at, format!("the text is not closed; end it with {quote}")))
    }

    /// A number or a word that stands for a value.
    pub(super) fn literal(&mut self) -> Option<Expr> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| c.is_whitespace() || matches!(c, '}' | '~' | ')' | '|' | '='))
            .unwrap_or(rest.len());
        let word = rest.get(..end)?;
        let expr = match word {
            "true" => Expr::Literal(Value::Bool(true)),
            "false" => Expr::Literal(Value::Bool(false)),
            "null" => Expr::Literal(Value::Null),
            "undefined" => Expr::Undefined,
            _ if word.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                let number = word.parse::<i64>().map(Number::from).ok();
                let number = number.or_else(|| word.parse::<f64>().ok().and_then(Number::from_f64))?;
                Expr::Literal(Value::Number(number))
            }
            _ => return None,
        };
        self.at += end;
        Some(expr)
    }

    pub(super) fn path(&mut self, tag: usize) -> Result<Option<Path>, Fault> {
        let begun = self.at;
        let mut path = Path { local: self.take("@"), ..Path::default() };
        loop {
            if self.take("../") {
                path.up += 1;
            } else if self.rest().starts_with("..") {
                self.at += 2;
                path.up += 1;
                break;
            } else if self.take("./") {
                path.scoped = true;
            } else {
                break;
            }
            if !path.parts.is_empty() {
                return Err(Fault::new(begun, "`..` goes at the beginning of a path"));
            }
        }
        if path.up > 0 && !self.rest().starts_with(|c: char| is_id(c) || c == '[') {
            path.scoped = true;
            return Ok(Some(path));
        }
        if self.rest().starts_with('.') && !self.rest().starts_with("..") {
            self.at += 1;
            path.scoped = true;
            return Ok(Some(path));
        }
        loop {
            let rest = self.rest();
            let part = if let Some(inside) = rest.strip_prefix('[') {
                let end = inside
                    .find(']')
                    .ok_or_else(|| Fault::new(self.at, "the name is not closed; end it with `]`"))?;
                self.at += end + 2;
                inside.get(..end).unwrap_or_default()
            } else {
                let end = rest.find(|c: char| !is_id(c)).unwrap_or(rest.len());
                self.at += end;
                rest.get(..end).unwrap_or_default()
            };
            let bracketed = rest.starts_with('[');
            if part.is_empty() && !bracketed {
                if path.parts.is_empty() && !path.scoped && !path.local {
                    return self.nothing(begun, tag);
                }
                return Err(Fault::new(self.at, "a name is missing behind the point"));
            }
            if part == "this" && !bracketed && path.parts.is_empty() && !path.local {
                path.scoped = true;
            } else {
                path.parts.push(part.to_owned());
            }
            if !(self.take(".") || self.take("/")) {
                return Ok(Some(path));
            }
        }
    }

    /// No path begins here: fine at a tag's end only.
    pub(super) fn nothing(&mut self, begun: usize, tag: usize) -> Result<Option<Path>, Fault> {
        self.at = begun;
        let rest = self.rest();
        if rest.is_empty() {
            return Err(Fault::new(tag, "the tag is not closed; end it with `}}`"));
        }
        if rest.starts_with(['}', '~', ')', '|']) {
            return Ok(None);
        }
        let c = rest.chars().next().unwrap_or_default();
        Err(Fault::new(begun, format!("`{c}` cannot stand here; names that hold it go in brackets: [a{c}b]")))
    }
}

fn is_id(c: char) -> bool {
    !c.is_whitespace() && !"!\"#%&'()*+,./;<=>@[\\]^`{|}~".contains(c)
}

impl Expr {
    pub(super) fn text(&self) -> String {
        match self {
            Self::Path(path) => path.text(),
            Self::Literal(Value::String(text)) => text.clone(),
            Self::Literal(value) => value.to_string(),
            Self::Undefined => "undefined".to_owned(),
            Self::Call(call) => call.name.text(),
        }
    }
}
