//! What tells who a person is, or is theirs: addresses and numbers with a format that can be checked.

use crate::edge::{at, closed, grouped, is_escape, opens, run};
use crate::korea;
use std::ops::Range;

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pii {
    /// An address of mail.
    Email,
    /// A telephone number in international form (`+…`).
    Phone,
    /// A Korean telephone number: mobile, fixed or of the internet.
    PhoneKr,
    /// A Korean resident's or foreigner's registration number: a date that exists, and the check digit.
    RrnKr,
    /// A payment card: the issuer's range, the length, and Luhn's check digit.
    Card,
    /// An IBAN: its country's length, and the remainder by 97.
    Iban,
    /// A social security number of the United States: the ranges that are given out.
    SsnUs,
    /// A Korean business registration number: its check digit.
    BrnKr,
    /// A Korean passport's number, by its pattern.
    PassportKr,
    /// A Korean driving licence's number, by its pattern.
    DriverKr,
}

impl Pii {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Email,
        Self::Phone,
        Self::PhoneKr,
        Self::RrnKr,
        Self::Card,
        Self::Iban,
        Self::SsnUs,
        Self::BrnKr,
        Self::PassportKr,
        Self::DriverKr,
    ];

    /// Its name, as settings have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::PhoneKr => "phone_kr",
            Self::RrnKr => "rrn_kr",
            Self::Card => "card",
            Self::Iban => "iban",
            Self::SsnUs => "ssn_us",
            Self::BrnKr => "brn_kr",
            Self::PassportKr => "passport_kr",
            Self::DriverKr => "driver_kr",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Those that are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kinds(u16);

impl Kinds {
    pub(crate) fn with(self, kind: Pii) -> Self {
        Self(self.0 | kind.bit())
    }

    pub(crate) fn has(self, kind: Pii) -> bool {
        self.0 & kind.bit() != 0
    }

    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether any of them begins with a digit or `+`, or is told by its digits.
    pub(crate) fn has_numbers(self) -> bool {
        self.0 & !Pii::Email.bit() != 0
    }

    fn has_lettered(self) -> bool {
        self.has(Pii::Iban) || self.has(Pii::PassportKr)
    }
}

