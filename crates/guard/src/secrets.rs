//! Keys and passwords, by the marks that their issuers gave them.

use crate::edge::{at, before, begins, ends, entropy, is_word, run};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use std::ops::Range;

/// What may follow a mark, and how much of it makes a secret.
#[derive(Clone, Copy)]
enum Rest {
    /// Letters, digits, `_` and `-`: from so many on.
    Token(usize),
    /// Letters and digits only, exactly so many.
    Exactly(usize),
    /// Capital letters and the digits 2 to 7, exactly so many.
    Base32(usize),
    /// Small letters and the digits 2 to 7, exactly so many.
    SmallBase32(usize),
    /// Hexadecimal digits, exactly so many.
    Hex(usize),
    /// A header, a payload and a signature, between full stops.
    Jwt,
    /// A private key in PEM, up to its end.
    Pem,
    /// A password before the host of a URL.
    Userinfo,
    /// A word behind `Bearer`.
    Bearer,
    /// Behind the name of the setting: 40 characters of base64.
    AwsSecret,
    /// Behind the name of the setting: 88 characters of base64.
    AzureKey,
    /// Between the id of a bot and its mark.
    Telegram,
    /// The path of a Slack webhook.
    SlackHook,
}

/// Mark, name, what follows, and the bits that each character of it must hold: 0 where the mark says enough.
type Rule = (&'static str, &'static str, Rest, f64);

/// The longest mark that fits is taken.
const RULES: &[Rule] = &[
    ("sk-ant-", "anthropic-key", Rest::Token(20), 0.0),
    ("sk-proj-", "openai-key", Rest::Token(20), 3.0),
    ("sk-svcacct-", "openai-key", Rest::Token(20), 3.0),
    ("sk-admin-", "openai-key", Rest::Token(20), 3.0),
    ("sk-or-v1-", "openrouter-key", Rest::Token(32), 0.0),
    ("sk-lf-", "langfuse-key", Rest::Token(32), 0.0),
    ("sk-", "openai-key", Rest::Token(24), 3.5),
    ("hk-", "hanok-key", Rest::SmallBase32(32), 3.0),
    ("gsk_", "groq-key", Rest::Token(40), 3.5),
    ("xai-", "xai-key", Rest::Token(60), 3.5),
    ("pplx-", "perplexity-key", Rest::Token(40), 3.5),
    ("csk-", "cerebras-key", Rest::Token(40), 3.5),
    ("nvapi-", "nvidia-key", Rest::Token(50), 3.5),
    ("r8_", "replicate-key", Rest::Exactly(37), 3.5),
    ("hf_", "huggingface-token", Rest::Exactly(34), 3.5),
    ("AIza", "google-key", Rest::Token(35), 3.5),
    ("ya29.", "google-token", Rest::Token(30), 3.5),
    ("GOCSPX-", "google-secret", Rest::Token(24), 3.0),
    ("AKIA", "aws-key-id", Rest::Base32(16), 2.5),
    ("ASIA", "aws-key-id", Rest::Base32(16), 2.5),
    ("secret_access_key", "aws-secret", Rest::AwsSecret, 4.0),
    ("SECRET_ACCESS_KEY", "aws-secret", Rest::AwsSecret, 4.0),
    ("SecretAccessKey", "aws-secret", Rest::AwsSecret, 4.0),
    ("secretAccessKey", "aws-secret", Rest::AwsSecret, 4.0),
    ("AccountKey=", "azure-key", Rest::AzureKey, 4.0),
    ("ghp_", "github-token", Rest::Exactly(36), 3.0),
    ("gho_", "github-token", Rest::Exactly(36), 3.0),
    ("ghu_", "github-token", Rest::Exactly(36), 3.0),
    ("ghs_", "github-token", Rest::Exactly(36), 3.0),
    ("ghr_", "github-token", Rest::Exactly(36), 3.0),
    ("github_pat_", "github-token", Rest::Token(60), 3.0),
    ("glpat-", "gitlab-token", Rest::Token(20), 3.0),
    ("xoxb-", "slack-token", Rest::Token(20), 2.5),
    ("xoxp-", "slack-token", Rest::Token(20), 2.5),
    ("xoxa-", "slack-token", Rest::Token(20), 2.5),
    ("xoxr-", "slack-token", Rest::Token(20), 2.5),
    ("xoxs-", "slack-token", Rest::Token(20), 2.5),
    ("xapp-", "slack-token", Rest::Token(20), 2.5),
    ("hooks.slack.com/services/", "slack-webhook", Rest::SlackHook, 0.0),
    ("sk_live_", "stripe-key", Rest::Token(16), 3.0),
    ("sk_test_", "stripe-key", Rest::Token(16), 3.0),
    ("rk_live_", "stripe-key", Rest::Token(16), 3.0),
    ("rk_test_", "stripe-key", Rest::Token(16), 3.0),
    ("whsec_", "stripe-secret", Rest::Token(24), 3.0),
    ("npm_", "npm-token", Rest::Exactly(36), 3.5),
    ("pypi-AgE", "pypi-token", Rest::Token(50), 3.5),
    ("dop_v1_", "digitalocean-token", Rest::Hex(64), 2.5),
    ("shpat_", "shopify-token", Rest::Hex(32), 2.5),
    ("dapi", "databricks-token", Rest::Hex(32), 2.5),
    ("lin_api_", "linear-key", Rest::Token(40), 3.0),
    (":AA", "telegram-token", Rest::Telegram, 3.0),
    ("eyJ", "jwt", Rest::Jwt, 0.0),
    ("-----BEGIN ", "private-key", Rest::Pem, 0.0),
    ("://", "password", Rest::Userinfo, 0.0),
    ("Bearer ", "bearer-token", Rest::Bearer, 3.5),
    ("bearer ", "bearer-token", Rest::Bearer, 3.5),
];

