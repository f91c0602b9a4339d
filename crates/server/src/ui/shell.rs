//! The house around every page: rail, room, timber floor, commands, keys.

use super::assets::href;
use super::commands::{keys, palette};
use super::format;
use super::icon::{Icon, mark};
use super::text::{Lang, Texts};
use super::view::Kind;
use super::view_gateway::Viewer;
use maud::{DOCTYPE, Markup, html};

/// Light or dark.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// As the reader's system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// The name in the cookie, in `?theme=` and in `data-theme`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == name)
    }

    fn next(self) -> Self {
        match self {
            Self::System => Self::Light,
            Self::Light => Self::Dark,
            Self::Dark => Self::System,
        }
    }
}

/// What every page needs to know.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The reader's language.
    pub lang: Lang,
    /// The reader's theme.
    pub theme: Theme,
    /// The way from this page to the top: `./` or as many `../` as its path is deep.
    pub root: String,
    /// The query of this page's address, without `?`; links that change language or theme keep it.
    pub query: String,
    /// Where this server answers: `127.0.0.1:4141`.
    pub address: String,
    /// The floor as of now; the live connection keeps it going.
    pub pulse: Pulse,
    /// Who is signed in; `None` where no key is needed.
    pub viewer: Option<Viewer>,
    /// Sent back by every form that changes something, as `csrf`.
    pub csrf: String,
}

/// The last minute, for the floor.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    /// One tick a span.
    pub ticks: Vec<Tick>,
    /// Spans a second, over the last minute.
    pub spans_per_s: f64,
    /// US dollars since midnight UTC; `None` when nothing was priced.
    pub cost_usd: Option<f64>,
}

/// One span of the last minute.
#[derive(Clone, Copy, Debug)]
pub struct Tick {
    /// When: 0 is a minute ago, 100 is now.
    pub x: f64,
    /// What.
    pub kind: Kind,
    /// Whether it failed.
    pub error: bool,
}

impl Tick {
    /// The tick's kind as the live connection names it: `chat`, `search`, `tool`, `guard`, `http` or `err`.
    pub fn name(&self) -> &'static str {
        match self.kind {
            _ if self.error => "err",
            Kind::Chat | Kind::Agent => "chat",
            Kind::Search | Kind::Embed | Kind::Rerank => "search",
            Kind::Tool => "tool",
            Kind::Guard | Kind::Eval => "guard",
            Kind::Http => "http",
        }
    }
}

impl Page {
    /// A page at `path` (as this server sees it, without the query), for a server at `address`.
    pub fn new(lang: Lang, theme: Theme, path: &str, query: &str, address: impl Into<String>) -> Self {
        let depth = path.trim_start_matches('/').matches('/').count();
        let root = if depth == 0 { "./".to_owned() } else { "../".repeat(depth) };
        Self { lang, theme, root, query: query.to_owned(), address: address.into(), ..Self::default() }
    }

    /// Whether its reader sees what is admins' only.
    pub(super) fn is_admins(&self) -> bool {
        self.viewer.as_ref().is_none_or(|viewer| viewer.admin)
    }

    /// The page's texts.
    pub(super) fn texts(&self) -> &'static Texts {
        self.lang.texts()
    }

    /// The address of a place of this server, from this page.
    pub(super) fn to(&self, place: &str) -> String {
        format!("{}{place}", self.root)
    }

    /// This page's own address with one parameter changed.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let kept = self.query.split('&').filter(|pair| {
            !pair.is_empty() && pair.split('=').next() != Some(name) && !pair.starts_with("fragment=")
        });
        let mut query: Vec<String> = kept.map(str::to_owned).collect();
        query.push(format!("{name}={}", format::url_encode(value)));
        format!("?{}", query.join("&"))
    }

    /// A link in an answer: one that opens a source page is made relative, whatever name the server was
    /// called by; another is kept when it is a web address, else `None`.
    pub(super) fn link(&self, url: &str) -> Option<String> {
        if let Some((_, place)) = url.rsplit_once("/sources/")
            && let Some(id) = place.split(['?', '#', '/']).next()
            && id.len() == 16
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return Some(self.to(&format!("sources/{place}")));
        }
        (url.starts_with("http://") || url.starts_with("https://")).then(|| url.to_owned())
    }
}

