//! What documents say of themselves: title, author, dates.

use crate::Unfit;
use crate::markdown::one_line;
use crate::package::{Package, Relations};
use crate::xml::{Events, Node};
use hanok_base::Object;
use serde_json::Value;

/// A document's title and metadata.
#[derive(Debug, Default)]
pub(crate) struct Properties {
    pub(crate) title: Option<String>,
    pub(crate) metadata: Object,
}

impl Properties {
    /// Notes that the document says `value` of `name`; the first word counts.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let value = one_line(value);
        // Programs leave these behind.
        let bare = value.trim_matches(['(', ')']).to_lowercase();
        if value.len() > 1000
            || matches!(bare.as_str(), "" | "untitled" | "제목 없음" | "anonymous" | "unspecified")
        {
            return;
        }
        if name == "title" {
            self.title.get_or_insert(value);
        } else if !self.metadata.contains_key(name) {
            self.metadata.insert(name.to_owned(), Value::String(value));
        }
    }
}

/// The properties of an Office document.
pub(crate) fn of_package(package: &mut Package<'_>) -> Result<Properties, Unfit> {
    let root: Relations = package.relations("")?;
    let part = root.first("core-properties").unwrap_or("docProps/core.xml").to_owned();
    match package.find(&part)? {
        Some(xml) => read(&xml, package.format()),
        None => Ok(Properties::default()),
    }
}

/// The properties in XML: Dublin Core's names, with those that Office and OpenDocument have beside.
pub(crate) fn read(xml: &str, format: &'static str) -> Result<Properties, Unfit> {
    let mut properties = Properties::default();
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        let Node::Open(tag) = node else { continue };
        let name = match tag.name() {
            "title" => "title",
            "creator" | "initial-creator" => "author",
            "created" | "creation-date" => "created",
            "modified" | "date" => "modified",
            "subject" => "subject",
            "keywords" | "keyword" => "keywords",
            "language" => "language",
            _ => continue,
        };
        let value = events.text()?;
        properties.set(name, &value);
    }
    Ok(properties)
}
