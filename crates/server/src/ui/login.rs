//! The page to sign in: one field, for a key.

use super::icon::Icon;
use super::shell::{Page, csrf, porch};
use super::view_gateway::LoginView;
use maud::{Markup, html};

/// The page to sign in.
pub fn login_page(page: &Page, view: &LoginView) -> Markup {
    let t = &page.texts().gateway;
    let invalid = view.error.map(|_| "true");
    let described = view.error.map(|_| "key-error");
    porch(
        page,
        t.sign_in,
        &html! {
            div.login {
                h1 { (t.sign_in) }
                p.soft { @if page.viewer.is_some() { (t.already) } @else { (t.sign_in_lead) } }
                form.form.panel method="post" action=(page.to("login")) {
                    (csrf(page))
                    @if let Some(next) = &view.next { input type="hidden" name="next" value=(next); }
                    div.field {
                        label for="key" { (t.your_key) }
                        input.input.mono #key type="password" name="key" placeholder="hk-…" autocomplete="current-password"
                            spellcheck="false" autocapitalize="off" required autofocus aria-invalid=[invalid] aria-describedby=[described];
                        @if let Some(error) = view.error {
                            p.wrong #key-error role="alert" { (Icon::Warn.draw()) (t.login_error(error)) }
                        }
                    }
                    button.btn.btn-main type="submit" { (t.sign_in_button) }
                }
                section.stack.stack-sm {
                    h2 { (t.have_none) }
                    p.soft { (t.have_none_ask) " " (t.have_none_make) }
                    pre.code { (super::keys::COMMAND) }
                }
            }
        },
    )
}
