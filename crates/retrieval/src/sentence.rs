//! What can be quoted: sentences, list items, table rows, lines of code, as byte spans.
//!
//! English and Korean end sentences alike; what differs is what a full stop may mean inside one. Markup stays:
//! a quote is the document's own bytes.

use crate::block::{Fence, Line, atx, lines};
use std::ops::Range;

/// Bytes beyond which a sentence is cut where it can be: a quote of a page is none.
const LONGEST: usize = 600;
/// The same of a table's row, of which a part says little.
const LONGEST_ROW: usize = 1600;
/// How wide a heading without markup may be.
const WIDEST_TITLE: usize = 60;

const ABBREVIATIONS: [&str; 32] = [
    "e.g", "i.e", "etc", "vs", "cf", "al", "mr", "mrs", "ms", "dr", "prof", "st", "fig", "figs", "eq", "no",
    "nos", "vol", "pp", "approx", "inc", "ltd", "co", "corp", "dept", "est", "jr", "sr", "ver", "sec", "ch",
    "ref",
];

/// What kind of unit a span is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Sentence,
    /// A line that stands by itself over others and is no sentence: a heading without markup.
    Title,
    Item,
    /// The row of a table that names its columns: a line of dashes stands below it.
    Header,
    /// Any other row of a table.
    Row,
    Code,
}

/// The units of `text`, in order; spans count from `start`, the byte `text` begins at.
pub(crate) fn units(text: &str, start: usize) -> Vec<(Unit, Range<usize>)> {
    let mut splitter =
        Splitter { units: Vec::new(), paragraph: Vec::new(), unit: Unit::Sentence, text, start };
    let mut fence: Option<Fence> = None;
    let mut lines = lines(text, start).peekable();
    while let Some(line) = lines.next() {
        if let Some(open) = fence {
            if open.closes(line.text) {
                fence = None;
            } else {
                splitter.whole(Unit::Code, line);
            }
            continue;
        }
        let words = line.text.trim_start();
        if let Some(open) = Fence::opening(line.text) {
            splitter.flush();
            fence = Some(open);
        } else if is_rule(words) {
            splitter.end_at_rule();
        } else if words.is_empty() {
            splitter.end_at_space();
        } else if atx(line.text).is_some() {
            splitter.flush();
        } else if words.starts_with('|') {
            let names = lines.peek().is_some_and(|next| is_delimiter(next.text));
            if !is_delimiter(words) {
                splitter.whole(if names { Unit::Header } else { Unit::Row }, line);
            }
        } else if let Some(marker) = item_marker(words) {
            splitter.flush();
            splitter.unit = Unit::Item;
            let skip = line.text.len() - words.len() + marker;
            let text = line.text.get(skip..).unwrap_or_default();
            splitter.paragraph.push(Line { start: line.start + skip, text });
        } else {
            splitter.paragraph.push(line);
        }
    }
    splitter.end_at_space();
    splitter.settled()
}

struct Splitter<'a> {
    units: Vec<(Unit, Range<usize>)>,
    paragraph: Vec<Line<'a>>,
    unit: Unit,
    text: &'a str,
    start: usize,
}

