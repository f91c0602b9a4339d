//! A document cut in two ways, and what the cuts went through.

use super::documents;
use crate::House;
use crate::door::Visitor;
use crate::ui::view::SourceView;
use crate::ui::view_knowledge::{ChunksView, ComparedBy, CutView, Damage, Hint, Knobs, PieceView};
use hanok_base::{CallContext, CollectionName, EmbedKind, Embedder};
use hanok_retrieval::chunking::{Chunker, Chunking, Compared, Layout, Piece, Preview, preview, tokens};
use hanok_retrieval::{Comparison, LibraryError};
use hanok_store::documents::{NewChunk, Source, SourceSummary};
use std::ops::Range;
use std::sync::Arc;
use tokio::runtime::Handle;

/// A document cut as it is and as `tried` says; where that cannot be, why and as what it was said.
pub(crate) async fn chunks(
    house: &House,
    visitor: &Visitor,
    source: Source,
    used: &Chunking,
    tried: Result<Chunking, (Knobs, String)>,
    meaning: Option<Meaning>,
    from: Option<usize>,
) -> Result<ChunksView, LibraryError> {
    let Source { summary, text } = source;
    let kept = house.library.chunks_of(summary.id).await?;
    let (previous, next) = neighbours(house, visitor, &summary).await?;
    let tally = house.library.tally(&summary.collection).await?;
    let layout = layout_of(&summary);
    let mut view = ChunksView {
        indexed_at: summary.indexed_at,
        bytes: summary.size,
        about: documents::about(&summary.meta),
        collection_chunks: tally.chunks,
        chunkers: Chunker::ALL.iter().map(|chunker| chunker.name().to_owned()).collect(),
        used: CutView {
            knobs: documents::knobs(used),
            compared: house.library.comparison(&summary).map(|it| compared_by(&it)),
            ..CutView::default()
        },
        tried: CutView { knobs: documents::knobs(used), ..CutView::default() },
        previous,
        next,
        ..ChunksView::default()
    };
    // Cutting a long text takes a while.
    let runtime = Handle::current();
    let ran = tokio::task::spawn_blocking(move || {
        let piece = |chunk: NewChunk| Piece {
            heading: chunk.heading,
            start: chunk.start,
            end: chunk.end,
            parent: chunk.parent,
        };
        let used = of(&text, kept.into_iter().map(piece).collect());
        let tried = tried.map(|chunking| {
            let Preview { pieces, compared } =
                cut_for_a_look(&text, layout, &chunking, meaning.as_ref(), &runtime);
            let blind = chunking.by == Chunker::Semantic && meaning.is_none();
            let compared = comparison(&chunking, meaning.as_ref(), compared);
            (documents::knobs(&chunking), blind, compared.map(|it| compared_by(&it)), of(&text, pieces))
        });
        (text, used, tried)
    });
    let (text, used, tried) = ran.await.map_err(|error| LibraryError::Worker(error.into()))?;
    (view.used.pieces, view.used.damage) = used;
    match tried {
        Ok((knobs, blind, compared, (pieces, damage))) => {
            view.hint = blind.then_some(Hint::NoEmbedder);
            view.tried = CutView { knobs, pieces, damage, compared };
        }
        Err((knobs, error)) => {
            view.tried.knobs = knobs;
            view.error = Some(error);
        }
    }
    view.source = SourceView {
        id: summary.id.to_string(),
        path: summary.path,
        title: summary.title,
        collection: summary.collection.to_string(),
        text,
        from,
        ..SourceView::default()
    };
    Ok(view)
}

/// How a document's text is laid out; by its name where that was not noted.
pub(crate) fn layout_of(summary: &SourceSummary) -> Layout {
    let lower = summary.path.to_ascii_lowercase();
    let markdown = [".md", ".markdown"].iter().any(|end| lower.ends_with(end));
    let by_name = if markdown { Layout::Markdown } else { Layout::Plain };
    Layout::named(&summary.meta.layout).unwrap_or(by_name)
}

/// What a cut by meaning compares sentences by.
pub(crate) struct Meaning {
    cx: CallContext,
    embedder: Arc<dyn Embedder>,
}

