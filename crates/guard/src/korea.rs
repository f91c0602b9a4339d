//! Korean numbers: telephones, residents and foreigners, businesses, passports, driving licences.

use crate::edge::{at, closed, grouped, opens, run};
use std::ops::Range;

fn is_separator(byte: u8) -> bool {
    matches!(byte, b'-' | b' ' | b'.')
}

/// A telephone number from its leading zero on: mobile (010, 011, 016 to 019), fixed (02, 031 to 064), of the
/// internet (070), personal (050x) and of shops (080). One without separators is taken for mobile only.
pub(crate) fn phone(text: &[u8], from: usize) -> Option<usize> {
    let area = [4, 3, 2].into_iter().find(|length| text.get(from..from + length).is_some_and(is_area))?;
    if text.get(from..)?.first() != Some(&b'0') {
        return None;
    }
    let mobile = text.get(from..)?.starts_with(b"01");
    local(text, from, area, mobile)
}

/// The same behind `+82`, where the leading zero is left out.
pub(crate) fn phone_from_abroad(text: &[u8], from: usize) -> Option<usize> {
    let from = if at(text, from).is_some_and(is_separator) { from + 1 } else { from };
    let from = if text.get(from..)?.starts_with(b"(0)") { from + 3 } else { from };
    let area = [3, 2, 1].into_iter().find(|length| {
        text.get(from..from + length).is_some_and(|digits| {
            let mut whole = vec![b'0'];
            whole.extend_from_slice(digits);
            is_area(&whole)
        })
    })?;
    local(text, from, area, true)
}

fn is_area(digits: &[u8]) -> bool {
    matches!(
        digits,
        b"02"
            | b"070"
            | b"080"
            | [b'0', b'1', b'0' | b'1' | b'6'..=b'9']
            | [b'0', b'5', b'0', b'2'..=b'8']
            | [b'0', b'3', b'1'..=b'3']
            | [b'0', b'4' | b'6', b'1'..=b'4']
            | [b'0', b'5', b'1'..=b'5']
    )
}

/// The area's digits and seven or eight more.
fn local(text: &[u8], from: usize, area: usize, plain_too: bool) -> Option<usize> {
    for middle in [4, 3] {
        let separated = grouped(text, from, &[area, middle, 4], is_separator);
        if let Some((digits, end)) = separated {
            // No exchange begins with a zero, nor with a one.
            return digits.get(area).filter(|digit| **digit >= 2).map(|_| end);
        }
        if plain_too && let Some((digits, end)) = grouped(text, from, &[area + middle + 4], is_separator) {
            return digits.get(area).filter(|digit| **digit >= 2).map(|_| end);
        }
        if let Some((_, end)) =
            grouped(text, from, &[area, middle + 4], |byte| byte == b'-').filter(|_| plain_too)
        {
            return Some(end);
        }
    }
    None
}

/// A resident's or foreigner's registration number: a date that exists, the century's digit, and the check digit.
/// Numbers of those born since October 2020 are random behind the date and have no check digit; they are taken
/// where a hyphen says what they are.
pub(crate) fn resident(text: &[u8], from: usize) -> Option<usize> {
    let hyphened = grouped(text, from, &[6, 7], |byte| byte == b'-');
    let is_hyphened = hyphened.is_some();
    let (digits, end) = hyphened.or_else(|| grouped(text, from, &[13], |_| false))?;
    let [y1, y2, m1, m2, d1, d2, kind, ..] = *digits.as_slice() else { return None };
    let century = match kind {
        9 | 0 => 1800,
        1 | 2 | 5 | 6 => 1900,
        3 | 4 | 7 | 8 => 2000,
        _ => return None,
    };
    let two = |tens: u8, ones: u8| u32::from(tens) * 10 + u32::from(ones);
    let (year, month, day) = (century + two(y1, y2), two(m1, m2), two(d1, d2));
    if !is_date(year, month, day) {
        return None;
    }
    let without_check = (year, month) >= (2020, 10);
    ((without_check && is_hyphened) || checks(&digits, matches!(kind, 5..=8))).then_some(end)
}

fn checks(digits: &[u8], foreigner: bool) -> bool {
    const WEIGHTS: [u32; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let base = if foreigner { 13 } else { 11 };
    digits.get(12).is_some_and(|last| u32::from(*last) == (base - sum % 11) % 10)
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `123-45-67890`, by its check digit.
pub(crate) fn business(text: &[u8], from: usize) -> Option<usize> {
    const WEIGHTS: [u32; 9] = [1, 3, 7, 1, 3, 7, 1, 3, 5];
    let (digits, end) = grouped(text, from, &[3, 2, 5], |byte| byte == b'-')?;
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| u32::from(*digit) * weight).sum();
    let ninth = digits.get(8).map(|digit| u32::from(*digit) * 5 / 10)?;
    let check = (10 - (sum + ninth) % 10) % 10;
    (digits.get(9).is_some_and(|last| u32::from(*last) == check) && digits.iter().any(|digit| *digit != 0))
        .then_some(end)
}

/// `11-22-333333-44`: the region, the year, a number and its check.
pub(crate) fn driver(text: &[u8], from: usize) -> Option<usize> {
    let (digits, end) = grouped(text, from, &[2, 2, 6, 2], |byte| byte == b'-')?;
    let region = digits.first()? * 10 + digits.get(1)?;
    (11..=28).contains(&region).then_some(end)
}

/// `M12345678`, or since 2021 `M123A4567`; the letter says what kind of passport.
pub(crate) fn passport(text: &[u8], digit: usize) -> Option<Range<usize>> {
    let start = digit.checked_sub(1)?;
    if !matches!(at(text, start)?, b'M' | b'S' | b'R' | b'O' | b'D' | b'G') || !opens(text, start) {
        return None;
    }
    let first = run(text, digit, |byte| byte.is_ascii_digit());
    let end = match first - digit {
        8 => first,
        3 if at(text, first).is_some_and(|byte| byte.is_ascii_uppercase()) => {
            let end = run(text, first + 1, |byte| byte.is_ascii_digit());
            (end - first == 5).then_some(end)?
        }
        _ => return None,
    };
    closed(text, end).then_some(start..end)
}
