//! Sessions: the list, and one as the conversation it is.

use super::format;
use super::icon::Icon;
use super::messages::talk;
use super::scores::scores;
use super::shell::{Page, Room, Section, document, filter_part, filtered, note, with_codes};
use super::text::fill;
use super::traces::lists;
use super::view_sessions::{SessionRow, SessionView, SessionsView, TurnView};
use maud::{Markup, html};

/// The list of sessions.
pub fn sessions_page(page: &Page, view: &SessionsView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    document(
        page,
        &Room {
            title: r.sessions,
            section: Section::Traces,
            class: "flush one",
            scripts: &["list-page.js"],
            above: Some((page.to("traces"), t.traces)),
            heading: html! { (r.sessions) },
            actions: lists(page, true),
            main: html! {
                div.list {
                    div.lead {
                        form.filter #filter role="search" method="get" action=(page.to("sessions")) {
                            (Icon::Find.draw())
                            input #filter-q type="search" name="filter" value=(view.filter) aria-label=(t.filter)
                                aria-invalid=[view.error.as_ref().map(|_| "true")] placeholder="user:alice since:7d" autocomplete="off" spellcheck="false";
                            @if !view.filter.is_empty() { a.btn.btn-quiet.btn-sm href="?" { (t.clear_filter) } }
                            button.btn.btn-quiet.btn-sm type="submit" { (t.apply) }
                            kbd.desk { "/" }
                        }
                        @if let Some(error) = &view.error { (note("note-err", &html! { p { (error) } p.dim { (t.filter_help) } })) }
                    }
                    (rows(page, view))
                }
            },
        },
    )
}

fn rows(page: &Page, view: &SessionsView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(r.sessions) {
            @if view.rows.is_empty() {
                @if view.error.is_none() { div.nothing {
                    @if view.filter.is_empty() {
                        p.strong { (r.no_sessions) }
                        p.dim { (with_codes(r.no_sessions_hint, &[("header", "x-hanok-session"), ("attribute", "gen_ai.conversation.id")])) }
                    } @else { p.strong { (r.no_session_matches) } p { a href="?" { (t.clear_filter) } } }
                } }
            } @else {
                table.table.hit.two-line role="grid" {
                    caption.vh { (r.sessions_caption) }
                    thead { tr {
                        th.desk aria-sort="descending" { (r.last_turn) } th { (r.session) } th.opt { (r.user) } th.num { (r.turns) }
                        th.num.desk { (t.tokens_in) } th.num.desk { (t.tokens_out) } th.num { (t.cost) } th.desk { (t.state) }
                    } }
                    tbody #list-rows { @for row in &view.rows { (session_row(page, row)) } }
                }
                @if let Some(next) = &view.next {
                    p.older { a.btn.btn-quiet href=(page.with("cursor", next)) { (Icon::Down.draw()) (t.older) } }
                }
            }
        }
    }
}

fn session_row(page: &Page, row: &SessionRow) -> Markup {
    let t = page.texts();
    let link = page.to(&format!("sessions/{}", format::url_encode(&row.id)));
    let failed = html! { span.badge.b-err { (t.records.failed.of(row.errors)) } };
    html! {
        tr tabindex="-1" aria-selected="false" {
            td.mono.dim.nowrap.desk { (format::moment(row.last_at)) }
            td.cut { span.row { span.grow.cut {
                a href=(link) tabindex="-1" { span.strong { (row.id) } @if let Some(title) = &row.title { " " span.soft { (format::cut(title, 160)) } } }
                span.phone.meta { (format::moment(row.last_at)) " " (row.user.as_deref().unwrap_or_default()) @if row.errors > 0 { " " (failed) } }
            } (scores(page, &row.scores)) } }
            td.soft.nowrap.opt { span.model.cut { (row.user.as_deref().unwrap_or_default()) } }
            td.num { (format::count(row.turns)) }
            td.num.desk { (format::tokens(row.input_tokens)) }
            td.num.desk { (format::tokens(row.output_tokens)) }
            td.num { @if let Some(cost) = row.cost_usd { (format::dollars(cost)) } @else { span.dim { (t.no_price) } } }
            td.desk { @if row.errors > 0 { (failed) } @else { span.dim { (t.ok) } } }
        }
    }
}

/// One session as a conversation.
pub fn session_page(page: &Page, view: &SessionView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    let row = &view.summary;
    let its = page.to(&format!("traces?filter={}", format::url_encode(&filter_part("session", &row.id))));
    document(
        page,
        &Room {
            title: &row.id,
            section: Section::Traces,
            class: "flush",
            scripts: &[],
            above: Some((page.to("sessions"), r.sessions)),
            heading: html! { (row.id) },
            actions: html! { a.btn href=(its) { (Icon::Traces.draw()) (r.its_traces) } },
            main: html! {
                dl.sum {
                    div { dt { (r.turns) } dd.strong { (format::count(row.turns)) } }
                    @if row.errors > 0 { div { dt { (t.state) } dd { span.badge.b-err { (r.failed.of(row.errors)) } } } }
                    div { dt { (r.last_turn) } dd { (format::moment(row.last_at)) } }
                    div { dt { (t.tokens) } dd { (format::count(row.input_tokens)) " → " (format::count(row.output_tokens)) } }
                    @if let Some(cost) = row.cost_usd { div { dt { (t.cost) } dd.strong { (format::dollars(cost)) } } }
                    @if let Some(user) = &row.user { div { dt { (r.user) } dd { (filtered(page, "user", user)) } } }
                    @if !row.scores.is_empty() { div { dt { (r.scores) } dd { (scores(page, &row.scores)) } } }
                }
                div.scroll.session tabindex="0" role="region" aria-label=(fill(r.conversation_of, &[("id", &row.id)])) {
                    div.session-in {
                        @if let Some(earlier) = &view.earlier { p.older { a.btn.btn-quiet href=(page.with("cursor", earlier)) { (Icon::Up.draw()) (r.earlier_turns) } } }
                        @for (n, turn) in (view.from..).zip(&view.turns) { (one(page, n, turn)) }
                    }
                }
            },
        },
    )
}

fn one(page: &Page, n: u64, turn: &TurnView) -> Markup {
    let t = page.texts();
    let trace = &turn.trace;
    let title = fill(t.records.turn_n, &[("n", &format::count(n))]);
    html! {
        section.turn.stack #{ "turn-" (n) } aria-label=(title) {
            header.turn-meta {
                h2 { a href=(page.to(&format!("traces/{}", trace.trace_id))) { (title) } }
                span { (format::moment(trace.started_at)) }
                span { (format::duration(trace.duration_ms)) }
                @if let Some(model) = &trace.model { span { (model) } }
                @if let Some(cost) = trace.cost_usd { span { (format::dollars(cost)) } }
                (scores(page, &turn.scores))
            }
            @if let Some(error) = &trace.error { (note("note-err", &html! { (error) })) }
            @if turn.messages.is_empty() {
                @if let Some(title) = &trace.title { p.soft { (title) } }
                p.dim { (t.records.no_messages) }
            } @else { (talk(page, &turn.messages)) }
        }
    }
}
