//! Samples of costs, sessions and settings.

use super::{Samples, save};
use hanok_base::{Payloads, Timestamp};
use hanok_server::ui::view::{MessageView, PartView, ScoreView, Tab};
use hanok_server::ui::view_costs::{CostsView, GroupBy, GroupView, Measure, Range, Sums};
use hanok_server::ui::view_sessions::{SessionRow, SessionView, SessionsView, TurnView};
use hanok_server::ui::view_settings::{BackupView, KeptView, RecordsView, RetentionView, SettingsView};
use hanok_server::ui::{self, Lang};
use std::io;
use std::path::Path;

const DAY_MS: i64 = 86_400_000;

pub(super) fn pages(folder: &Path, lang: Lang) -> io::Result<()> {
    let save = |name: &str, render: &dyn Fn(&ui::Page) -> String| save(folder, lang, name, render);
    let s = Samples { lang };
    save("costs", &|page| ui::costs_page(page, &costs()).into_string())?;
    save("costs-calls", &|page| {
        ui::costs_page(page, &CostsView { measure: Measure::Calls, by: GroupBy::Key, ..costs() })
            .into_string()
    })?;
    save("costs-none", &|page| ui::costs_page(page, &CostsView::default()).into_string())?;
    save("sessions", &|page| ui::sessions_page(page, &sessions(&s)).into_string())?;
    save("sessions-none", &|page| ui::sessions_page(page, &SessionsView::default()).into_string())?;
    save("sessions/one", &|page| ui::session_page(page, &session(&s)).into_string())?;
    save("settings", &|page| {
        let records = RecordsView {
            traces: 128_402,
            spans: 1_204_881,
            file_bytes: 612_000_000,
            folder: "/home/alice/refund-desk/.hanok".into(),
            retention: RetentionView {
                days: Some(90.0),
                projects: vec![("refund-desk".into(), 30.0)],
                most_bytes: Some(20_000_000_000),
                last: Some((Timestamp(1_763_600_000_000_000_000), 1_204)),
            },
            kept: KeptView { secrets: true, rate: 1.0, ..KeptView::default() },
            projects: vec![(
                "ci".into(),
                KeptView {
                    secrets: true,
                    pii: vec!["email", "phone_kr", "rrn_kr"],
                    payloads: Payloads::Errors,
                    rate: 0.25,
                    always: vec!["errors".into(), "slow>10s".into()],
                },
            )],
            backup: BackupView {
                last: Some((Timestamp(1_763_600_000_000_000_000), "/backups/hanok.db".into(), 598_000_000)),
                command: "hanok db backup ~/backups/hanok.db".into(),
            },
        };
        ui::settings_page(page, &SettingsView { records: Some(records), file: "hanok.toml".into() })
            .into_string()
    })
}

fn sums(calls: u64, cost_usd: f64) -> Sums {
    Sums {
        calls,
        errors: calls / 140,
        input: calls * 2_100,
        cached: calls * 660,
        written: 0,
        output: calls * 180,
        reasoning: calls * 24,
        cost_usd,
        unpriced: 0,
        latency_ms: (calls > 0).then_some([
            1_310.0 + cost_usd * 20.0,
            3_420.0 + cost_usd * 90.0,
            6_800.0 + cost_usd * 300.0,
        ]),
        first_token_ms: (calls > 0).then_some([340.0, 1_120.0 + cost_usd * 30.0]),
    }
}

fn costs() -> CostsView {
    let models = [
        ("claude-haiku-4-5", 1.8),
        ("gpt-5-mini", 1.2),
        ("claude-sonnet-4-5", 1.1),
        ("gemini-2.5-flash", 0.4),
        ("text-embedding-3-small", 0.1),
    ];
    let weights: Vec<f64> = (0..30_u32)
        .map(|day| match day {
            22 => 1.9,
            n if n % 7 == 0 || n % 7 == 1 => 0.5,
            n => 1.0 + f64::from(n % 5) / 12.0,
        })
        .collect();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few hundred at most")]
    let calls = |cost: f64| if cost > 0.0 { 10 + (cost * 800.0).round() as u64 } else { 0 };
    let group = |name: Option<&str>, scale: f64| {
        let buckets: Vec<Sums> =
            weights.iter().map(|weight| sums(calls(weight * scale), weight * scale)).collect();
        let cost: f64 = buckets.iter().map(|sums| sums.cost_usd).sum();
        GroupView { name: name.map(str::to_owned), sums: sums(calls(cost), cost), buckets }
    };
    CostsView {
        range: Range::Month,
        since: Timestamp(1_761_091_200_000_000_000),
        bucket_ms: DAY_MS,
        total: group(None, 4.7),
        before: Some(sums(90_000, 161.9)),
        groups: models.into_iter().map(|(name, scale)| group(Some(name), scale)).collect(),
        others: Some(group(None, 0.08)),
        failures: vec![(Some("rate_limited".into()), 402), (Some("timeout".into()), 121), (None, 14)],
        ..CostsView::default()
    }
}

fn summary(s: &Samples, at: u8) -> SessionRow {
    let row = s.row(at);
    SessionRow {
        id: format!("ticket-{}", 7_731 - u32::from(at)),
        title: row.title,
        user: row.user,
        turns: 2 + u64::from(at % 5),
        errors: u64::from(at % 7 == 5),
        last_at: row.started_at,
        input_tokens: 11_800,
        output_tokens: 902,
        cost_usd: row.cost_usd,
        scores: Vec::new(),
    }
}

fn sessions(s: &Samples) -> SessionsView {
    SessionsView {
        rows: (0..14).map(|at| summary(s, at)).collect(),
        next: Some("older".into()),
        ..SessionsView::default()
    }
}

fn session(s: &Samples) -> SessionView {
    let pane = s.pane(Tab::Messages);
    let asked = |en: &str, ko: &str| MessageView {
        role: "user".into(),
        parts: vec![PartView::Text(s.say(en, ko))],
        ..MessageView::default()
    };
    let answered = |en: &str, ko: &str| MessageView {
        role: "assistant".into(),
        parts: vec![PartView::Text(s.say(en, ko))],
        finish: Some("stop".into()),
        tokens: Some(64),
        ..MessageView::default()
    };
    let helpful =
        ScoreView { name: "helpful".into(), value: Some(1.0), by: "alice".into(), ..ScoreView::default() };
    SessionView {
        summary: summary(s, 0),
        from: 1,
        turns: vec![
            TurnView {
                trace: s.row(0),
                messages: pane.messages.into_iter().skip(1).collect(),
                scores: vec![helpful],
            },
            TurnView {
                trace: s.row(1),
                messages: vec![
                    asked("Does that also hold for a gift?", "선물받은 상품도 그런가요?"),
                    answered(
                        "Yes. The refund goes to the card it was paid with.",
                        "네. 환불은 결제한 카드로 됩니다.",
                    ),
                ],
                scores: Vec::new(),
            },
        ],
        earlier: None,
    }
}
