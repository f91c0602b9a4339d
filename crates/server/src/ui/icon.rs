//! The signs: 16 by 16, one stroke, always beside a word or a label.

use super::view::Kind;
use maud::{Markup, PreEscaped, html};

/// A sign of the interface.
#[derive(Clone, Copy)]
pub(super) enum Icon {
    Ask,
    Traces,
    Costs,
    Settings,
    Model,
    Book,
    Scale,
    Prompt,
    Theme,
    Language,
    More,
    Plus,
    Copy,
    Stop,
    Send,
    Up,
    Down,
    Find,
    Check,
    Warn,
    Command,
    Live,
    Key,
    Out,
}

impl Icon {
    fn shape(self) -> &'static str {
        match self {
            Self::Ask => r#"<path d="M2.5 3.5h11v7.5H8l-3.2 2.5V11H2.5z"/>"#,
            Self::Traces => r#"<path d="M2.5 3.5h7M5 6.5h6M7 9.5h6.5M5 12.5h4"/>"#,
            Self::Costs => r#"<path d="M3 13V8.5M6.3 13V4.5M9.7 13V7M13 13V3"/>"#,
            Self::Settings => {
                r#"<path d="M2.5 5h5M11 5h2.5M2.5 11H5M8.5 11h5"/><circle cx="9.2" cy="5" r="1.7"/><circle cx="6.8" cy="11" r="1.7"/>"#
            }
            Self::Model => {
                r#"<path d="M8 2.2l5.2 2.9v5.8L8 13.8l-5.2-2.9V5.1zM2.8 5.1L8 8l5.2-2.9M8 8v5.8"/>"#
            }
            Self::Book => {
                r#"<path d="M3 3.2c2 0 3.8.3 5 1.4 1.2-1.1 3-1.4 5-1.4v9c-2 0-3.8.3-5 1.4-1.2-1.1-3-1.4-5-1.4zM8 4.6v9"/>"#
            }
            Self::Scale => {
                r#"<path d="M8 2.5v11M3 13.5h10M8 4L3 6M8 4l5-1M1.5 9.5L3 6l1.5 3.5zM11.5 6.5L13 3l1.5 3.5z"/>"#
            }
            Self::Theme => {
                r#"<circle cx="8" cy="8" r="5.5"/><path d="M8 2.5v11M8 5l4.2-1M8 8h5.5M8 11l4.2 1"/>"#
            }
            Self::Language => {
                r#"<circle cx="8" cy="8" r="5.5"/><path d="M2.5 8h11M8 2.5c-3.4 3.4-3.4 7.6 0 11 3.4-3.4 3.4-7.6 0-11z"/>"#
            }
            Self::More => {
                r#"<circle cx="3.5" cy="8" r=".8"/><circle cx="8" cy="8" r=".8"/><circle cx="12.5" cy="8" r=".8"/>"#
            }
            Self::Plus => r#"<path d="M8 3v10M3 8h10"/>"#,
            Self::Copy => r#"<rect x="5.5" y="5.5" width="8" height="8" rx="1"/><path d="M3 10.5V2.5h7.5"/>"#,
            Self::Stop => r#"<rect x="4" y="4" width="8" height="8" rx="1"/>"#,
            Self::Send | Self::Up => r#"<path d="M8 13V3.5M4 7l4-4 4 4"/>"#,
            Self::Down => r#"<path d="M8 3v9.5M4 9l4 4 4-4"/>"#,
            Self::Find => r#"<circle cx="7" cy="7" r="4.2"/><path d="M10.2 10.2l3.3 3.3"/>"#,
            Self::Check => r#"<path d="M3 8.5l3.2 3.2L13 4.8"/>"#,
            Self::Warn => r#"<path d="M8 2.5l6 10.5H2zM8 6.5v3M8 11.3v.2"/>"#,
            Self::Command | Self::Prompt => r#"<path d="M3 4.5L6.5 8 3 11.5M8 12h5"/>"#,
            Self::Live => r#"<circle cx="8" cy="8" r="2"/><circle cx="8" cy="8" r="5.5"/>"#,
            Self::Key => r#"<circle cx="5" cy="8" r="2.8"/><path d="M7.8 8h6M11.3 8v2.4M13.8 8v1.8"/>"#,
            Self::Out => r#"<path d="M9.5 2.5h-6v11h6M6.8 8h7M11.2 5.2L14 8l-2.8 2.8"/>"#,
        }
    }

    /// The sign.
    pub(super) fn draw(self) -> Markup {
        svg(self.shape())
    }
}

