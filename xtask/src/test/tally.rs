//! How many tests passed, as the runners themselves say.

use std::fmt;
use std::ops::AddAssign;

/// Numbers of tests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.passed += more.passed;
        self.failed += more.failed;
        self.skipped += more.skipped;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Who prints the summary.
#[derive(Clone, Copy, Debug)]
pub(super) enum Runner {
    /// `test result: ok. 4 passed; 0 failed; 1 ignored; …`, once per binary.
    Cargo,
    /// `= 4 passed, 1 skipped in 2.31s =`, once.
    Pytest,
    /// `ℹ pass 4`, one line per count.
    Node,
}

impl Runner {
    /// What a line of output adds to the sum.
    pub(super) fn read(self, line: &str) -> Tally {
        match self {
            Self::Cargo => match line.strip_prefix("test result: ") {
                Some(rest) => counts(rest.split(['.', ';'])),
                None => Tally::default(),
            },
            Self::Pytest => match line.trim_matches([' ', '=']).rsplit_once(" in ") {
                Some((rest, time)) if time.split(' ').next().is_some_and(|time| time.ends_with('s')) => {
                    counts(rest.split(','))
                }
                _ => Tally::default(),
            },
            Self::Node => match line.trim_start_matches(['ℹ', '#', ' ']).split_once(' ') {
                Some((word, number)) if line.starts_with(['ℹ', '#']) => count(number, word),
                _ => Tally::default(),
            },
        }
    }
}

/// The sum of pieces of the form `4 passed`; one piece that is not makes it nothing only for itself.
fn counts<'a>(pieces: impl Iterator<Item = &'a str>) -> Tally {
    let mut sum = Tally::default();
    for piece in pieces {
        if let Some((number, word)) = piece.trim().split_once(' ') {
            sum += count(number, word);
        }
    }
    sum
}

fn count(number: &str, word: &str) -> Tally {
    let number = number.trim().parse().unwrap_or(0);
    let mut tally = Tally::default();
    match word {
        "passed" | "pass" => tally.passed = number,
        "failed" | "fail" | "error" | "errors" | "cancelled" => tally.failed = number,
        "ignored" | "skipped" | "todo" => tally.skipped = number,
        _ => {}
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(runner: Runner, line: &str, expect: [u64; 3]) {
        let [passed, failed, skipped] = expect;
        assert_eq!(runner.read(line), Tally { passed, failed, skipped }, "{runner:?}: {line}");
    }

    #[test]
    fn each_runner_is_understood() {
        let line =
            "test result: ok. 14 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        check(Runner::Cargo, line, [14, 0, 1]);
        let line =
            "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s";
        check(Runner::Cargo, line, [3, 2, 0]);
        check(Runner::Cargo, "test passed ... ok", [0, 0, 0]);
        check(Runner::Pytest, "12 passed, 1 skipped in 3.20s", [12, 0, 1]);
        check(Runner::Pytest, "===== 1 failed, 11 passed, 2 errors in 63.20s (0:01:03) =====", [11, 3, 0]);
        check(Runner::Pytest, "tests/python/test_chat.py ....   [ 10%]", [0, 0, 0]);
        check(Runner::Pytest, "1 failed in the middle", [0, 0, 0]);
        check(Runner::Node, "ℹ pass 7", [7, 0, 0]);
        check(Runner::Node, "# fail 2", [0, 2, 0]);
        check(Runner::Node, "ℹ cancelled 1", [0, 1, 0]);
        check(Runner::Node, "ℹ tests 9", [0, 0, 0]);
        check(Runner::Node, "pass 7", [0, 0, 0]);
    }

    #[test]
    fn a_sum_reads_as_one_line() {
        let mut sum = Tally::default();
        sum += Tally { passed: 2, failed: 1, skipped: 0 };
        sum += Tally { passed: 1, failed: 0, skipped: 3 };
        assert_eq!(sum.to_string(), "3 passed, 1 failed, 3 skipped");
    }
}
