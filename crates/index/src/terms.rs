//! The terms of a query.

use crate::analyze::analyze;
use std::collections::HashMap;

/// The terms of a query, each once, with how much each counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms(Vec<(String, f64)>);

impl Terms {
    /// The terms of a query's text, each counting as often as it stands there.
    pub fn of(text: &str) -> Self {
        Self::counted(analyze(text).into_iter().map(|token| token.text))
    }
    /// The terms of a text, in their order, each counting as often as it stands there. A long text has many.
    pub(crate) fn counted(terms: impl IntoIterator<Item = String>) -> Self {
        let mut counted: Vec<(String, f64)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for term in terms {
            if let Some((_, sum)) = places.get(&term).and_then(|place| counted.get_mut(*place)) {
                *sum += 1.0;
            } else {
                places.insert(term.clone(), counted.len());
                counted.push((term, 1.0));
            }
        }
        Self(counted)
    }
    /// Adds a term, or to its weight where it is there.
    pub fn add(&mut self, term: String, weight: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == term) {
            Some((_, sum)) => *sum += weight,
            None => self.0.push((term, weight)),
        }
    }
    /// Whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
    /// The terms with their weights.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(term, weight)| (term.as_str(), *weight))
    }
}
