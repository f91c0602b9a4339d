//! Documents that are taken: read, parsed, described and cut.

use super::batch::Batch;
use super::source_id;
use crate::chunking::{Layout, Piece};
use crate::load::FoundFile;
use crate::read::{Reader, Untaken};
use crate::way::Way;
use hanok_base::CollectionName;
use hanok_parse::Format;
use hanok_store::StoreError;
use hanok_store::documents::{Known, NewChunk, NewSkipped, NewSource, PackedText, Source, Stamp};
use std::path::Path;
use tokio::runtime::Handle;

/// Reads files into a batch.
pub(super) struct Taker<'a> {
    pub(super) name: &'a CollectionName,
    pub(super) way: &'a Way,
    pub(super) runtime: &'a Handle,
    pub(super) reader: &'a Reader<'a>,
    pub(super) judged_by: u64,
}

impl Taker<'_> {
    pub(super) fn take(
        &self,
        file: FoundFile,
        known: Option<&Known>,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        batch.report.read += 1;
        let bytes = match self.reader.bytes(&file.file) {
            Ok(bytes) => bytes,
            Err(untaken) => {
                self.pass_over(file, known, untaken, batch);
                return Ok(());
            }
        };
        let is_same = match known {
            Some(Known::Source { id, hash, cut_by: was_cut_by, described_by, validator, .. })
                if *hash == bytes.hash =>
            {
                batch.report.unchanged += 1;
                let described = *described_by == file.ruled.mark() && *validator == file.validator;
                if described && self.way.holds(*was_cut_by) {
                    batch.changes.touched.push((*id, file.stamp));
                    return Ok(());
                }
                Some((*id, self.way.holds(*was_cut_by)))
            }
            _ => None,
        };
        let text = match self.reader.text(&file, &bytes) {
            Ok(text) => text,
            Err(untaken) => {
                batch.report.unchanged -= u64::from(is_same.is_some());
                self.pass_over(file, known, untaken, batch);
                return Ok(());
            }
        };
        if let Some((id, true)) = is_same {
            batch.changes.described.push((id, file.stamp, text.meta));
            return Ok(());
        }
        match known {
            _ if is_same.is_some() => {}
            Some(Known::Source { .. }) => batch.report.changed += 1,
            Some(Known::Skipped { .. }) => {
                batch.changes.unskipped.push(file.path.clone());
                batch.new.push(bytes.hash);
            }
            None => batch.new.push(bytes.hash),
        }
        batch.report.notes.extend(text.meta.notes.iter().map(|note| (file.path.clone(), note.clone())));
        let (cut, cut_by) = self.way.cut(&text.words, text.layout, self.runtime);
        batch.changes.upserts.push(NewSource {
            id: source_id(self.name, &file.path),
            title: title(text.title.or(cut.title), &file.path),
            hash: bytes.hash,
            stamp: file.stamp,
            text: PackedText::new(&text.words)?,
            chunks: cut.pieces.into_iter().map(kept).collect(),
            cut_by,
            meta: Some(text.meta),
            path: file.path,
        });
        Ok(())
    }

    fn pass_over(&self, file: FoundFile, known: Option<&Known>, untaken: Untaken, batch: &mut Batch) {
        match untaken {
            // Tried again by the next run; till then the document stays as it was read last.
            Untaken::Unread(reason) => {
                batch.report.unchanged += u64::from(matches!(known, Some(Known::Source { .. })));
                batch.report.skipped.push((file.path, reason));
                batch.unread = true;
            }
            Untaken::Unfit(reason) => {
                if let Some(Known::Source { id, .. }) = known {
                    batch.changes.deletes.push(*id);
                    batch.report.deleted += 1;
                }
                batch.report.skipped.push((file.path.clone(), reason.clone()));
                let (path, stamp, judged_by) = (file.path, file.stamp, self.judged_by);
                batch.changes.skipped.push(NewSkipped { path, stamp, reason, judged_by });
            }
        }
    }
}

/// A document's own title, or else the name of its file.
fn title(own: Option<String>, path: &str) -> String {
    let stem = || Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    own.or_else(stem).unwrap_or_default()
}

pub(super) fn kept(piece: Piece) -> NewChunk {
    NewChunk { heading: piece.heading, start: piece.start, end: piece.end, parent: piece.parent }
}

/// A document as it is, cut as it is to be now.
pub(crate) fn cut_again(source: Source, way: &Way, runtime: &Handle) -> Result<NewSource, StoreError> {
    let Source { summary, text } = source;
    // Documents of an earlier version of the file have no layout.
    let layout = Layout::named(&summary.meta.layout).unwrap_or_else(|| {
        let is_markdown = Format::of(&summary.path, b"") == Some(Format::Markdown);
        if is_markdown { Layout::Markdown } else { Layout::Plain }
    });
    let (cut, cut_by) = way.cut(&text, layout, runtime);
    Ok(NewSource {
        id: summary.id,
        title: summary.title,
        hash: summary.hash,
        stamp: Stamp { size: summary.size, modified: summary.modified },
        text: PackedText::new(&text)?,
        chunks: cut.pieces.into_iter().map(kept).collect(),
        cut_by,
        meta: None,
        path: summary.path,
    })
}