/// The marks, looked for all at once.
pub(crate) struct Secrets {
    marks: AhoCorasick,
}

impl Secrets {
    /// `None` cannot happen with marks that are constants; then nothing is looked for quickly, and all is looked at.
    pub(crate) fn new() -> Option<Self> {
        AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            .build(RULES.iter().map(|(mark, ..)| mark))
            .ok()
            .map(|marks| Self { marks })
    }

    /// Whether some mark is there at all.
    pub(crate) fn suspects(&self, text: &[u8]) -> bool {
        self.marks.find(text).is_some()
    }

    /// What is found, in order of where it begins.
    pub(crate) fn find(&self, text: &[u8], found: &mut Vec<(Range<usize>, &'static str)>) {
        let mut from = 0;
        while let Some(mark) = self.marks.find(text.get(from..).unwrap_or_default()) {
            let start = from + mark.start();
            let end = from + mark.end();
            let secret = RULES
                .get(mark.pattern().as_usize())
                .and_then(|(_, name, rest, bits)| Some((whole(text, start, end, *rest, *bits)?, *name)));
            match secret {
                Some((range, name)) => {
                    from = range.end.max(end);
                    found.push((range, name));
                }
                // Another mark may begin inside this one.
                None => from = start + 1,
            }
        }
    }
}

/// The bytes of a secret whose mark stands at `start..end`, where it is one.
fn whole(text: &[u8], start: usize, end: usize, rest: Rest, bits: f64) -> Option<Range<usize>> {
    let fixed = |length: usize, is: fn(u8) -> bool| {
        let word = text.get(end..end + length)?;
        (begins(text, start)
            && word.iter().all(|byte| is(*byte))
            && ends(text, end + length)
            && entropy(word) >= bits)
            .then_some(start..end + length)
    };
    match rest {
        Rest::Exactly(length) => fixed(length, |byte| byte.is_ascii_alphanumeric()),
        Rest::Base32(length) => fixed(length, |byte| matches!(byte, b'A'..=b'Z' | b'2'..=b'7')),
        Rest::SmallBase32(length) => fixed(length, |byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7')),
        Rest::Hex(length) => fixed(length, |byte| byte.is_ascii_hexdigit()),
        // What cannot begin here is not read on: marks may stand in each other's tails, all the way.
        Rest::Token(_) | Rest::Jwt if !begins(text, start) || before(text, start) == Some(b'-') => None,
        Rest::Token(least) => {
            let stop = run(text, end, is_token);
            let word = text.get(end..stop)?;
            // Words between hyphens have letters only, and a key of such a length has digits too.
            let mixed = word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic);
            (word.len() >= least && mixed && entropy(word) >= bits).then_some(start..stop)
        }
        Rest::Jwt => {
            let head = run(text, end, is_token);
            let payload = dot(text, head)?;
            text.get(payload..)?.strip_prefix(b"eyJ")?;
            let payload_end = run(text, payload, is_token);
            let signature = dot(text, payload_end)?;
            let stop = run(text, signature, is_token);
            (head - end >= 8 && stop - signature >= 8).then_some(start..stop)
        }
        Rest::Pem => pem(text, start, end),
        Rest::Userinfo => password(text, end),
        Rest::Bearer => {
            let stop =
                run(text, end, |byte| is_token(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/' | b'='));
            let word = text.get(end..stop)?;
            (word.len() >= 20 && word.iter().any(u8::is_ascii_digit) && entropy(word) >= bits)
                .then_some(end..stop)
        }
        Rest::AwsSecret => set_to(text, end, 40, bits),
        Rest::AzureKey => base64(text, end, 88, bits),
        Rest::Telegram => {
            let digits =
                text.get(..start)?.iter().rev().take(11).take_while(|byte| byte.is_ascii_digit()).count();
            let from = start - digits;
            let stop = run(text, end, is_token);
            let good = (8..=10).contains(&digits) && begins(text, from) && stop - end == 33;
            (good && entropy(text.get(end..stop)?) >= bits).then_some(from..stop)
        }
        Rest::SlackHook => {
            let stop = run(text, end, |byte| byte.is_ascii_alphanumeric() || byte == b'/');
            (text.get(end) == Some(&b'T') && stop - end >= 30).then_some(end..stop)
        }
    }
}

fn is_token(byte: u8) -> bool {
    is_word(byte) || byte == b'-'
}

fn dot(text: &[u8], place: usize) -> Option<usize> {
    (at(text, place)? == b'.').then_some(place + 1)
}

/// Up to its end, or where that was cut off, as far as the key goes on.
fn pem(text: &[u8], start: usize, end: usize) -> Option<Range<usize>> {
    let label_end = run(text, end, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b' ');
    let label = text.get(end..label_end)?;
    let is_private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    if !is_private || !text.get(label_end..)?.starts_with(b"-----") {
        return None;
    }
    let from = label_end + 5;
    // A body holds base64, headers (`Proc-Type: 4,ENCRYPTED`), line ends, and escapes of such.
    let body = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || byte.is_ascii_whitespace()
            || matches!(byte, b'+' | b'/' | b'=' | b'\\' | b':' | b',' | b'-' | b'.' | b'(' | b')' | b'@')
    };
    let stop = run(text, from, body);
    let inside = text.get(from..stop)?;
    let closing = memchr::memmem::find(inside, b"-----END ").and_then(|at| {
        let label = from + at + 9;
        let after = memchr::memmem::find(text.get(label..)?, b"-----")?;
        (after < 64).then_some(label + after + 5)
    });
    Some(start..closing.unwrap_or(stop))
}

/// The password of `scheme://user:password@host`, where it is not a placeholder.
fn password(text: &[u8], from: usize) -> Option<Range<usize>> {
    let stop = run(text, from, |byte| {
        !byte.is_ascii_whitespace()
            && !byte.is_ascii_control()
            && !matches!(byte, b'/' | b'"' | b'\'' | b'<' | b'>' | b'`')
    });
    let authority = text.get(from..stop)?;
    let host = memchr::memrchr(b'@', authority)?;
    let userinfo = authority.get(..host)?;
    let colon = memchr::memchr(b':', userinfo)?;
    let word = userinfo.get(colon + 1..)?;
    let followed = authority
        .get(host + 1)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'[' | b'$' | b'{'));
    let placeholder = word.iter().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'%'))
        || word.starts_with(b"[secret:")
        || word.starts_with(b"$")
        || word.starts_with(b"{")
        || word.contains(&b'\\');
    // A question mark or a hash ends the authority.
    let cut = authority.iter().take(host).any(|byte| matches!(byte, b'?' | b'#' | b','));
    (followed && !placeholder && !cut).then_some(from + colon + 1..from + host)
}

/// `name = "value"`, `name: value`, `"name": "value"`, quotes escaped or not.
fn set_to(text: &[u8], from: usize, length: usize, bits: f64) -> Option<Range<usize>> {
    let value = run(text, from, |byte| matches!(byte, b' ' | b'\t' | b'=' | b':' | b'"' | b'\'' | b'\\'));
    (value > from && value - from <= 12).then(|| base64(text, value, length, bits)).flatten()
}

fn base64(text: &[u8], from: usize, length: usize, bits: f64) -> Option<Range<usize>> {
    let is = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let stop = from + length;
    let word = text.get(from..stop)?;
    let whole = word.iter().all(|byte| is(*byte)) && !at(text, stop).is_some_and(is);
    (whole && entropy(word) >= bits).then_some(from..stop)
}
