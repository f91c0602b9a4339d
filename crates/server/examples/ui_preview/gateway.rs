//! The pages on models, keys and signing in.

use super::{Samples, save};
use hanok_base::Timestamp;
use hanok_server::ui::view::PricesView;
use hanok_server::ui::view_gateway::{
    BudgetView, Capability, ConfigProblem, CreatedKey, Health, KeyForm, KeyRow, KeyState, KeyUsage, KeysView,
    LoginError, LoginView, ModelsView, Period, ProviderKey, ProviderView, RouteView, Strategy, TargetView,
    Viewer,
};
use hanok_server::ui::{self, Lang, Page};
use std::io;
use std::path::Path;

/// 2026-11-20T09:41:07Z
const NOW: i64 = 1_795_167_667_000_000_000;
const DAY: i64 = 86_400_000_000_000;
const SECRET: &str = "hk-vQ3kx0Jt7mZ2Wc9bYpL5uN8sRa4fHd6eTgXo1iKjBCs";

pub(super) fn pages(folder: &Path, lang: Lang) -> io::Result<()> {
    let s = Samples { lang };
    let save = |name: &str, signed_in: bool, render: &dyn Fn(&Page) -> String| {
        save(folder, lang, name, &|page| {
            let mut page = page.clone();
            page.csrf = "c0ffee".into();
            page.viewer =
                signed_in.then(|| Viewer { key: "alice".into(), project: "refund-desk".into(), admin: true });
            render(&page)
        })
    };
    save("models", true, &|page| ui::models_page(page, &s.models()).into_string())?;
    save("models-calm", false, &|page| ui::models_page(page, &calm()).into_string())?;
    save("models-none", false, &|page| {
        let view = ModelsView { models: vec!["hanok/extract".into()], ..ModelsView::default() };
        ui::models_page(page, &view).into_string()
    })?;
    save("keys", true, &|page| ui::keys_page(page, &keys()).into_string())?;
    save("keys-none", false, &|page| {
        ui::keys_page(page, &KeysView { keys: Vec::new(), ..keys() }).into_string()
    })?;
    save("keys-made", true, &|page| {
        let created = CreatedKey { name: "alice".into(), secret: SECRET.into(), first: true };
        let mut view = keys();
        view.keys.truncate(1);
        ui::keys_page(page, &KeysView { created: Some(created), ..view }).into_string()
    })?;
    save("keys-wrong", true, &|page| {
        let form = KeyForm {
            name: "alice".into(),
            project: "refund desk".into(),
            budget: "25".into(),
            ..KeyForm::default()
        };
        let problems = vec![
            ("name".to_owned(), s.say("There is a key of this name.", "같은 이름의 키가 있습니다.")),
            (
                "project".to_owned(),
                s.say(
                    "A project's name has letters, digits, - and _ only.",
                    "프로젝트 이름에는 영문자, 숫자, -, _만 쓸 수 있습니다.",
                ),
            ),
        ];
        ui::keys_page(page, &KeysView { form, problems, ..keys() }).into_string()
    })?;
    save("keys-guest", true, &|page| {
        let mut page = page.clone();
        page.viewer = Some(Viewer { key: "ci".into(), project: "refund-desk".into(), admin: false });
        ui::keys_page(&page, &KeysView { may_manage: false, ..keys() }).into_string()
    })?;
    save("login", false, &|page| ui::login_page(page, &LoginView::default()).into_string())?;
    save("login-wrong", false, &|page| {
        let view = LoginView { error: Some(LoginError::Wrong), next: Some("traces".into()) };
        ui::login_page(page, &view).into_string()
    })
}

fn prices(input: f64, output: f64) -> PricesView {
    PricesView { input: Some(input), output: Some(output) }
}

fn target(provider: &str, model: &str, calls: u64, errors: u64, p50: f64) -> TargetView {
    TargetView {
        provider: provider.into(),
        model: model.into(),
        health: Health::Ok,
        p50_ms: Some(p50),
        p95_ms: Some(p50 * 2.9),
        ttft_p50_ms: Some(p50 * 0.31),
        ttft_p95_ms: Some(p50 * 1.02),
        calls,
        errors,
        running: 3,
        limit: Some(32),
        prices: Some(prices(0.25, 2.0)),
        capabilities: vec![
            Capability::Tools,
            Capability::Images,
            Capability::Structured,
            Capability::Reasoning,
        ],
        ..TargetView::default()
    }
}

