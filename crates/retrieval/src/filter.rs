//! Conditions on documents as they are written: `team:legal year>2020 format:pdf path:docs/** -status:draft`.
//!
//! The language is that of `docs/filters.md` with other words: a condition is about a document's path, title, format,
//! origin, trust, or any member of its metadata. All must hold; several of one name joined by `:` are alternatives.

use hanok_base::{Readers, RetrievalError};
use hanok_store::Comparison;
use hanok_store::metadata::{Is, SourceQuery, SourceTest};

/// Reads a filter and who asks; `None` where every document may be found.
pub(crate) fn conditions(filter: &str, readers: &Readers) -> Result<Option<SourceQuery>, RetrievalError> {
    let tests = parse(filter).map_err(|(at, problem)| {
        RetrievalError::BadFilter(format!("at character {at} of the filter: {problem}"))
    })?;
    let readers = match readers {
        Readers::All => None,
        Readers::Of(readers) => Some(readers.clone()),
    };
    let query = SourceQuery { tests, readers };
    Ok((query != SourceQuery::default()).then_some(query))
}

/// Most conditions of a filter, alternatives counted each: what the store takes in one question.
const MOST: usize = 200;
/// Most bytes of a value.
const LONGEST: usize = 4096;

/// Where something is wrong, counted in characters from 1, and what.
type Wrong = (usize, String);

fn parse(filter: &str) -> Result<Vec<SourceTest>, Wrong> {
    let mut tests: Vec<SourceTest> = Vec::new();
    for (count, Word { at, not, key, value }) in words(filter)?.into_iter().enumerate() {
        if count == MOST {
            return Err((at, format!("more than {MOST} conditions")));
        }
        if value.len() > LONGEST {
            return Err((
                at,
                format!("a value of {} bytes is too long; {LONGEST} are the most", value.len()),
            ));
        }
        let Some((field, sign)) = key else {
            return Err((
                at,
                format!(
                    "`{value}` is no condition: write NAME:VALUE or NAME>VALUE, as in `format:pdf year>2020`"
                ),
            ));
        };
        if value.is_empty() {
            return Err((at, format!("`{field}` has no value")));
        }
        let (field, is) = match sign {
            Sign::Colon if field == "has" => (value, Is::There),
            Sign::Colon => {
                let same = tests.iter_mut().find(|test| test.field == field && test.not == not);
                match same.map(|test| &mut test.is) {
                    // Without a `-`, one of them; with one, none of them: either way one list.
                    Some(Is::Like(patterns)) => {
                        patterns.push(value);
                        continue;
                    }
                    _ => (field, Is::Like(vec![value])),
                }
            }
            Sign::Comparison(comparison) => match number(&value) {
                Some(number) => (field, Is::Number(comparison, number)),
                None if value.starts_with(|first: char| first.is_ascii_digit()) => {
                    (field, Is::Text(comparison, value))
                }
                None => {
                    let problem = format!(
                        "`{value}` is no number and no date, as in `{field}>2020` or `{field}>2026-11-20`"
                    );
                    return Err((at, problem));
                }
            },
        };
        tests.push(SourceTest { not, field, is });
    }
    Ok(tests)
}

fn number(value: &str) -> Option<f64> {
    value.parse::<f64>().ok().filter(|number| number.is_finite())
}

/// A piece of a filter between spaces.
struct Word {
    at: usize,
    not: bool,
    key: Option<(String, Sign)>,
    value: String,
}

/// What stands between a name and its value.
enum Sign {
    Colon,
    Comparison(Comparison),
}