/// Which section the rail marks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Ask,
    Traces,
    Costs,
    Models,
    Knowledge,
    Evals,
    Prompts,
    Keys,
    Settings,
    None,
}

/// A page's own parts.
pub(super) struct Room<'a> {
    /// For the window's title.
    pub(super) title: &'a str,
    /// Marked in the rail.
    pub(super) section: Section,
    /// Classes of `main` besides `page`.
    pub(super) class: &'a str,
    /// The scripts of this page.
    pub(super) scripts: &'a [&'a str],
    /// What stands before the heading in the breadcrumb.
    pub(super) above: Option<(String, &'a str)>,
    /// The heading.
    pub(super) heading: Markup,
    /// Beside the heading.
    pub(super) actions: Markup,
    /// The content.
    pub(super) main: Markup,
}

/// The whole document.
pub(super) fn document(page: &Page, room: &Room<'_>) -> Markup {
    let t = page.texts();
    let words = serde_json::to_string(&t.js).unwrap_or_default();
    let loaded = html! {
        meta name="hanok-root" content=(page.root);
        meta name="hanok-words" content=(words);
        script type="module" src=(href(&page.root, "shell.js")) {}
        @for script in room.scripts { script type="module" src=(href(&page.root, script)) {} }
    };
    html! {
        (DOCTYPE)
        html lang=(page.lang.as_str()) data-theme=[theme(page)] {
            (head(page, room.title, &loaded))
            body {
                a.skip href="#main" { (t.skip) }
                div.house {
                    (rail(page, room.section))
                    div.room {
                        header.head {
                            nav aria-label=(t.breadcrumb) {
                                ol.crumbs {
                                    @if let Some((to, name)) = &room.above { li { a href=(to) { (name) } } }
                                    li { h1 { (room.heading) } }
                                }
                            }
                            div.actions { (room.actions) }
                        }
                        main.page.(room.class) #main tabindex="-1" { (room.main) }
                    }
                    (floor(page))
                }
                (palette(page))
                (keys(t))
                (sheet(page, room.section))
                @if page.viewer.is_some() {
                    form #sign-out method="post" action=(page.to("logout")) hidden { (csrf(page)) }
                }
                div.toasts #toasts role="status" {}
            }
        }
    }
}

/// A document without the rooms: for who may not enter them yet. It loads no script and asks for nothing.
pub(super) fn porch(page: &Page, title: &str, main: &Markup) -> Markup {
    let t = page.texts();
    html! {
        (DOCTYPE)
        html lang=(page.lang.as_str()) data-theme=[theme(page)] {
            (head(page, title, &Markup::default()))
            body {
                a.skip href="#main" { (t.skip) }
                div.house.porch {
                    div.room {
                        header.head {
                            span.brand { (mark()) span { "Hanok" } }
                            div.actions { (theme_link(page, "btn btn-quiet btn-sm")) (language_link(page, "btn btn-quiet btn-sm")) }
                        }
                        main.page #main tabindex="-1" { (main) }
                    }
                    footer.floor { span.row { span.dot.dot-ok {} span { (t.js.serving) } strong.mono { (page.address) } } }
                }
            }
        }
    }
}

fn theme(page: &Page) -> Option<&'static str> {
    (page.theme != Theme::System).then(|| page.theme.as_str())
}

fn head(page: &Page, title: &str, more: &Markup) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
            meta name="referrer" content="same-origin";
            title { (title) " · Hanok" }
            link rel="icon" type="image/svg+xml" href=(href(&page.root, "mark.svg"));
            link rel="stylesheet" href=(href(&page.root, "tokens.css"));
            link rel="stylesheet" href=(href(&page.root, "app.css"));
            (more)
        }
    }
}

/// What a form sends back to show that it came from a page of this server.
pub(super) fn csrf(page: &Page) -> Markup {
    html! { input type="hidden" name="csrf" value=(page.csrf); }
}

