//! Ids of tool calls. Gemini mostly gives none and matches answers by the function's name and their order; other
//! dialects know calls by nothing else. So a call without an id gets one that is the same whenever it is read,
//! and that Gemini never sees.

use hanok_base::{ChatRequest, Part};
use std::collections::HashMap;

const MADE: &str = "hanok_";
/// Some providers refuse ids of more than 64 characters.
const KEY_LIMIT: usize = 40;

/// Whether the id was made here.
pub(super) fn is_made(id: &str) -> bool {
    id.starts_with(MADE)
}

/// The id of the `n`th call of a choice of an answer; `told` where the answer has an id, else by what is
/// called.
pub(super) fn of_answer(told: &str, choice: u32, n: usize, name: &str, arguments: &str) -> String {
    let mut key: String = told
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        .take(KEY_LIMIT)
        .collect();
    if key.is_empty() {
        // FNV-1a.
        let hash = name
            .bytes()
            .chain([0])
            .chain(arguments.bytes())
            .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
        key = format!("{hash:016x}");
    }
    format!("{MADE}{key}_{choice}_{n}")
}

/// The calls of a client's conversation, read in order.
#[derive(Default)]
pub(super) struct Asked {
    calls: Vec<(String, String)>,
    /// Of each call, whether it has its answer.
    answered: Vec<bool>,
}

impl Asked {
    /// Notes the `n`th call of message `message`; its id.
    pub(super) fn call(&mut self, told: Option<String>, message: usize, n: usize, name: &str) -> String {
        let id = told.filter(|id| !id.is_empty()).unwrap_or_else(|| format!("{MADE}{message}_{n}"));
        self.calls.push((id.clone(), name.to_owned()));
        self.answered.push(false);
        id
    }

    /// The name of the call with this id.
    pub(super) fn name(&self, id: &str) -> Option<&str> {
        self.calls.iter().find(|(of, _)| of == id).map(|(_, name)| name.as_str())
    }

    /// The id of the call that is answered: the one told, else the first of the name that has no answer yet.
    /// An answer to nothing goes by the name, so that it is not lost.
    pub(super) fn answer(&mut self, told: Option<&str>, name: &str) -> String {
        let position = |fits: &dyn Fn(&(String, String)) -> bool| {
            self.calls.iter().zip(&self.answered).position(|(call, answered)| !answered && fits(call))
        };
        let found = told
            .and_then(|told| position(&|(id, _)| id == told))
            .or_else(|| position(&|(id, of)| of == name && (told.is_none() || is_made(id))));
        let Some((at, (id, _))) = found.and_then(|at| Some((at, self.calls.get(at)?))) else {
            return name.to_owned();
        };
        if let Some(answered) = self.answered.get_mut(at) {
            *answered = true;
        }
        id.clone()
    }
}

/// Which function each call of a conversation is of, where it says so, by the call's id.
pub(super) fn names(request: &ChatRequest) -> HashMap<&str, &str> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    parts
        .filter_map(|part| match part {
            Part::ToolCall(call) => Some((call.id.as_str(), call.name.as_str())),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_find_their_calls() {
        let mut asked = Asked::default();
        let told = |id: &str| Some(id.to_owned());
        assert_eq!(asked.call(None, 1, 0, "f"), "hanok_1_0");
        assert_eq!(asked.call(None, 1, 1, "g"), "hanok_1_1");
        assert_eq!(asked.call(None, 1, 2, "f"), "hanok_1_2");
        assert_eq!(asked.call(told("x"), 1, 3, "f"), "x");
        assert_eq!(asked.answer(None, "g"), "hanok_1_1");
        assert_eq!(asked.answer(Some("x"), "f"), "x");
        assert_eq!(asked.answer(None, "f"), "hanok_1_0");
        assert_eq!(asked.answer(None, "f"), "hanok_1_2");
        assert_eq!(asked.answer(None, "f"), "f");
        assert_eq!(asked.answer(Some("y"), "f"), "f");
        // The client made up an id that the call has not.
        asked.call(None, 2, 0, "h");
        assert_eq!(asked.answer(Some("y"), "h"), "hanok_2_0");
    }

    #[test]
    fn ids_of_answers() {
        let check = |told: &str, expect: &str| {
            let id = of_answer(told, 0, 1, "f", "{}");
            assert_eq!(id, expect);
            assert!(is_made(&id) && id.len() <= 64);
        };
        check("Il0taoSYJ5Cez7-_", "hanok_Il0taoSYJ5Cez7-__0_1");
        check("a b/c", "hanok_abc_0_1");
        assert_ne!(of_answer("", 0, 0, "f", "1"), of_answer("", 0, 0, "f", "2"));
        assert_eq!(of_answer("", 0, 0, "f", "1"), of_answer("", 0, 0, "f", "1"));
        check(&"x".repeat(100), &format!("hanok_{}_0_1", "x".repeat(40)));
    }
}
