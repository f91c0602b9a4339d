//! Reasons in the reader's language.

use super::text::{Lang, fill};
use super::text_reasons::{NUMBERS, REASONS};
use std::borrow::Cow;

/// What stands in a template before its first place for something, that place's name, and what stands behind it.
type Parted<'a> = (&'a str, &'a str, &'a str);

/// A reason in this language; as it was given where it is none that is known.
pub(super) fn said(lang: Lang, reason: &str) -> Cow<'_, str> {
    match lang {
        Lang::En => Cow::Borrowed(reason),
        Lang::Ko => known(reason).map_or(Cow::Borrowed(reason), Cow::Owned),
    }
}

fn known(reason: &str) -> Option<String> {
    let one = |reason| REASONS.iter().find_map(|(english, korean)| put(english, korean, reason));
    // Several that were put together.
    let several = reason.contains("; ").then(|| reason.split("; ").map(one).collect::<Option<Vec<String>>>());
    several.flatten().map(|several| several.join("; ")).or_else(|| one(reason))
}

fn put(english: &str, korean: &str, reason: &str) -> Option<String> {
    let values = values(english, reason)?;
    Some(values.into_iter().fold(korean.to_owned(), |text, (name, value)| {
        let within = matches!(name, "why" | "first").then(|| known(value)).flatten();
        fill(&text, &[(name, within.as_deref().unwrap_or(value))])
    }))
}

/// What stands at the places of a template in a text; `None` where it is not of that form. Places that are parted by
/// nothing are not told apart.
fn values<'a>(mut template: &'a str, mut text: &'a str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = Vec::new();
    while let Some((before, name, behind)) = parted(template) {
        text = text.strip_prefix(before)?;
        let next = parted(behind).map_or(behind, |(next, ..)| next);
        // What comes last may hold the words behind it, too.
        let end = if next.len() == behind.len() { text.rfind(next)? } else { text.find(next)? };
        let (value, rest) = text.split_at_checked(end)?;
        let is_number = |value: &str| value.parse::<f64>().is_ok_and(f64::is_finite);
        if value.is_empty() || (NUMBERS.contains(&name) && !is_number(value)) {
            return None;
        }
        found.push((name, value));
        (template, text) = (behind, rest);
    }
    (template == text).then_some(found)
}

fn parted(template: &str) -> Option<Parted<'_>> {
    let (before, rest) = template.split_once('{')?;
    let (name, behind) = rest.split_once('}')?;
    Some((before, name, behind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn reasons_are_told_in_korean_and_others_left() {
        let check = |reason: &str, expect: &str| assert_eq!(said(Lang::Ko, reason), expect, "{reason}");
        check("interrupted; 3 of 20 tries are missing", "중단되었고, 시도 20번 중 3번이 빠졌습니다");
        check("corrected, 95 % from 0.7000 to 0.8125", "보정한 95 % 구간 0.7000 ~ 0.8125");
        check("expected `a: b` or `c`", "기대한 답: `a: b` or `c`");
        check("42, expected 43.5", "42, 기대한 값 43.5");
        check("bad, expected good", "bad, expected good");
        check("the output is no list of names: it is empty", "출력이 이름의 목록이 아닙니다: 비어 있습니다");
        check(
            "it has no `verdict`; at first: it gives several verdicts",
            "`verdict`가 없습니다. 처음에는: 판정이 여러 개입니다",
        );
        check(
            "a: b: it quotes nothing; c: there is no document `d; e`",
            "a: b: it quotes nothing; c: 문서 `d; e`이(가) 없습니다",
        );
        check(
            "a: it quotes nothing; c: `d` does not say that there",
            "a: 따온 글이 없습니다; c: `d`의 그 자리에 그런 말이 없습니다",
        );
        check("`refund` with {\"n\":1} was not called", "`refund` with {\"n\":1}을(를) 호출하지 않았습니다");
        check("the words of a scorer of somebody's own", "the words of a scorer of somebody's own");
        check("", "");
        assert_eq!(said(Lang::En, "swapped"), "swapped");
    }

    /// A reason that is worded anew elsewhere would not be known again.
    #[test]
    fn every_reason_is_still_given() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut sources = String::new();
        for room in ["eval", "retrieval", "stats"] {
            gather(&crates.join(room).join("src"), &mut sources);
        }
        for (english, korean) in REASONS {
            let is_said = |words: &str| {
                let there = sources.contains(words.trim_matches([' ', ':']));
                assert!(there, "nobody says `{words}` of `{english}`");
            };
            let (mut rest, mut given) = (*english, (*english).to_owned());
            while let Some((before, name, behind)) = parted(rest) {
                is_said(before);
                assert!(korean.contains(&format!("{{{name}}}")), "`{korean}` lacks {name}");
                given = fill(&given, &[(name, if NUMBERS.contains(&name) { "7" } else { "x" })]);
                rest = behind;
            }
            is_said(rest);
            assert!(!said(Lang::Ko, &given).is_ascii(), "`{given}` is not put into Korean");
        }
    }

    /// The sources below a folder, texts over several lines as one.
    fn gather(folder: &Path, into: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, into);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let mut lines = text.split("\\\n");
                into.push_str(lines.next().unwrap_or_default());
                lines.for_each(|line| into.push_str(line.trim_start()));
            }
        }
    }
}
