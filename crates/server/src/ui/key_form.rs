//! The form that makes a key.

use super::icon::Icon;
use super::shell::{Page, csrf, note};
use super::view_gateway::{KeysView, Period};
use maud::{Markup, html};

/// A field: its name in the form, what stands above and below it, and what was typed.
struct Field<'a> {
    name: &'static str,
    label: &'a str,
    hint: &'a str,
    value: &'a str,
}

/// How a field takes what is typed.
#[derive(Clone, Copy)]
enum Input {
    /// Text that must be there.
    Name,
    /// Text, with proposals.
    Text(&'static str),
    /// A whole number.
    Whole,
    /// Dollars.
    Money,
}

/// The form that makes a key.
pub(super) fn key_form(page: &Page, view: &KeysView) -> Markup {
    let t = &page.texts().gateway;
    let form = &view.form;
    let field = |name, label, hint, value, input| field(view, &Field { name, label, hint, value }, input);
    let general: Vec<&str> =
        view.problems.iter().filter(|(name, _)| name.is_empty()).map(|(_, words)| words.as_str()).collect();
    html! {
        section.panel aria-labelledby="form-title" {
            header { h2 #form-title { (t.form_title) } }
            form.in.stack #key-form method="post" action=(page.to("keys")) {
                (csrf(page))
                @if !view.problems.is_empty() {
                    div role="alert" { (note("note-err", &html! { p.strong { (t.mend) } @for words in &general { p { (words) } } })) }
                }
                div.fields {
                    (field("name", t.name, t.name_hint, &form.name, Input::Name))
                    (field("project", t.project, t.project_hint, &form.project, Input::Text("known-projects")))
                    (field("models", t.allowed, t.models_hint, &form.models, Input::Text("known-models")))
                    (field("budget", t.amount, t.amount_hint, &form.budget, Input::Money))
                    div.field {
                        label for="period" { (t.period) }
                        select.select #period name="period" { @for period in Period::ALL {
                            option value=(period.as_str()) selected[period == form.period] { (t.period(period)) }
                        } }
                    }
                    (field("expires", t.expires, t.expires_hint, &form.expires, Input::Whole))
                    (field("requests", t.requests, t.empty_is_none, &form.requests, Input::Whole))
                    (field("tokens", t.tokens_field, t.empty_is_none, &form.tokens, Input::Whole))
                    (field("concurrent", t.concurrent_field, t.empty_is_none, &form.concurrent, Input::Whole))
                }
                label.check {
                    input type="checkbox" name="admin" value="1" checked[form.admin];
                    span { (t.admin_field) } span.dim { (t.admin_hint) }
                }
                datalist #known-projects { @for project in &view.projects { option value=(project) {} } }
                datalist #known-models { @for model in &view.models { option value=(model) {} } }
                div.row { button.btn.btn-main type="submit" { (Icon::Key.draw()) (t.create) } }
            }
        }
    }
}

fn field(view: &KeysView, field: &Field<'_>, input: Input) -> Markup {
    let Field { name, label, hint, value } = field;
    let wrong = view.problems.iter().find(|(of, _)| of == name).map(|(_, words)| words);
    let (kind, list, mode, step) = match input {
        Input::Name => ("text", None, None, None),
        Input::Text(list) => ("text", Some(list), None, None),
        Input::Whole => ("number", None, Some("numeric"), Some("1")),
        Input::Money => ("number", None, Some("decimal"), Some("any")),
    };
    let least = match input {
        Input::Whole => Some("1"),
        Input::Money => Some("0"),
        _ => None,
    };
    html! {
        div.field {
            label for=(name) { (label) }
            input.input id=(name) name=(name) type=(kind) value=(value) list=[list] inputmode=[mode] step=[step] min=[least]
                maxlength=[(kind == "text").then_some("400")] required[matches!(input, Input::Name)] autocomplete="off" spellcheck="false" autocapitalize="off"
                autofocus[wrong.is_some()] aria-invalid=[wrong.map(|_| "true")] aria-describedby={ (name) "-hint" };
            p.hint id={ (name) "-hint" } {
                @if let Some(wrong) = wrong { span.wrong { (Icon::Warn.draw()) (wrong) } } @else { (hint) }
            }
        }
    }
}
