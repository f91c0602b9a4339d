//! Values of expressions, and of helpers that have one.

use super::scope::Scope;
use super::tree::{Call, Expr, Path};
use super::value::{element, element_name, escape, member, print, same};
use crate::error::Fault;
use hanok_base::Object;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::Cell;

/// What holds everywhere.
#[derive(Clone, Copy)]
pub(super) struct Env<'t> {
    /// The `@` variables.
    pub(super) context: &'t Object,
    /// Steps that were gone.
    pub(super) steps: &'t Cell<usize>,
    /// Values are escaped as in XML, but for those of these variables.
    pub(super) escaped: Option<&'t [String]>,
}

impl<'t> Env<'t> {
    /// Whether what is printed is of a variable that is not escaped.
    pub(super) fn is_trusted(self, expr: &Expr, scope: &Scope<'_>) -> bool {
        let Expr::Path(path) = expr else { return false };
        let first = path.parts.first().map(String::as_str);
        let named =
            |first: &str| self.escaped.is_some_and(|trusted| trusted.iter().any(|name| name == first));
        match first {
            Some("root") if path.local => path.parts.get(1).is_some_and(|first| named(first)),
            Some("index" | "first" | "last") if path.local => true,
            _ if path.local => false,
            Some(first) if scope.outermost => named(first),
            _ => scope.trusted && path.up == 0,
        }
    }

    pub(super) fn spend(self, steps: usize) {
        self.steps.set(self.steps.get().saturating_add(steps));
    }

    pub(super) fn same(self, a: Option<&Value>, b: Option<&Value>) -> bool {
        self.spend(a.map_or(0, weight));
        same(a, b)
    }

    /// A text that was made, which took work by its length.
    pub(super) fn made(self, text: String) -> Value {
        self.spend(text.len() / 64);
        Value::String(text)
    }

