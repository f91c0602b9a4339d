//! XML as a stream of nodes: no entity is expanded but the five of XML, nothing is fetched, nothing recurses.

use crate::Unfit;
use quick_xml::Reader;
use quick_xml::escape::{resolve_xml_entity, unescape};
use quick_xml::events::attributes::Attribute;
use quick_xml::events::{BytesStart, Event};
use std::borrow::Cow;

/// Elements within elements at most: what nests deeper was not written by an office program.
const DEEPEST: usize = 1_000;

/// One thing in a document.
pub(crate) enum Node<'a> {
    /// An element begins.
    Open(Tag<'a>),
    /// An element ends; its local name.
    Close(Tag<'a>),
    /// Text between.
    Text(Cow<'a, str>),
}

/// An element's name and attributes.
pub(crate) struct Tag<'a>(BytesStart<'a>);

impl Tag<'_> {
    /// The name without its prefix.
    pub(crate) fn name(&self) -> &str {
        local(self.0.name().0)
    }

    /// The prefix of its name, as the document chose it.
    pub(crate) fn prefix(&self) -> &str {
        self.0.name().0.split_once(':').map_or("", |(prefix, _)| prefix)
    }

    /// The value of the attribute with this name, whatever its prefix.
    pub(crate) fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let attribute = self.find(|key| local(key) == name)?;
        Some(match unescape(&attribute.value) {
            Ok(Cow::Owned(value)) => Cow::Owned(value),
            // As it stands; references that mean nothing stay.
            Ok(Cow::Borrowed(_)) | Err(_) => attribute.value,
        })
    }

    /// The id of the relation that the element names: the attribute `id` that has a prefix.
    pub(crate) fn relation(&self) -> Option<Cow<'_, str>> {
        self.find(|key| key.ends_with(":id")).map(|attribute| attribute.value)
    }

    fn find(&self, is: impl Fn(&str) -> bool) -> Option<Attribute<'_>> {
        let mut attributes = self.0.attributes();
        attributes.with_checks(false).flatten().find(|attribute| is(attribute.key.0))
    }

    /// A number that an attribute holds.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.get(name)?.trim().parse().ok()
    }

    /// A switch: on when it is there, unless its value says no.
    pub(crate) fn is_on(&self) -> bool {
        !matches!(self.get("val").as_deref(), Some("0" | "false" | "off" | "none"))
    }
}

fn local(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// Reads the nodes of a document in order.
pub(crate) struct Events<'a> {
    reader: Reader<&'a [u8]>,
    format: &'static str,
    /// The end of an element that was written as one tag.
    closing: Option<BytesStart<'a>>,
    depth: usize,
}

impl<'a> Events<'a> {
    /// The nodes of `xml`, a part of a `format`.
    pub(crate) fn new(xml: &'a str, format: &'static str) -> Self {
        let mut reader = Reader::from_str(xml.trim_start_matches('\u{feff}'));
        let config = reader.config_mut();
        config.check_end_names = false;
        config.allow_unmatched_ends = true;
        config.allow_dangling_amp = true;
        Self { reader, format, closing: None, depth: 0 }
    }

    /// The next node; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Node<'a>>, Unfit> {
        if let Some(tag) = self.closing.take() {
            return Ok(Some(Node::Close(Tag(tag))));
        }
        loop {
            let event = self.reader.read_event().map_err(|error| Unfit::invalid(self.format, error))?;
            return Ok(Some(match event {
                Event::Start(tag) => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(Unfit::invalid(self.format, "its elements are nested too deep"));
                    }
                    Node::Open(Tag(tag))
                }
                Event::Empty(tag) => {
                    self.closing = Some(tag.clone());
                    Node::Open(Tag(tag))
                }
                Event::End(tag) => {
                    self.depth = self.depth.saturating_sub(1);
                    let name = tag.name().0.to_owned();
                    Node::Close(Tag(BytesStart::new(name)))
                }
                Event::Text(text) => Node::Text(text.into_inner()),
                Event::CData(text) => Node::Text(text.into_inner()),
                Event::GeneralRef(reference) => {
                    let text = match reference.resolve_char_ref() {
                        Ok(Some(c)) => Cow::Owned(c.to_string()),
                        _ => match resolve_xml_entity(&reference) {
                            Some(text) => Cow::Borrowed(text),
                            // An entity of the document's own: what it stands for is not looked at.
                            None => continue,
                        },
                    };
                    Node::Text(text)
                }
                Event::Eof => return Ok(None),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => continue,
            }));
        }
    }

    /// Passes over all that is in the element that has just begun, its end included.
    pub(crate) fn skip(&mut self) -> Result<(), Unfit> {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.next()? {
                Some(Node::Open(_)) => depth += 1,
                Some(Node::Close(_)) => depth -= 1,
                Some(Node::Text(_)) => {}
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// The text in the element that has just begun, whatever elements it is in; its end is passed.
    pub(crate) fn text(&mut self) -> Result<String, Unfit> {
        let (mut text, mut depth) = (String::new(), 1_usize);
        while depth > 0 {
            match self.next()? {
                Some(Node::Open(_)) => depth += 1,
                Some(Node::Close(_)) => depth -= 1,
                Some(Node::Text(part)) => text.push_str(&part),
                None => break,
            }
        }
        Ok(text)
    }
}
