//! What differs between two versions: lines of text, and members of the configuration.

use crate::prompt::Prompt;
use serde::Serialize;
use serde_json::Value;
use std::fmt::Write as _;

/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;
/// Beyond so many pairs of lines, texts are not compared line by line.
const MOST_PAIRS: usize = 4_000_000;

/// What differs between two versions of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diff {
    /// The version's digits from which.
    pub from: String,
    /// The version's digits to which.
    pub to: String,
    /// Texts that differ: the prompt's own, and those of partials.
    pub texts: Vec<TextDiff>,
    /// Members of the front matter that differ.
    pub config: Vec<Change>,
}

/// Two texts, line by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TextDiff {
    /// The file.
    pub file: String,
    /// All lines of both.
    pub lines: Vec<Line>,
}

/// A line of two texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// In which text it is.
    pub kind: LineKind,
    /// Its number in the first text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<usize>,
    /// Its number in the second text, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<usize>,
    /// The line, without its end.
    pub text: String,
}

/// In which of two texts a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LineKind {
    /// In both.
    Same,
    /// In the first only.
    Removed,
    /// In the second only.
    Added,
}

/// A member that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The way to it: `config.temperature`.
    pub member: String,
    /// What it was; `None` where it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What it is; `None` where it is not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

impl Diff {
    /// What differs between two prompts.
    pub fn of(from: &Prompt, to: &Prompt) -> Self {
        let mut texts = Vec::new();
        let mut compare = |file: String, before: &str, after: &str| {
            if before != after {
                texts.push(TextDiff { file, lines: lines(before, after) });
            }
        };
        compare(format!("{}.prompt", to.name()), from.source(), to.source());
        let added = to.partials().keys().filter(|name| !from.partials().contains_key(*name));
        for name in from.partials().keys().chain(added) {
            let text = |prompt: &Prompt| prompt.partials().get(name).cloned().unwrap_or_default();
            compare(format!("_{name}.prompt"), &text(from), &text(to));
        }
        let mut config = Vec::new();
        let whole = |prompt: &Prompt| Value::Object(prompt.metadata().raw.clone());
        changes(String::new(), Some(&whole(from)), Some(&whole(to)), &mut config);
        Self { from: from.version().short().to_owned(), to: to.version().short().to_owned(), texts, config }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// The texts as `diff -u` writes them.
    pub fn unified(&self) -> String {
        let mut out = String::new();
        for text in &self.texts {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "--- {0} ({1})\n+++ {0} ({2})", text.file, self.from, self.to);
            hunks(&text.lines, &mut out);
        }
        out
    }
}

fn hunks(lines: &[Line], out: &mut String) {
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.kind != LineKind::Same).map(|(at, _)| at).collect();
    let mut rest = changed.as_slice();
    while let Some((&first, _)) = rest.split_first() {
        // Changes whose surroundings meet are one hunk.
        let count =
            rest.windows(2).take_while(|pair| matches!(pair, [a, b] if b - a <= 2 * AROUND + 1)).count() + 1;
        let last = rest.get(count - 1).copied().unwrap_or(first);
        let shown =
            lines.get(first.saturating_sub(AROUND)..(last + AROUND + 1).min(lines.len())).unwrap_or_default();
        let range = |number: fn(&Line) -> Option<usize>| {
            let count = shown.iter().filter_map(number).count();
            let begin = shown.iter().find_map(number).unwrap_or_default();
            format!("{begin},{count}")
        };
        let _ = writeln!(out, "@@ -{} +{} @@", range(|line| line.before), range(|line| line.after));
        for line in shown {
            let mark = match line.kind {
                LineKind::Same => ' ',
                LineKind::Removed => '-',
                LineKind::Added => '+',
            };
            let _ = writeln!(out, "{mark}{}", line.text);
        }
        rest = rest.get(count..).unwrap_or_default();
    }
}

/// All lines of two texts, by their longest common subsequence.
pub(crate) fn lines(before: &str, after: &str) -> Vec<Line> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
    let rest = a.len().min(b.len()) - head;
    let tail = a.iter().rev().zip(b.iter().rev()).take(rest).take_while(|(a, b)| a == b).count();
    let (mid_a, mid_b) =
        (a.get(head..a.len() - tail).unwrap_or_default(), b.get(head..b.len() - tail).unwrap_or_default());
    let mut kinds = vec![LineKind::Same; head];
    middle(mid_a, mid_b, &mut kinds);
    kinds.extend(std::iter::repeat_n(LineKind::Same, tail));
    let (mut a, mut b) = (a.into_iter().enumerate(), b.into_iter().enumerate());
    kinds
        .into_iter()
        .filter_map(|kind| {
            let before = if kind == LineKind::Added { None } else { a.next() };
            let after = if kind == LineKind::Removed { None } else { b.next() };
            let text = before.or(after)?.1.to_owned();
            Some(Line {
                kind,
                before: before.map(|(at, _)| at + 1),
                after: after.map(|(at, _)| at + 1),
                text,
            })
        })
        .collect()
}

