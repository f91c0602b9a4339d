//! A document cut into chunks, as it is and as it would be, side by side.

use super::format;
use super::icon::Icon;
use super::knowledge::{toml_key, trust};
use super::shell::{Page, Room, Section, copy_button, document, note, with_code};
use super::text::fill;
use super::view_knowledge::{ChunksView, ComparedBy, CutView, Hint, Knobs, PieceView};
use maud::{Markup, html};

/// How much of a long document is shown at once, in bytes.
const PART: usize = 48 * 1024;
/// Chunks drawn one by one along the document; of more, neighbours are drawn as one.
const DRAWN: usize = 400;
/// Colours that chunks have in turn.
const COLOURS: usize = 5;

/// A document cut in two ways.
pub fn chunks_page(page: &Page, view: &ChunksView) -> Markup {
    let k = &page.texts().knowledge;
    let source = &view.source;
    let name = format::file_name(&source.path);
    let here = format::url_encode(&source.id);
    let collection = format::url_encode(&source.collection);
    let beside = |id: &Option<String>, label: &str, key: &str, icon: Icon| {
        html! { @if let Some(id) = id {
            a.btn.btn-quiet.btn-ic.desk href=(page.to(&format!("sources/{}/chunks", format::url_encode(id)))) aria-label=(label) title=(label) data-neighbour=(key) { (icon.draw()) }
        } }
    };
    document(
        page,
        &Room {
            title: &fill(k.chunks_of_document, &[("title", name)]),
            section: Section::Knowledge,
            class: "",
            scripts: &["chunks.js"],
            above: Some((page.to(&format!("knowledge/{collection}")), &source.collection)),
            heading: html! { (name) },
            actions: html! {
                a.btn.btn-quiet.desk href=(page.to(&format!("search?collection={collection}"))) { (Icon::Find.draw()) (k.search_here) }
                (beside(&view.previous, k.previous_document, "[", Icon::Up))
                (beside(&view.next, k.next_document, "]", Icon::Down))
                a.btn href=(page.to(&format!("sources/{here}"))) { (k.open_document) }
            },
            main: html! {
                div.stack {
                    div.row.row-wrap {
                        span.badge { @if !view.about.format.is_empty() { (view.about.format) ", " } (format::bytes(view.bytes)) }
                        (trust(page, view.about.trust))
                        span.badge { (k.indexed_at) " " (format::moment(view.indexed_at)) }
                        span.soft { (k.dry_run) " " (k.hatching) }
                    }
                    div.cols.cuts {
                        section.panel aria-labelledby="used" {
                            header { h2 #used { (k.in_use) } span.badge.b-acc.end { (source.collection) } }
                            (knobs_read(page, &view.used.knobs))
                            (cut(page, view, &view.used, "a"))
                        }
                        (tried(page, view))
                    }
                }
            },
        },
    )
}

/// The side that is tried: the whole of it is exchanged when a knob is turned.
pub fn tried(page: &Page, view: &ChunksView) -> Markup {
    let k = &page.texts().knowledge;
    let knobs = &view.tried.knobs;
    html! {
        section.panel #tried aria-labelledby="another" {
            header {
                h2 #another { (k.try_another) }
                span.end.row { a.btn.btn-sm.btn-quiet href="?" { (k.reset) } }
            }
            (knobs_set(page, view, knobs))
            @if let Some(error) = &view.error { div.in { (note("note-err", &html! { p { (error) } })) } } @else {
                @if view.hint == Some(Hint::NoEmbedder) { div.in { (note("note-warn", &html! { p { (k.no_embedder) } })) } }
                (cut(page, view, &view.tried, "b"))
                footer { (take(page, view, knobs)) }
            }
        }
    }
}

/// The way to make what was tried hold.
fn take(page: &Page, view: &ChunksView, knobs: &Knobs) -> Markup {
    let k = &page.texts().knowledge;
    let mut set = format!("by = \"{}\", size = {}, overlap = {}", knobs.by, knobs.size, knobs.overlap);
    if !matches!(knobs.parents.as_str(), "" | "none") {
        set = format!("{set}, parents = \"{}\"", knobs.parents);
    }
    let lines = format!("[collections.{}]\nchunking = {{ {set} }}", toml_key(&view.source.collection));
    html! {
        details.aside {
            summary { (k.use_these) }
            p { (with_code(k.use_these_hint, "file", "hanok.toml")) }
            pre.code { (lines) (copy_button(page.texts().records.copy_lines, &lines, "btn-sm")) }
        }
    }
}

