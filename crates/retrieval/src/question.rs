//! What a question asks for: its content words, weighed, and whether a text speaks of them.
//!
//! Korean words carry particles and endings, and texts other ones than the question; so a Korean word is its
//! stem's bigrams, and a text speaks of it by the share of them it holds. Words that only ask (`무엇`, `how
//! many`) say nothing of the subject and are left out; words that say little (`방법`, `kind`) count little.

use crate::sentence::is_hangul;
use crate::verbs;
use crate::words::{ENGLISH_EMPTY, ENGLISH_LITTLE, Ending, JOSA, KOREAN_EMPTY, KOREAN_LITTLE, is_in, stem};
use hanok_index::analyze;
use std::collections::HashSet;

/// A content word of a question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Concept {
    /// The word as asked, for people.
    pub(crate) word: String,
    /// The index's terms it is made of, in each way a text may have it; the first is the question's own.
    pub(crate) ways: Vec<Vec<String>>,
    /// Another way: this syllable with a particle or an ending (`책` of `책을`, `받` of `받는`).
    pub(crate) alone: Option<char>,
    /// How much it counts by its kind, before how rare it is.
    pub(crate) factor: f64,
    /// A name or number: nothing else will do.
    pub(crate) named: bool,
}

/// What kind of answer is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// A number, an amount, a time.
    pub(crate) number: bool,
    /// A reason.
    pub(crate) reason: bool,
    /// What to do: more than one sentence, mostly.
    pub(crate) steps: bool,
}

/// A question, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Question {
    pub(crate) concepts: Vec<Concept>,
    pub(crate) wanted: Wanted,
    /// Whether it is in Korean.
    pub(crate) korean: bool,
}

const NUMBER_CUES: &[&str] = &[
    "how many",
    "how much",
    "how long",
    "how old",
    "how often",
    "how far",
    "how big",
    "when ",
    "what year",
    "몇",
    "언제",
    "얼마",
    "며칠",
    "금액",
    "기간",
];
const REASON_CUES: &[&str] = &["why", "왜", "이유", "까닭", "원인"];
const STEP_CUES: &[&str] =
    &["how do", "how to", "how can", "how should", "what should", "what do i", "어떻게", "방법", "절차"];

/// How much a word of each kind counts.
const SAYS_LITTLE: f64 = 0.35;
const PREDICATE: f64 = 0.3;
const CLAUSE: f64 = 0.5;

