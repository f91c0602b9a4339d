//! Keys and passwords.

use crate::check;
use hanok_guard::Redactor;

/// 62 characters, none twice.
const RANDOM: &str = "aB3dE5fG7hJ9kL1mN0pQ2rS4tU6vW8xYzAcCbDeFgHiIjKlMnOoPqRsTuVwXyZ";

fn random(length: usize) -> String {
    RANDOM.chars().cycle().take(length).collect()
}

#[test]
fn by_their_marks() {
    let redactor = Redactor::new(true, []);
    let hex: String = "0123456789abcdef".chars().cycle().take(64).collect();
    let found = [
        (format!("sk-{}", random(48)), "openai-key"),
        (format!("sk-proj-{}_-{}", random(40), random(20)), "openai-key"),
        (format!("sk-ant-api03-{}AA", random(90)), "anthropic-key"),
        (format!("sk-or-v1-{hex}"), "openrouter-key"),
        ("AKIAIOSFODNN7EXAMPLE".to_owned(), "aws-key-id"),
        (format!("ghp_{}", random(36)), "github-token"),
        (format!("github_pat_{}_{}", random(22), random(59)), "github-token"),
        (format!("glpat-{}", random(20)), "gitlab-token"),
        (format!("xoxb-123456789012-{}", random(24)), "slack-token"),
        (format!("AIza{}", random(35)), "google-key"),
        (format!("hf_{}", random(34)), "huggingface-token"),
        (format!("gsk_{}", random(52)), "groq-key"),
        (format!("sk_live_{}", random(24)), "stripe-key"),
        (format!("npm_{}", random(36)), "npm-token"),
        (format!("dop_v1_{hex}"), "digitalocean-token"),
        ("hk-abcdefghijklmnopqrstuvwxyz234567".to_owned(), "hanok-key"),
        (format!("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}", random(43)), "jwt"),
        ("123456789:AAE5fG7hJ9kL1mN0pQ2rS4tU6vW8xYzAcCb".to_owned(), "telegram-token"),
    ];
    for (secret, kind) in &found {
        for (before, after) in [("", ""), ("key=", "\n"), ("값: ", "입니다"), ("\"", "\","), ("(", ").")]
        {
            check(&redactor, &format!("{before}{secret}{after}"), &format!("{before}[secret:{kind}]{after}"));
        }
        // Behind an escape of JSON inside JSON.
        check(&redactor, &format!("a\\n{secret}"), &format!("a\\n[secret:{kind}]"));
    }
}

#[test]
fn those_with_a_place_of_their_own() {
    let redactor = Redactor::new(true, []);
    let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    check(
        &redactor,
        &format!("aws_secret_access_key = {key}"),
        "aws_secret_access_key = [secret:aws-secret]",
    );
    check(
        &redactor,
        &format!("\"SecretAccessKey\": \"{key}\""),
        "\"SecretAccessKey\": \"[secret:aws-secret]\"",
    );
    check(&redactor, "postgres://app:s3cr%40t@db:5432/x", "postgres://app:[secret:password]@db:5432/x");
    check(&redactor, "redis://:hunter22@localhost", "redis://:[secret:password]@localhost");
    check(
        &redactor,
        &format!("Authorization: Bearer {}", random(40)),
        "Authorization: Bearer [secret:bearer-token]",
    );
    let body = format!("{}\n{}\n", random(64), random(20));
    let pem = format!("-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----");
    check(&redactor, &format!("a {pem} b"), "a [secret:private-key] b");
    check(&redactor, &pem.replace('\n', "\\n"), "[secret:private-key]");
    check(&redactor, &pem[..70], "[secret:private-key]");
}

#[test]
fn near_misses_stay() {
    let redactor = Redactor::new(true, []);
    for text in [
        "sk-",
        "sk-learn-is-a-library-for-machine-learning-in-python",
        "task-management-software-for-small-teams-2026",
        "sk-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1",
        "AKIA is a prefix; AKIAIOSFODNN7EXAMPL is too short",
        "AKIAIOSFODNN7EXAMPLES",
        "AKIAAAAAAAAAAAAAAAAA",
        "ghp_short",
        "eyJ is how a token begins",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0",
        "-----BEGIN PUBLIC KEY-----\nMIIBIjANBg\n-----END PUBLIC KEY-----",
        "-----BEGIN CERTIFICATE-----\nMIIBIjANBg\n-----END CERTIFICATE-----",
        "https://example.com/a:b@c",
        "https://example.com:443/@user",
        "postgres://user:${PASSWORD}@db",
        "postgres://user:****@db",
        "https://user@example.com/",
        "hk-abcdefghijklmnopqrstuvwxyz23456",
        "hk-ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "Bearer of bad news, the messenger was not to blame",
        "SecretAccessKey: the key that signs",
        "npm_config_registry",
    ] {
        check(&redactor, text, text);
    }
    assert!(Redactor::new(false, []).is_idle());
    check(&Redactor::new(false, []), "AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE");
}

#[test]
fn inside_json() {
    let redactor = crate::everything();
    let json = |input: &str, expect: &str| {
        let redacted = redactor.json(input.as_bytes());
        let value =
            redacted.map_or_else(|| input.to_owned(), |redacted| String::from_utf8(redacted.value).unwrap());
        assert_eq!(value, expect, "{input}");
    };
    json(r#"{"a":"AKIAIOSFODNN7EXAMPLE"}"#, r#"{"a":"[secret:aws-key-id]"}"#);
    json(r#"{"a":"x\nAKIAIOSFODNN7EXAMPLE\n"}"#, r#"{"a":"x\n[secret:aws-key-id]\n"}"#);
    json(r#"{"a":"\u0041KIAIOSFODNN7EXAMPLE"}"#, r#"{"a":"[secret:aws-key-id]"}"#);
    json(r#"{"a":"\uc804\ud654alice@example.com"}"#, "{\"a\":\"전화[email]\"}");
    json(r#"{"a":"{\"b\":\"\\nalice@example.com\"}"}"#, r#"{"a":"{\"b\":\"\\n[email]\"}"}"#);
    json(r#"{"a":"https:\/\/u:hunter22@h"}"#, r#"{"a":"https://u:[secret:password]@h"}"#);
    json(r#"{"card":4111111111111111,"n":[1,2]}"#, r#"{"card":"[card]","n":[1,2]}"#);
    json(r#"{"alice@example.com":1}"#, r#"{"[email]":1}"#);
    json(r#"{"n":1763634427000000000,"ok":true}"#, r#"{"n":1763634427000000000,"ok":true}"#);
    json(r#"{"a":"cut AKIAIOSFODNN7EXAMPLE"#, r#"{"a":"cut [secret:aws-key-id]"#);
    json("data: AKIAIOSFODNN7EXAMPLE\n\n", "data: [secret:aws-key-id]\n\n");
    let bytes = redactor.json(b"\xff\xfe AKIAIOSFODNN7EXAMPLE \xff").unwrap();
    assert_eq!(bytes.value, b"\xff\xfe [secret:aws-key-id] \xff");
}
