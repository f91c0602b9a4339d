//! Numbers: `numeric`, `latency`, `cost`.

use super::spec::{Cost, Latency, Numeric, Pick};
use super::subject::{Found, Rule, Subject};
use super::texts::told;
use serde_json::Value;

/// `numeric`.
pub(crate) struct Near(Numeric);

impl Near {
    pub(crate) fn new(spec: &Numeric) -> Result<Self, String> {
        if !matches!(spec.decimal, '.' | ',') {
            return Err(format!("`decimal` is `.` or `,`, not `{}`", spec.decimal));
        }
        let is_size = |size: f64| size >= 0.0 && size.is_finite();
        if !is_size(spec.absolute) || !is_size(spec.relative) {
            return Err("a tolerance is a number from 0".to_owned());
        }
        Ok(Self(spec.clone()))
    }

    fn number_of(&self, value: &Value) -> Option<f64> {
        match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => numbers(text, self.0.decimal).last().copied(),
            _ => None,
        }
    }
}

impl Rule for Near {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let Some(expected) = subject.expected.as_deref() else {
            return Found::skipped("the sample says nothing of what is expected");
        };
        let Some(expected) = self.number_of(expected) else {
            return Found::failed(format!("what is expected is no number: `{}`", told(expected)));
        };
        let found = match subject.value.as_deref() {
            Some(Value::Number(number)) => number.as_f64().into_iter().collect(),
            _ => numbers(&subject.text, self.0.decimal),
        };
        let picked = match self.0.pick {
            Pick::Last => found.last().copied().into_iter().collect(),
            Pick::First => found.first().copied().into_iter().collect(),
            Pick::Only if found.len() > 1 => {
                return Found::truth(false, format!("there are {} numbers", found.len()));
            }
            Pick::Only | Pick::Any => found,
        };
        let reach = self.0.absolute.max(self.0.relative * expected.abs());
        let Some(nearest) =
            picked.iter().copied().min_by(|a, b| (a - expected).abs().total_cmp(&(b - expected).abs()))
        else {
            return Found::truth(false, "there is no number");
        };
        let is_near = (nearest - expected).abs() <= reach;
        Found::truth(is_near, if is_near { String::new() } else { format!("{nearest}, expected {expected}") })
    }
}

/// The numbers of a text, in order: an optional sign, digits in groups of three with the separator (the other one of
/// `.` and `,`, a space that does not break, or an underscore) or without, a fraction, a power of ten. Full-width
/// forms count as their plain ones.
pub(crate) fn numbers(text: &str, decimal: char) -> Vec<f64> {
    let text: Vec<char> = text.chars().map(plain).collect();
    let separator = if decimal == '.' { ',' } else { '.' };
    let at = |place: usize| text.get(place).copied().unwrap_or('\0');
    let digits_at = |from: usize| text.iter().skip(from).take_while(|c| c.is_ascii_digit()).count();
    let mut found = Vec::new();
    let mut place = 0;
    while place < text.len() {
        let before = if place == 0 { '\0' } else { at(place - 1) };
        let starts = at(place).is_ascii_digit() || (at(place) == decimal && at(place + 1).is_ascii_digit());
        // `v2` and `3.14.15`'s tail are names, not numbers.
        if !starts || before.is_alphabetic() && before.is_ascii() || before == '_' {
            place += 1;
            if starts {
                place += digits_at(place);
            }
            continue;
        }
        let mut written = String::new();
        let mut end = place + digits_at(place);
        written.extend(text.get(place..end).unwrap_or_default());
        // Groups: one to three digits, then a separator and three each.
        if (1..=3).contains(&written.len()) {
            let is_separator = |c| c == separator || matches!(c, '_' | '\'' | '\u{a0}' | '\u{202f}');
            while is_separator(at(end)) && digits_at(end + 1) == 3 {
                written.extend(text.get(end + 1..end + 4).unwrap_or_default());
                end += 4;
            }
        }
        if at(end) == decimal && digits_at(end + 1) > 0 {
            let fraction = digits_at(end + 1);
            written.push('.');
            written.extend(text.get(end + 1..end + 1 + fraction).unwrap_or_default());
            end += 1 + fraction;
        }
        if matches!(at(end), 'e' | 'E') {
            let sign = usize::from(matches!(at(end + 1), '+' | '-'));
            let power = digits_at(end + 1 + sign);
            if power > 0 {
                written.extend(text.get(end..end + 1 + sign + power).unwrap_or_default());
                end += 1 + sign + power;
            }
        }
        // A hyphen behind a word or digit joins (`2020-11`); U+2212 is a minus anywhere.
        let behind = if place < 2 { '\0' } else { at(place - 2) };
        let negative = before == '\u{2212}' || before == '-' && !behind.is_alphanumeric();
        if let Ok(number) = written.parse::<f64>() {
            found.push(if negative { -number } else { number });
        }
        place = end;
    }
    found
}

/// A digit or mark of full width as the plain one.
fn plain(c: char) -> char {
    match c {
        '\u{ff0b}'..='\u{ff19}' => u32::from(c).checked_sub(0xfee0).and_then(char::from_u32).unwrap_or(c),
        _ => c,
    }
}

/// `latency`.
pub(crate) struct InTime(Latency);

impl InTime {
    pub(crate) fn new(spec: Latency) -> Self {
        Self(spec)
    }
}

impl Rule for InTime {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let seconds = subject.output.latency.as_secs_f64();
        match self.0.seconds {
            Some(limit) => Found::truth(seconds <= limit, format!("{seconds:.3} s")),
            None => Found::number(seconds, ""),
        }
    }
}

/// `cost`.
pub(crate) struct InBudget(Cost);

impl InBudget {
    pub(crate) fn new(spec: Cost) -> Self {
        Self(spec)
    }
}

impl Rule for InBudget {
    fn check(&self, subject: &Subject<'_>) -> Found {
        let Some(cost) = subject.output.cost else {
            return Found::skipped("no price is known");
        };
        match self.0.dollars {
            Some(limit) => Found::truth(cost.dollars() <= limit, cost.to_string()),
            None => Found::number(cost.dollars(), ""),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_people_write_them() {
        let check = |text: &str, decimal: char, expect: &[f64]| {
            let found = numbers(text, decimal);
            assert_eq!(found, expect, "{text}");
        };
        check("The answer is 42.", '.', &[42.0]);
        check("1,234,567.89 won", '.', &[1_234_567.89]);
        check("1.234.567,89 €", ',', &[1_234_567.89]);
        check("1,2,3", '.', &[1.0, 2.0, 3.0]);
        check("12,34", '.', &[12.0, 34.0]);
        check("1234,567", '.', &[1234.0, 567.0]);
        check("-5 and \u{2212}7 and 3-4", '.', &[-5.0, -7.0, 3.0, 4.0]);
        check("on 2020-11-20", '.', &[2020.0, 11.0, 20.0]);
        check("1.5e-3, 2E6, 3e", '.', &[0.0015, 2e6, 3.0]);
        check(".5 or 0.5", '.', &[0.5, 0.5]);
        check("답은 1,200원, 즉 １２３입니다", '.', &[1200.0, 123.0]);
        check("약12개", '.', &[12.0]);
        check("v2 x_3 and 7", '.', &[7.0]);
        check("10\u{a0}000", '.', &[10_000.0]);
        check("", '.', &[]);
        check("...", '.', &[]);
    }
}
