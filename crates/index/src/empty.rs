//! English words that join and ask, and are about nothing. What is indexed holds them; a question is not searched for by
//! them: texts that are not questions seldom hold `what` or `should`, and would be found for that.

/// Articles, pronouns, prepositions, conjunctions, auxiliaries and question words in lower case, in order; `don` is what is
/// left of `don't`.
const EMPTY: [&str; 128] = [
    "a", "about", "above", "after", "again", "against", "all", "am", "an", "and", "any", "are", "aren", "as",
    "at", "be", "because", "been", "before", "being", "below", "between", "both", "but", "by", "can",
    "could", "couldn", "did", "didn", "do", "does", "doesn", "doing", "don", "down", "during", "each", "few",
    "for", "from", "further", "had", "hadn", "has", "hasn", "have", "having", "he", "her", "here", "him",
    "his", "how", "i", "if", "in", "into", "is", "isn", "it", "its", "may", "me", "might", "more", "most",
    "must", "my", "no", "nor", "not", "of", "off", "on", "once", "only", "or", "other", "our", "out", "over",
    "own", "same", "shall", "she", "should", "shouldn", "so", "some", "such", "than", "that", "the", "their",
    "them", "then", "there", "these", "they", "this", "those", "through", "to", "too", "under", "until",
    "up", "very", "was", "wasn", "we", "were", "weren", "what", "when", "where", "which", "while", "who",
    "whom", "why", "will", "with", "would", "wouldn", "you", "your",
];

/// Tells such words in one question.
pub(crate) struct Empty {
    /// Whether all of the question is in capitals, so that those of a word mean nothing.
    capitals: bool,
}

impl Empty {
    /// In this question.
    pub(crate) fn of(question: &str) -> Self {
        Self { capitals: question.chars().filter(|c| c.is_alphabetic()).all(char::is_uppercase) }
    }

    /// Whether a word, as it stands in the question, is one. `IT` and `WHO` are names.
    pub(crate) fn holds(&self, word: &str) -> bool {
        let lowered = |known: &&str| known.bytes().cmp(word.bytes().map(|byte| byte.to_ascii_lowercase()));
        let name = !self.capitals && word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
        !name && EMPTY.binary_search_by(lowered).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_words_are_told() {
        assert!(EMPTY.is_sorted());
        let check = |question: &str, expect: &[&str]| {
            let empty = Empty::of(question);
            let found: Vec<&str> = question.split(' ').filter(|word| empty.holds(word)).collect();
            assert_eq!(found, expect, "{question}");
        };
        check("What should the parcel weigh", &["What", "should", "the"]);
        check("WHAT SHOULD IT WEIGH", &["WHAT", "SHOULD", "IT"]);
        check("What does WHO say of IT budgets", &["What", "does", "of"]);
        check("IT 부서 연락처", &[]);
        check("wo ist das Lager", &[]);
        check("", &[]);
    }
}