impl Meaning {
    /// That of a collection, its calls recorded under `cx`; `None` where it has no embedder.
    pub(crate) fn of(house: &House, collection: &CollectionName, cx: CallContext) -> Option<Self> {
        Some(Self { cx, embedder: house.library.equipment(collection).embedder? })
    }

    /// The vectors of some texts; `None` where they cannot be made. Blocks, so that it is for a thread that may.
    fn vectors(&self, runtime: &Handle, texts: &[&str]) -> Option<Vec<Vec<f32>>> {
        match runtime.block_on(self.embedder.embed(&self.cx, texts, EmbedKind::Document)) {
            Ok(vectors) => Some(vectors),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "sentences could not be embedded");
                None
            }
        }
    }
}

/// What a text would be cut into; blocks.
pub(crate) fn cut_for_a_look(
    text: &str,
    layout: Layout,
    chunking: &Chunking,
    meaning: Option<&Meaning>,
    runtime: &Handle,
) -> Preview {
    match meaning {
        Some(meaning) => preview(text, layout, chunking, Some(&|texts| meaning.vectors(runtime, texts))),
        None => preview(text, layout, chunking, None),
    }
}

/// What the sentences of a text were compared by in a look; `None` where it was not cut by meaning.
pub(crate) fn comparison(
    chunking: &Chunking,
    meaning: Option<&Meaning>,
    compared: Compared,
) -> Option<Comparison> {
    let is_meant = chunking.by == Chunker::Semantic;
    is_meant.then(|| match meaning {
        Some(meaning) if compared == Compared::Meaning => {
            Comparison::Vectors(meaning.embedder.id().to_owned())
        }
        _ => Comparison::Words,
    })
}

fn compared_by(comparison: &Comparison) -> ComparedBy {
    match comparison {
        Comparison::Vectors(embedder) => ComparedBy::Vectors(embedder.clone()),
        Comparison::Words => ComparedBy::Words,
        Comparison::Former => ComparedBy::Former,
    }
}

/// What is tried where nothing was asked for: another chunker, or the same in smaller pieces.
pub(crate) fn another(used: &Chunking) -> Chunking {
    let by = if used.by == Chunker::Tokens { Chunker::Structure } else { Chunker::Tokens };
    Chunking { by, ..Chunking::default() }
}

/// The documents before and after that the visitor may read, by path.
async fn neighbours(
    house: &House,
    visitor: &Visitor,
    summary: &SourceSummary,
) -> Result<(Option<String>, Option<String>), LibraryError> {
    let beside = house.library.beside(summary, documents::readers_of(visitor)).await?;
    let text = |id: Option<hanok_base::SourceId>| id.map(|id| id.to_string());
    Ok((text(beside.0), text(beside.1)))
}

fn of(text: &str, pieces: Vec<Piece>) -> (Vec<PieceView>, Damage) {
    let damage = damage(text, &pieces);
    let view = |piece: Piece| PieceView {
        tokens: tokens(text.get(piece.start..piece.end).unwrap_or_default()),
        start: piece.start,
        end: piece.end,
        heading: piece.heading,
        parent: piece.parent,
    };
    (pieces.into_iter().map(view).collect(), damage)
}

/// What the cuts went through.
pub(crate) fn damage(text: &str, pieces: &[Piece]) -> Damage {
    let (tables, code) = unbroken(text);
    // Pieces and spans are in order, so that few of a long text are looked at.
    let cut = |spans: &[Range<usize>]| {
        let is_cut = |span: &&Range<usize>| {
            let first = pieces.partition_point(|piece| piece.end <= span.start);
            let touching = || pieces.iter().skip(first).take_while(|piece| piece.start < span.end);
            let whole = |piece: &Piece| piece.start <= span.start && span.end <= piece.end;
            touching().next().is_some() && !touching().any(whole)
        };
        spans.iter().filter(is_cut).count() as u64
    };
    let last = pieces.len().saturating_sub(1);
    let torn = pieces.iter().take(last).filter(|piece| {
        let within = |spans: &[Range<usize>]| {
            let at = spans.partition_point(|span| span.end <= piece.end);
            spans.get(at).is_some_and(|span| span.start < piece.end)
        };
        !within(&tables) && !within(&code) && ends_within(text, piece.end)
    });
    Damage {
        tables: tables.len() as u64,
        tables_cut: cut(&tables),
        code: code.len() as u64,
        code_cut: cut(&code),
        sentences_cut: torn.count() as u64,
    }
}