impl Question {
    /// Takes a question apart.
    pub(crate) fn of(text: &str) -> Self {
        let mut question = Self { korean: text.chars().any(is_hangul), ..Self::default() };
        let lower = text.to_lowercase();
        let asks = |cues: &[&str]| cues.iter().any(|cue| lower.contains(cue));
        question.wanted =
            Wanted { number: asks(NUMBER_CUES), reason: asks(REASON_CUES), steps: asks(STEP_CUES) };
        let words: Vec<&str> = text.split_whitespace().collect();
        // Where most words begin with a capital, capitals tell nothing.
        let capitals =
            words.iter().skip(1).filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).count();
        let telling = capitals * 2 <= words.len();
        for (at, word) in words.iter().enumerate() {
            question.add_word(word, at == 0, telling, at + 1 == words.len());
        }
        question
    }

    fn add_word(&mut self, word: &str, first: bool, capitals_tell: bool, last: bool) {
        let mut rest = word;
        let mut glued = false;
        while let Some(c) = rest.chars().next() {
            let kind = Script::of(c);
            let length: usize = rest.chars().take_while(|c| kind.takes(*c)).map(char::len_utf8).sum();
            let (run, after) = rest.split_at_checked(length.max(c.len_utf8())).unwrap_or((rest, ""));
            match kind {
                Script::Latin => self.add_latin(run, first, capitals_tell),
                Script::Hangul => {
                    self.add_korean(run, glued, last && !after.chars().any(char::is_alphanumeric));
                }
                Script::Ideograph => self.add_terms(run),
                Script::Other => {}
            }
            glued = kind == Script::Latin;
            rest = after;
        }
    }

    fn add_latin(&mut self, run: &str, first: bool, capitals_tell: bool) {
        let run = run.trim_matches(|c: char| !c.is_alphanumeric());
        let lower = run.to_lowercase();
        let bare = lower.strip_suffix("'s").or_else(|| lower.strip_suffix("’s")).unwrap_or(&lower);
        if bare.is_empty() || is_in(ENGLISH_EMPTY, bare) {
            return;
        }
        let mut ways = vec![terms(run)];
        ways.extend(verbs::forms(bare).map(terms));
        let little = is_in(ENGLISH_LITTLE, bare);
        let has_digit = run.chars().any(|c| c.is_ascii_digit());
        let inner_capital = run.chars().skip(1).any(char::is_uppercase);
        let capital = run.starts_with(char::is_uppercase) && !first && capitals_tell && !self.korean;
        self.push(Concept {
            word: run.to_owned(),
            ways,
            alone: None,
            factor: if little { SAYS_LITTLE } else { 1.0 },
            named: has_digit || inner_capital || capital,
        });
    }

    fn add_korean(&mut self, run: &str, glued: bool, last: bool) {
        // What is glued to a Latin word or number is its particle or counter.
        if glued && (run.chars().count() <= 2 || JOSA.contains(&run)) {
            return;
        }
        if is_in(KOREAN_EMPTY, run) {
            return;
        }
        let (stem, ending) = stem(run);
        if is_in(KOREAN_EMPTY, stem) || stem.is_empty() {
            return;
        }
        let mut ways = vec![terms(stem)];
        let mut alone = None;
        let syllables = stem.chars().count();
        if syllables == 2 {
            let mut chars = stem.chars();
            let (one, two) = (chars.next(), chars.next());
            alone = one.filter(|_| two.is_some_and(|two| "은는이가을를의에로도만과와".contains(two)));
        } else if syllables == 1 {
            alone = stem.chars().next();
            ways.clear();
        }
        if matches!(ending, Ending::Predicate | Ending::Clause) {
            ways.extend(verbs::written_out(stem).map(|stem| terms(&stem)));
        }
        let factor = match ending {
            Ending::Predicate => PREDICATE,
            Ending::Clause => CLAUSE,
            _ if is_in(KOREAN_LITTLE, stem) => SAYS_LITTLE,
            // A native verb at the end that no rule knows is a predicate too.
            Ending::None if last && run.ends_with(['나', '까', '요', '다', '죠', '지', '줘', '가']) => {
                PREDICATE
            }
            _ if syllables == 1 => 0.6,
            _ => 1.0,
        };
        self.push(Concept { word: stem.to_owned(), ways, alone, factor, named: false });
    }

    fn add_terms(&mut self, run: &str) {
        // Kana alone is mostly grammar.
        if run.chars().all(|c| matches!(c, '\u{3041}'..='\u{309f}')) {
            return;
        }
        self.push(Concept {
            word: run.to_owned(),
            ways: vec![terms(run)],
            alone: None,
            factor: 1.0,
            named: false,
        });
    }

    fn push(&mut self, mut concept: Concept) {
        concept.ways.retain(|way| !way.is_empty());
        let known = self.concepts.iter().any(|known| known.is(&concept));
        if !known && (!concept.ways.is_empty() || concept.alone.is_some()) {
            self.concepts.push(concept);
        }
    }
}

impl Concept {
    /// Whether it is the same as another.
    pub(crate) fn is(&self, other: &Self) -> bool {
        self.ways == other.ways && self.alone == other.alone
    }
}

fn terms(text: &str) -> Vec<String> {
    analyze(text).into_iter().map(|token| token.text).collect()
}

/// The terms of a text, to look concepts up in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bag(HashSet<String>);

