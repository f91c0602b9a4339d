//! The quotations of a text: what stands between quotation marks, or in a block that is set off as quoted.

use std::ops::Range;

/// Characters of a quotation that is looked for as such; a shorter one may be a mere name.
const SHORTEST: usize = 8;

/// Bytes within which a quotation must end.
const LONGEST: usize = 4_000;

/// Opening marks, each with what closes it. Models mix typographic and plain ones.
const MARKS: [(char, &[char]); 9] = [
    ('"', &['"', '”']),
    ('“', &['”', '"', '“']),
    ('„', &['“', '”', '"']),
    ('«', &['»']),
    ('「', &['」']),
    ('『', &['』']),
    ('‘', &['’', '\'']),
    ('‚', &['‘', '’']),
    ('\'', &['\'', '’']),
];

/// The quotations of a text in order, as bytes, without their marks. One ends with its paragraph at the latest, else
/// it is none.
pub(crate) fn quotations(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = 0;
    for paragraph in text.split("\n\n") {
        match quoted_block(paragraph) {
            Some(lines) => found.extend(lines.map(|span| start + span.start..start + span.end)),
            None => marked(paragraph, start, &mut found),
        }
        start += paragraph.len() + 2;
    }
    found.retain(|span| text.get(span.clone()).is_some_and(says_something));
    found
}

/// The lines of a paragraph that is a block quotation of Markdown, each by itself: the source breaks them elsewhere.
fn quoted_block(paragraph: &str) -> Option<impl Iterator<Item = Range<usize>>> {
    let all = paragraph.lines().all(|line| line.trim_start().starts_with('>'));
    (all && !paragraph.is_empty()).then(|| {
        let lines = paragraph.split('\n').scan(0, |start, line| {
            let at = *start;
            *start += line.len() + 1;
            Some((at, line))
        });
        lines.map(|(at, line)| {
            let words = line.trim_start().trim_start_matches('>').trim_start();
            let from = at + line.len() - words.len();
            let said = without_markers(words);
            trimmed(said, from)
        })
    })
}

/// A line without the markers at its end.
fn without_markers(mut words: &str) -> &str {
    loop {
        words = words.trim_end();
        let Some((before, number)) = words.strip_suffix(']').and_then(|rest| rest.rsplit_once('[')) else {
            return words;
        };
        if !number.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ')) {
            return words;
        }
        words = before;
    }
}

fn marked(paragraph: &str, start: usize, found: &mut Vec<Range<usize>>) {
    let (mut at, mut before) = (0, None::<char>);
    // Up to where each mark is known not to be closed, so that nothing is looked through twice.
    let mut unclosed = [0; MARKS.len()];
    while let Some(c) = paragraph.get(at..).and_then(|rest| rest.chars().next()) {
        let previous = before.replace(c);
        at += c.len_utf8();
        // `it's`, `10"`: the mark belongs to what stands before it.
        let bound = match c {
            '\'' => previous.is_some_and(char::is_alphanumeric),
            '"' => previous.is_some_and(|c| c.is_ascii_digit()),
            _ => false,
        };
        let known = MARKS.iter().zip(&mut unclosed).find(|((open, _), _)| *open == c && !bound);
        let Some(((_, close), unclosed)) = known else { continue };
        let from = at.max(*unclosed);
        let to = paragraph.floor_char_boundary(at + LONGEST).max(from);
        let Some((length, mark)) = closing(paragraph.get(from..to).unwrap_or_default(), c, close) else {
            *unclosed = to;
            continue;
        };
        let end = from + length;
        found.push(trimmed(paragraph.get(at..end).unwrap_or_default(), start + at));
        at = end + mark.len_utf8();
        before = Some(mark);
    }
}

/// Where a quotation ends that `open` began, and with which mark.
fn closing(rest: &str, open: char, close: &[char]) -> Option<(usize, char)> {
    let single = matches!(open, '\'' | '‘' | '‚');
    let mut letters = rest.char_indices().peekable();
    while let Some((at, c)) = letters.next() {
        // `don't` closes nothing; a Korean particle may follow at once.
        let within = single && letters.peek().is_some_and(|(_, next)| next.is_ascii_alphanumeric());
        if close.contains(&c) && !within {
            return Some((at, c));
        }
    }
    None
}

/// The bytes of a quotation that begins at `from`, without white space and the full stop or comma of the sentence
/// around it.
fn trimmed(inner: &str, from: usize) -> Range<usize> {
    let begun = inner.trim_start();
    let from = from + inner.len() - begun.len();
    let ended = begun.trim_end().trim_end_matches(['.', ',', '。']).trim_end();
    from..from + ended.len()
}

fn says_something(quotation: &str) -> bool {
    quotation.chars().nth(SHORTEST - 1).is_some() && quotation.chars().any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quoted() {
        let check = |text: &str, expect: &[&str]| {
            let got: Vec<&str> = quotations(text).into_iter().map(|span| &text[span]).collect();
            assert_eq!(got, expect, "{text}");
        };
        check(
            r#"It says "the first words" and "the second words.""#,
            &["the first words", "the second words"],
        );
        check(r#"He wrote "........" there, and "short"."#, &[]);
        check("“Typographic words” and “mixed words\" too", &["Typographic words", "mixed words"]);
        check("„Deutsche Worte“ und «des mots français»", &["Deutsche Worte", "des mots français"]);
        check(
            "문서는 「서버는 사천번 포트」라고, 『기록은 삼십 일 보관』이라고",
            &["서버는 사천번 포트", "기록은 삼십 일 보관"],
        );
        check("그는 ‘서버는 4141 포트를 쓴다’고 했다.", &["서버는 4141 포트를 쓴다"]);
        check("그는\"서버는 4141 포트\"라고 했다.", &["서버는 4141 포트"]);
        check("It's the server's port, isn't it? Don't ask.", &[]);
        check("It says 'it doesn't listen there' twice.", &["it doesn't listen there"]);
        check(r#"A 10" disk and a 12" disk, long enough."#, &[]);
        check("One \"that never ends here\n\nand another\" paragraph", &[]);
        check(
            "He said:\n\n> The port is 4141. [1]\n> It is kept. [1][2]\n\nSo.",
            &["The port is 4141", "It is kept"],
        );
        check("", &[]);
        // Two sentences, one quotation.
        check(r#"It says "One thing is so. Another is not." [1]"#, &["One thing is so. Another is not"]);
    }

    #[test]
    fn many_marks_take_no_long() {
        for mark in ["\"", "“", "「", "'", "> "] {
            let text = mark.repeat(100_000);
            assert!(quotations(&text).is_empty());
        }
    }
}
