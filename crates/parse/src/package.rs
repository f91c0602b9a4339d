//! Office documents as packages: parts in a zip, bound together by relationships.

use crate::format::COMPOUND;
use crate::limits::size;
use crate::xml::{Events, Node};
use crate::{Format, Limits, Parsed, Unfit, docx, pptx, sheets};
use std::collections::HashMap;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// Parts of the largest package taken.
const MOST_PARTS: usize = 20_000;

/// A package, its parts unpacked as they are asked for and never more than the limit together.
pub(crate) struct Package<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    format: &'static str,
    left: u64,
    limit: u64,
}

/// How parts of a package refer to each other: id to (kind, part), the kind the last segment of its URI.
#[derive(Debug, Default)]
pub(crate) struct Relations(HashMap<String, (String, String)>);

/// The Office document in `bytes`; what it is, its content says rather than its name.
pub(crate) fn parse(format: Format, bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    if bytes.starts_with(COMPOUND) {
        // Office wraps encrypted packages into a compound file; the other compound files are Office up to 2003.
        return match holds_encrypted_package(bytes) {
            true => Err(Unfit::Encrypted),
            false => Err(Unfit::invalid(format.name(), "it is a file of Office up to 2003")),
        };
    }
    let mut package = Package::open(bytes, format.name(), limits)?;
    let has = |package: &Package<'_>, name: &str| package.zip.index_for_name(name).is_some();
    if has(&package, "mimetype") || has(&package, "content.xml") {
        return sheets::parse_ods(&mut package, limits);
    }
    let root = package.relations("")?;
    let main = root.first("officeDocument").map(str::to_owned);
    let main = main.or_else(|| {
        ["word/document.xml", "ppt/presentation.xml", "xl/workbook.xml"]
            .into_iter()
            .find(|name| has(&package, name))
            .map(str::to_owned)
    });
    let Some(main) = main else {
        return Err(Unfit::invalid(format.name(), "it has no document in it"));
    };
    match main.split('/').next() {
        Some("ppt") => pptx::parse(&mut package, &main, limits),
        Some("xl") => sheets::parse_xlsx(&mut package, &main, limits),
        Some("word") => docx::parse(&mut package, &main, limits),
        _ => match format {
            Format::Pptx => pptx::parse(&mut package, &main, limits),
            Format::Xlsx => sheets::parse_xlsx(&mut package, &main, limits),
            _ => docx::parse(&mut package, &main, limits),
        },
    }
}

/// Whether a compound file holds the stream that encrypted Office documents have; names there are UTF-16.
fn holds_encrypted_package(bytes: &[u8]) -> bool {
    let name: Vec<u8> = "EncryptedPackage".encode_utf16().flat_map(u16::to_le_bytes).collect();
    bytes.windows(name.len()).any(|window| window == name)
}

impl<'a> Package<'a> {
    fn open(bytes: &'a [u8], format: &'static str, limits: &Limits) -> Result<Self, Unfit> {
        let zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| Unfit::invalid(format, error))?;
        if zip.len() > MOST_PARTS {
            return Err(Unfit::invalid(format, format_args!("it has {} parts", zip.len())));
        }
        Ok(Self { zip, format, left: limits.unpacked_bytes, limit: limits.unpacked_bytes })
    }

    /// The format's name.
    pub(crate) fn format(&self) -> &'static str {
        self.format
    }

    /// A part that may be missing, as text.
    pub(crate) fn find(&mut self, name: &str) -> Result<Option<String>, Unfit> {
        let format = self.format;
        let part = match self.zip.by_name(name.trim_start_matches('/')) {
            Ok(part) => part,
            Err(ZipError::FileNotFound) => return Ok(None),
            Err(ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED)) => return Err(Unfit::Encrypted),
            Err(error) => return Err(Unfit::invalid(format, format_args!("{name}: {error}"))),
        };
        // The sizes that a zip states need not be true; what comes out is counted.
        let mut bytes = Vec::new();
        let read = part.take(self.left + 1).read_to_end(&mut bytes);
        read.map_err(|error| Unfit::invalid(format, format_args!("{name}: {error}")))?;
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            return Err(Unfit::TooLarge { what: "what is packed in it".to_owned(), limit: size(self.limit) });
        };
        self.left = left;
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => match encoding_rs::Encoding::for_bom(error.as_bytes()) {
                Some((encoding, _)) => encoding.decode(error.as_bytes()).0.into_owned(),
                None => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            },
        };
        Ok(Some(text))
    }

    /// A part that must be there.
    pub(crate) fn part(&mut self, name: &str) -> Result<String, Unfit> {
        let part = self.find(name)?;
        part.ok_or_else(|| Unfit::invalid(self.format, format_args!("its part {name} is missing")))
    }

    /// The relations of a part; of the package itself when `part` is empty.
    pub(crate) fn relations(&mut self, part: &str) -> Result<Relations, Unfit> {
        let (folder, file) = part.rsplit_once('/').unwrap_or(("", part));
        let slash = if folder.is_empty() { "" } else { "/" };
        let mut relations = Relations::default();
        let Some(xml) = self.find(&format!("{folder}{slash}_rels/{file}.rels"))? else {
            return Ok(relations);
        };
        let mut events = Events::new(&xml, self.format);
        while let Some(node) = events.next()? {
            let Node::Open(tag) = node else { continue };
            if tag.name() != "Relationship" || tag.get("TargetMode").as_deref() == Some("External") {
                continue;
            }
            let (Some(id), Some(kind), Some(target)) = (tag.get("Id"), tag.get("Type"), tag.get("Target"))
            else {
                continue;
            };
            let kind = kind.rsplit('/').next().unwrap_or_default().to_owned();
            relations.0.insert(id.into_owned(), (kind, resolve(folder, &target)));
        }
        Ok(relations)
    }
}

impl Relations {
    /// The part with this id.
    pub(crate) fn get(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(|(_, part)| part.as_str())
    }

    /// A part of this kind.
    pub(crate) fn first(&self, kind: &str) -> Option<&str> {
        self.0.values().find(|(this, _)| this == kind).map(|(_, part)| part.as_str())
    }
}

/// A target as its part's folder sees it, as a name in the package.
fn resolve(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_owned();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                path.pop();
            }
            segment => path.push(segment),
        }
    }
    path.join("/")
}
