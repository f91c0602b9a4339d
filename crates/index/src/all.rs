//! Which groups hold certain words: without a score, as a set.

use crate::index::{IndexError, MOST_LONGER, SearchIndex};
use crate::script::{Class, class};
use tantivy::postings::SegmentPostings;
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocSet, SegmentReader, TERMINATED, TantivyError, Term};

/// A set of groups, a bit for each number up to the greatest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups(Vec<u64>);

impl Groups {
    fn insert(&mut self, group: u64) {
        let Ok(word) = usize::try_from(group / 64) else { return };
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word |= 1 << (group % 64);
        }
    }

    /// Those that are in both.
    pub fn and(&mut self, other: &Self) {
        self.0.truncate(other.0.len());
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word &= other);
    }

    /// From the greatest number to the least.
    pub fn descending(&self) -> impl Iterator<Item = u64> + '_ {
        let words = self.0.iter().enumerate().rev().filter(|(_, word)| **word != 0);
        words.flat_map(|(at, word)| {
            (0..64).rev().filter(move |bit| word >> bit & 1 == 1).map(move |bit| at as u64 * 64 + bit)
        })
    }
}

impl SearchIndex {
    /// The groups with a text that holds every term of `words`, in any order. `None` where there is no term in them,
    /// or no index. A single syllable or ideograph also is what longer runs begin with it.
    pub fn groups_with(&self, words: &str) -> Result<Option<Groups>, IndexError> {
        let mut wanted: Vec<Vec<String>> = Vec::new();
        for term in self.analyzed(words) {
            let mut any = vec![term];
            let alone = any.first().filter(|term| {
                let mut chars = term.chars();
                chars.next().is_some_and(|c| class(c) != Class::Word) && chars.next().is_none()
            });
            if let Some(term) = alone.cloned() {
                any.extend(self.terms_with_prefix(&term, MOST_LONGER)?);
            }
            if !wanted.contains(&any) {
                wanted.push(any);
            }
        }
        if wanted.is_empty() {
            return Ok(None);
        }
        self.with_segments(|field, segments| {
            let mut found = Groups::default();
            for segment in segments {
                add_segment(segment, field, &wanted, &mut found)?;
            }
            Ok(found)
        })
    }
}

fn add_segment(
    segment: &SegmentReader,
    field: Field,
    wanted: &[Vec<String>],
    found: &mut Groups,
) -> Result<(), TantivyError> {
    let inverted = segment.inverted_index(field)?;
    let mut legs = Vec::with_capacity(wanted.len());
    for any in wanted {
        let mut leg = Leg::default();
        for term in any {
            let term = Term::from_field_text(field, term);
            leg.0.extend(inverted.read_postings(&term, IndexRecordOption::Basic)?);
        }
        if leg.0.is_empty() {
            return Ok(());
        }
        legs.push(leg);
    }
    // The rarest leads.
    legs.sort_by_key(Leg::size);
    let Some((lead, others)) = legs.split_first_mut() else { return Ok(()) };
    let groups = segment.fast_fields().u64("group")?;
    let alive = segment.alive_bitset();
    loop {
        let doc = lead.doc();
        if doc == TERMINATED {
            return Ok(());
        }
        if alive.is_none_or(|alive| alive.is_alive(doc))
            && others.iter_mut().all(|leg| leg.has(doc))
            && let Some(group) = groups.first(doc)
        {
            found.insert(group);
        }
        lead.pass(doc);
    }
}

/// Any of several terms.
#[derive(Default)]
struct Leg(Vec<SegmentPostings>);

impl Leg {
    fn size(&self) -> u64 {
        self.0.iter().map(|postings| u64::from(postings.doc_freq())).sum()
    }

    fn doc(&self) -> u32 {
        self.0.iter().map(DocSet::doc).min().unwrap_or(TERMINATED)
    }

    fn pass(&mut self, doc: u32) {
        for postings in self.0.iter_mut().filter(|postings| postings.doc() == doc) {
            postings.advance();
        }
    }

    fn has(&mut self, doc: u32) -> bool {
        self.0.iter_mut().any(|postings| {
            if postings.doc() < doc {
                postings.seek(doc);
            }
            postings.doc() == doc
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Detail;
    use crate::terms::Terms;

    #[test]
    fn groups_with_every_word() {
        let folder = tempfile::tempdir().unwrap();
        let index = SearchIndex::open(folder.path());
        let check = |words: &str, expect: Option<&[u64]>| {
            let found = index.groups_with(words).unwrap();
            assert_eq!(
                found.map(|found| found.descending().collect()),
                expect.map(<[u64]>::to_vec),
                "{words}"
            );
        };
        check("refund", None);
        let mut writer = index.writer().unwrap();
        let texts = [
            (3, "A refund of the order"),
            (200, "orders and refunds, again"),
            (70, "the order only"),
            (200, "환불 정책을 알려 주세요"),
            (5, "책을 주문했다"),
        ];
        for (at, (group, text)) in (0..).zip(texts) {
            writer.add(at, group, &[text]).unwrap();
            if at == 2 {
                writer.commit("half").unwrap();
            }
        }
        writer.commit("all").unwrap();
        check("refund", Some(&[200, 3]));
        check("ORDER refund", Some(&[200, 3]));
        check("orders", Some(&[200, 70, 3]));
        check("환불", Some(&[200]));
        check("책", Some(&[200, 5]));
        check("order 환불", Some(&[]));
        check("nothing", Some(&[]));
        check("!?", None);
        writer.delete_group(200);
        writer.commit("less").unwrap();
        check("refund", Some(&[3]));
    }

    #[test]
    fn an_index_of_sets_ranks_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let groups = |index: &SearchIndex| {
            let found = index.groups_with("refund").unwrap();
            found.map(|found| found.descending().collect::<Vec<_>>())
        };
        let index = SearchIndex::open_with(folder.path(), Detail::Sets);
        let mut writer = index.writer().unwrap();
        for group in 1..=40 {
            writer.add(group, group, &["a refund", "of the order"]).unwrap();
            if group % 10 == 0 {
                writer.commit(&format!("up to {group}")).unwrap();
            }
        }
        writer.delete_group(7);
        writer.commit("less").unwrap();
        writer.finish().unwrap();
        let expect: Vec<u64> = (1..=40).rev().filter(|group| *group != 7).collect();
        assert_eq!(groups(&index), Some(expect.clone()));
        assert_eq!(index.search(&Terms::of("refund"), 10).unwrap(), []);
        drop(index);
        let index = SearchIndex::open_with(folder.path(), Detail::Sets);
        assert_eq!((index.mark().as_deref(), groups(&index)), (Some("less"), Some(expect)));
        drop(index);
        // What keeps something else is no index of ours.
        let index = SearchIndex::open(folder.path());
        assert_eq!((index.mark(), groups(&index)), (None, None));
    }

    #[test]
    fn sets_are_intersected() {
        let of = |groups: &[u64]| {
            let mut set = Groups::default();
            for group in groups {
                set.insert(*group);
            }
            set
        };
        let mut both = of(&[0, 1, 63, 64, 500]);
        both.and(&of(&[1, 64, 65]));
        assert_eq!(both.descending().collect::<Vec<_>>(), [64, 1]);
    }
}