fn knobs_read(page: &Page, knobs: &Knobs) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        dl.knobs.read {
            div.row { dt.label { (k.chunker) } dd { (k.chunker_name(&knobs.by)) } }
            div.row { dt.label { (k.tokens_size) } dd { (format::count(knobs.size as u64)) } }
            div.row { dt.label { (k.overlap) } dd { (format::count(knobs.overlap as u64)) } }
            @if !matches!(knobs.parents.as_str(), "" | "none") { div.row { dt.label { (k.parents) } dd { (k.parents_name(&knobs.parents)) } } }
        }
    }
}

fn knobs_set(page: &Page, view: &ChunksView, knobs: &Knobs) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        form.knobs #knobs method="get" {
            @if let Some(from) = view.source.from { input type="hidden" name="from" value=(from); }
            label.row { span.label { (k.chunker) }
                select.select name="by" { @for name in &view.chunkers { option value=(name) selected[*name == knobs.by] { (k.chunker_name(name)) } } }
            }
            label.row { span.label { (k.tokens_size) } input.input.w-num name="size" type="number" min="16" max="8000" value=(knobs.size) inputmode="numeric"; }
            label.row { span.label { (k.overlap) } input.input.w-num name="overlap" type="number" min="0" max="4000" value=(knobs.overlap) inputmode="numeric"; }
            label.row { span.label { (k.parents) }
                select.select name="parents" { @for name in ["none", "shown", "merged"] { option value=(name) selected[name == knobs.parents] { (k.parents_name(name)) } } }
            }
            noscript { button.btn.btn-sm type="submit" { (k.apply) } }
        }
    }
}

fn cut(page: &Page, view: &ChunksView, cut: &CutView, side: &str) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        (figures(page, view, cut))
        @if cut.pieces.is_empty() { p.in.dim { (k.no_chunk) } } @else {
            div.in-strip { (strip(page, view, cut)) }
            (flags(page, cut))
            @if let Some(compared) = &cut.compared { p.in.soft { (compared_by(page, compared)) } }
        }
        (text(page, view, cut, side))
    }
}

