//! The analyzer as tantivy calls it.

use crate::analyze::Analyzer;
use tantivy::tokenizer::{Token as TantivyToken, TokenStream, Tokenizer};

/// Splits a text at once and hands its terms out one by one.
#[derive(Clone, Default)]
pub(crate) struct Splitter {
    analyzer: Analyzer,
    terms: String,
    tokens: Vec<(usize, usize, usize)>,
}

/// The terms of one text.
pub(crate) struct Splits<'a> {
    terms: &'a str,
    tokens: std::slice::Iter<'a, (usize, usize, usize)>,
    from: usize,
    token: TantivyToken,
}

impl Tokenizer for Splitter {
    type TokenStream<'a> = Splits<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Splits<'a> {
        let Self { analyzer, terms, tokens } = self;
        terms.clear();
        tokens.clear();
        analyzer.scan(text, |term, start, end| {
            terms.push_str(term);
            tokens.push((terms.len(), start, end));
        });
        Splits { terms, tokens: tokens.iter(), from: 0, token: TantivyToken::default() }
    }
}

impl TokenStream for Splits<'_> {
    fn advance(&mut self) -> bool {
        let Some((to, start, end)) = self.tokens.next() else {
            return false;
        };
        self.token.text.clear();
        self.token.text.push_str(self.terms.get(self.from..*to).unwrap_or_default());
        self.from = *to;
        self.token.position = self.token.position.wrapping_add(1);
        self.token.offset_from = *start;
        self.token.offset_to = *end;
        true
    }
    fn token(&self) -> &TantivyToken {
        &self.token
    }
    fn token_mut(&mut self) -> &mut TantivyToken {
        &mut self.token
    }
}
