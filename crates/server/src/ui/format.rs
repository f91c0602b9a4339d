//! Figures and times as the pages write them: the same digits in every language, units in the user's.

use hanok_base::Timestamp;
use maud::{Markup, html};
use std::fmt::Write as _;

/// `1,284`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Tokens in a column: `189`, `3.5k`, `412k`, `1.2M`.
#[expect(clippy::cast_precision_loss, reason = "rounded to two or three digits anyway")]
pub(super) fn tokens(n: u64) -> String {
    match n {
        0..1_000 => n.to_string(),
        1_000..99_950 => format!("{:.1}k", n as f64 / 1e3),
        99_950..999_500 => format!("{:.0}k", n as f64 / 1e3),
        _ => format!("{:.1}M", n as f64 / 1e6),
    }
}

/// Bytes with the unit that fits: `812 B`, `4.9 MB`, `12 GB`.
#[expect(clippy::cast_precision_loss, reason = "rounded to two digits anyway")]
pub(super) fn bytes(n: u64) -> String {
    let n = n as f64;
    let (value, unit) = match n {
        _ if n < 1e3 => return format!("{n:.0} B"),
        _ if n < 1e6 => (n / 1e3, "kB"),
        _ if n < 1e9 => (n / 1e6, "MB"),
        _ => (n / 1e9, "GB"),
    };
    if value < 9.95 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// A duration with its unit: `0.4 ms`, `39 ms`, `2.41 s`, `2 min 05 s`.
pub(super) fn duration(ms: f64) -> String {
    match ms {
        _ if !ms.is_finite() || ms < 0.0 => "0 ms".to_owned(),
        _ if ms < 1.0 => format!("{ms:.1} ms"),
        _ if ms < 999.5 => format!("{ms:.0} ms"),
        _ if ms < 9_995.0 => format!("{:.2} s", ms / 1e3),
        _ if ms < 119_500.0 => format!("{:.1} s", ms / 1e3),
        _ => {
            let (minutes, seconds) = ((ms / 60_000.0).floor(), (ms / 1e3) % 60.0);
            format!("{minutes:.0} min {:02.0} s", seconds.floor())
        }
    }
}

/// A duration on a scale, without digits that say nothing: `0`, `50 ms`, `2.5 s`.
pub(super) fn duration_short(ms: f64) -> String {
    match ms {
        _ if !ms.is_finite() || ms <= 0.0 => "0".to_owned(),
        _ if ms < 1_000.0 => format!("{} ms", measure(ms)),
        _ => format!("{} s", measure(ms / 1e3)),
    }
}

/// Seconds in a column: `0.004`, `2.41`, `12.4`, `128`.
pub(super) fn seconds(ms: f64) -> String {
    let s = if ms.is_finite() { (ms / 1e3).max(0.0) } else { 0.0 };
    match s {
        _ if s < 0.0995 => format!("{s:.3}"),
        _ if s < 9.995 => format!("{s:.2}"),
        _ if s < 99.95 => format!("{s:.1}"),
        _ => format!("{s:.0}"),
    }
}

/// Dollars with as many digits as small sums need: `$4.82`, `$0.00251`.
pub(super) fn dollars(usd: f64) -> String {
    if !usd.is_finite() {
        return "–".to_owned();
    }
    if usd == 0.0 || usd.abs() >= 1.0 { format!("${usd:.2}") } else { format!("${usd:.5}") }
}

/// Dollars with seven digits, for single rows of a bill.
pub(super) fn dollars_exact(usd: f64) -> String {
    format!("${usd:.7}")
}

/// A price, without the digits it does not need: `$2.00`, `$0.075`.
pub(super) fn price(usd: f64) -> String {
    if !usd.is_finite() {
        return "–".to_owned();
    }
    let text = format!("${usd:.5}");
    let shortest = text.find('.').map_or(text.len(), |dot| dot + 3);
    let end = text.trim_end_matches('0').len().max(shortest);
    text.get(..end).unwrap_or(&text).to_owned()
}

/// A sum or a budget, in cents where it has any: `$25.00`, `$0.31`, `$0.004`.
pub(super) fn sum(usd: f64) -> String {
    if usd == 0.0 || usd.abs() >= 0.01 && usd.is_finite() { format!("${usd:.2}") } else { price(usd) }
}

/// How much of `all` a part is: `0 %`, `0.7 %`, `12 %`; a dash of nothing.
#[expect(clippy::cast_precision_loss, reason = "rounded to two digits anyway")]
pub(super) fn share(part: u64, all: u64) -> String {
    match all {
        0 => "–".to_owned(),
        _ => portion(part as f64 / all as f64),
    }
}

/// A share from 0 to 1 as a text: `0 %`, `0.7 %`, `12 %`.
pub(super) fn portion(share: f64) -> String {
    let percent = if share.is_finite() { share.max(0.0) * 100.0 } else { 0.0 };
    match percent {
        _ if percent == 0.0 => "0 %".to_owned(),
        _ if percent < 0.1 => "<0.1 %".to_owned(),
        _ if percent < 9.95 => format!("{percent:.1} %"),
        _ => format!("{percent:.0} %"),
    }
}

/// A measure with the digits it has, four at most: `1`, `0.75`, `0.8333`.
pub(super) fn measure(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A score with three digits.
pub(super) fn score(score: f64) -> String {
    if score.is_finite() { format!("{score:.3}") } else { "–".to_owned() }
}

/// A per cent for an SVG attribute, two digits at most.
pub(super) fn percent(share: f64) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) * 100.0 } else { 0.0 };
    let mut text = format!("{share:.2}");
    text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    text.push('%');
    text
}

