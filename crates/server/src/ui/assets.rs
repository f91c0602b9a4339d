//! The files the pages load: ours, in the binary, under names that change with their content.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

/// A file that pages load.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its MIME type.
    pub content_type: &'static str,
    /// Its content.
    pub body: &'static str,
    /// Its entity tag, quoted, and the `v` of its address without the quotes.
    pub etag: &'static str,
}

struct File {
    name: &'static str,
    content_type: &'static str,
    body: String,
    etag: String,
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

/// Modules stand after the ones they import.
const FILES: [(&str, &str, &str); 24] = [
    ("tokens.css", CSS, include_str!("../../assets/tokens.css")),
    ("app.css", CSS, include_str!("../../assets/app.css")),
    ("mark.svg", SVG, include_str!("../../assets/mark.svg")),
    ("shell.js", JS, include_str!("../../assets/shell.js")),
    ("answer.js", JS, include_str!("../../assets/answer.js")),
    ("chat.js", JS, include_str!("../../assets/chat.js")),
    ("ask.js", JS, include_str!("../../assets/ask.js")),
    ("list.js", JS, include_str!("../../assets/list.js")),
    ("list-page.js", JS, include_str!("../../assets/list-page.js")),
    ("traces.js", JS, include_str!("../../assets/traces.js")),
    ("filter.js", JS, include_str!("../../assets/filter.js")),
    ("trace.js", JS, include_str!("../../assets/trace.js")),
    ("chart.js", JS, include_str!("../../assets/chart.js")),
    ("chunks.js", JS, include_str!("../../assets/chunks.js")),
    ("knowledge.js", JS, include_str!("../../assets/knowledge.js")),
    ("prompt.js", JS, include_str!("../../assets/prompt.js")),
    ("play-variables.js", JS, include_str!("../../assets/play-variables.js")),
    ("play-call.js", JS, include_str!("../../assets/play-call.js")),
    ("playground.js", JS, include_str!("../../assets/playground.js")),
    ("settings.js", JS, include_str!("../../assets/settings.js")),
    ("models.js", JS, include_str!("../../assets/models.js")),
    ("evals.js", JS, include_str!("../../assets/evals.js")),
    ("annotation.js", JS, include_str!("../../assets/annotation.js")),
    ("keys.js", JS, include_str!("../../assets/keys.js")),
];

static TABLE: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut files: Vec<File> = Vec::with_capacity(FILES.len());
    for (name, content_type, source) in FILES {
        // An import names the version too: else a module would be loaded twice, or stale from a cache.
        let body =
            files.iter().filter(|file| file.content_type == JS).fold(source.to_owned(), |body, file| {
                body.replace(
                    &format!("\"./{}\"", file.name),
                    &format!("\"./{}?v={}\"", file.name, file.etag.trim_matches('"')),
                )
            });
        let mut hasher = DefaultHasher::new();
        body.hash(&mut hasher);
        let etag = format!("\"{:016x}\"", hasher.finish());
        files.push(File { name, content_type, body, etag });
    }
    files
});

/// The file of this name, as `GET assets/{name}` serves it. Where the request's `v` is the tag, it may be
/// cached for ever.
pub fn asset(name: &str) -> Option<Asset> {
    TABLE.iter().find(|file| file.name == name).map(|file| Asset {
        content_type: file.content_type,
        body: &file.body,
        etag: &file.etag,
    })
}

/// The address of a file, from a page whose prefix is `root`.
pub(super) fn href(root: &str, name: &str) -> String {
    let version = asset(name).map_or("", |asset| asset.etag.trim_matches('"'));
    format!("{root}assets/{name}?v={version}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_load_nothing_foreign_and_every_import_names_its_version() {
        for file in TABLE.iter() {
            for line in file.body.lines().filter(|line| line.starts_with("import ")) {
                assert!(line.contains(".js?v="), "{}: {line}", file.name);
            }
            for foreign in ["url(http", "@import", "from \"http"] {
                assert!(!file.body.contains(foreign), "{} holds {foreign}", file.name);
            }
            if file.content_type == JS {
                for sink in
                    [".outerHTML", "insertAdjacentHTML", "document.write", "eval(", "setAttribute(\"style\""]
                {
                    assert!(!file.body.contains(sink), "{} holds {sink}", file.name);
                }
            }
        }
        for name in ["answer.js", "chat.js", "ask.js", "models.js", "play-call.js", "playground.js"] {
            let body = asset(name).unwrap().body;
            assert!(!body.contains("innerHTML"), "{name}: a model's text must never be parsed as HTML");
        }
        assert!(asset("../lib.rs").is_none());
    }
}