impl Samples {
    fn models(&self) -> ModelsView {
        let mut view = calm();
        view.config_problem = Some(ConfigProblem {
            file: "hanok.toml".into(),
            message: self.say(
                "hanok.toml:14:1: unknown key `strategie` in [routes.chat]; did you mean `strategy`?",
                "hanok.toml:14:1: [routes.chat]에 `strategie`라는 키는 없습니다. `strategy`를 쓰려던 것인가요?",
            ),
            at: Some(Timestamp(NOW)),
        });
        view.errors = 48;
        view.recovered = Some(46);
        let overloaded = self.say("529 overloaded", "529 과부하");
        for target in view.routes.iter_mut().flat_map(|route| &mut route.targets) {
            match target.provider.as_str() {
                "anthropic" => {
                    target.health = Health::Open { seconds: 18 };
                    target.last_error = Some(overloaded.clone());
                    target.errors = 41;
                }
                "gemini" => {
                    target.health = Health::Cooling { seconds: 4 };
                    target.last_error = Some(self.say("429, retry after 5 s", "429, 5초 뒤 재시도"));
                    target.running = 8;
                    target.limit = Some(8);
                }
                "mistral" => target.health = Health::NoKey,
                "vllm" => target.health = Health::Probing,
                _ => {}
            }
        }
        for provider in &mut view.providers {
            match provider.name.as_str() {
                "anthropic" => provider.last_error = Some((overloaded.clone(), Timestamp(NOW))),
                "mistral" => provider.key = ProviderKey::Missing(Some("MISTRAL_API_KEY".into())),
                _ => {}
            }
        }
        view
    }
}

fn calm() -> ModelsView {
    let route = |name: &str, strategy, targets| RouteView {
        name: name.into(),
        strategy,
        sticky: strategy == Strategy::Ordered,
        targets,
    };
    let haiku = TargetView {
        prices: Some(prices(1.0, 5.0)),
        ..target("anthropic", "claude-haiku-4-5", 812, 2, 1_240.0)
    };
    let mini = target("openai", "gpt-5-mini", 1_204, 4, 1_870.0);
    let flash =
        TargetView { prices: Some(prices(0.3, 2.5)), ..target("gemini", "gemini-2.5-flash", 402, 1, 710.0) };
    let qwen = TargetView {
        prices: None,
        limit: None,
        capabilities: vec![Capability::Tools, Capability::Structured],
        ..target("vllm", "Qwen3-30B-A3B-Instruct-2507", 96, 0, 2_410.0)
    };
    let small = TargetView {
        health: Health::Untried,
        prices: Some(prices(0.1, 0.3)),
        capabilities: vec![Capability::Tools],
        provider: "mistral".into(),
        model: "mistral-small-latest".into(),
        ..TargetView::default()
    };
    let local = TargetView {
        local: true,
        prices: None,
        limit: None,
        running: 0,
        capabilities: vec![Capability::Chat],
        ..target("hanok", "extract", 20, 0, 9.0)
    };
    let weighted = |target: &TargetView, share| TargetView { share: Some(share), ..target.clone() };
    let ruled = |target: &TargetView, rule: &str| TargetView { rule: Some(rule.into()), ..target.clone() };
    let embed = TargetView {
        ttft_p50_ms: None,
        ttft_p95_ms: None,
        prices: Some(prices(0.02, 0.0)),
        capabilities: vec![Capability::Embeddings],
        ..target("openai", "text-embedding-3-small", 388, 0, 84.0)
    };
    let provider = |name: &str, dialects: &[&str], url: &str, models, key| ProviderView {
        name: name.into(),
        dialects: dialects.iter().map(|&one| one.to_owned()).collect(),
        base_url: url.into(),
        models,
        key,
        last_error: None,
    };
    let set = |name: &str| ProviderKey::Present(Some(name.to_owned()));
    ModelsView {
        config_problem: None,
        routes: vec![
            route("chat", Strategy::Ordered, vec![haiku.clone(), mini.clone(), flash.clone()]),
            route("cheap", Strategy::Weighted, vec![weighted(&mini, 0.7), weighted(&qwen, 0.3)]),
            route(
                "long",
                Strategy::Rule,
                vec![ruled(&flash, "input_tokens > 100000"), ruled(&mini, "otherwise")],
            ),
            route("", Strategy::Direct, vec![embed, small, local]),
        ],
        providers: vec![
            provider(
                "openai",
                &["openai-chat", "openai-responses"],
                "https://api.openai.com/v1",
                Some(64),
                set("OPENAI_API_KEY"),
            ),
            provider(
                "anthropic",
                &["anthropic-messages"],
                "https://api.anthropic.com/v1",
                Some(11),
                set("ANTHROPIC_API_KEY"),
            ),
            provider(
                "gemini",
                &["gemini"],
                "https://generativelanguage.googleapis.com/v1beta",
                Some(38),
                set("GEMINI_API_KEY"),
            ),
            provider("mistral", &["openai-chat"], "https://api.mistral.ai/v1", None, set("MISTRAL_API_KEY")),
            provider("vllm", &["openai-chat"], "http://10.0.3.12:8000/v1", Some(1), ProviderKey::NotNeeded),
        ],
        calls: 2_922,
        errors: 7,
        recovered: Some(7),
        calls_per_min: 48.7,
        models: ["chat", "cheap", "long", "openai/gpt-5-mini", "anthropic/claude-haiku-4-5", "hanok/extract"]
            .map(str::to_owned)
            .into(),
        chosen: None,
    }
}

