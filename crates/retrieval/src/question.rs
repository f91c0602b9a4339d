//! What a question asks for: its content words, weighed, and whether a text speaks of them.
//!
//! Korean words carry particles and endings, and texts other ones than the question; so a Korean word is its
//! stem's bigrams, and a text speaks of it by the share of them it holds. Words that only ask (`무엇`, `how
//! many`) say nothing of the subject and are left out; words that say little (`방법`, `kind`) count little.

mod bag;
mod kinds;
mod sought;
mod synonyms;

pub(crate) use bag::Bag;
pub(crate) use kinds::number_is_near;
pub(crate) use sought::Sought;

use crate::sentence::is_hangul;
use crate::verbs;
use crate::words::{
    ENGLISH_EMPTY, ENGLISH_LITTLE, Ending, JOSA, KOREAN_EMPTY, KOREAN_LITTLE, is_in, stem, takes,
};
use hanok_index::analyze;

/// What a word is to a question: how much it says, and how freely people put another in its stead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, a code, a number: nothing else will do.
    Name,
    Noun,
    /// What is done; said in many ways.
    Verb,
    /// A word that says little of any subject, or what the kind of answer says already.
    Little,
}

/// A content word of a question.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Concept {
    /// The word as asked, for people.
    pub(crate) word: String,
    /// The index's terms it is made of, in each way a text may have it; the first is the question's own.
    pub(crate) ways: Vec<Vec<String>>,
    /// Another way: this syllable with a particle or an ending (`책` of `책을`, `받` of `받는`).
    pub(crate) alone: Option<char>,
    /// Other words of its meaning.
    pub(crate) synonyms: Vec<Vec<String>>,
    pub(crate) kind: Kind,
    /// How much it counts by its kind, before how rare it is.
    pub(crate) factor: f64,
    /// What `how many` counts.
    pub(crate) counted: bool,
}

/// A question, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Question {
    /// As asked.
    pub(crate) text: String,
    pub(crate) concepts: Vec<Concept>,
    pub(crate) sought: Sought,
    /// Whether it is in Korean.
    pub(crate) korean: bool,
}

/// How many words are few, and how many are many.
const FEW: f64 = 5.0;
const MANY: f64 = 9.0;
/// How much a word of each kind counts.
const LITTLE: f64 = 0.3;
const VERB: f64 = 0.35;
const SUBJECT_VERB: f64 = 0.8;
const KOREAN_VERB: f64 = 0.3;
/// A noun made a verb of: `신청` of `신청하려면`.
const VERBAL_NOUN: f64 = 0.7;
const SYLLABLE: f64 = 0.6;

/// Korean nouns that a verb commonly stands before.
const ADNOMINAL: &[&str] = &[
    "이유", "까닭", "방법", "절차", "경로", "명령", "곳", "사람", "때", "것", "경우", "데", "법", "건가",
    "거", "기간", "시간", "비용",
];
/// Words after which English has a verb.
const BEFORE_VERBS: &str = "to i we you they he she";
/// English verbs of every day that are seldom what a question is about.
const VERBS: &str = "accept accepted act add added admit agree announce answer appear apply arrive ask asked attend become begin belong bring \
    buy call called cancel carry catch change charge check choose close collect come complete connect contact contain continue create \
    cut decide deliver do drive drop earn eat eligible end enter exist expect expire fail fill find finish fire fit fix follow get give go grow \
    hand handle happen hear help hold hope include increase introduce join keep know last lead learn leave lend let like listen live log \
    look lose maintain make manage mean meet move need offer open order park pay permit pick play prevent produce provide put reach \
    read receive reject remain remove repeat replace reply report request retry return run save see sell send serve set shut sign speak \
    spend stand start stay stop store submit supply take talk tell think touch try turn use wait want wear withdraw work write valid able";