/// The time of day, in UTC until the page's script turns it into the reader's zone.
pub(super) fn clock(at: Timestamp, with_seconds: bool) -> Markup {
    let full = at.rfc3339();
    let time = full.get(11..if with_seconds { 19 } else { 16 }).unwrap_or_default();
    html! { time datetime=(full) data-clock=(if with_seconds { "s" } else { "m" }) { (time) } }
}

/// The day, in UTC until the page's script turns it into the reader's zone.
pub(super) fn day(at: Timestamp) -> Markup {
    let full = at.rfc3339();
    html! { time datetime=(full) data-clock="d" { (full.get(..10).unwrap_or_default()) } }
}

/// Day and time, in UTC until the page's script turns it into the reader's zone.
pub(super) fn moment(at: Timestamp) -> Markup {
    let full = at.rfc3339();
    html! { time datetime=(full) data-clock="dm" { (full.get(..10).unwrap_or_default()) " " (full.get(11..16).unwrap_or_default()) } }
}

/// Text for a URL's query or path segment.
pub(super) fn url_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

/// At most `limit` characters, cut at a character with an ellipsis.
pub(super) fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default().trim_end()),
        None => text.to_owned(),
    }
}

/// The last segment of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_their_width() {
        let check = |got: String, want: &str| assert_eq!(got, want);
        check(count(1_284), "1,284");
        check(count(189), "189");
        check(count(12_345_678), "12,345,678");
        check(tokens(3_500), "3.5k");
        check(tokens(99_960), "100k");
        check(tokens(412_000), "412k");
        check(duration(0.42), "0.4 ms");
        check(duration(999.7), "1.00 s");
        check(duration(2_410.0), "2.41 s");
        check(duration(125_900.0), "2 min 05 s");
        check(duration(f64::NAN), "0 ms");
        check(bytes(812), "812 B");
        check(bytes(4_932_000), "4.9 MB");
        check(bytes(12_400_000_000), "12 GB");
        check(duration_short(2_500.0), "2.5 s");
        check(duration_short(50.0), "50 ms");
        check(duration_short(0.0), "0");
        check(seconds(4.2), "0.004");
        check(seconds(94_100.0), "94.1");
        check(dollars(0.002_51), "$0.00251");
        check(dollars(4.82), "$4.82");
        check(price(25.0), "$25.00");
        check(price(0.075), "$0.075");
        check(price(0.5), "$0.50");
        check(price(0.000_01), "$0.00001");
        check(price(f64::NAN), "–");
        check(sum(f64::INFINITY), "–");
        check(sum(0.31), "$0.31");
        check(sum(0.002_51), "$0.00251");
        check(sum(0.004), "$0.004");
        check(measure(0.75), "0.75");
        check(measure(-1.0), "-1");
        check(measure(f64::NAN), "–");
        check(share(7, 1_000), "0.7 %");
        check(share(1, 100_000), "<0.1 %");
        check(share(0, 5), "0 %");
        check(share(12, 100), "12 %");
        check(share(0, 0), "–");
        check(percent(0.3333), "33.33%");
        check(percent(1.7), "100%");
        check(percent(f64::INFINITY), "0%");
        check(url_encode("a b/한"), "a%20b%2F%ED%95%9C");
        check(cut("환불 정책", 3), "환불…");
    }
}