fn keys() -> KeysView {
    let key = |id: &str, name: &str, hint: &str, calls: u64, tokens: u64, cost_usd: f64| KeyRow {
        id: id.into(),
        name: name.into(),
        project: "refund-desk".into(),
        hint: hint.into(),
        created_at: Timestamp(NOW - 48 * DAY),
        last_used_at: Some(Timestamp(NOW)),
        usage: KeyUsage { calls, tokens, cost_usd, unpriced_calls: 0 },
        ..KeyRow::default()
    };
    let budget = |spent_usd, reserved_usd, limit_usd, period| BudgetView {
        of: None,
        period,
        spent_usd,
        reserved_usd,
        limit_usd,
    };
    KeysView {
        may_manage: true,
        keys: vec![
            KeyRow {
                budgets: vec![budget(25.0, 0.0, 25.0, Period::Month)],
                models: vec!["cheap".into()],
                requests_per_min: Some(30),
                ..key("k3", "nightly-batch", "hk-…Xq81", 6_402, 18_400_000, 25.0)
            },
            KeyRow { admin: true, ..key("k1", "alice", "hk-…jBCs", 1_204, 2_100_000, 12.4) },
            KeyRow {
                budgets: vec![
                    budget(1.72, 0.041, 2.0, Period::Day),
                    BudgetView {
                        of: Some("refund-desk".into()),
                        ..budget(85.52, 0.31, 150.0, Period::Month)
                    },
                ],
                models: vec!["chat".into(), "openai/*".into(), "anthropic/claude-haiku-4-5".into()],
                requests_per_min: Some(120),
                tokens_per_min: Some(200_000),
                concurrent: Some(8),
                expires_at: Some(Timestamp(NOW + 41 * DAY)),
                usage: KeyUsage { calls: 24_810, tokens: 61_000_000, cost_usd: 41.07, unpriced_calls: 96 },
                ..key("k2", "storefront", "hk-…p2Lm", 0, 0, 0.0)
            },
            KeyRow {
                last_used_at: None,
                budgets: vec![budget(0.0, 0.0, 5.0, Period::Total)],
                ..key("k5", "ci", "hk-…0tWe", 0, 0, 0.0)
            },
            KeyRow {
                state: KeyState::Expired,
                expires_at: Some(Timestamp(NOW - 3 * DAY)),
                last_used_at: Some(Timestamp(NOW - 4 * DAY)),
                ..key("k6", "hackathon", "hk-…77aa", 310, 402_000, 0.87)
            },
            KeyRow {
                state: KeyState::Revoked { at: Some(Timestamp(NOW - 9 * DAY)) },
                last_used_at: Some(Timestamp(NOW - 9 * DAY)),
                ..key("k4", "old-laptop", "hk-…Zz10", 12, 8_100, 0.004)
            },
        ],
        projects: vec!["default".into(), "refund-desk".into()],
        models: vec!["chat".into(), "cheap".into(), "openai/*".into()],
        ..KeysView::default()
    }
}