/// The tables and the fenced code of a text: the bytes of each, without the line break at its end.
fn unbroken(text: &str) -> (Vec<Range<usize>>, Vec<Range<usize>>) {
    let (mut tables, mut code): (Vec<Range<usize>>, Vec<Range<usize>>) = (Vec::new(), Vec::new());
    let mut fence: Option<usize> = None;
    let mut table: Option<Range<usize>> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at, at + line.trim_end().len());
        at += line.len();
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            match fence.take() {
                Some(begin) => code.push(begin..end),
                None => fence = Some(start),
            }
        }
        if fence.is_none() && trimmed.starts_with('|') {
            table = Some(table.map_or(start, |table| table.start)..end);
        } else if let Some(table) = table.take() {
            tables.push(table);
        }
    }
    tables.extend(table);
    // A single line between bars is no table.
    tables.retain(|table| text.get(table.clone()).is_some_and(|rows| rows.contains('\n')));
    (tables, code)
}

/// Bytes before a cut that are looked at.
const CLOSING: usize = 256;

/// Whether a cut at this byte goes through a sentence: it is neither at the end of one nor at the end of a line.
fn ends_within(text: &str, at: usize) -> bool {
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else {
        return false;
    };
    let spaces = |c: char| c == ' ' || c == '\t' || c == '\r';
    if after.trim_start_matches(spaces).starts_with('\n') || after.trim().is_empty() {
        return false;
    }
    // What closes a sentence is short, whatever a text is made of.
    let before =
        before.get(before.ceil_char_boundary(before.len().saturating_sub(CLOSING))..).unwrap_or_default();
    let before = before.trim_end_matches(spaces);
    if before.is_empty() || before.ends_with('\n') {
        return false;
    }
    let closing = |c: char| "\"')]}»”’」』）】*_`".contains(c);
    !before.trim_end_matches(closing).ends_with(|c: char| ".!?…。！？:;".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(of: &[(usize, usize)]) -> Vec<Piece> {
        of.iter()
            .map(|(start, end)| Piece { heading: String::new(), start: *start, end: *end, parent: None })
            .collect()
    }

    #[test]
    fn damage_is_what_no_chunk_has_whole() {
        let check = |text: &str, at: &[&str], expect: (u64, u64, u64)| {
            // Cut before each of these words.
            let mut edges: Vec<usize> = at.iter().map(|word| text.find(word).unwrap()).collect();
            edges.insert(0, 0);
            edges.push(text.len());
            let of: Vec<(usize, usize)> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
            let found = damage(text, &pieces(&of));
            assert_eq!((found.tables_cut, found.code_cut, found.sentences_cut), expect, "{text:?} at {at:?}");
        };
        let table = "Before.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nAfter. More text.";
        check(table, &[], (0, 0, 0));
        check(table, &["| a", "After"], (0, 0, 0));
        check(table, &["| 1"], (1, 0, 0));
        check(table, &["| a", "2 |", "After"], (1, 0, 0));
        check(table, &["text."], (0, 0, 1));
        check(table, &["More"], (0, 0, 0));
        let code = "Say:\n```sh\nls -l\nrm x\n```\nDone.";
        check(code, &["```sh", "Done"], (0, 0, 0));
        check(code, &["rm x"], (0, 1, 0));
        check("환불은 90일입니다. 사진이 필요합니다.", &["사진"], (0, 0, 0));
        check("환불은 90일입니다. 사진이 필요합니다.", &["90일"], (0, 0, 1));
        check("(He left.) She stayed.", &["She"], (0, 0, 0));
        check("one line\nanother line", &["another"], (0, 0, 0));
        check("| only one line |\ntext", &["only"], (0, 0, 1));
    }

    #[test]
    fn said_twice_is_not_cut() {
        let text = "| a |\n|---|\n| 1 |\n";
        let found = damage(text, &pieces(&[(0, 17), (6, 18)]));
        assert_eq!((found.tables, found.tables_cut), (1, 0));
    }
}
