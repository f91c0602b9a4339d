//! The helpers there are, and what they must be given. Handlebars' own, those of dotprompt, and `xml`.

use super::parse::unknown_helper;
use super::tree::{Call, Expr};
use crate::error::Fault;

/// Their names.
pub(super) const NAMES: [&str; 14] = [
    "each",
    "history",
    "if",
    "ifEquals",
    "json",
    "log",
    "lookup",
    "media",
    "role",
    "section",
    "unless",
    "unlessEquals",
    "with",
    "xml",
];

/// Who may speak in a template, besides `model`.
const ROLES: [&str; 4] = ["system", "user", "model", "assistant"];

/// How many values a helper takes, at least and at most; `None` where it is none of this kind.
fn inline(name: &str) -> Option<(usize, usize)> {
    Some(match name {
        "history" | "media" => (0, 0),
        "json" | "role" | "section" | "xml" => (1, 1),
        "lookup" => (2, 2),
        "log" => (0, 16),
        _ => return None,
    })
}

fn block(name: &str) -> Option<(usize, usize)> {
    Some(match name {
        "if" | "unless" | "each" | "with" | "xml" => (1, 1),
        "ifEquals" | "unlessEquals" => (2, 2),
        _ => return None,
    })
}

/// Whether a call without anything given to it is a helper's all the same.
pub(super) fn is_helper_when_bare(name: &str) -> bool {
    name == "history"
}

/// Checks `{{…}}`.
pub(super) fn check_inline(call: &Call) -> Result<(), Fault> {
    let Some(name) = call.helper().filter(|name| !call.is_bare() || is_helper_when_bare(name)) else {
        return if call.is_bare() { Ok(()) } else { Err(unknown_helper(call)) };
    };
    let Some(wanted) = inline(name) else {
        return Err(match block(name) {
            Some(_) => {
                Fault::new(call.at, format!("`{name}` is a block: `{{{{#{name} …}}}}…{{{{/{name}}}}}`"))
            }
            None => unknown_helper(call),
        });
    };
    check_count(call, name, wanted)?;
    match (name, call.args.first()) {
        ("media", _) if call.named("url").is_none() => {
            Err(Fault::new(call.at, "`media` needs a url: {{media url=photo}}"))
        }
        ("role", Some(Expr::Literal(serde_json::Value::String(role)))) => check_role(role, call.at),
        ("role", Some(Expr::Literal(_) | Expr::Undefined)) => {
            Err(Fault::new(call.at, "`role` needs a name: {{role \"user\"}}"))
        }
        ("xml", Some(Expr::Literal(_) | Expr::Call(_))) if call.named("tag").is_none() => {
            Err(Fault::new(call.at, "`xml` needs a tag for what has no name: {{xml \"text\" tag=\"note\"}}"))
        }
        _ => Ok(()),
    }
}

/// Whether somebody of this name may speak.
pub(super) fn check_role(role: &str, at: usize) -> Result<(), Fault> {
    if ROLES.contains(&role) {
        return Ok(());
    }
    let message = if role == "tool" {
        "a prompt cannot speak for a tool: results of tools come with the history".to_owned()
    } else {
        format!("there is no role `{role}`; roles are system, user and model")
    };
    Err(Fault::new(at, message))
}

/// Checks `{{#…}}`.
pub(super) fn check_block(call: &Call) -> Result<(), Fault> {
    if call.is_bare() {
        return Ok(());
    }
    match call.helper().and_then(|name| block(name).map(|wanted| (name, wanted))) {
        Some((name, wanted)) => check_count(call, name, wanted),
        None => match call.helper().filter(|name| inline(name).is_some()) {
            Some(name) => Err(Fault::new(call.at, format!("`{name}` is no block; write {{{{{name} …}}}}"))),
            None => Err(unknown_helper(call)),
        },
    }
}

/// Checks `(…)`.
pub(super) fn check_nested(call: &Call) -> Result<(), Fault> {
    match call.helper() {
        Some(name @ ("lookup" | "json" | "xml")) => {
            inline(name).map_or(Ok(()), |wanted| check_count(call, name, wanted))
        }
        Some(name) if NAMES.contains(&name) => {
            Err(Fault::new(call.at, format!("`{name}` has no value that could be given on")))
        }
        _ => Err(unknown_helper(call)),
    }
}

fn check_count(call: &Call, name: &str, (least, most): (usize, usize)) -> Result<(), Fault> {
    let given = call.args.len();
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let wanted = match (least, most) {
        (0, 0) => "no value".to_owned(),
        (1, 1) => "one value".to_owned(),
        _ => format!("{least} values"),
    };
    Err(Fault::new(call.at, format!("`{name}` takes {wanted}, not {given}")))
}
