//! A page as a tree, its elements closed where the standard has them closed, and never deeper than a writer may
//! recurse.

use super::token::{Token, Tokens, attributes};

/// Elements within elements at most; what is nested deeper hangs on the last one.
const DEEPEST: usize = 256;
/// Elements of a page at most; what comes behind is left out.
const MOST: usize = 2_000_000;

/// A node's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(u32);

impl Id {
    pub(super) const ROOT: Self = Self(0);
}

/// An element or a text.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// The element's name; empty for text.
    name: String,
    text: String,
    attributes: Vec<(String, String)>,
    children: Vec<Id>,
}

impl Node {
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The text, when it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        self.name.is_empty().then_some(self.text.as_str())
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(this, _)| this == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn children(&self) -> &[Id] {
        &self.children
    }
}

/// A page.
#[derive(Debug)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    none: Node,
}

/// Attributes that are looked at.
const KEPT: [&str; 15] = [
    "class",
    "id",
    "role",
    "hidden",
    "style",
    "aria-hidden",
    "lang",
    "xml:lang",
    "name",
    "property",
    "content",
    "colspan",
    "start",
    "aria-label",
    "open",
];
const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];
/// Elements before which a paragraph ends.
const BLOCKS: [&str; 34] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "center",
    "details",
    "dialog",
    "dir",
    "div",
    "dl",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hgroup",
    "hr",
    "main",
    "menu",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "ul",
];

impl Tree {
    pub(super) fn new(html: &str) -> Self {
        let root = Node { name: "#root".to_owned(), ..Node::default() };
        let mut builder =
            Builder { tree: Self { nodes: vec![root], none: Node::default() }, open: vec![Id::ROOT] };
        for token in Tokens::new(html) {
            match token {
                Token::Open { name, attributes, is_closed } => builder.open(&name, attributes, is_closed),
                Token::Close(name) => builder.close(&name),
                Token::Text(text) => builder.text(&text),
            }
            if builder.tree.nodes.len() > MOST {
                break;
            }
        }
        builder.tree
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        self.nodes.get(id.0 as usize).unwrap_or(&self.none)
    }

    /// All nodes in order.
    pub(super) fn all(&self) -> impl Iterator<Item = Id> + use<> {
        (0..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).map(Id)
    }

    /// All text below a node.
    pub(super) fn text(&self, id: Id) -> String {
        let mut text = String::new();
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            let node = self.node(id);
            text.push_str(node.as_text().unwrap_or_default());
            left.extend(node.children.iter().rev());
        }
        text
    }
}

struct Builder {
    tree: Tree,
    /// Elements that are open, the outermost first.
    open: Vec<Id>,
}

impl Builder {
    fn add(&mut self, node: Node) -> Id {
        let id = Id(u32::try_from(self.tree.nodes.len()).unwrap_or(u32::MAX));
        self.tree.nodes.push(node);
        let parent = self.open.last().copied().unwrap_or(Id::ROOT);
        if let Some(parent) = self.tree.nodes.get_mut(parent.0 as usize) {
            parent.children.push(id);
        }
        id
    }

    fn text(&mut self, text: &str) {
        // Text in pieces is one.
        let parent = self.open.last().copied().unwrap_or(Id::ROOT);
        let last = self.tree.node(parent).children.last().copied();
        if let Some(last) = last
            && let Some(node) = self.tree.nodes.get_mut(last.0 as usize)
            && node.name.is_empty()
        {
            return node.text.push_str(text);
        }
        self.add(Node { text: text.to_owned(), ..Node::default() });
    }

    fn open(&mut self, name: &str, given: &str, is_closed: bool) {
        match name {
            "li" => self.end(&["li"], &["ul", "ol", "menu", "dir"]),
            "dt" | "dd" => self.end(&["dt", "dd"], &["dl"]),
            "tr" => self.end(&["tr", "td", "th"], &["table"]),
            "td" | "th" => self.end(&["td", "th"], &["tr", "table"]),
            "thead" | "tbody" | "tfoot" => {
                self.end(&["thead", "tbody", "tfoot", "tr", "td", "th", "caption"], &["table"])
            }
            "option" => self.end(&["option"], &["select"]),
            "rt" | "rp" => self.end(&["rt", "rp"], &["ruby"]),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.end(&["h1", "h2", "h3", "h4", "h5", "h6"], &["div"])
            }
            "body" => self.end(&["head", "title"], &[]),
            _ => {}
        }
        if BLOCKS.contains(&name) {
            self.end(&["p"], &["td", "th", "button", "table", "li", "div"]);
        }
        let mut kept = attributes(given);
        kept.retain(|(name, _)| KEPT.contains(&name.as_str()));
        let id = self.add(Node { name: name.to_owned(), attributes: kept, ..Node::default() });
        let is_foreign =
            matches!(name, "path" | "circle" | "rect" | "line" | "use" | "polygon" | "g" | "svg");
        if !VOID.contains(&name) && !(is_closed && is_foreign) && self.open.len() < DEEPEST {
            self.open.push(id);
        }
    }

    fn close(&mut self, name: &str) {
        if name == "p" && !self.open.iter().any(|id| self.tree.node(*id).name == "p") {
            // A paragraph that was never opened is an empty one: a break.
            self.add(Node { name: "p".to_owned(), ..Node::default() });
            return;
        }
        // What belongs to a cell does not close what is around its table.
        let barrier: &[&str] =
            if matches!(name, "table" | "body" | "html") { &[] } else { &["table", "td", "th"] };
        let barrier = if matches!(name, "td" | "th" | "tr" | "tbody" | "thead" | "tfoot" | "caption") {
            &["table"]
        } else {
            barrier
        };
        self.end(&[name], barrier);
    }

    /// Closes the innermost open element of these names and all within, unless one of `barrier` is met before.
    fn end(&mut self, names: &[&str], barrier: &[&str]) {
        let mut last = None;
        for (at, id) in self.open.iter().enumerate().skip(1).rev() {
            let name = self.tree.node(*id).name.as_str();
            if names.contains(&name) {
                last = Some(at);
                // A cell closes with its row, a row with its group.
                if names.len() == 1 || !matches!(name, "td" | "th" | "tr") {
                    break;
                }
            } else if barrier.contains(&name) {
                break;
            }
        }
        if let Some(at) = last {
            self.open.truncate(at);
        }
    }
}