impl Question {
    /// Takes a question apart.
    pub(crate) fn of(text: &str) -> Self {
        let mut question = Self {
            text: text.to_owned(),
            korean: text.chars().any(is_hangul),
            sought: Sought::of(text),
            ..Self::default()
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        // Where most words begin with a capital, capitals tell nothing.
        let capitals =
            words.iter().skip(1).filter(|word| word.starts_with(|c: char| c.is_ascii_uppercase())).count();
        let telling = capitals * 2 <= words.len();
        let mut before = "";
        for (at, word) in words.iter().enumerate() {
            let from = question.concepts.len();
            // What `몇` counts is a kind of answer, no subject.
            if before.ends_with('몇') && Sought::counts(word) {
                before = word;
                continue;
            }
            question.add_word(word, at == 0, telling, at + 1 == words.len());
            let after_subject = is_in(BEFORE_VERBS, &before.to_lowercase());
            for concept in question.concepts.iter_mut().skip(from) {
                if matches!(concept.kind, Kind::Noun | Kind::Verb) && after_subject {
                    // `How do I uninstall it?` is about uninstalling.
                    let factor = if question.sought.steps { SUBJECT_VERB } else { VERB };
                    (concept.kind, concept.factor) = (Kind::Verb, factor);
                }
                concept.counted = concept.kind == Kind::Noun && before.eq_ignore_ascii_case("many");
            }
            // `없애는 이유`: what ends in 는 before such a word is a verb.
            let joins =
                words.get(at + 1).is_some_and(|next| ADNOMINAL.iter().any(|noun| next.starts_with(noun)));
            if joins && word.ends_with('는') && at > 0 {
                for concept in
                    question.concepts.iter_mut().skip(from).filter(|concept| concept.kind == Kind::Noun)
                {
                    (concept.kind, concept.factor) = (Kind::Verb, KOREAN_VERB);
                }
            }
            before = word;
        }
        for concept in &mut question.concepts {
            if concept.kind == Kind::Noun && question.sought.implies(&concept.word.to_lowercase()) {
                (concept.kind, concept.factor) = (Kind::Little, LITTLE);
            }
        }
        question
    }

    /// How far it is one of many words, in 0..=1.
    pub(crate) fn long(&self) -> f64 {
        let nouns = self.concepts.iter().filter(|concept| concept.kind != Kind::Little).count();
        u32::try_from(nouns).map_or(1.0, |nouns| ((f64::from(nouns) - FEW) / (MANY - FEW)).clamp(0.0, 1.0))
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
        let has_digit = run.chars().any(|c| c.is_ascii_digit());
        let inner_capital = run.chars().skip(1).any(char::is_uppercase);
        let capital = run.starts_with(char::is_uppercase) && !first && capitals_tell && !self.korean;
        let (kind, factor) = if has_digit || inner_capital || capital {
            (Kind::Name, 1.0)
        } else if is_in(ENGLISH_LITTLE, bare) {
            (Kind::Little, LITTLE)
        } else if is_verb(bare) || ways.len() > 1 || bare.ends_with("ed") {
            (Kind::Verb, VERB)
        } else {
            (Kind::Noun, 1.0)
        };
        let synonyms = synonyms::synonyms(bare);
        self.push(Concept {
            word: run.to_owned(),
            ways,
            alone: None,
            synonyms,
            kind,
            factor,
            counted: false,
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
            let particle = two.filter(|two| "은는이가을를의에로도만과와".contains(*two));
            alone = one.filter(|one| {
                particle.is_some_and(|two| takes(one.encode_utf8(&mut [0; 4]), two.encode_utf8(&mut [0; 4])))
            });
        } else if syllables == 1 {
            alone = stem.chars().next();
            ways.clear();
        }
        if matches!(ending, Ending::Predicate | Ending::Clause) {
            ways.extend(verbs::written_out(stem).map(|stem| terms(&stem)));
        }
        let (kind, factor) = match ending {
            Ending::Predicate | Ending::Clause => (Kind::Verb, KOREAN_VERB),
            _ if is_in(KOREAN_LITTLE, stem) => (Kind::Little, LITTLE),
            // A native verb at the end that no rule knows is a predicate too.
            Ending::None
                if last && run.ends_with(['나', '까', '요', '다', '죠', '지', '줘', '가', '니', '해']) =>
            {
                (Kind::Verb, KOREAN_VERB)
            }
            Ending::Noun
                if run.ends_with(['인', '가', '까', '요', '지'])
                    && !run.contains('하')
                    && !run.contains('되') =>
            {
                (Kind::Noun, 1.0)
            }
            Ending::Noun => (Kind::Verb, VERBAL_NOUN),
            _ if syllables == 1 => (Kind::Noun, SYLLABLE),
            _ => (Kind::Noun, 1.0),
        };
        let mut synonyms = synonyms::synonyms(stem);
        if let Some(alone) = alone.filter(|_| syllables > 1) {
            synonyms.extend(synonyms::synonyms(alone.encode_utf8(&mut [0; 4])));
        }
        self.push(Concept { word: stem.to_owned(), ways, alone, synonyms, kind, factor, counted: false });
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
            synonyms: Vec::new(),
            kind: Kind::Noun,
            factor: 1.0,
            counted: false,
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

/// Whether an English word is a verb of every day, in its base form or with an `s`.
fn is_verb(word: &str) -> bool {
    let bases = [Some(word), word.strip_suffix('s'), word.strip_suffix("es")];
    bases.into_iter().flatten().any(|base| is_in(VERBS, base))
}

fn terms(text: &str) -> Vec<String> {
    analyze(text).into_iter().map(|token| token.text).collect()
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
}