/// Finds them; in no particular order.
pub(crate) fn find(kinds: Kinds, text: &[u8], found: &mut Vec<(Range<usize>, &'static str)>) {
    if kinds.has(Pii::Email) {
        for place in memchr::memchr_iter(b'@', text) {
            found.extend(email(text, place).map(|range| (range, "email")));
        }
    }
    if kinds.has_numbers() {
        numbers(kinds, text, found);
    }
}

fn numbers(kinds: Kinds, text: &[u8], found: &mut Vec<(Range<usize>, &'static str)>) {
    let mut place = 0;
    while let Some(next) = next_digit(text, place) {
        // Letters before the first digit are a country's, or a passport's.
        let lettered = kinds.has_lettered().then(|| lettered(kinds, text, next)).flatten();
        let plain = || {
            let plus = next.checked_sub(1).filter(|plus| at(text, *plus) == Some(b'+'));
            match plus {
                Some(plus) if kinds.has(Pii::Phone) || kinds.has(Pii::PhoneKr) => {
                    opens(text, plus).then(|| international(kinds, text, plus)).flatten()
                }
                _ => opens(text, next).then(|| number(kinds, text, next)).flatten(),
            }
        };
        if let Some((range, kind)) = lettered.or_else(plain) {
            place = range.end;
            found.push((range, kind));
        } else {
            place = run(text, next, |byte| byte.is_ascii_digit());
        }
    }
}

fn next_digit(text: &[u8], from: usize) -> Option<usize> {
    let rest = text.get(from..)?;
    rest.iter().position(u8::is_ascii_digit).map(|more| from + more)
}

/// The number that begins at this digit. The stricter check comes first.
fn number(kinds: Kinds, text: &[u8], from: usize) -> Option<(Range<usize>, &'static str)> {
    type Rule = fn(&[u8], usize) -> Option<usize>;
    const RULES: [(Pii, &str, Rule); 6] = [
        (Pii::RrnKr, "resident-number", korea::resident),
        (Pii::Card, "card", card),
        (Pii::DriverKr, "driver-licence", korea::driver),
        (Pii::BrnKr, "business-number", korea::business),
        (Pii::SsnUs, "ssn", ssn),
        (Pii::PhoneKr, "phone", korea::phone),
    ];
    RULES
        .into_iter()
        .filter(|(kind, ..)| kinds.has(*kind))
        .find_map(|(_, name, rule)| Some((from..rule(text, from)?, name)))
}

fn lettered(kinds: Kinds, text: &[u8], digit: usize) -> Option<(Range<usize>, &'static str)> {
    if kinds.has(Pii::Iban)
        && let Some(range) = iban(text, digit)
    {
        return Some((range, "iban"));
    }
    if kinds.has(Pii::PassportKr) { Some((korea::passport(text, digit)?, "passport")) } else { None }
}

/// Domains that end as files do are no addresses: `logo@2x.png`.
const FILES: [&str; 10] = ["png", "jpg", "jpeg", "gif", "svg", "webp", "js", "css", "ts", "html"];

/// RFC 5321's lengths, and what is used of RFC 5322's forms: no quotes, no comments.
fn email(text: &[u8], place: usize) -> Option<Range<usize>> {
    let local = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'%' | b'+' | b'-' | b'\'' | b'&' | b'*' | b'=' | b'~')
    };
    let length = text.get(..place)?.iter().rev().take(65).take_while(|byte| local(byte)).count();
    let mut start = place - length;
    if is_escape(text, start + 1) {
        start += 1;
    }
    // Signs around an address are not part of it.
    start = run(text, start, |byte| !byte.is_ascii_alphanumeric() && byte != b'_');
    let name = text.get(start..place)?;
    let mut end = run(text, place + 1, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    while matches!(text.get(end - 1), Some(b'.' | b'-')) {
        end -= 1;
    }
    let domain = text.get(place + 1..end)?;
    let top = domain.rsplit(|byte| *byte == b'.').next()?;
    let labels = domain.split(|byte| *byte == b'.');
    let good = (1..=64).contains(&name.len())
        && !name.ends_with(b".")
        && !name.windows(2).any(|two| two == b"..")
        && (4..=253).contains(&domain.len())
        && labels.clone().count() >= 2
        && labels.clone().all(|label| {
            (1..=63).contains(&label.len()) && !label.starts_with(b"-") && !label.ends_with(b"-")
        })
        && top.len() >= 2
        && top.iter().all(u8::is_ascii_alphabetic)
        && !FILES.iter().any(|file| top.eq_ignore_ascii_case(file.as_bytes()));
    good.then_some(start..end)
}

/// `+`, the country and 8 to 15 digits in all (E.164), with single separators between.
fn international(kinds: Kinds, text: &[u8], plus: usize) -> Option<(Range<usize>, &'static str)> {
    if text.get(plus + 1..)?.starts_with(b"82") && kinds.has(Pii::PhoneKr) {
        return Some((plus..korea::phone_from_abroad(text, plus + 3)?, "phone"));
    }
    if !kinds.has(Pii::Phone) || at(text, plus + 1)? == b'0' {
        return None;
    }
    let (mut end, mut digits, mut place) = (plus, 0, plus + 1);
    while let Some(byte) = at(text, place) {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                end = place + 1;
                if digits > 15 {
                    return None;
                }
            }
            b' ' | b'-' | b'.' | b'(' | b')' if place > end + 1 && byte != b'(' => break,
            b' ' | b'-' | b'.' | b'(' | b')' => {}
            _ => break,
        }
        place += 1;
    }
    ((8..=15).contains(&digits) && closed(text, end)).then_some((plus..end, "phone"))
}