/// A section: where it is, its name, sign and letter after `g`.
pub(super) type Entry = (Section, String, &'static str, Icon, &'static str);

/// The sections in their groups; the first groups have a place in a phone's tab bar, the others in its sheet.
pub(super) fn entries(page: &Page) -> [Vec<Entry>; 4] {
    let t = page.texts();
    let evals = if page.is_admins() { "experiments" } else { "annotation" };
    [
        vec![(Section::Ask, page.root.clone(), t.ask, Icon::Ask, "A")],
        vec![
            (Section::Traces, page.to("traces"), t.traces, Icon::Traces, "T"),
            (Section::Costs, page.to("costs"), t.records.costs, Icon::Costs, "C"),
        ],
        vec![
            (Section::Models, page.to("models"), t.gateway.models, Icon::Model, "M"),
            (Section::Knowledge, page.to("knowledge"), t.knowledge.knowledge, Icon::Book, "K"),
            (Section::Prompts, page.to("prompts"), t.prompts.prompts, Icon::Prompt, "P"),
            (Section::Evals, page.to(evals), t.evals.evals, Icon::Scale, "E"),
            (Section::Keys, page.to("keys"), t.gateway.keys, Icon::Key, "Y"),
        ],
        vec![(Section::Settings, page.to("settings"), t.records.settings, Icon::Settings, "S")],
    ]
}

fn rail(page: &Page, section: Section) -> Markup {
    let t = page.texts();
    let [ask, records, serving, last] = entries(page);
    let current = |this: Section| (this == section).then_some("page");
    let in_more = serving.iter().chain(&last).any(|(this, ..)| *this == section).then_some("true");
    html! {
        nav.rail aria-label=(t.sections) {
            a.brand href=(page.root) { (mark()) span { "Hanok" } }
            @for (group, class) in [(&ask, "desk"), (&records, "desk"), (&serving, "desk"), (&last, "desk last")] {
                ul class=(class) { @for (this, to, name, icon, key) in group {
                    li { a.nav href=(to) aria-current=[current(*this)] title=(name) data-key=(key) {
                        (icon.draw()) span { (name) } kbd { (key) }
                    } }
                } }
            }
            ul.tabbar.phone {
                @for (this, to, name, icon, _) in ask.iter().chain(&records) {
                    li { a.nav href=(to) aria-current=[current(*this)] { (icon.draw()) span { (name) } } }
                }
                li { button.nav type="button" popovertarget="more" aria-current=[in_more] { (Icon::More.draw()) span { (t.more) } } }
            }
            @if let Some(viewer) = &page.viewer { div.viewer.desk {
                (who(page, viewer))
                button.btn.btn-quiet.btn-sm.btn-ic type="submit" form="sign-out" aria-label=(t.gateway.sign_out) title=(t.gateway.sign_out) { (Icon::Out.draw()) }
            } }
            div.rail-foot.desk { (theme_link(page, "btn btn-quiet btn-sm")) (language_link(page, "btn btn-quiet btn-sm end")) }
        }
    }
}

fn who(page: &Page, viewer: &Viewer) -> Markup {
    let g = &page.texts().gateway;
    html! {
        p.who {
            span.vh { (g.signed_in) " " }
            strong.cut { (viewer.key) }
            span.dim.cut { (viewer.project) @if viewer.admin { " · " (g.admin) } }
        }
    }
}

fn theme_link(page: &Page, class: &str) -> Markup {
    let t = page.texts();
    html! {
        a class=(class) href=(page.with("theme", page.theme.next().as_str())) data-do="theme"
            data-theme-now=(page.theme.as_str()) {
            (Icon::Theme.draw()) span.vh { (t.theme) ": " } span data-theme-name { (t.theme_name(page.theme)) }
        }
    }
}

fn language_link(page: &Page, class: &str) -> Markup {
    let other = page.lang.other();
    html! {
        a class=(class) href=(page.with("lang", other.as_str())) lang=(other.as_str()) hreflang=(other.as_str())
            data-do="lang" { (other.own_name()) }
    }
}

/// More ticks than that cannot be told apart.
const DRAWN: usize = 600;

