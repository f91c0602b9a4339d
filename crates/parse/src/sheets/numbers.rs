//! Numbers and dates as a cell shows them: the format codes of ECMA-376, part 1, 18.8.30 and 18.8.31.

mod code;
mod date;

use code::{Section, Token};
use date::Moment;
use std::fmt::Write as _;

/// From when a workbook counts its days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Epoch {
    /// 1 is the first of January 1900, and 60 a day that never was.
    Y1900,
    /// 0 is the first of January 1904.
    Y1904,
}

/// A format code, understood.
#[derive(Clone, Debug)]
pub(crate) struct Format {
    sections: Vec<Section>,
}

impl Format {
    /// A code such as `#,##0.00;[Red]-#,##0.00` or `yyyy"년" m"월"`.
    pub(crate) fn new(code: &str) -> Self {
        Self { sections: code::parse(code) }
    }

    /// A format that files name by number only. Those that differ from country to country are written the same for
    /// all, dates as ISO 8601 has them.
    pub(crate) fn built_in(id: usize) -> Self {
        Self::new(match id {
            1 => "0",
            2 => "0.00",
            3 => "#,##0",
            4 => "#,##0.00",
            5 | 6 | 37 | 38 | 41 => "#,##0;-#,##0",
            7 | 8 | 39 | 40 | 43 | 44 => "#,##0.00;-#,##0.00",
            42 => "#,##0;-#,##0;\"-\"",
            9 => "0%",
            10 => "0.00%",
            11 => "0.00E+00",
            12 => "# ?/?",
            13 => "# ??/??",
            14..=17 | 27..=31 | 34..=36 | 50..=58 => "yyyy-mm-dd",
            18 => "h:mm AM/PM",
            19 => "h:mm:ss AM/PM",
            20 | 32 => "h:mm",
            21 | 33 => "h:mm:ss",
            22 => "yyyy-mm-dd h:mm",
            45 => "mm:ss",
            46 => "[h]:mm:ss",
            47 => "mm:ss.0",
            48 => "##0.0E+0",
            _ => "General",
        })
    }

    /// The number as the cell shows it.
    pub(crate) fn write(&self, number: f64, epoch: Epoch) -> String {
        let Some((section, is_signed)) = self.choose(number) else { return general(number) };
        if section.is_general() || !number.is_finite() {
            return general(number);
        }
        if section.is_date() {
            return match Moment::of(number, epoch) {
                Some(moment) => date::write(section, &moment, number),
                None => general(number),
            };
        }
        let text = write_number(section, number.abs());
        let text = text.trim();
        // What rounds to nothing has no sign.
        let is_negative = number < 0.0 && is_signed && text.contains(|c: char| ('1'..='9').contains(&c));
        format!("{}{text}", if is_negative { "-" } else { "" })
    }

    /// The section for a number, and whether the sign is still to be written.
    fn choose(&self, number: f64) -> Option<(&Section, bool)> {
        if self.sections.iter().any(|section| section.condition.is_some()) {
            let meets =
                |section: &&Section| section.condition.is_none_or(|condition| condition.holds(number));
            return self.sections.iter().find(meets).map(|section| (section, true));
        }
        let numeric = self.sections.len().min(3);
        match numeric {
            2 | 3 if number < 0.0 => self.sections.get(1).map(|section| (section, false)),
            3 if number == 0.0 => self.sections.get(2).map(|section| (section, false)),
            _ => self.sections.first().map(|section| (section, true)),
        }
    }
}

/// A number in no particular format: whole ones without a point, others with what a cell holds of them.
pub(crate) fn general(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        return format!("{number:.0}");
    }
    // A cell holds 15 digits; what a float has beyond comes of counting in twos.
    let rounded: f64 = format!("{number:.14e}").parse().unwrap_or(number);
    if rounded.abs() >= 1e15 || (rounded.abs() < 1e-5 && rounded != 0.0) {
        return format!("{rounded:E}");
    }
    format!("{rounded}")
}

/// Writes a number without its sign.
fn write_number(section: &Section, number: f64) -> String {
    let tokens = &section.tokens;
    let scale = 1000_f64.powi(i32::try_from(section.thousands).unwrap_or(0));
    let percents = tokens.iter().filter(|token| **token == Token::Percent).count();
    let number = number / scale * 100_f64.powi(i32::try_from(percents).unwrap_or(0));
    if tokens.iter().any(|token| matches!(token, Token::Slash)) {
        return general(number);
    }
    let point = tokens.iter().position(|token| *token == Token::Point).unwrap_or(tokens.len());
    let exponent_at =
        tokens.iter().position(|token| matches!(token, Token::Exponent(_))).unwrap_or(tokens.len());
    let is_digit = |token: &&Token| matches!(token, Token::Digit(_));
    let places = tokens.iter().take(exponent_at).skip(point).filter(is_digit).count().min(30);
    let (mantissa, exponent) = match exponent_at < tokens.len() && number != 0.0 {
        true => {
            #[expect(clippy::cast_possible_truncation, reason = "a float's exponent is small")]
            let exponent = number.log10().floor() as i32;
            (number / 10_f64.powi(exponent), exponent)
        }
        false => (number, 0),
    };
    let digits = format!("{mantissa:.places$}");
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let whole = if whole == "0" { "" } else { whole };
    let mut text = String::new();
    let before = tokens.get(..point.min(exponent_at)).unwrap_or_default();
    write_whole(before, whole, section.is_grouped, &mut text);
    let mut fraction = fraction.chars().collect::<Vec<_>>();
    // `#` keeps no zeros at the end.
    let optional = tokens.get(point..exponent_at).unwrap_or_default().iter().rev().filter(is_digit);
    for _ in optional.take_while(|token| matches!(token, Token::Digit('#' | '?'))) {
        if fraction.last() == Some(&'0') {
            fraction.pop();
        } else {
            break;
        }
    }
    let has_fraction = !fraction.is_empty();
    let mut fraction = fraction.into_iter();
    for token in tokens.get(point..).unwrap_or_default() {
        match token {
            Token::Point if has_fraction => text.push('.'),
            Token::Digit(_) => text.extend(fraction.next()),
            Token::Exponent(signed) => {
                let sign = if exponent < 0 {
                    "-"
                } else if *signed {
                    "+"
                } else {
                    ""
                };
                let _ = write!(text, "E{sign}{:02}", exponent.abs());
                break;
            }
            Token::Literal(literal) => text.push_str(literal),
            Token::Percent => text.push('%'),
            _ => {}
        }
    }
    text
}

