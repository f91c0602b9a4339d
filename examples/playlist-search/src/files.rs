//! What the generated data are as files.

use crate::catalogue::{Playlist, Search, Size, log, playlists};
use crate::house::write;
use anyhow::Result;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// Everything that is generated.
pub(crate) struct World {
    pub(crate) playlists: Vec<Playlist>,
    pub(crate) searches: Vec<Search>,
}

impl World {
    /// Generates it: the same for the same seed and size.
    pub(crate) fn new(seed: u64, size: Size) -> Self {
        let playlists = playlists(seed, size.playlists);
        let searches = log(seed, size.searches, &playlists);
        Self { playlists, searches }
    }

    pub(crate) fn playlist(&self, id: &str) -> Option<&Playlist> {
        self.playlists.iter().find(|playlist| playlist.id == id)
    }

    /// Writes `data/playlists.jsonl` (what the curator is shown), `data/titles` (what the old search looks at) and
    /// `data/search-log.jsonl`.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let rows = self
            .playlists
            .iter()
            .map(|playlist| json!({"id": playlist.id, "input": {"tracks": playlist.for_curator()}}));
        write(&folder.join("data/playlists.jsonl"), &lines(rows))?;
        let rows = self.searches.iter().map(|search| {
            json!({
                "search": search.number, "minutes_ago": search.minutes_ago, "session": search.session,
                "query": search.query, "shown": search.shown, "clicked": search.clicked,
            })
        });
        write(&folder.join("data/search-log.jsonl"), &lines(rows))?;
        // The others are empty until the curator has written.
        for collection in ["first", "described"] {
            std::fs::create_dir_all(folder.join("data").join(collection))?;
        }
        for playlist in &self.playlists {
            document(folder, "titles", playlist, &playlist.metadata())?;
        }
        Ok(())
    }
}

/// Writes a playlist as a document of a collection: what is searched is `text`, what a listener sees goes along.
pub(crate) fn document(folder: &Path, collection: &str, playlist: &Playlist, text: &str) -> Result<()> {
    let mut document = String::from("---\n");
    for (name, value) in
        [("id", playlist.id.as_str()), ("name", &playlist.title), ("tracks", &playlist.for_listeners())]
    {
        // JSON's texts are YAML's.
        writeln!(document, "{name}: {}", Value::from(value))?;
    }
    write!(document, "---\n{}\n", text.trim())?;
    write(&folder.join("data").join(collection).join(format!("{}.md", playlist.id)), &document)
}

/// JSON Lines.
pub(crate) fn lines(rows: impl Iterator<Item = Value>) -> String {
    let mut text = String::new();
    for row in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{row}");
    }
    text
}
