//! Formats: what a file is, by its name and its first bytes.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Text without marks.
    Plain,
    /// Markdown.
    Markdown,
    /// Source code.
    Code(Language),
    /// Values separated by commas, semicolons or the like.
    Csv,
    /// Values separated by tabs.
    Tsv,
    /// One JSON value.
    Json,
    /// A JSON value a line.
    JsonLines,
    /// HTML or XHTML.
    Html,
    /// PDF.
    Pdf,
    /// Word.
    Docx,
    /// PowerPoint.
    Pptx,
    /// Excel.
    Xlsx,
    /// Excel up to 2003.
    Xls,
    /// OpenDocument's spreadsheet.
    Ods,
}

/// A language of source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Rust,
    Python,
    JavaScript,
    TypeScript,
    Go,
    Java,
    Kotlin,
    Scala,
    C,
    Cpp,
    CSharp,
    Swift,
    Ruby,
    Php,
    Perl,
    Lua,
    Shell,
    PowerShell,
    Sql,
    R,
    Julia,
    Haskell,
    Elixir,
    Erlang,
    Clojure,
    OCaml,
    Dart,
    Zig,
    Css,
    Toml,
    Yaml,
    Ini,
    Xml,
    Protobuf,
    Makefile,
    Dockerfile,
}

use Language as L;

/// Languages, the names that fenced code and people use for them, and their extensions, the first the usual one.
const LANGUAGES: [(Language, &str, &[&str]); 36] = [
    (L::Rust, "rust", &["rs"]),
    (L::Python, "python", &["py", "pyi", "pyw"]),
    (L::JavaScript, "javascript", &["js", "mjs", "cjs", "jsx"]),
    (L::TypeScript, "typescript", &["ts", "mts", "cts", "tsx"]),
    (L::Go, "go", &["go"]),
    (L::Java, "java", &["java"]),
    (L::Kotlin, "kotlin", &["kt", "kts"]),
    (L::Scala, "scala", &["scala", "sc"]),
    (L::C, "c", &["c", "h"]),
    (L::Cpp, "cpp", &["cpp", "cc", "cxx", "hpp", "hh", "hxx"]),
    (L::CSharp, "csharp", &["cs"]),
    (L::Swift, "swift", &["swift"]),
    (L::Ruby, "ruby", &["rb"]),
    (L::Php, "php", &["php"]),
    (L::Perl, "perl", &["pl", "pm"]),
    (L::Lua, "lua", &["lua"]),
    (L::Shell, "shell", &["sh", "bash", "zsh", "fish"]),
    (L::PowerShell, "powershell", &["ps1", "psm1"]),
    (L::Sql, "sql", &["sql"]),
    (L::R, "r", &["r"]),
    (L::Julia, "julia", &["jl"]),
    (L::Haskell, "haskell", &["hs"]),
    (L::Elixir, "elixir", &["ex", "exs"]),
    (L::Erlang, "erlang", &["erl", "hrl"]),
    (L::Clojure, "clojure", &["clj", "cljs", "cljc"]),
    (L::OCaml, "ocaml", &["ml", "mli"]),
    (L::Dart, "dart", &["dart"]),
    (L::Zig, "zig", &["zig"]),
    (L::Css, "css", &["css", "scss", "sass", "less"]),
    (L::Toml, "toml", &["toml"]),
    (L::Yaml, "yaml", &["yaml", "yml"]),
    (L::Ini, "ini", &["ini", "cfg", "conf", "properties"]),
    (L::Xml, "xml", &["xml", "xsd", "xsl", "svg"]),
    (L::Protobuf, "protobuf", &["proto"]),
    (L::Makefile, "makefile", &["mk", "mak"]),
    (L::Dockerfile, "dockerfile", &["dockerfile"]),
];

/// Formats other than code, their names and extensions.
const FORMATS: [(Format, &str, &[&str]); 13] = [
    (Format::Plain, "plain text", &["txt", "text", "rst", "adoc", "org", "log", "tex"]),
    (Format::Markdown, "Markdown", &["md", "markdown", "mdx", "mkd"]),
    (Format::Csv, "CSV", &["csv"]),
    (Format::Tsv, "TSV", &["tsv", "tab"]),
    (Format::Json, "JSON", &["json"]),
    (Format::JsonLines, "JSON lines", &["jsonl", "ndjson"]),
    (Format::Html, "HTML", &["html", "htm", "xhtml"]),
    (Format::Pdf, "PDF", &["pdf"]),
    (Format::Docx, "DOCX", &["docx", "docm", "dotx"]),
    (Format::Pptx, "PPTX", &["pptx", "pptm", "ppsx"]),
    (Format::Xlsx, "XLSX", &["xlsx", "xlsm", "xltx"]),
    (Format::Xls, "XLS", &["xls"]),
    (Format::Ods, "ODS", &["ods"]),
];

/// Files that are text by custom, without an extension.
const CUSTOMARY: [&str; 13] = [
    "README",
    "LICENSE",
    "LICENCE",
    "COPYING",
    "NOTICE",
    "AUTHORS",
    "CONTRIBUTORS",
    "CONTRIBUTING",
    "CHANGELOG",
    "CHANGES",
    "NEWS",
    "HISTORY",
    "INSTALL",
];

