//! Pages that say what went wrong, and the way out.

use super::shell::{Page, Room, Section, document};
use maud::{Markup, html};

/// A page for an error: what, why, and what to do.
pub fn error_page(page: &Page, status: u16, title: &str, message: &str, hint: Option<&str>) -> Markup {
    let t = page.texts();
    document(
        page,
        &Room {
            title,
            section: Section::None,
            class: "",
            scripts: &[],
            above: Some((page.root.clone(), t.ask)),
            heading: html! { (status) },
            actions: Markup::default(),
            main: html! {
                div.failure {
                    h2 { (title) }
                    @if !message.is_empty() { p { (message) } }
                    @if let Some(hint) = hint { p.soft { (hint) } }
                    div.row.row-wrap { a.btn.btn-main href=(page.root) { (t.go_ask) } a.btn href=(page.to("traces")) { (t.go_traces) } }
                }
            },
        },
    )
}

/// The page for an address that names nothing.
pub fn not_found_page(page: &Page) -> Markup {
    let t = page.texts();
    error_page(page, 404, t.not_found, "", Some(t.not_found_hint))
}
