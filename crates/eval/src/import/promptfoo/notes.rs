//! What is to be said of a file: what is the same of many tests is one line.

/// Tests that are named one by one.
const NAMED: usize = 3;

/// Lines, in the order of their first reason.
#[derive(Default)]
pub(super) struct Notes {
    lines: Vec<Line>,
}

struct Line {
    text: String,
    tests: Vec<String>,
    /// Whether it is something that does not run.
    lacks: bool,
}

impl Notes {
    /// Something to know.
    pub(super) fn say(&mut self, text: impl Into<String>) {
        self.add(text.into(), None, false);
    }

    /// Something that is kept and does not run.
    pub(super) fn lacks(&mut self, text: impl Into<String>) {
        self.add(text.into(), None, true);
    }

    /// Something of a test that is kept and does not run.
    pub(super) fn test_lacks(&mut self, test: &str, text: impl Into<String>) {
        self.add(text.into(), Some(test), true);
    }

    fn add(&mut self, text: String, test: Option<&str>, lacks: bool) {
        let tests = test.map(str::to_owned);
        match self.lines.iter_mut().find(|line| line.text == text) {
            Some(line) => line.tests.extend(tests.filter(|test| line.tests.last() != Some(test))),
            None => self.lines.push(Line { text, tests: tests.into_iter().collect(), lacks }),
        }
    }

    /// All of it.
    pub(super) fn all(&self) -> Vec<String> {
        self.lines.iter().map(Line::told).collect()
    }

    /// What does not run.
    pub(super) fn lacking(&self) -> Vec<String> {
        self.lines.iter().filter(|line| line.lacks).map(Line::told).collect()
    }
}

impl Line {
    fn told(&self) -> String {
        let Self { text, tests, .. } = self;
        match tests.as_slice() {
            [] => text.clone(),
            [one] => format!("test {one}: {text}"),
            many if many.len() <= NAMED => format!("tests {}: {text}", many.join(", ")),
            many => {
                let named: Vec<&str> = many.iter().take(NAMED).map(String::as_str).collect();
                format!("tests {} and {} more: {text}", named.join(", "), many.len() - NAMED)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_of_many_tests_is_one_line() {
        let mut notes = Notes::default();
        notes.say("read");
        for test in ["1", "2", "2", "3", "4", "5"] {
            notes.test_lacks(test, "lost");
        }
        notes.test_lacks("7", "odd");
        assert_eq!(notes.all(), ["read", "tests 1, 2, 3 and 2 more: lost", "test 7: odd"]);
        assert_eq!(notes.lacking().len(), 2);
    }
}