/// What sentences were compared by, in a cut by meaning.
fn compared_by(page: &Page, compared: &ComparedBy) -> String {
    let k = &page.texts().knowledge;
    match compared {
        // Behind its name stands what tells its versions apart.
        ComparedBy::Vectors(embedder) => {
            fill(k.by_vectors, &[("model", embedder.split('@').next().unwrap_or(embedder))])
        }
        ComparedBy::Words => k.by_words.to_owned(),
        ComparedBy::Former => k.cut_before.to_owned(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share for people")]
fn figures(page: &Page, view: &ChunksView, cut: &CutView) -> Markup {
    let k = &page.texts().knowledge;
    let mut tokens: Vec<usize> = cut.pieces.iter().map(|piece| piece.tokens).collect();
    tokens.sort_unstable();
    let at = |index: usize| format::count(tokens.get(index).copied().unwrap_or(0) as u64);
    let covered: usize = cut.pieces.iter().map(|piece| piece.end - piece.start).sum();
    let twice = overlaps(&cut.pieces).iter().map(|(start, end)| end - start).sum::<usize>();
    html! {
        dl.figures.flat {
            div { dt { (k.chunks) } dd { (format::count(cut.pieces.len() as u64)) } dd { (fill(k.of_collection, &[("n", &format::count(view.collection_chunks))])) } }
            div {
                dt { (k.tokens_median) }
                dd { @if tokens.is_empty() { "–" } @else { (at(tokens.len() / 2)) } }
                dd { @if !tokens.is_empty() { (fill(k.from_to, &[("from", &at(0)), ("to", &at(tokens.len() - 1))])) } }
            }
            div {
                dt { (k.said_twice) }
                dd { @if covered == 0 { "–" } @else { (format::portion(twice as f64 / (covered - twice).max(1) as f64)) } }
                dd { (k.of_text) }
            }
        }
    }
}

/// What is in more than one chunk: first byte and one past the last, in order.
fn overlaps(pieces: &[PieceView]) -> Vec<(usize, usize)> {
    let mut reached = 0;
    let mut found = Vec::new();
    for piece in pieces {
        if piece.start < reached {
            found.push((piece.start, piece.end.min(reached)));
        }
        reached = reached.max(piece.end);
    }
    found
}

fn strip(page: &Page, view: &ChunksView, cut: &CutView) -> Markup {
    let k = &page.texts().knowledge;
    let all = view.source.text.len().max(1);
    #[expect(clippy::cast_precision_loss, reason = "drawn")]
    let share = |bytes: usize| format::percent(bytes as f64 / all as f64);
    let step = cut.pieces.len().div_ceil(DRAWN).max(1);
    let bars = cut.pieces.chunks(step).enumerate().filter_map(|(n, group)| {
        let (first, last) = (group.first()?, group.last()?);
        // A hair of ground between neighbours.
        let width = last.end.saturating_sub(first.start);
        Some((
            n % COLOURS + 1,
            first.start,
            width.saturating_sub(if step == 1 { all / 400 } else { 0 }).max(1),
        ))
    });
    let twice = if step == 1 { overlaps(&cut.pieces) } else { Vec::new() };
    let mut parents: Vec<(usize, usize)> = cut
        .pieces
        .iter()
        .filter_map(|piece| Some((piece.parent.as_ref()?.start, piece.parent.as_ref()?.end)))
        .collect();
    parents.dedup();
    parents.truncate(DRAWN);
    html! {
        svg.strip width="100%" height=(if parents.is_empty() { 18 } else { 24 }) role="img" aria-label=(k.along.of(cut.pieces.len() as u64)) {
            @for (start, end) in &twice { rect.ovm x=(share(*start)) y="2" width=(share(end - start)) height="14" {} }
            @for (colour, start, width) in bars { rect.{ "e" (colour) } x=(share(start)) y="5" width=(share(width)) height="8" rx="1" {} }
            @for (start, end) in &parents { rect.around x=(share(*start)) y="20" width=(share((end - start).saturating_sub(all / 400).max(1))) height="3" {} }
        }
    }
}

fn flags(page: &Page, cut: &CutView) -> Markup {
    let k = &page.texts().knowledge;
    let damage = &cut.damage;
    let kept = |words: &str| html! { span.badge.b-ok { (Icon::Check.draw()) (words) } };
    html! {
        div.flags {
            @if damage.tables > 0 { @if damage.tables_cut == 0 { (kept(k.tables_whole)) } @else { span.badge.b-err { (Icon::Warn.draw()) (k.tables_cut.of(damage.tables_cut)) } } }
            @if damage.code > 0 { @if damage.code_cut == 0 { (kept(k.code_whole)) } @else { span.badge.b-err { (Icon::Warn.draw()) (k.code_cut.of(damage.code_cut)) } } }
            @if damage.sentences_cut == 0 { (kept(k.sentences_whole)) } @else { span.badge.b-warn { (Icon::Warn.draw()) (k.sentences_cut.of(damage.sentences_cut)) } }
        }
    }
}

/// A stretch of the text that is in the same chunks from its first byte to its last.
#[derive(Debug, PartialEq, Eq)]
struct Stretch<'a> {
    text: &'a str,
    /// The numbers of the chunks it is in, from 0.
    within: Vec<usize>,
    /// The chunks that begin with it.
    begins: Vec<usize>,
}

/// A text between `from` and `to` in stretches.
fn stretches<'a>(text: &'a str, pieces: &[PieceView], from: usize, to: usize) -> Vec<Stretch<'a>> {
    let near = |piece: &&PieceView| piece.start < to && piece.end > from;
    let mut edges: Vec<usize> =
        pieces.iter().filter(near).flat_map(|piece| [piece.start, piece.end]).collect();
    edges.extend([from, to]);
    edges.retain(|edge| (from..=to).contains(edge) && text.is_char_boundary(*edge));
    edges.sort_unstable();
    edges.dedup();
    let shown: Vec<(usize, &PieceView)> =
        pieces.iter().enumerate().filter(|(_, piece)| near(piece)).collect();
    edges
        .iter()
        .zip(edges.iter().skip(1))
        .filter_map(|(start, end)| {
            let within = shown.iter().filter(|(_, piece)| piece.start <= *start && piece.end >= *end);
            let begins = shown.iter().filter(|(_, piece)| piece.start == *start);
            Some(Stretch {
                text: text.get(*start..*end)?,
                within: within.map(|(n, _)| *n).collect(),
                begins: begins.map(|(n, _)| *n).collect(),
            })
        })
        .collect()
}

