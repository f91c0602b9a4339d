//! Which language a text is in, by its script and its commonest words.

/// Raised when documents are described otherwise under the same rules.
pub(super) const VERSION: u32 = 1;
/// Bytes that are looked at.
const ENOUGH: usize = 16 << 10;
/// Letters below which nothing is said.
const LEAST: usize = 20;

/// Words that hardly a sentence of the language does without, and few other languages have.
const COMMON: [(&str, &[&str]); 7] = [
    ("en", &["the", "and", "of", "to", "is", "that", "for", "with", "this", "are"]),
    ("de", &["der", "und", "die", "das", "nicht", "ist", "mit", "den", "ein", "werden"]),
    ("fr", &["le", "les", "et", "des", "une", "est", "dans", "pour", "que", "du"]),
    ("es", &["el", "los", "como", "una", "las", "por", "para", "con", "del", "es"]),
    ("it", &["il", "che", "di", "per", "non", "sono", "della", "gli", "una", "con"]),
    ("pt", &["ao", "os", "uma", "não", "para", "com", "dos", "em", "que", "do"]),
    ("nl", &["het", "een", "van", "niet", "en", "dat", "zijn", "voor", "met", "de"]),
];

/// The language of a text as ISO 639-1 names it; `None` where it does not show.
pub(crate) fn language(text: &str) -> Option<&'static str> {
    let text = text.get(..text.floor_char_boundary(ENOUGH)).unwrap_or(text);
    let (mut hangul, mut kana, mut han, mut latin, mut cyrillic, mut letters) = (0, 0, 0, 0, 0, 0_usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        letters += 1;
        match c {
            '가'..='힣' | 'ㄱ'..='ㆎ' => hangul += 1,
            '\u{3040}'..='\u{30ff}' => kana += 1,
            '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' => han += 1,
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' => latin += 1,
            '\u{400}'..='\u{4ff}' => cyrillic += 1,
            _ => {}
        }
    }
    if letters < LEAST {
        return None;
    }
    // A syllable says as much as a few letters: code and names in Latin letters do not make a text English.
    let share = |count: usize| count * 5 >= letters;
    if share(hangul) && hangul > kana + han {
        return Some("ko");
    }
    if share(kana + han) {
        return Some(if kana * 10 >= kana + han { "ja" } else { "zh" });
    }
    if cyrillic * 2 > letters {
        return Some("ru");
    }
    if latin * 2 <= letters {
        return None;
    }
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty() && word.len() <= 8)
        .map(str::to_lowercase)
        .collect();
    let found = COMMON.iter().map(|(language, common)| {
        (words.iter().filter(|word| common.contains(&word.as_str())).count(), *language)
    });
    let (count, language) = found.max_by_key(|(count, _)| *count)?;
    // At least one word in twenty-five.
    (count * 25 >= words.len() && count > 1).then_some(language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_show() {
        let check = |text: &str, expect: Option<&str>| assert_eq!(language(text), expect, "{text}");
        check("The warehouse opens at seven and closes when the last parcel is out.", Some("en"));
        check("한옥을 설치하려면 먼저 hanok up 명령을 실행하고 브라우저를 여세요.", Some("ko"));
        check("インストールするには、まずコマンドを実行してください。よろしく。", Some("ja"));
        check("安装之前请先阅读本文档并确认系统满足所有要求和依赖条件。", Some("zh"));
        check("Der Speicher ist nicht voll, und die Daten werden mit der Zeit gelöscht.", Some("de"));
        check("Les données sont dans le dossier et une copie est faite pour les autres.", Some("fr"));
        check("Перед установкой прочитайте этот документ полностью.", Some("ru"));
        check("12345 67890", None);
        check("fn main() { println!(x); let y = foo(bar, baz); return qux; }", None);
    }
}