impl Bag {
    pub(crate) fn of(text: &str) -> Self {
        Self(analyze(text).into_iter().map(|token| token.text).collect())
    }

    /// How far the text speaks of a concept, in 0..=1.
    pub(crate) fn holds(&self, concept: &Concept) -> f64 {
        let mut credit: f64 = 0.0;
        for way in &concept.ways {
            let held = way.iter().filter(|term| self.0.contains(*term)).count();
            if held == way.len() {
                return 1.0;
            }
            // Half of the bigrams can be chance.
            let share = fraction(held, way.len());
            if share > 0.5 {
                credit = credit.max(share * share);
            }
        }
        let Some(alone) = concept.alone else { return credit };
        let mut text = String::from(alone);
        if self.0.contains(&text) {
            return 1.0;
        }
        let stands = "은는이가을를의에로도만과와나어아고지습으기면던".chars().any(|particle| {
            text.truncate(alone.len_utf8());
            text.push(particle);
            self.0.contains(&text)
        });
        if stands { credit.max(0.8) } else { credit }
    }

    /// How alike two texts are, in 0..=1 (Jaccard).
    pub(crate) fn likeness(&self, other: &Self) -> f64 {
        let common = self.0.intersection(&other.0).count();
        let all = self.0.len() + other.0.len() - common;
        if all == 0 { 0.0 } else { fraction(common, all) }
    }

    /// The share of this text's terms that `other` holds.
    pub(crate) fn share_in(&self, other: &Self) -> f64 {
        if self.0.is_empty() { 0.0 } else { fraction(self.0.intersection(&other.0).count(), self.0.len()) }
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of words")]
fn fraction(part: usize, all: usize) -> f64 {
    part as f64 / all as f64
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Script {
    Latin,
    Hangul,
    Ideograph,
    Other,
}

impl Script {
    fn of(c: char) -> Self {
        match c {
            '가'..='힣' => Self::Hangul,
            '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '々' => Self::Ideograph,
            c if c.is_alphanumeric() => Self::Latin,
            _ => Self::Other,
        }
    }
    /// Whether `c` goes on with a run: a word with hyphens, dots and apostrophes is one word.
    fn takes(self, c: char) -> bool {
        Self::of(c) == self
            || (self == Self::Latin
                && matches!(c, '.' | '-' | '_' | '/' | '\'' | '’' | '+' | '#' | ':' | ','))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_taken_apart() {
        let check = |text: &str, expect: &[&str]| {
            let question = Question::of(text);
            let words: Vec<&str> = question.concepts.iter().map(|concept| concept.word.as_str()).collect();
            assert_eq!(words, expect, "{text}");
        };
        check("What is the default port of the server?", &["default", "port", "server"]);
        check("How do I install hanok.toml on Windows?", &["install", "hanok.toml", "Windows"]);
        check("연차 휴가는 며칠인가요?", &["연차", "휴가"]);
        check("B2B의 장점은 무엇인가요?", &["B2B", "장점"]);
        check("예비인가를 받을 필요가 있는지 설명하시오.", &["예비인가", "받을", "필요"]);
        check("What is it?", &[]);
        check("東京タワーの高さは？", &["東京タワーの高さは"]);
    }

    #[test]
    fn a_text_speaks_of_a_concept() {
        let check = |question: &str, text: &str, least: f64, most: f64| {
            let question = Question::of(question);
            let credit = Bag::of(text).holds(&question.concepts[0]);
            assert!((least..=most).contains(&credit), "{question:?} {text}: {credit}");
        };
        check("지방은행은?", "지방은행의 전환", 1.0, 1.0);
        check("지방은행은?", "지방 은행", 0.3, 0.6);
        check("지방은행은?", "시중은행", 0.0, 0.0);
        check("책을", "책은 많다", 0.7, 1.0);
        check("책을", "산책을 한다", 0.0, 1.0);
        check("installing", "It is installed here.", 1.0, 1.0);
    }
}
