//! Messages and tools in the form they are stored in, remembered by the JSON they came as: most of what a
//! conversation sends it has sent before.

use crate::message;
use crate::preview::preview;
use hanok_base::{Dialect, Role};
use hanok_wire::codec;
use parking_lot::Mutex;
use std::collections::HashMap;

/// Bytes of each of the two generations.
const GENERATION: usize = 512 << 10;
/// Larger ones are made again: they would push out too many others.
const LARGE: usize = GENERATION / 16;

/// A message or a list of tools, as it is stored.
#[derive(Clone)]
pub(crate) struct Form {
    dialect: Dialect,
    /// The JSON; empty where there is nothing to store.
    pub(crate) stored: Box<[u8]>,
    /// Who speaks, where somebody does.
    pub(crate) role: Option<Role>,
    /// The beginning of what a user says.
    pub(crate) preview: Option<String>,
}

/// The forms made most recently: when the young generation is full it becomes the old one, and what was not
/// used since is forgotten.
#[derive(Default)]
pub(crate) struct Forms(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: Generation,
    old: Generation,
    /// Bytes of the young one.
    bytes: usize,
}

type Generation = HashMap<Box<str>, Form, foldhash::fast::RandomState>;

impl Forms {
    /// A message's form; `None` where it cannot be read.
    pub(crate) fn message(&self, dialect: Dialect, json: &str) -> Option<Form> {
        self.remembered(dialect, json, || {
            let message = codec(dialect).decode_message(json).ok()?;
            let said = if message.role == Role::User { preview(&message.parts) } else { None };
            let stored = message::input(&message).into();
            Some(Form { dialect, stored, role: Some(message.role), preview: said })
        })
    }

    /// The form of an array of tools; `None` where it cannot be read.
    pub(crate) fn tools(&self, dialect: Dialect, json: &str) -> Option<Form> {
        self.remembered(dialect, json, || {
            let tools = codec(dialect).decode_tools(json).ok()?;
            let stored = if tools.is_empty() { Vec::new() } else { message::tools(&tools) }.into();
            Some(Form { dialect, stored, role: None, preview: None })
        })
    }

    fn remembered(&self, dialect: Dialect, json: &str, make: impl FnOnce() -> Option<Form>) -> Option<Form> {
        if let Some(form) = self.0.lock().get(json).filter(|form| form.dialect == dialect) {
            return Some(form.clone());
        }
        let form = make()?;
        self.0.lock().insert(json, &form);
        Some(form)
    }
}

impl Generations {
    fn get(&mut self, json: &str) -> Option<&Form> {
        if !self.young.contains_key(json) {
            let (json, form) = self.old.remove_entry(json)?;
            self.add(json, form);
        }
        self.young.get(json)
    }

    fn insert(&mut self, json: &str, form: &Form) {
        if json.len() <= LARGE {
            self.add(json.into(), form.clone());
        }
    }

    fn add(&mut self, json: Box<str>, form: Form) {
        if self.bytes >= GENERATION {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        // About what an entry costs beside its text.
        self.bytes += json.len() + form.stored.len() + 256;
        self.young.insert(json, form);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let forms = Forms::default();
        let message = |n: usize| format!(r#"{{"role":"user","content":"{n}","name":"a"}}"#);
        let stored = |n: usize| forms.message(Dialect::OpenAiChat, &message(n)).unwrap().stored;
        let first = stored(0);
        for n in 0..10_000 {
            stored(n);
        }
        assert_eq!(stored(0), first);
        let generations = forms.0.lock();
        let entries = generations.young.len() + generations.old.len();
        assert!((1_000..5_000).contains(&entries), "{entries}");
    }

    #[test]
    fn the_same_json_of_another_dialect_is_another_form() {
        let forms = Forms::default();
        let json = r#"{"role":"user","content":"hi","name":"a"}"#;
        assert!(forms.message(Dialect::OpenAiChat, json).is_some());
        assert!(forms.message(Dialect::Gemini, json).is_none());
        assert!(forms.message(Dialect::OpenAiChat, r#"{"role":"judge"}"#).is_none());
    }
}
