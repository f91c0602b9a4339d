//! The first run: what to do next, each step ticking itself.

use super::format;
use super::icon::{Icon, doors};
use super::shell::{Page, copy_button, with_code};
use super::text::fill;
use super::view::StartView;
use maud::{Markup, html};

/// Which sign a step carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    Now,
    Later,
}

impl State {
    fn of(done: bool, now: bool) -> Self {
        match (done, now) {
            (true, _) => Self::Done,
            (_, true) => Self::Now,
            _ => Self::Later,
        }
    }
}

/// The steps of the first run.
pub(super) fn start(page: &Page, view: &StartView) -> Markup {
    let t = page.texts();
    let read = view.indexed() > 0;
    let base = format!("http://{}/v1", page.address);
    let model = match view.collections.as_slice() {
        [only] if only.name != "default" => format!("hanok/extract@{}", only.name),
        _ => "hanok/extract".to_owned(),
    };
    let question = view.example.as_deref().unwrap_or(t.example);
    let curl = format!(
        "curl {base}/chat/completions \\\n  -H 'content-type: application/json' \\\n  -d {}",
        shell_quoted(&body(&model, question))
    );
    let python = format!(
        "from openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}\", api_key=\"none\")\nanswer = client.chat.completions.create(\n    model={},\n    messages=[{{\"role\": \"user\", \"content\": {}}}],\n)\nprint(answer.choices[0].message.content)",
        quoted(&model),
        quoted(question),
    );
    html! {
        div.empty #start {
            div.empty-top { (doors()) div { h2 { (t.start_title) } p { (t.start_lead) } } }
            ol.steps {
                (step(1, State::Done, "serving", &fill(t.serving_on, &[("address", &page.address)]), &html! { p { (t.serving_hint) } }))
                (step(2, State::of(read, !read), "read", t.read_title, &html! {
                    p { (t.read_hint) }
                    @if view.collections.is_empty() { (command(t.copy_command, "hanok up docs")) }
                    div.row.row-wrap {
                        span.dim data-step-state aria-live="polite" { (reading(page, view)) }
                        @if !read { span.dot.dot-off.live {} }
                    }
                }))
                (step(3, State::of(view.has_calls, read), "calls", t.client_title, &html! {
                    p { (with_code(t.client_hint, "model", "hanok/extract")) }
                    div.tabs.tabs-in role="tablist" aria-label=(t.client) data-tabs {
                        button.tab #tab-curl type="button" role="tab" aria-selected="true" aria-controls="panel-curl" { "curl" }
                        button.tab #tab-python type="button" role="tab" aria-selected="false" aria-controls="panel-python" tabindex="-1" { "Python" }
                    }
                    pre.code #panel-curl role="tabpanel" aria-labelledby="tab-curl" tabindex="0" { (curl) (copy_button(t.copy_command, &curl, "btn-sm")) }
                    pre.code #panel-python role="tabpanel" aria-labelledby="tab-python" tabindex="0" hidden { (python) (copy_button(t.copy, &python, "btn-sm")) }
                    div.row.row-wrap {
                        span.dim data-step-state aria-live="polite" { @if view.has_calls { (t.client_done) } @else { (t.client_waiting) } }
                        @if !view.has_calls { span.dot.dot-off.live {} }
                    }
                }))
                (step(4, State::of(view.has_provider, false), "key", t.key_title, &html! {
                    p { (t.key_hint) }
                    (command(t.copy_command, "export OPENAI_API_KEY=sk-…\nhanok up docs"))
                    div.row { span.dim { @if view.has_provider { (t.key_done) } @else { (t.key_missing) } } }
                }))
            }
        }
    }
}

fn step(n: u8, state: State, name: &str, title: &str, content: &Markup) -> Markup {
    html! {
        li.step data-step=(name) data-done[state == State::Done] data-now[state == State::Now] {
            span.step-n { @if state == State::Done { (Icon::Check.draw()) } @else { (n) } }
            div { h3 { (title) } (content) }
        }
    }
}

fn command(label: &str, text: &str) -> Markup {
    html! { pre.code { (text) (copy_button(label, text, "btn-sm")) } }
}

/// How far reading has come.
fn reading(page: &Page, view: &StartView) -> String {
    let t = &page.texts().js;
    let shown: Vec<String> = view
        .collections
        .iter()
        .filter(|collection| collection.found > 0)
        .map(|collection| {
            let name = ("name", collection.name.as_str());
            if collection.indexing {
                let (indexed, found) = (format::count(collection.indexed), format::count(collection.found));
                fill(t.read_running, &[name, ("indexed", &indexed), ("found", &found)])
            } else {
                fill(t.read_done, &[name, ("files", &t.read_files.of(collection.indexed))])
            }
        })
        .collect();
    if shown.is_empty() { t.read_waiting.to_owned() } else { shown.join(" · ") }
}

fn body(model: &str, question: &str) -> String {
    format!(
        "{{\"model\": {}, \"messages\": [{{\"role\": \"user\", \"content\": {}}}]}}",
        quoted(model),
        quoted(question)
    )
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text as one word of a POSIX shell, as it is where it needs no quotes.
pub(crate) fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { shell_quoted(text) }
}

/// A text as one word of a POSIX shell.
pub(super) fn shell_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