fn middle(a: &[&str], b: &[&str], kinds: &mut Vec<LineKind>) {
    let width = b.len() + 1;
    if a.len().saturating_mul(b.len()) > MOST_PAIRS {
        kinds.extend(std::iter::repeat_n(LineKind::Removed, a.len()));
        kinds.extend(std::iter::repeat_n(LineKind::Added, b.len()));
        return;
    }
    // The length of the longest common subsequence of what begins at each pair of lines.
    let mut length = vec![0_u32; (a.len() + 1) * width];
    let at = |length: &[u32], i: usize, j: usize| length.get(i * width + j).copied().unwrap_or_default();
    for (i, one) in a.iter().enumerate().rev() {
        for (j, other) in b.iter().enumerate().rev() {
            let best = if one == other {
                at(&length, i + 1, j + 1) + 1
            } else {
                at(&length, i + 1, j).max(at(&length, i, j + 1))
            };
            if let Some(cell) = length.get_mut(i * width + j) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < a.len() || j < b.len() {
        let same = i < a.len() && j < b.len() && a.get(i) == b.get(j);
        if same {
            kinds.push(LineKind::Same);
            (i, j) = (i + 1, j + 1);
        } else if j >= b.len() || (i < a.len() && at(&length, i + 1, j) >= at(&length, i, j + 1)) {
            kinds.push(LineKind::Removed);
            i += 1;
        } else {
            kinds.push(LineKind::Added);
            j += 1;
        }
    }
}

fn changes(member: String, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<Change>) {
    if before == after {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (before, after) {
        let added = after.keys().filter(|name| !before.contains_key(*name));
        for name in before.keys().chain(added) {
            let inside = if member.is_empty() { name.clone() } else { format!("{member}.{name}") };
            changes(inside, before.get(name), after.get(name), out);
        }
        return;
    }
    out.push(Change { member, before: before.cloned(), after: after.cloned() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Partials;

    #[test]
    fn lines_and_members_that_differ() {
        let parse = |source: &str| Prompt::parse("greet", source, &Partials::new()).unwrap();
        let from = parse("---\nmodel: fast\nconfig:\n  temperature: 1\n---\nHello {{name}}\nBye");
        let to = parse("---\nmodel: fast\nconfig:\n  temperature: 0\n  seed: 1\n---\nHi {{name}}\nBye");
        let diff = Diff::of(&from, &to);
        let changed: Vec<(&str, Option<&Value>, Option<&Value>)> = diff
            .config
            .iter()
            .map(|change| (&*change.member, change.before.as_ref(), change.after.as_ref()))
            .collect();
        assert_eq!(
            changed,
            [
                ("config.temperature", Some(&1.into()), Some(&0.into())),
                ("config.seed", None, Some(&1.into()))
            ]
        );
        let unified = diff.unified();
        assert!(unified.contains("@@ -1,7 +1,8 @@\n"), "{unified}");
        assert!(unified.contains("-Hello {{name}}\n+Hi {{name}}\n Bye\n"), "{unified}");
        assert!(Diff::of(&from, &from).is_empty());
    }

    #[test]
    fn lines_make_both_texts_again() {
        let check = |a: &str, b: &str| {
            let lines = lines(a, b);
            let of = |number: fn(&Line) -> Option<usize>| {
                lines
                    .iter()
                    .filter(|line| number(line).is_some())
                    .map(|line| line.text.as_str())
                    .collect::<Vec<_>>()
            };
            assert_eq!(of(|line| line.before), a.lines().collect::<Vec<_>>());
            assert_eq!(of(|line| line.after), b.lines().collect::<Vec<_>>());
            lines.iter().filter(|line| line.kind != LineKind::Same).count()
        };
        assert_eq!(check("a\nb\nc", "a\nc\nd"), 2);
        assert_eq!(check("", "a"), 1);
        assert_eq!(check("a\na\nb", "a\nb"), 1);
        assert_eq!(check("a", "a"), 0);
    }
}