/// Splits at spaces outside quotes. A backslash inside quotes takes the next character as it is.
fn words(filter: &str) -> Result<Vec<Word>, Wrong> {
    let mut found = Vec::new();
    let mut chars = filter.chars().zip(1..).peekable();
    while let Some((first, at)) = chars.next() {
        if first.is_whitespace() {
            continue;
        }
        let mut word = Word { at, not: false, key: None, value: String::new() };
        let mut next = Some((first, at));
        if first == '-' {
            word.not = true;
            next = chars.next_if(|(c, _)| !c.is_whitespace());
        }
        while let Some((c, here)) = next {
            let may_be_key = word.key.is_none() && is_name(&word.value);
            match c {
                '"' => quote(&mut chars, here, &mut word.value)?,
                ':' if may_be_key => word.key = Some((std::mem::take(&mut word.value), Sign::Colon)),
                '<' | '>' if may_be_key => {
                    let or_equal = chars.next_if(|(c, _)| *c == '=').is_some();
                    let comparison = match (c, or_equal) {
                        ('>', false) => Comparison::More,
                        ('>', true) => Comparison::AtLeast,
                        (_, false) => Comparison::Less,
                        (_, true) => Comparison::AtMost,
                    };
                    word.key = Some((std::mem::take(&mut word.value), Sign::Comparison(comparison)));
                }
                c => word.value.push(c),
            }
            next = chars.next_if(|(c, _)| !c.is_whitespace());
        }
        found.push(word);
    }
    Ok(found)
}

fn quote(
    chars: &mut impl Iterator<Item = (char, usize)>,
    at: usize,
    value: &mut String,
) -> Result<(), Wrong> {
    while let Some((c, _)) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => value.extend(chars.next().map(|(c, _)| c)),
            c => value.push(c),
        }
    }
    Err((at, "this quote is not closed".to_owned()))
}

fn is_name(text: &str) -> bool {
    text.starts_with(char::is_alphabetic)
        && text.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read() {
        let like = |field: &str, patterns: &[&str]| SourceTest {
            not: false,
            field: field.to_owned(),
            is: Is::Like(patterns.iter().map(|pattern| (*pattern).to_owned()).collect()),
        };
        let check =
            |filter: &str, expect: &[SourceTest]| assert_eq!(parse(filter).unwrap(), expect, "{filter}");
        check("", &[]);
        check("team:legal", &[like("team", &["legal"])]);
        check(
            "team:legal team:tax path:docs/**",
            &[like("team", &["legal", "tax"]), like("path", &["docs/**"])],
        );
        check("제목:\"환불 정책\"", &[like("제목", &["환불 정책"])]);
        check("url:https://a.b/c", &[like("url", &["https://a.b/c"])]);
        check("-status:draft", &[SourceTest { not: true, ..like("status", &["draft"]) }]);
        let is = |field: &str, is: Is| SourceTest { not: false, field: field.to_owned(), is };
        check(
            "year>2020 price<=1.5 date>=2026-01-01 has:owner",
            &[
                is("year", Is::Number(Comparison::More, 2020.0)),
                is("price", Is::Number(Comparison::AtMost, 1.5)),
                is("date", Is::Text(Comparison::AtLeast, "2026-01-01".to_owned())),
                is("owner", Is::There),
            ],
        );
    }

    #[test]
    fn errors_say_where() {
        for (filter, at, says) in [
            ("team:legal refund", 12, "is no condition"),
            ("a:\"b", 3, "not closed"),
            ("team:", 1, "has no value"),
            ("year>soon", 1, "is no number"),
            ("-", 1, "is no condition"),
            (&"a:b ".repeat(MOST + 1), 4 * MOST + 1, "more than 200 conditions"),
            (&format!("a:{}", "b".repeat(LONGEST + 1)), 1, "too long"),
        ] {
            let (found, problem) = parse(filter).unwrap_err();
            assert_eq!(found, at, "{filter}");
            assert!(problem.contains(says), "{filter}: {problem}");
        }
    }

    #[test]
    fn everybody_and_everything_needs_no_query() {
        assert_eq!(conditions(" ", &Readers::All).unwrap(), None);
        let query = conditions("", &Readers::Of(vec!["ann".into()])).unwrap().unwrap();
        assert_eq!(query.readers, Some(vec!["ann".to_owned()]));
        assert!(matches!(conditions("x", &Readers::All), Err(RetrievalError::BadFilter(_))));
    }
}