impl Splitter<'_> {
    fn whole(&mut self, unit: Unit, line: Line<'_>) {
        self.flush();
        self.push(unit, line.start..line.end());
    }

    /// Ends the paragraph at a line of dashes or equals signs: one line above it that is no sentence is a heading, which
    /// stands over what follows and is none of what can be quoted.
    fn end_at_rule(&mut self) {
        if let [line] = self.paragraph.as_slice()
            && self.unit == Unit::Sentence
            && !line.text.trim_end().ends_with(['.', '!', '?', ':', '。', '！', '？', '：'])
        {
            self.paragraph.clear();
        }
        self.flush();
    }

    /// Ends the paragraph at an empty line.
    fn end_at_space(&mut self) {
        let is_title = self.unit == Unit::Sentence
            && matches!(self.paragraph.as_slice(), [line] if is_title(line.text.trim()));
        self.unit = if is_title { Unit::Title } else { self.unit };
        self.flush();
    }

    /// The units. What stands over nothing, or over another such line, is no title: lines of a list without marks.
    fn settled(mut self) -> Vec<(Unit, Range<usize>)> {
        let mut over = Unit::Title;
        for (unit, _) in self.units.iter_mut().rev() {
            let own = *unit;
            if own == Unit::Title && over == Unit::Title {
                *unit = Unit::Sentence;
            }
            over = own;
        }
        self.units
    }

    /// Cuts the paragraph into sentences.
    fn flush(&mut self) {
        let lines = std::mem::take(&mut self.paragraph);
        let unit = std::mem::replace(&mut self.unit, Unit::Sentence);
        let widest = lines.iter().map(|line| width(line.text)).max().unwrap_or(0);
        let mut from = None;
        for (at, line) in lines.iter().enumerate() {
            let first = *from.get_or_insert(line.start);
            // A line well short of its neighbours was ended on purpose.
            let indented =
                lines.get(at + 1).is_none_or(|next| unit == Unit::Item && next.text.starts_with([' ', '\t']));
            let broken = at + 1 == lines.len() || (!indented && width(line.text) * 10 < widest * 7);
            if broken {
                self.sentences(unit, first..line.end());
                from = None;
            }
        }
    }

    fn sentences(&mut self, unit: Unit, span: Range<usize>) {
        let Some(text) = self.text.get(span.start - self.start..span.end - self.start) else {
            return;
        };
        let mut from = 0;
        for end in sentence_ends(text) {
            self.push(unit, span.start + from..span.start + end);
            from = end;
        }
        if from < text.len() {
            self.push(unit, span.start + from..span.end);
        }
    }

    /// Keeps a span without the space around it, cut where it is too long.
    fn push(&mut self, unit: Unit, span: Range<usize>) {
        let Some(text) = self.text.get(span.start - self.start..span.end - self.start) else {
            return;
        };
        let trimmed = text.trim();
        let mut start = span.start + (text.len() - text.trim_start().len());
        let mut rest = trimmed;
        let longest = if matches!(unit, Unit::Header | Unit::Row) { LONGEST_ROW } else { LONGEST };
        while rest.len() > longest {
            let cut = cut_before(rest, longest);
            let Some((piece, after)) = rest.split_at_checked(cut) else {
                break;
            };
            self.keep(unit, start, piece);
            start += cut + (after.len() - after.trim_start().len());
            rest = after.trim_start();
        }
        self.keep(unit, start, rest);
    }

    fn keep(&mut self, unit: Unit, start: usize, text: &str) {
        let text = text.trim_end();
        if text.chars().any(char::is_alphanumeric) {
            self.units.push((unit, start..start + text.len()));
        }
    }
}

/// The last good place to cut before byte `limit`: a line break, else a space, else a character's edge.
pub(crate) fn cut_before(text: &str, limit: usize) -> usize {
    let edge = text.floor_char_boundary(limit);
    let head = text.get(..edge).unwrap_or_default();
    let good = |at: Option<usize>| at.filter(|at| *at > limit / 2).map(|at| at + 1);
    good(head.rfind('\n')).or_else(|| good(head.rfind(' '))).unwrap_or(edge).max(1)
}

/// The bytes after each sentence of a paragraph, closing quotes included.
pub(crate) fn sentence_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut chars = text.char_indices().peekable();
    let mut from = 0;
    while let Some((at, c)) = chars.next() {
        if !matches!(c, '.' | '!' | '?' | '。' | '！' | '？' | '…') {
            continue;
        }
        let mut end = at + c.len_utf8();
        while let Some((next, closer)) = chars.next_if(|(_, c)| {
            matches!(c, '.' | '!' | '?' | '"' | '\'' | ')' | ']' | '”' | '’' | '」' | '』' | '*' | '`')
        }) {
            end = next + closer.len_utf8();
        }
        let (Some(before), Some(after)) = (text.get(from..at), text.get(end..)) else {
            continue;
        };
        if ends_here(c, before, after) {
            ends.push(end);
            from = end;
        }
    }
    ends
}

