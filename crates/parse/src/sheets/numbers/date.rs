//! Days counted, as dates and times.

use super::Epoch;
use super::code::{Section, Token};
use std::fmt::Write as _;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const WEEKDAYS_KOREAN: [&str; 7] = ["일요일", "월요일", "화요일", "수요일", "목요일", "금요일", "토요일"];

/// A day and a time of day.
pub(super) struct Moment {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    hour: i64,
    minute: i64,
    second: i64,
    nanos: i64,
}

impl Moment {
    /// The moment that a cell's number counts to; `None` before the epoch and beyond the year 9999.
    pub(super) fn of(number: f64, epoch: Epoch) -> Option<Self> {
        if !(0.0..2_958_466.0).contains(&number) {
            return None;
        }
        const DAY: i64 = 86_400_000;
        #[expect(clippy::cast_possible_truncation, reason = "in range, as has just been seen")]
        let millis = (number * 86_400_000.0).round() as i64;
        let (days, time) = (millis.div_euclid(DAY), millis.rem_euclid(DAY));
        // Days since 1970-01-01. What counts from 1900 holds a 29th of February that never was.
        let days = match epoch {
            Epoch::Y1900 if days < 60 => days - 25_568,
            Epoch::Y1900 => days - 25_569,
            Epoch::Y1904 => days - 24_107,
        };
        let (year, month, day) = civil(days);
        Some(Self {
            year,
            month,
            day,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            hour: time / 3_600_000,
            minute: time / 60_000 % 60,
            second: time / 1000 % 60,
            nanos: time % 1000 * 1_000_000,
        })
    }
}

/// Year, month from 1 and day of a count of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: i64) -> (i64, usize, i64) {
    // Years that begin in March have their leap day last.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, usize::try_from(month).unwrap_or(1), day)
}

/// Writes a moment through a section's tokens; `number` is what it was counted from.
pub(super) fn write(section: &Section, moment: &Moment, number: f64) -> String {
    let has_noon = section.tokens.iter().any(|token| matches!(token, Token::Noon(..)));
    let mut text = String::new();
    for token in &section.tokens {
        match token {
            Token::Literal(literal) => text.push_str(literal),
            Token::Date(letter, count) => write_part(*letter, *count, moment, has_noon, &mut text),
            Token::Elapsed(letter) => {
                let per_day = match letter {
                    'h' => 24.0,
                    'm' => 1440.0,
                    _ => 86_400.0,
                };
                // A thousandth of a second is what rounding may take away.
                let _ = write!(text, "{:.0}", (number * per_day + 1e-8 * per_day).floor());
            }
            Token::SubSecond(places) => {
                let digits = format!("{:09}", moment.nanos);
                text.push('.');
                text.push_str(digits.get(..(*places).min(9)).unwrap_or_default());
            }
            Token::Noon(am, pm) => text.push_str(if moment.hour < 12 { am } else { pm }),
            Token::Point => text.push('.'),
            _ => {}
        }
    }
    text.trim().to_owned()
}

fn write_part(letter: char, count: usize, moment: &Moment, has_noon: bool, text: &mut String) {
    let short = |name: &str, letters: usize| name.chars().take(letters).collect::<String>();
    let month = MONTHS.get(moment.month.saturating_sub(1)).copied().unwrap_or_default();
    let weekday = WEEKDAYS.get(moment.weekday).copied().unwrap_or_default();
    let korean = WEEKDAYS_KOREAN.get(moment.weekday).copied().unwrap_or_default();
    let hour = if has_noon { (moment.hour + 11) % 12 + 1 } else { moment.hour };
    let number = match letter {
        'y' if count <= 2 => moment.year.rem_euclid(100),
        'y' => moment.year,
        'm' if count == 3 => return text.push_str(&short(month, 3)),
        'm' if count == 5 => return text.push_str(&short(month, 1)),
        'm' if count >= 4 => return text.push_str(month),
        'd' if count == 3 => return text.push_str(&short(weekday, 3)),
        'd' if count >= 4 => return text.push_str(weekday),
        'a' if count <= 3 => return text.push_str(&short(korean, 1)),
        'a' => return text.push_str(korean),
        'm' => i64::try_from(moment.month).unwrap_or(1),
        'd' => moment.day,
        'h' => hour,
        'n' => moment.minute,
        _ => moment.second,
    };
    let _ = if count >= 2 { write!(text, "{number:02}") } else { write!(text, "{number}") };
}