/// The magic of OLE compound files: Office up to 2003, and encrypted Office documents of any year.
pub(crate) const COMPOUND: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1];
const ZIP: &[u8] = b"PK\x03\x04";

impl Format {
    /// What a file with this name (a path will do) and this beginning (a kilobyte is plenty; empty when it is not
    /// known) is; `None` where it is nothing that is taken. What the bytes say counts more than the name.
    pub fn of(name: &str, head: &[u8]) -> Option<Self> {
        let named = Self::named(name);
        if head.is_empty() {
            return named;
        }
        let start = head.get(..head.len().min(1024)).unwrap_or(head);
        if start.windows(5).any(|five| five == b"%PDF-") && !named.is_some_and(Self::is_plain) {
            return Some(Self::Pdf);
        }
        if start.starts_with(b"%PDF-") {
            return Some(Self::Pdf);
        }
        if start.starts_with(ZIP) {
            return match named {
                Some(Self::Docx | Self::Pptx | Self::Xlsx | Self::Ods) => named,
                // Office by another name; which of them, its content says.
                Some(_) => within_zip(head),
                None => None,
            };
        }
        if start.starts_with(COMPOUND) {
            return match named {
                Some(Self::Docx | Self::Pptx | Self::Xlsx | Self::Ods | Self::Xls) => named,
                _ => None,
            };
        }
        if matches!(named, Some(Self::Docx | Self::Pptx | Self::Xlsx | Self::Xls | Self::Ods))
            && is_html(start)
        {
            return Some(Self::Html);
        }
        named
    }

    /// What a file with this name is, by its name alone.
    fn named(name: &str) -> Option<Self> {
        let path = Path::new(name);
        let file = path.file_name()?.to_str()?;
        let Some(extension) = path.extension().and_then(|extension| extension.to_str()) else {
            return match file {
                "Makefile" | "makefile" | "GNUmakefile" => Some(Self::Code(Language::Makefile)),
                "Dockerfile" | "Containerfile" => Some(Self::Code(Language::Dockerfile)),
                _ => CUSTOMARY.contains(&file).then_some(Self::Plain),
            };
        };
        let extension = extension.to_ascii_lowercase();
        let has = |extensions: &[&str]| extensions.contains(&extension.as_str());
        if let Some((format, ..)) = FORMATS.iter().find(|(_, _, extensions)| has(extensions)) {
            return Some(*format);
        }
        let (language, ..) = LANGUAGES.iter().find(|(_, _, extensions)| has(extensions))?;
        Some(Self::Code(*language))
    }

    /// Whether it is text that is taken as it stands, without a parser that could be harmed.
    pub fn is_plain(self) -> bool {
        matches!(self, Self::Plain | Self::Markdown | Self::Code(_))
    }

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        if let Self::Code(language) = self {
            return language.name();
        }
        FORMATS.iter().find(|(format, ..)| *format == self).map_or("text", |(_, name, _)| *name)
    }
}

impl Language {
    /// The language with this name, as [`Self::name`] has it.
    pub fn named(name: &str) -> Option<Self> {
        LANGUAGES.iter().find(|(_, known, _)| *known == name).map(|(language, ..)| *language)
    }

    /// Its name, as fenced code has it.
    pub fn name(self) -> &'static str {
        LANGUAGES.iter().find(|(language, ..)| *language == self).map_or("text", |(_, name, _)| *name)
    }
}

/// Which Office document begins like this, by the names of its first parts.
fn within_zip(head: &[u8]) -> Option<Format> {
    let has = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    match () {
        () if has(b"word/") => Some(Format::Docx),
        () if has(b"ppt/") => Some(Format::Pptx),
        () if has(b"xl/") => Some(Format::Xlsx),
        () if has(b"opendocument.spreadsheet") => Some(Format::Ods),
        () => None,
    }
}

/// Whether this is a page saved under an Office name, as many programs "export to Excel".
fn is_html(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    text.starts_with("<!doctype html") || text.starts_with("<html") || text.starts_with("<table")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_first_bytes_say_what_a_file_is() {
        let check = |name: &str, head: &[u8], expect: Option<Format>| {
            assert_eq!(Format::of(name, head), expect, "{name}");
        };
        check("a/b/Report.PDF", b"", Some(Format::Pdf));
        check("report.docx", b"%PDF-1.7\n", Some(Format::Pdf));
        check("report.pdf", b"PK\x03\x04\x14\0word/document.xml", Some(Format::Docx));
        check("report.docx", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", Some(Format::Docx));
        check("about-pdf.md", b"A PDF begins with %PDF-1.7.", Some(Format::Markdown));
        check("export.xls", b"\xEF\xBB\xBF<html><table>", Some(Format::Html));
        check("main.rs", b"fn main() {}", Some(Format::Code(Language::Rust)));
        check("src/Makefile", b"", Some(Format::Code(Language::Makefile)));
        check("README", b"", Some(Format::Plain));
        check("archive.zip", b"PK\x03\x04", None);
        check("letter.doc", b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", None);
        check("picture.png", b"", None);
        check("noextension", b"", None);
        check("문서.hwp", b"", None);
    }

    #[test]
    fn every_language_has_a_name() {
        for (language, name, _) in LANGUAGES {
            assert_eq!(language.name(), name);
            assert_eq!(Format::Code(language).name(), name);
            assert_eq!(Language::named(name), Some(language));
        }
    }
}