fn text(page: &Page, view: &ChunksView, cut: &CutView, side: &str) -> Markup {
    let t = page.texts();
    let k = &t.knowledge;
    let whole = view.source.text.as_str();
    let snap = |at: usize| whole.floor_char_boundary(at.min(whole.len()));
    let wanted = view.source.from.unwrap_or(0);
    let from = if whole.len() <= PART {
        0
    } else {
        snap(wanted.saturating_sub(PART / 8).min(whole.len().saturating_sub(1)))
    };
    let to = snap(from.saturating_add(PART));
    let name = format::file_name(&view.source.path);
    let (first, last, all) =
        (format::count(from as u64), format::count(to as u64), format::count(whole.len() as u64));
    let colour = |n: &usize| n % COLOURS + 1;
    html! {
        @if from > 0 { p.part { span.dim { (fill(t.part_shown, &[("from", &first), ("to", &last), ("all", &all)])) } a href=(page.with("from", &from.saturating_sub(PART * 3 / 4).to_string())) { (t.earlier) } } }
        div.ckdoc tabindex="0" role="region" aria-label=(fill(k.cut_document, &[("title", name)])) {
            @for stretch in stretches(whole, &cut.pieces, from, to) { (drawn(page, cut, side, &stretch, &colour)) }
        }
        @if to < whole.len() { p.part { a href=(page.with("from", &to.to_string())) { (t.later) } } }
    }
}

fn drawn(
    page: &Page,
    cut: &CutView,
    side: &str,
    stretch: &Stretch<'_>,
    colour: &dyn Fn(&usize) -> usize,
) -> Markup {
    let k = &page.texts().knowledge;
    let labels = html! { @for n in &stretch.begins { @if let Some(piece) = cut.pieces.get(*n) {
        a.ckn.{ "n" (colour(n)) } #{ (side) (piece.start) } href={ "#" (side) (piece.start) } title=[Some(&piece.heading).filter(|heading| !heading.is_empty())] { (n + 1) }
    } } };
    match stretch.within.as_slice() {
        [] => html! { (labels) (stretch.text) },
        [only] => html! { span.ck.{ "ck" (colour(only)) } { (labels) (stretch.text) } },
        [first, second, ..] => {
            let title = fill(k.in_both, &[("a", &(first + 1).to_string()), ("b", &(second + 1).to_string())]);
            html! { span.ck.ov.{ "ck" (colour(first)) }.{ "ov" (colour(second)) } title=(title) { (labels) (stretch.text) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(of: &[(usize, usize)]) -> Vec<PieceView> {
        of.iter().map(|(start, end)| PieceView { start: *start, end: *end, ..PieceView::default() }).collect()
    }

    #[test]
    fn stretches_are_the_text_again_and_know_their_chunks() {
        let check = |text: &str, of: &[(usize, usize)], expect: &[(&str, &[usize], &[usize])]| {
            let found = stretches(text, &pieces(of), 0, text.len());
            let said: Vec<(&str, &[usize], &[usize])> =
                found.iter().map(|s| (s.text, s.within.as_slice(), s.begins.as_slice())).collect();
            assert_eq!(said, expect);
            assert_eq!(found.iter().map(|s| s.text).collect::<String>(), text);
        };
        check("abcdef", &[], &[("abcdef", &[], &[])]);
        check("abcdef", &[(0, 3), (3, 6)], &[("abc", &[0], &[0]), ("def", &[1], &[1])]);
        check("abcdef", &[(0, 4), (2, 6)], &[("ab", &[0], &[0]), ("cd", &[0, 1], &[1]), ("ef", &[1], &[])]);
        check("ab  cd", &[(0, 2), (4, 6)], &[("ab", &[0], &[0]), ("  ", &[], &[]), ("cd", &[1], &[1])]);
        // A wrong edge within a letter, or beyond the end, draws no chunk and loses no text.
        check("환불", &[(1, 3)], &[("환", &[], &[]), ("불", &[], &[])]);
        check("환불", &[(0, 99)], &[("환불", &[0], &[0])]);
        check("", &[(0, 1)], &[]);
    }

    #[test]
    fn what_is_said_twice() {
        let check =
            |of: &[(usize, usize)], expect: &[(usize, usize)]| assert_eq!(overlaps(&pieces(of)), expect);
        check(&[(0, 10), (10, 20)], &[]);
        check(&[(0, 10), (7, 20), (18, 30)], &[(7, 10), (18, 20)]);
        check(&[(0, 10), (2, 5)], &[(2, 5)]);
    }
}