fn floor(page: &Page) -> Markup {
    let t = page.texts();
    let pulse = &page.pulse;
    html! {
        footer.floor {
            span.row #serving {
                span.dot.dot-ok {} span { (t.js.serving) } strong.mono { (page.address) }
            }
            a.grow href=(page.to("traces")) aria-label=(t.last_minute) {
                svg.pulse #pulse width="100%" height="20" aria-hidden="true" {
                    @for tick in pulse.ticks.iter().rev().take(DRAWN) {
                        @let (y, height) = match tick.name() { "err" => (1, 18), "chat" => (4, 15), "http" => (12, 7), _ => (9, 10) };
                        rect.{"p-" (tick.name())} x=(format::percent(tick.x / 100.0)) y=(y) height=(height) {}
                    }
                }
            }
            span.opt { strong #rate { (format!("{:.1}", pulse.spans_per_s)) } " " (t.per_second) }
            span #today hidden[pulse.cost_usd.is_none()] {
                span.soft-t { (t.today) } " " strong { (format::dollars(pulse.cost_usd.unwrap_or_default())) }
            }
            button type="button" popovertarget="palette" { (t.commands) " " kbd data-mod="K" { "Ctrl K" } }
            button type="button" popovertarget="keys" { (t.keys) " " kbd { "?" } }
        }
    }
}

fn sheet(page: &Page, section: Section) -> Markup {
    let t = page.texts();
    let [_, _, serving, last] = entries(page);
    html! {
        div.sheet #more popover {
            ul {
                @for (this, to, name, icon, _) in serving.iter().chain(&last) {
                    li { a.nav href=(to) aria-current=[(*this == section).then_some("page")] { (icon.draw()) span { (name) } } }
                }
                li { (theme_link(page, "nav")) }
                li { (language_link(page, "nav")) }
                li { button.nav type="button" popovertarget="palette" { (Icon::Command.draw()) span { (t.commands) } } }
                li { button.nav type="button" popovertarget="keys" { (Icon::More.draw()) span { (t.keys) } } }
                @if let Some(viewer) = &page.viewer {
                    li { (who(page, viewer)) }
                    li { button.nav type="submit" form="sign-out" { (Icon::Out.draw()) span { (t.gateway.sign_out) } } }
                }
            }
        }
    }
}

/// The way to the traces of which `word` is `value`, under the value.
pub(super) fn filtered(page: &Page, word: &str, value: &str) -> Markup {
    html! { a href=(page.to(&format!("traces?filter={}", format::url_encode(&filter_part(word, value))))) { (format::cut(value, 64)) } }
}

/// `word:value` as the filter reads it.
pub(super) fn filter_part(word: &str, value: &str) -> String {
    let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"');
    if plain { format!("{word}:{value}") } else { format!("{word}:\"{}\"", value.replace('"', "")) }
}

/// A quiet button that copies a text.
pub(super) fn copy_button(label: &str, text: &str, class: &str) -> Markup {
    html! {
        button.btn.btn-quiet.btn-ic.(class) type="button" aria-label=(label) title=(label) data-copy=(text) { (Icon::Copy.draw()) }
    }
}

/// A note with its sign.
pub(super) fn note(class: &str, content: &Markup) -> Markup {
    html! { div.note.(class) { (Icon::Warn.draw()) div.grow { (content) } } }
}

/// A text in which each `{name}` is set as code.
pub(super) fn with_codes(text: &str, codes: &[(&str, &str)]) -> Markup {
    let first = codes
        .iter()
        .filter_map(|(name, code)| Some((text.find(&format!("{{{name}}}"))?, name.len() + 2, code)))
        .min_by_key(|(at, ..)| *at);
    let Some((at, length, code)) = first else {
        return html! { (text) };
    };
    let (before, rest) = text.split_at(at);
    html! { (before) code { (code) } (with_codes(rest.get(length..).unwrap_or_default(), codes)) }
}

/// A text whose `{name}` is set as code.
pub(super) fn with_code(text: &str, name: &str, code: &str) -> Markup {
    with_codes(text, &[(name, code)])
}
