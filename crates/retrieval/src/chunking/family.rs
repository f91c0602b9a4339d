//! Parents and children: small chunks are searched, larger ones shown.

use super::{Parents, Piece};
use hanok_base::SourceId;
use hanok_store::documents::Chunk;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Pieces of a parent's text as pieces of the document.
pub(super) fn children(parent: Piece, pieces: Vec<Piece>) -> impl Iterator<Item = Piece> {
    let around = parent.start..parent.end;
    let joined = move |below: &str| match (parent.heading.as_str(), below) {
        (above, "") => above.to_owned(),
        ("", below) => below.to_owned(),
        (above, below) if above.ends_with(below) => above.to_owned(),
        (above, below) => format!("{above} > {below}"),
    };
    pieces.into_iter().map(move |piece| Piece {
        heading: joined(&piece.heading),
        start: piece.start + around.start,
        end: piece.end + around.start,
        parent: Some(around.clone()),
    })
}

/// Something found that may be a part of something larger.
pub trait Kin {
    /// Its document.
    fn source(&self) -> SourceId;
    /// Its bytes in the document's text.
    fn span(&self) -> Range<usize>;
    /// The larger span around it.
    fn parent(&self) -> Option<Range<usize>>;
    /// Becomes its parent.
    fn grow(&mut self);
}

impl Kin for Chunk {
    fn source(&self) -> SourceId {
        self.source_id
    }
    fn span(&self) -> Range<usize> {
        self.start..self.end
    }
    fn parent(&self) -> Option<Range<usize>> {
        self.parent.as_ref().map(|(span, _)| span.clone())
    }
    fn grow(&mut self) {
        if let Some((span, text)) = self.parent.take() {
            (self.start, self.end, self.text) = (span.start, span.end, text);
        }
    }
}

/// A parent: its document and its bytes.
type Family = (SourceId, usize, usize);

/// Puts parents in the place of what was found, best first: of each parent, the first found becomes it, and the
/// rest, which it says too, goes. Under [`Parents::Merged`] only where what was found makes up half of it.
pub fn gather<K: Kin>(found: Vec<K>, parents: Parents) -> Vec<K> {
    if parents == Parents::None {
        return found;
    }
    let family =
        |one: &K| -> Option<Family> { one.parent().map(|parent| (one.source(), parent.start, parent.end)) };
    // Bytes of each parent that were found. Children may overlap a little; that does no harm here.
    let mut covered: HashMap<Family, usize> = HashMap::new();
    for one in &found {
        if let Some(key) = family(one) {
            *covered.entry(key).or_default() += one.span().len();
        }
    }
    let becomes = |key: &Family| {
        let (_, start, end) = *key;
        parents == Parents::Shown
            || covered.get(key).is_some_and(|bytes| bytes * 2 >= end.saturating_sub(start))
    };
    let mut shown: HashSet<Family> = HashSet::new();
    found
        .into_iter()
        .filter_map(|mut one| {
            let Some(key) = family(&one).filter(becomes) else { return Some(one) };
            if !shown.insert(key) {
                return None;
            }
            one.grow();
            Some(one)
        })
        .collect()
}