/// Whether mark `c` between `before` (of this sentence) and `after` ends a sentence.
fn ends_here(c: char, before: &str, after: &str) -> bool {
    let Some(next) = after.chars().next() else {
        return true;
    };
    if matches!(c, '。' | '！' | '？') {
        return true;
    }
    if !next.is_whitespace() {
        // Korean typed without a space: `…했다.다음`.
        let last = before.chars().next_back();
        return c == '.' && is_hangul(next) && last.is_some_and(|last| "다요까죠음함임됨".contains(last));
    }
    if c != '.' {
        return true;
    }
    let Some(first) = after.trim_start().chars().next() else {
        return true;
    };
    let word =
        before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"')).next().unwrap_or_default();
    if first.is_ascii_lowercase() {
        // `foo.txt is`, `etc. and`; but a sentence may begin with a name in lower case after a long word.
        return false;
    }
    if word.is_empty() {
        return true;
    }
    // `2024. 3. 15. 시행`, and `1.` at the head of an item.
    if word.bytes().all(|b| b.is_ascii_digit()) {
        let earlier = before.strip_suffix(word).unwrap_or_default().trim();
        let dated =
            earlier.strip_suffix('.').is_some_and(|date| date.ends_with(|c: char| c.is_ascii_digit()));
        if first.is_ascii_digit() || earlier.is_empty() || (dated && word.len() <= 2) {
            return false;
        }
    }
    // `J. Smith`, `U.S. law`.
    let initial = word.rsplit('.').next().unwrap_or_default();
    if initial.chars().count() == 1 && initial.chars().all(|c| c.is_ascii_uppercase()) {
        return false;
    }
    !ABBREVIATIONS.contains(&word.to_lowercase().as_str())
}

/// Bytes of a list item's marker with the space after it.
fn item_marker(line: &str) -> Option<usize> {
    let marker = match line.as_bytes() {
        [b'-' | b'*' | b'+', b' ' | b'\t', ..] => 1,
        _ if line.starts_with(['•', '·', '※', '▪', '○', '●', '■', '□', '▶']) => {
            line.chars().next()?.len_utf8()
        }
        bytes => {
            let digits = bytes.iter().take_while(|b| b.is_ascii_digit()).count();
            if !(1..=3).contains(&digits) || !matches!(bytes.get(digits..), Some([b'.' | b')', b' ', ..])) {
                return None;
            }
            digits + 1
        }
    };
    let rest = line.get(marker..)?;
    Some(marker + (rest.len() - rest.trim_start().len()))
}

/// Whether a line reads as a heading: short, of words alone, and not ended as a sentence is in English or Korean.
fn is_title(line: &str) -> bool {
    let ends = |c: char| !(c.is_alphanumeric() || c == ')') || "다요까죠음함임됨니라오".contains(c);
    width(line) <= WIDEST_TITLE
        && !line.ends_with(ends)
        && !line
            .contains(|c: char| c.is_ascii_digit() || matches!(c, ':' | '=' | '|' | '/' | '@' | '`' | '：'))
}

/// The line below a table's header: `|---|:-:|`.
fn is_delimiter(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|')
        && line.contains('-')
        && line.bytes().all(|b| matches!(b, b'|' | b'-' | b':' | b' '))
}

/// A thematic break or the underline of a heading.
fn is_rule(line: &str) -> bool {
    let line = line.trim_end();
    line.len() >= 3 && line.chars().all(|c| matches!(c, '-' | '=' | '*' | '_' | ' '))
}

pub(crate) fn is_hangul(c: char) -> bool {
    matches!(c, '가'..='힣')
}