fn svg(shape: &'static str) -> Markup {
    html! { svg.ic viewBox="0 0 16 16" aria-hidden="true" { (PreEscaped(shape)) } }
}

impl Kind {
    /// The class that colours it.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Http => "k-http",
            Self::Agent => "k-agent",
            Self::Chat => "k-chat",
            Self::Search => "k-search",
            Self::Embed => "k-embed",
            Self::Rerank => "k-rerank",
            Self::Tool => "k-tool",
            Self::Guard => "k-guard",
            Self::Eval => "k-eval",
        }
    }

    /// Its sign, coloured.
    pub(super) fn sign(self) -> Markup {
        html! { span.k.(self.class()) { (self.icon()) } }
    }

    /// Its sign in the colour of errors.
    pub(super) fn failed_sign(self) -> Markup {
        html! { span.k.k-err { (self.icon()) } }
    }

    fn icon(self) -> Markup {
        svg(match self {
            Self::Http => {
                r#"<path d="M2.5 5.5h10M9.8 2.8l2.7 2.7-2.7 2.7M13.5 10.5h-10M6.2 7.8l-2.7 2.7 2.7 2.7"/>"#
            }
            Self::Agent => r#"<circle cx="8" cy="8" r="5.5"/><circle cx="8" cy="8" r="2"/>"#,
            Self::Chat => Icon::Ask.shape(),
            Self::Search => Icon::Find.shape(),
            Self::Embed => {
                r#"<circle cx="4" cy="4" r="1"/><circle cx="8" cy="4" r="1"/><circle cx="12" cy="4" r="1"/><circle cx="4" cy="8" r="1"/><circle cx="8" cy="8" r="1"/><circle cx="12" cy="8" r="1"/><circle cx="4" cy="12" r="1"/><circle cx="8" cy="12" r="1"/><circle cx="12" cy="12" r="1"/>"#
            }
            Self::Rerank => r#"<path d="M2.5 4.5h6M2.5 8h4.5M2.5 11.5h3M11.5 3.5v9M9 10l2.5 2.5L14 10"/>"#,
            Self::Tool => {
                r#"<path d="M10.5 2.7a3.3 3.3 0 0 0-3.6 4.5L2.7 11.4a1.35 1.35 0 0 0 1.9 1.9l4.2-4.2a3.3 3.3 0 0 0 4.5-3.6L11.2 7.6 8.9 7.1 8.4 4.8z"/>"#
            }
            Self::Guard => r#"<path d="M8 2l5 1.8v4c0 3-2 5.2-5 6.4-3-1.2-5-3.4-5-6.4v-4z"/>"#,
            Self::Eval => Icon::Check.shape(),
        })
    }
}

/// The mark: a roof, two posts, a lit door.
pub(super) fn mark() -> Markup {
    html! {
        svg.mark viewBox="0 0 24 24" aria-hidden="true" {
            (PreEscaped(r#"<path d="M1.5 9.5C5 9 9 6.5 12 3.5c3 3 7 5.5 10.5 6M5.5 10v9.5M18.5 10v9.5M2 19.5h20"/><rect class="lamp" x="10" y="12" width="4" height="7.5"/>"#))
        }
    }
}

/// The house of the first run, its doors open.
pub(super) fn doors() -> Markup {
    let leaf = |left: u32| {
        html! {
            rect.hanji.wood x=(left) y="34" width="28" height="70" {}
            @for bar in [7, 14, 21] { line.wood.thin x1=(left + bar) x2=(left + bar) y1="34" y2="104" {} }
            @for y in [40, 45, 50, 66, 71, 76, 92, 97] { line.wood.thin x1=(left) x2=(left + 28) y1=(y) y2=(y) {} }
        }
    };
    html! {
        svg.doors viewBox="0 0 148 132" width="148" height="132" aria-hidden="true" {
            path.wood d="M4 26C30 23 56 14 74 4c18 10 44 19 70 22M12 28v80M136 28v80" {}
            rect.glow x="49" y="34" width="50" height="70" {}
            (leaf(17)) (leaf(103))
            path.wood d="M12 32h124" {}
            rect.boards x="0" y="106" width="148" height="22" {}
            path.joint d="M0 117h148M37 106v11M98 106v11M66 117v11M122 117v11" {}
        }
    }
}
