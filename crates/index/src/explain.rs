//! Why a text was found, and how well a query's words are known.

use crate::index::{IndexError, SearchIndex};
use crate::open::{Weighed, texts};
use crate::rank::{float, idf, length_table, share};
use crate::terms::Terms;
use tantivy::postings::Postings;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocAddress, DocSet, Searcher, TERMINATED, TantivyError, Term};

/// How well an index knows the terms of a query.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Known {
    /// Terms asked for.
    pub terms: usize,
    /// Those that at least one text holds.
    pub known: usize,
    /// How much of what the terms tell is known, 0 to 1: each counts by its weight and its idf.
    pub share: f64,
    /// The greatest idf (natural logarithm) of a term that is known; 0 where none is.
    pub rarest: f64,
}

impl SearchIndex {
    /// What each term adds to the score of the text under this key and group, the greatest first; nothing for a
    /// text that is not there.
    pub fn explain(&self, key: u64, group: u64, terms: &Terms) -> Result<Vec<(String, f64)>, IndexError> {
        let Some(open) = self.current().filter(|open| open.fields.key.is_some()) else {
            return Ok(Vec::new());
        };
        let explained = || -> Result<Vec<(String, f64)>, TantivyError> {
            let searcher = open.reader.searcher();
            let group = Term::from_field_u64(open.fields.group, group);
            let Some(at) = address(&searcher, key, &group)? else { return Ok(Vec::new()) };
            let Weighed { wanted, average } = open.weigh(&searcher, terms)?;
            let segment = searcher.segment_reader(at.segment_ord);
            let inverted = segment.inverted_index(open.fields.body)?;
            let lengths = segment.get_fieldnorms_reader(open.fields.body)?;
            let table = length_table(average);
            let length = table.get(usize::from(lengths.fieldnorm_id(at.doc_id))).copied().unwrap_or_default();
            let mut parts = Vec::new();
            for term in wanted {
                let ordinal = usize::try_from(at.segment_ord).unwrap_or(usize::MAX);
                let Some(info) = term.infos.get(ordinal).and_then(Option::as_ref) else { continue };
                let mut postings =
                    inverted.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
                if postings.doc() <= at.doc_id && postings.seek(at.doc_id) == at.doc_id {
                    parts.push((term.text.to_owned(), share(term.worth, postings.term_freq(), length)));
                }
            }
            parts.sort_by(|a, b| b.1.total_cmp(&a.1));
            Ok(parts)
        };
        explained().map_err(|error| self.failed(error))
    }

    /// How well a query's terms are known here.
    pub fn known(&self, terms: &Terms) -> Result<Known, IndexError> {
        let mut known = Known::default();
        let (mut told, mut asked) = (0.0, 0.0);
        let searcher = self.current().map(|open| (open.reader.searcher(), open.fields.body));
        let all = searcher.as_ref().map_or(0, |(searcher, _)| texts(searcher));
        for (text, weight) in terms.iter() {
            let with = match &searcher {
                Some((searcher, body)) => {
                    let with = searcher.doc_freq(&Term::from_field_text(*body, text));
                    with.map_err(|error| self.failed(error))?
                }
                None => 0,
            };
            let idf = idf(with, all);
            known.terms += 1;
            asked += weight * idf;
            if with > 0 {
                known.known += 1;
                told += weight * idf;
                known.rarest = known.rarest.max(idf);
            }
        }
        known.share = if asked > 0.0 { told / asked } else { float(u64::from(known.known > 0)) };
        Ok(known)
    }
}

/// Where the text of a group with this key is.
fn address(searcher: &Searcher, key: u64, group: &Term) -> Result<Option<DocAddress>, TantivyError> {
    for (ordinal, segment) in (0_u32..).zip(searcher.segment_readers()) {
        let inverted = segment.inverted_index(group.field())?;
        let Some(mut postings) = inverted.read_postings(group, IndexRecordOption::Basic)? else { continue };
        let keys = segment.fast_fields().u64("key")?;
        let alive = segment.alive_bitset();
        while postings.doc() != TERMINATED {
            let doc = postings.doc();
            if keys.first(doc) == Some(key) && alive.is_none_or(|alive| alive.is_alive(doc)) {
                return Ok(Some(DocAddress::new(ordinal, doc)));
            }
            postings.advance();
        }
    }
    Ok(None)
}