    /// What a helper with a value gives.
    pub(super) fn called<'e>(
        self,
        call: &'e Call,
        scope: &'e Scope<'_>,
    ) -> Result<Option<Cow<'e, Value>>, Fault>
    where
        't: 'e,
    {
        let mut args = Vec::with_capacity(call.args.len());
        for expr in &call.args {
            args.push(self.eval(expr, scope)?);
        }
        let given = |at: usize| args.get(at).and_then(Option::as_deref);
        match call.helper() {
            Some("lookup") => {
                let mut name = String::new();
                if let Some(value) = given(1) {
                    print(value, &mut name);
                }
                Ok(match args.into_iter().next().flatten() {
                    Some(Cow::Borrowed(value)) => member(value, &name).map(Cow::Borrowed),
                    Some(Cow::Owned(value)) => member(&value, &name).cloned().map(Cow::Owned),
                    None => None,
                })
            }
            Some("json") => {
                let indent = call.named("indent").map(|expr| self.eval(expr, scope)).transpose()?.flatten();
                let text = given(0).map(|value| json(value, indent.as_deref()));
                Ok(text.map(|text| Cow::Owned(self.made(text))))
            }
            Some("xml") => {
                let named = call.args.first().map(|expr| match expr {
                    Expr::Path(path) => path.parts.last().cloned().unwrap_or_else(|| "input".to_owned()),
                    expr => expr.text(),
                });
                let tag = self.tag_name(call, scope)?.or(named).unwrap_or_default();
                let attributes = self.attributes(call, scope)?;
                let mut text = String::new();
                element(&element_name(&tag), &attributes, given(0).unwrap_or(&Value::Null), &mut text);
                // The template has its own line ends.
                text.truncate(text.trim_end_matches('\n').len());
                Ok(Some(Cow::Owned(self.made(text))))
            }
            _ => Ok(None),
        }
    }

    pub(super) fn tag_name(self, call: &Call, scope: &Scope<'_>) -> Result<Option<String>, Fault> {
        let value = call.named("tag").map(|expr| self.eval(expr, scope)).transpose()?.flatten();
        Ok(value.and_then(|value| value.as_str().map(str::to_owned)))
    }

    /// What is given to `xml` by name, but for the tag.
    pub(super) fn attributes(self, call: &Call, scope: &Scope<'_>) -> Result<String, Fault> {
        let mut out = String::new();
        for (name, expr) in call.hash.iter().filter(|(name, _)| name != "tag") {
            let mut text = String::new();
            if let Some(value) = self.eval(expr, scope)? {
                print(&value, &mut text);
            }
            out.push(' ');
            out.push_str(&element_name(name));
            out.push_str("=\"");
            escape(&text, &mut out);
            out.push('"');
        }
        Ok(out)
    }

    pub(super) fn eval<'e>(
        self,
        expr: &'e Expr,
        scope: &'e Scope<'_>,
    ) -> Result<Option<Cow<'e, Value>>, Fault>
    where
        't: 'e,
    {
        match expr {
            Expr::Literal(value) => Ok(Some(Cow::Borrowed(value))),
            Expr::Undefined => Ok(None),
            Expr::Call(call) => self.called(call, scope),
            Expr::Path(path) => Ok(self.path(path, scope)),
        }
    }

    pub(super) fn path<'e>(self, path: &'e Path, scope: &'e Scope<'_>) -> Option<Cow<'e, Value>>
    where
        't: 'e,
    {
        let (first, rest) = match path.parts.split_first() {
            Some((first, rest)) => (Some(first.as_str()), rest),
            None => (None, &[][..]),
        };
        if path.local {
            return self.local(path, first?, rest, scope);
        }
        let mut scope = scope;
        for _ in 0..path.up {
            scope = scope.up?;
        }
        let Some(first) = first else {
            return Some(Cow::Borrowed(scope.this));
        };
        let param = if path.scoped || path.up > 0 { None } else { scope.param(first) };
        follow(param.or_else(|| member(scope.this, first))?, rest).map(Cow::Borrowed)
    }

    pub(super) fn local<'e>(
        self,
        path: &Path,
        first: &str,
        rest: &[String],
        scope: &'e Scope<'_>,
    ) -> Option<Cow<'e, Value>>
    where
        't: 'e,
    {
        if first == "root" {
            return follow(scope.root, rest).map(Cow::Borrowed);
        }
        let mut locals = scope.locals;
        for _ in 0..path.up {
            locals = locals?.up;
        }
        let own = locals.and_then(|locals| {
            Some(match first {
                "index" => Cow::Owned(Value::from(locals.index)),
                "key" => Cow::Borrowed(&locals.key),
                "first" => Cow::Owned(Value::from(locals.first)),
                "last" => Cow::Owned(Value::from(locals.last)),
                _ => return None,
            })
        });
        own.or_else(|| follow(self.context.get(first)?, rest).map(Cow::Borrowed))
    }
}

/// About how much work a copy of a value is, in steps.
pub(super) fn weight(value: &Value) -> usize {
    match value {
        Value::Object(members) => 1 + members.values().map(weight).sum::<usize>(),
        Value::Array(items) => 1 + items.iter().map(weight).sum::<usize>(),
        Value::String(text) => 1 + text.len() / 64,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

fn follow<'v>(mut value: &'v Value, parts: &[String]) -> Option<&'v Value> {
    for part in parts {
        value = member(value, part)?;
    }
    Some(value)
}

/// JSON, in one line or indented by so many spaces.
fn json(value: &Value, indent: Option<&Value>) -> String {
    let spaces = match indent {
        Some(Value::Number(number)) => " ".repeat(number.as_u64().unwrap_or_default().min(10) as usize),
        Some(Value::String(text)) => text.chars().take(10).collect(),
        _ => String::new(),
    };
    if spaces.is_empty() {
        return value.to_string();
    }
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(spaces.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    match serde::Serialize::serialize(value, &mut serializer) {
        Ok(()) => String::from_utf8(out).unwrap_or_default(),
        // A value in memory can always be written.
        Err(_) => value.to_string(),
    }
}