/// How wide a text is: ideographs and syllables count twice.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{1100}' && !c.is_ascii() { 2 } else { 1 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &[&str]) {
        let padded = format!("{}{text}", "x".repeat(7));
        let got: Vec<&str> = units(text, 7).into_iter().map(|(_, span)| &padded[span]).collect();
        assert_eq!(got, expect, "{text:?}");
    }

    #[test]
    fn english_sentences() {
        check("One. Two! Three?", &["One.", "Two!", "Three?"]);
        check(
            "It costs 3.50 dollars. See v1.2.3 at https://a.b/c.html. Done.",
            &["It costs 3.50 dollars.", "See v1.2.3 at https://a.b/c.html.", "Done."],
        );
        check(
            "Use tools, e.g. Cargo. Dr. Smith and J. Doe agree.",
            &["Use tools, e.g. Cargo.", "Dr. Smith and J. Doe agree."],
        );
        check("He said \"go.\" Then left.", &["He said \"go.\"", "Then left."]);
        check(
            "The U.S. Army came. Edit hanok.toml. Run it.",
            &["The U.S. Army came.", "Edit hanok.toml.", "Run it."],
        );
        check(
            "A line that is wrapped\nby hand here. Next one.",
            &["A line that is wrapped\nby hand here.", "Next one."],
        );
        check(
            "Short\nA line that is much longer than the one before",
            &["Short", "A line that is much longer than the one before"],
        );
    }

    #[test]
    fn korean_sentences() {
        check(
            "설치합니다. 그다음 실행하세요! 될까요? 네.",
            &["설치합니다.", "그다음 실행하세요!", "될까요?", "네."],
        );
        check("끝났다.다음은 이렇다.", &["끝났다.", "다음은 이렇다."]);
        check("2024. 3. 15. 시행한다. 제1조 목적", &["2024. 3. 15. 시행한다.", "제1조 목적"]);
        check("버전 1.5는 빠르다。다음", &["버전 1.5는 빠르다。", "다음"]);
    }

    #[test]
    fn markdown_units() {
        check(
            "# Head\n\n- one\n- two is\n  wrapped. And more.\n\n1. first\n2) second\n",
            &["one", "two is\n  wrapped.", "And more.", "first", "second"],
        );
        check("| a | b |\n|---|---|\n| 1 | 2 |", &["| a | b |", "| 1 | 2 |"]);
        check(
            "Run:\n```sh\ncargo run\n\n# x\n```\nThen **wait.** Go.",
            &["Run:", "cargo run", "# x", "Then **wait.**", "Go."],
        );
        check("Title\n=====\n\n---\n***\n", &[]);
        check("Title\n=====\nText\n\nIt ends.\n---\nNext", &["Text", "It ends.", "Next"]);
        check("• 첫째\n• 둘째", &["첫째", "둘째"]);
        check("", &[]);
        check("...\n!!!", &[]);
    }

    #[test]
    fn a_header_is_known_from_rows() {
        let check = |text: &str, expect: &[(Unit, &str)]| {
            let got: Vec<(Unit, &str)> =
                units(text, 0).into_iter().map(|(unit, span)| (unit, &text[span])).collect();
            assert_eq!(got, expect, "{text:?}");
        };
        let (header, row) = (Unit::Header, Unit::Row);
        check("| a | b |\n|:--|--:|\n| 1 | 2 |", &[(header, "| a | b |"), (row, "| 1 | 2 |")]);
        // The rest of a table that was cut in two has no header.
        check("| 1 | 2 |\n| 3 | 4 |", &[(row, "| 1 | 2 |"), (row, "| 3 | 4 |")]);
        // A row stays whole where a sentence would be cut.
        let long = format!("| {} |", "word ".repeat(200));
        check(&long, &[(row, &long)]);
    }

    #[test]
    fn a_line_over_a_paragraph_is_its_title() {
        let check = |text: &str, expect: &[(Unit, &str)]| {
            let got: Vec<(Unit, &str)> =
                units(text, 0).into_iter().map(|(unit, span)| (unit, &text[span])).collect();
            assert_eq!(got, expect, "{text:?}");
        };
        let (title, sentence) = (Unit::Title, Unit::Sentence);
        check(
            "Opening hours\n\nIt opens at ten.",
            &[(title, "Opening hours"), (sentence, "It opens at ten.")],
        );
        check("이용 시간 안내\n\n10시에 연다.", &[(title, "이용 시간 안내"), (sentence, "10시에 연다.")]);
        // Data, sentences, lines of one kind, and what stands over nothing are none.
        for line in ["Fee: none", "Fee 35 euros", "It opens late.", "문을 늦게 연다", "See docs/a.md"] {
            check(&format!("{line}\n\nMore of it."), &[(sentence, line), (sentence, "More of it.")]);
        }
        check("Bread\n\nSalt\n\nWine", &[(sentence, "Bread"), (sentence, "Salt"), (sentence, "Wine")]);
        check("Bread\nSalt\n\nMore of it.", &[(sentence, "Bread\nSalt"), (sentence, "More of it.")]);
    }

    #[test]
    fn nothing_is_too_long_and_nothing_is_lost() {
        let text = format!("{} end. {}", "word ".repeat(300), "가".repeat(500));
        let units = units(&text, 0);
        assert!(units.iter().all(|(_, span)| span.len() <= LONGEST + 1));
        let kept: usize =
            units.iter().map(|(_, span)| text[span.clone()].chars().filter(|c| *c != ' ').count()).sum();
        assert_eq!(kept, text.chars().filter(|c| *c != ' ').count());
    }
}
