//! The script a text is written in: what an embedder knows differs by it, and a question shows it.

use serde::{Deserialize, Serialize};

/// Characters that are looked at.
const ENOUGH: usize = 1000;
/// How many letters a syllable or an ideograph counts for: names and code in Latin letters do not make a Korean text
/// another one.
const SYLLABLE: usize = 4;

/// A script, or several that are hardly written by the same people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    /// Latin letters.
    Latin,
    /// Greek letters.
    Greek,
    /// Cyrillic letters.
    Cyrillic,
    /// Hebrew letters.
    Hebrew,
    /// Arabic letters.
    Arabic,
    /// Devanagari and the others of South Asia.
    Indic,
    /// Thai, Lao, Khmer, Myanmar and the like.
    SoutheastAsian,
    /// Hangul.
    Hangul,
    /// Han and Kana.
    Han,
    /// Any other.
    Other,
}

impl Script {
    const ALL: [Self; 10] = [
        Self::Latin,
        Self::Greek,
        Self::Cyrillic,
        Self::Hebrew,
        Self::Arabic,
        Self::Indic,
        Self::SoutheastAsian,
        Self::Hangul,
        Self::Han,
        Self::Other,
    ];

    /// As it is written where it is shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Latin => "latin",
            Self::Greek => "greek",
            Self::Cyrillic => "cyrillic",
            Self::Hebrew => "hebrew",
            Self::Arabic => "arabic",
            Self::Indic => "indic",
            Self::SoutheastAsian => "southeast_asian",
            Self::Hangul => "hangul",
            Self::Han => "han",
            Self::Other => "other",
        }
    }

    /// The script most of a text is in; `None` of one without letters.
    pub fn of(text: &str) -> Option<Self> {
        let mut counts = [0_usize; Self::ALL.len()];
        for c in text.chars().take(ENOUGH).filter(|c| c.is_alphabetic()) {
            let script = Self::of_letter(c);
            let weight = if matches!(script, Self::Hangul | Self::Han) { SYLLABLE } else { 1 };
            if let Some((count, _)) = counts.iter_mut().zip(Self::ALL).find(|(_, of)| *of == script) {
                *count += weight;
            }
        }
        let (count, script) = counts.into_iter().zip(Self::ALL).max_by_key(|(count, _)| *count)?;
        (count > 0).then_some(script)
    }

    fn of_letter(c: char) -> Self {
        match c {
            '\u{0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => Self::Latin,
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Self::Greek,
            '\u{400}'..='\u{52f}' => Self::Cyrillic,
            '\u{590}'..='\u{5ff}' => Self::Hebrew,
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{fb50}'..='\u{feff}' => Self::Arabic,
            '\u{900}'..='\u{dff}' => Self::Indic,
            '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Self::SoutheastAsian,
            '가'..='힣' | '\u{1100}'..='\u{11ff}' | '\u{3131}'..='\u{318e}' => Self::Hangul,
            '\u{3041}'..='\u{30ff}'
            | '\u{3400}'..='\u{9fff}'
            | '\u{f900}'..='\u{faff}'
            | '\u{20000}'..='\u{3ffff}' => Self::Han,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_show() {
        let check = |text: &str, expect: Option<Script>| {
            assert_eq!(Script::of(text), expect, "{text}");
            let name = expect.map(|script| serde_json::to_value(script).unwrap());
            assert_eq!(name, expect.map(|script| script.as_str().into()));
        };
        check("Where is the parcel?", Some(Script::Latin));
        check("Où est l’été, Łódź?", Some(Script::Latin));
        check("GPU 메모리가 부족할 때", Some(Script::Hangul));
        check("Kubernetes 재시작", Some(Script::Hangul));
        check("the word 집 in an English sentence", Some(Script::Latin));
        check("東京タワーはどこ", Some(Script::Han));
        check("安装之前请先阅读", Some(Script::Han));
        check("где находится склад", Some(Script::Cyrillic));
        check("που είναι η αποθήκη", Some(Script::Greek));
        check("أين المستودع", Some(Script::Arabic));
        check("איפה המחסן", Some(Script::Hebrew));
        check("गोदाम कहाँ है", Some(Script::Indic));
        check("คลังสินค้าอยู่ที่ไหน", Some(Script::SoutheastAsian));
        check("որտեղ է պահեստը", Some(Script::Other));
        check("42 + 7", None);
        check("", None);
    }
}
