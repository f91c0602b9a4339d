//! Which characters make words, which make runs that are cut into bigrams, which part them.

use unicode_normalization::char::canonical_combining_class;

/// What a character is to the analyzer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A letter or digit of a script that writes spaces between words.
    Word,
    /// A Hangul syllable or letter. Korean writes spaces, but particles and endings are glued to the word.
    Hangul,
    /// Han and Kana: no spaces, and Japanese mixes them inside words.
    Ideograph,
    /// Thai, Lao, Khmer, Myanmar: no spaces either.
    Dense,
    /// A combining mark: belongs to what is before it.
    Mark,
    /// Invisible: neither parts nor adds.
    Ignored,
    /// Anything else.
    Break,
}

/// The class of a character in compatibility-composed form.
pub(crate) fn class(c: char) -> Class {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => Class::Word,
        '\u{0}'..='\u{7f}' | '\u{30a0}' | '\u{30fb}' => Class::Break,
        '가'..='힣'
        | '\u{1100}'..='\u{11ff}'
        | '\u{3131}'..='\u{318e}'
        | '\u{a960}'..='\u{a97f}'
        | '\u{d7b0}'..='\u{d7ff}' => Class::Hangul,
        '\u{4e00}'..='\u{9fff}'
        | '\u{3041}'..='\u{30ff}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
        | '々'
        | '〇' => Class::Ideograph,
        '\u{e01}'..='\u{e3a}'
        | '\u{e40}'..='\u{e4e}'
        | '\u{e80}'..='\u{ece}'
        | '\u{1000}'..='\u{1049}'
        | '\u{1050}'..='\u{109f}'
        | '\u{1780}'..='\u{17d3}' => Class::Dense,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' => {
            Class::Ignored
        }
        // Vowel signs of Hebrew and Arabic, and the stroke that stretches a word: seldom written, never asked for.
        '\u{591}'..='\u{5bd}'
        | '\u{5bf}'
        | '\u{5c1}'..='\u{5c2}'
        | '\u{5c4}'..='\u{5c5}'
        | '\u{5c7}'
        | '\u{640}'
        | '\u{64b}'..='\u{652}'
        | '\u{670}' => Class::Ignored,
        c if c.is_alphanumeric() => Class::Word,
        c if canonical_combining_class(c) != 0 => Class::Mark,
        _ => Class::Break,
    }
}

/// Whether `c` may melt into the character before it when text is composed: combining marks, the later
/// letters of a decomposed syllable, the half-width voiced marks of Kana.
pub(crate) fn continues(c: char) -> bool {
    match c {
        '\u{0}'..='\u{2ff}' | '가'..='힣' | '\u{3400}'..='\u{9fff}' => false,
        '\u{1160}'..='\u{11ff}' | '\u{d7b0}'..='\u{d7ff}' | '\u{ff9e}' | '\u{ff9f}' => true,
        c => canonical_combining_class(c) != 0,
    }
}

/// Whether a char never changes under composition with compatibility, whatever stands before or after it
/// (given that what follows does not [continue](continues) it).
pub(crate) fn is_composed(c: char) -> bool {
    matches!(c, '가'..='힣' | '\u{4e00}'..='\u{9fff}' | '\u{3041}'..='\u{3096}' | '\u{30a1}'..='\u{30fe}')
}

/// The letters that a letter with more than an accent to it is searched by; `None` for any other character.
pub(crate) fn folded(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' => "o",
        'ł' => "l",
        'đ' | 'ð' => "d",
        'þ' => "th",
        'ı' => "i",
        // Mostly written so, and one letter at the end of a word and inside it.
        'ё' => "е",
        'ς' => "σ",
        _ => return None,
    })
}
