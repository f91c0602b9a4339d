//! Who labels: two made-up listeners, who know what a playlist is really for, as one knows who has heard it, and err
//! now and then. Nothing that describes, labels or judges sees what they know.

use crate::catalogue::themes_of;
use crate::chance::Chance;
use crate::files::World;
use crate::music::THEMES;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many in a thousand of what each of them labels is wrong.
const ERRORS: [(&str, usize); 2] = [("ann", 40), ("ben", 60)];

/// What the queries are really about.
pub(crate) struct Truth<'a> {
    world: &'a World,
    /// The playlist that a query was written from.
    written: BTreeMap<String, String>,
}

impl<'a> Truth<'a> {
    pub(crate) fn new(world: &'a World, written: BTreeMap<String, String>) -> Self {
        Self { world, written }
    }

    /// Whether a playlist is what somebody wants who types this.
    fn is_wanted(&self, query: &str, id: &str) -> bool {
        let Some(theme) = self.world.playlist(id).map(|playlist| playlist.theme) else { return false };
        if themes_of(query).contains(&theme) {
            return true;
        }
        // A query that was written from a playlist is answered by what is for the same, of the same kinds of music.
        let source = self.written.get(query).and_then(|id| self.world.playlist(id));
        source.is_some_and(|source| {
            let genres = |theme: usize| THEMES.get(theme).map(|theme| theme.genres).unwrap_or_default();
            source.theme == theme || genres(source.theme) == genres(theme)
        })
    }

    /// A result of a search as the two label it, as `hanok judge labels import` reads it; `None` of one without an
    /// output.
    pub(crate) fn label(&self, search: &str, result: &Value) -> Option<Value> {
        let query = result.pointer("/sample/input/query")?.as_str()?;
        let answer = result.pointer("/output/text")?.as_str()?;
        let found = result.pointer("/output/value")?.as_array()?;
        let serves = found.iter().filter_map(Value::as_str).any(|id| self.is_wanted(query, id));
        let labels: serde_json::Map<String, Value> = ERRORS
            .iter()
            .map(|(who, errors)| {
                let errs = Chance::of(&format!("{who} {search} {query} {answer}")).often(*errors);
                let label = if serves == errs { "fail" } else { "pass" };
                ((*who).to_owned(), json!({ "label": label }))
            })
            .collect();
        // Another page for the same query is another thing to label.
        let id = format!("{search}/{query}/{:08x}", Chance::of(answer).next() >> 32);
        Some(json!({
            "id": id, "question": query, "answer": answer, "labels": labels, "cluster": query,
            "origin": result.get("trace_id"),
        }))
    }
}