/// 13 to 19 digits, in groups between spaces or hyphens or in one.
fn card(text: &[u8], from: usize) -> Option<usize> {
    let mut digits = Vec::with_capacity(19);
    let (mut end, mut place, mut separator) = (from, from, None);
    while let Some(byte) = at(text, place) {
        match byte {
            b'0'..=b'9' => {
                digits.push(byte - b'0');
                end = place + 1;
            }
            b' ' | b'-' if place == end && separator.is_none_or(|known| known == byte) => {
                // Groups of a card hold four digits and more; the first always four.
                if digits.len() < 4 || (separator.is_none() && digits.len() != 4) {
                    break;
                }
                separator = Some(byte);
            }
            _ => break,
        }
        if digits.len() > 19 {
            return None;
        }
        place += 1;
    }
    let lead = |digits: &[u8], count: usize| {
        digits.iter().take(count).fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit))
    };
    let issued = match (lead(&digits, 1), digits.len()) {
        (4, 13 | 16 | 19) | (6, 16..=19) | (9, 16) => true,
        (5, 16) => matches!(lead(&digits, 2), 50..=59),
        (2, 16) => matches!(lead(&digits, 4), 2221..=2720),
        (3, 15) => matches!(lead(&digits, 2), 34 | 37),
        (3, 14) => matches!(lead(&digits, 2), 36 | 38 | 39) || matches!(lead(&digits, 3), 300..=305),
        (3, 16) => matches!(lead(&digits, 4), 3528..=3589),
        _ => false,
    };
    let same = digits.windows(2).all(|two| matches!(two, [one, other] if one == other));
    (issued && !same && luhn(&digits) && closed(text, end)).then_some(end)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit < 5 => digit * 2,
            (_, digit) => digit * 2 - 9,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// How long the IBANs of each country are (the registry of SWIFT).
const IBANS: &str = "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 \
    EG29 ES24 FI18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 \
    LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 \
    SA24 SC31 SD18 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20";

/// The first digit stands behind the country's two letters.
fn iban(text: &[u8], digit: usize) -> Option<Range<usize>> {
    let start = digit.checked_sub(2)?;
    let country = text.get(start..digit).filter(|two| two.iter().all(u8::is_ascii_uppercase))?;
    if !opens(text, start) {
        return None;
    }
    let known = IBANS.split_ascii_whitespace().find(|entry| entry.as_bytes().starts_with(country))?;
    let length: usize = known.get(2..)?.parse().ok()?;
    let mut letters = Vec::with_capacity(length);
    let mut end = start;
    while letters.len() < length {
        let byte = at(text, end)?;
        if byte == b' ' && letters.len() % 4 == 0 && at(text, end.checked_sub(1)?)? != b' ' {
            end += 1;
            continue;
        }
        letters.push((byte.is_ascii_uppercase() || byte.is_ascii_digit()).then_some(byte)?);
        end += 1;
    }
    let (head, tail) = letters.split_at_checked(4)?;
    let rest = tail.iter().chain(head).try_fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => Some((rest * 10 + u32::from(byte - b'0')) % 97),
        b'A'..=b'Z' => Some((rest * 100 + u32::from(byte - b'A') + 10) % 97),
        _ => None,
    })?;
    (rest == 1 && closed(text, end)).then_some(start..end)
}

/// Area, group and serial between hyphens, by the rules of the Social Security Administration since 2011.
fn ssn(text: &[u8], from: usize) -> Option<usize> {
    let (digits, end) = grouped(text, from, &[3, 2, 4], |byte| byte == b'-')?;
    let number = |range: Range<usize>| {
        digits.get(range).map(|part| part.iter().fold(0_u32, |sum, digit| sum * 10 + u32::from(*digit)))
    };
    let (area, group, serial) = (number(0..3)?, number(3..5)?, number(5..9)?);
    let given = !matches!(area, 0 | 666 | 900..) && group != 0 && serial != 0;
    // Printed on cards in wallets, and in advertisements.
    let sample = matches!((area, group, serial), (78, 5, 1120) | (219, 9, 9999));
    (given && !sample).then_some(end)
}
