//! What redaction costs for a kilobyte: prose, JSON of a conversation, numbers, and text full of findings.
//!
//! `cargo bench -p hanok-guard --bench redact`

#![expect(clippy::print_stdout, reason = "a bench reports on stdout")]

use hanok_guard::{Pii, Redactor};
use std::hint::black_box;
use std::time::Instant;

fn main() {
    let prose = "The refund for order 4711 was sent on 20 November; ask the shop when it comes. ".repeat(130);
    let korean = "주문 4711의 환불은 11월 20일에 보냈습니다. 언제 도착하는지 가게에 물어보세요. ".repeat(90);
    let json = format!(
        r#"{{"role":"user","parts":[{{"type":"text","content":"{}"}}]}}"#,
        prose.replace("; ", r"\n")
    );
    let numbers = (0..2_000).map(|n: u64| (n * 7_919 % 100_003).to_string()).collect::<Vec<_>>().join(",");
    let found = "mail alice@example.com or call 010-2234-5678 with AKIAIOSFODNN7EXAMPLE ".repeat(140);
    for (who, redactor) in [
        ("secrets", Redactor::new(true, [])),
        ("secrets, email, phone_kr", Redactor::new(true, [Pii::Email, Pii::PhoneKr])),
        ("everything", Redactor::new(true, Pii::ALL)),
    ] {
        for (what, text) in [
            ("prose", &prose),
            ("korean", &korean),
            ("json", &json),
            ("numbers", &numbers),
            ("findings", &found),
        ] {
            let mut best = f64::MAX;
            for _ in 0..30 {
                let began = Instant::now();
                for _ in 0..20 {
                    black_box(redactor.json(black_box(text.as_bytes())));
                }
                best = best.min(began.elapsed().as_secs_f64() / 20.0);
            }
            let kilobytes = u32::try_from(text.len()).map_or(1.0, f64::from) / 1e3;
            println!("{who:<26} {what:<9} {:>7.3} µs per kB", best * 1e6 / kilobytes);
        }
    }
}
