//! Small changes of a request's bytes that leave all others as they are.

use crate::codec::Places;
use bytes::Bytes;
use std::ops::Range;

/// Changes to apply to one body.
#[derive(Debug, Default)]
pub(crate) struct Edits {
    replaced: Vec<(Range<usize>, String)>,
    /// Members to write before the closing brace, each behind a comma.
    appended: String,
}

impl Edits {
    /// Writes `text` in place of the bytes `at`.
    pub(crate) fn replace(&mut self, at: Range<usize>, text: String) {
        self.replaced.push((at, text));
    }

    /// Writes a member (`"name":value`) at the object's end.
    pub(crate) fn append(&mut self, member: &str) {
        self.appended.push(',');
        self.appended.push_str(member);
    }

    /// The body with the changes; the same bytes where there are none.
    pub(crate) fn apply(mut self, body: &Bytes, places: &Places) -> Bytes {
        if !self.appended.is_empty() {
            if places.empty {
                self.appended.remove(0);
            }
            self.replaced.push((places.close..places.close, std::mem::take(&mut self.appended)));
        }
        if self.replaced.is_empty() {
            return body.clone();
        }
        self.replaced.sort_by_key(|(at, _)| at.start);
        let more: usize = self.replaced.iter().map(|(_, text)| text.len()).sum();
        let mut out = Vec::with_capacity(body.len() + more);
        let mut from = 0;
        for (at, text) in &self.replaced {
            out.extend_from_slice(body.get(from..at.start).unwrap_or_default());
            out.extend_from_slice(text.as_bytes());
            from = at.end;
        }
        out.extend_from_slice(body.get(from..).unwrap_or_default());
        Bytes::from(out)
    }
}