/// Writes the whole part through its placeholders, from the right, so that literals keep their places.
fn write_whole(tokens: &[Token], whole: &str, is_grouped: bool, text: &mut String) {
    let mut reversed: Vec<String> = Vec::new();
    let mut left = whole.chars().rev().peekable();
    let mut written = 0_usize;
    let mut put = |digit: char, reversed: &mut Vec<String>| {
        if is_grouped && written > 0 && written.is_multiple_of(3) {
            reversed.push(",".to_owned());
        }
        written += 1;
        reversed.push(digit.to_string());
    };
    let first = tokens.iter().position(|token| matches!(token, Token::Digit(_)));
    for (at, token) in tokens.iter().enumerate().rev() {
        match token {
            Token::Digit(placeholder) => {
                match left.next() {
                    Some(digit) => put(digit, &mut reversed),
                    None if *placeholder == '0' => put('0', &mut reversed),
                    None => {}
                }
                if Some(at) == first {
                    for digit in left.by_ref() {
                        put(digit, &mut reversed);
                    }
                }
            }
            Token::Literal(literal) => reversed.push(literal.clone()),
            Token::Percent => reversed.push("%".to_owned()),
            _ => {}
        }
    }
    text.extend(reversed.into_iter().rev());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_look_as_their_cells_do() {
        let check = |code: &str, number: f64, expect: &str| {
            assert_eq!(Format::new(code).write(number, Epoch::Y1900), expect, "{code} of {number}");
        };
        check("General", 1234.5, "1234.5");
        check("General", 0.1 + 0.2, "0.3");
        check("0", 1234.5, "1234");
        check("0.00", 2.0, "2.00");
        check("#,##0", 1_234_567.0, "1,234,567");
        check("#,##0.00", -1234.567, "-1,234.57");
        check("#,##0;(#,##0)", -1234.0, "(1,234)");
        check("#,##0.0##", 1.5, "1.5");
        check("0%", 0.256, "26%");
        check("0.0%", 0.256, "25.6%");
        check("\"₩\"#,##0", 1500.0, "₩1,500");
        check("[$₩-412]#,##0", 1500.0, "₩1,500");
        check("#,##0\"원\"", 12_000.0, "12,000원");
        check("#,##0,\"천\"", 12_000.0, "12천");
        check("000-0000", 1_234_567.0, "123-4567");
        check("0.00E+00", 12_345.0, "1.23E+04");
        check("[Red]0.0;[Blue]-0.0;\"none\"", 0.0, "none");
        check("[>=100]0\" many\";0\" few\"", 7.0, "7 few");
        check("_-* #,##0_-;-* #,##0_-", 1000.0, "1,000");
        check("0.0", -0.01, "0.0");
    }

    #[test]
    fn dates_look_as_their_cells_do() {
        let check = |code: &str, number: f64, expect: &str| {
            assert_eq!(Format::new(code).write(number, Epoch::Y1900), expect, "{code} of {number}");
        };
        check("yyyy-mm-dd", 45_000.0, "2023-03-15");
        check("yyyy\"년\" m\"월\" d\"일\"", 45_000.0, "2023년 3월 15일");
        check("d mmm yy", 45_000.0, "15 Mar 23");
        check("dddd", 45_000.0, "Wednesday");
        check("aaaa", 45_000.0, "수요일");
        check("h:mm AM/PM", 45_000.75, "6:00 PM");
        check("yyyy-mm-dd hh:mm:ss", 45_000.5, "2023-03-15 12:00:00");
        check("[h]:mm", 1.5, "36:00");
        check("mm:ss", 0.001, "01:26");
        check("yyyy-mm-dd", 1.0, "1900-01-01");
        check("yyyy-mm-dd", 61.0, "1900-03-01");
        check("yyyy-mm-dd", -5.0, "-5");
        check("yyyy-mm-dd", 1e300, "1E300");
        assert_eq!(Format::built_in(14).write(0.0, Epoch::Y1904), "1904-01-01");
    }
}
