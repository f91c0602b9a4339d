//! What of a page is its content: not its navigation, its banners and what else stands on every page of a site.

use super::ROOT;
use super::tree::{Id, Node, Tree};

/// Less than this share of a page's text is not its main content, whatever it says of itself.
const LEAST_SHARE: f64 = 0.25;
/// Words in an element's class or id that say that it is no content.
const FURNITURE: [&str; 24] = [
    "nav",
    "navbar",
    "navigation",
    "menu",
    "sidebar",
    "footer",
    "breadcrumb",
    "breadcrumbs",
    "cookie",
    "cookies",
    "consent",
    "advert",
    "advertisement",
    "ads",
    "banner",
    "share",
    "sharing",
    "social",
    "related",
    "pagination",
    "pager",
    "skip",
    "newsletter",
    "toolbar",
];

/// The roots of the page's content, in order, and what of them to leave out.
pub(super) struct Content {
    pub(super) roots: Vec<Id>,
    /// Whether names of classes count: they do where the page does not say what is main.
    pub(super) is_guessed: bool,
}

/// Finds the content: what is said to be main, one article, or all that is not furniture.
pub(super) fn find(tree: &Tree) -> Content {
    let is_main = |node: &Node| node.name() == "main" || node.get("role") == Some("main");
    let whole = visible_length(tree, ROOT, true);
    let enough = |ids: &[Id]| {
        let length: usize = ids.iter().map(|id| visible_length(tree, *id, false)).sum();
        #[expect(clippy::cast_precision_loss, reason = "lengths of texts")]
        let share = length as f64 / whole.max(1) as f64;
        length > 0 && share >= LEAST_SHARE
    };
    let outermost = |is: &dyn Fn(&Node) -> bool| {
        let mut found = Vec::new();
        let mut left = vec![ROOT];
        while let Some(id) = left.pop() {
            let node = tree.node(id);
            if is(node) && !is_unseen(node) {
                found.push(id);
            } else {
                left.extend(node.children().iter().rev());
            }
        }
        found
    };
    let mains = outermost(&is_main);
    if enough(&mains) {
        return Content { roots: mains, is_guessed: false };
    }
    let articles = outermost(&|node| node.name() == "article" || node.get("role") == Some("article"));
    // Several articles are a list of them, and the page is about the list.
    if articles.len() == 1 && enough(&articles) {
        return Content { roots: articles, is_guessed: false };
    }
    Content { roots: vec![ROOT], is_guessed: true }
}

/// Whether nobody sees it, or it is no text.
pub(super) fn is_unseen(node: &Node) -> bool {
    const NEVER: [&str; 24] = [
        "head", "script", "style", "template", "noscript", "iframe", "object", "embed", "canvas", "audio",
        "video", "svg", "select", "input", "textarea", "button", "datalist", "map", "noframes", "noembed",
        "rt", "rp", "title", "dialog",
    ];
    if NEVER.contains(&node.name()) {
        return true;
    }
    let style = node.get("style").unwrap_or_default();
    let is_styled_away = !style.is_empty() && {
        let style: String =
            style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_lowercase();
        style.contains("display:none") || style.contains("visibility:hidden")
    };
    node.get("hidden").is_some_and(|hidden| hidden != "until-found") || is_styled_away
}

/// Whether it is furniture. `is_guessed` is whether names of classes count.
pub(super) fn is_furniture(tree: &Tree, id: Id, is_guessed: bool) -> bool {
    let node = tree.node(id);
    match node.get("role") {
        Some(
            "navigation" | "banner" | "contentinfo" | "search" | "menu" | "menubar" | "toolbar" | "tablist"
            | "doc-backlink",
        ) => {
            return true;
        }
        _ => {}
    }
    match node.name() {
        "nav" => return true,
        "aside" | "footer" | "header" => return is_guessed && !has_heading_text(tree, id),
        "div" | "section" | "ul" | "ol" | "p" | "span" | "form" | "table" => {}
        _ => return false,
    }
    let names = [node.get("class"), node.get("id")].into_iter().flatten();
    let words = |name: &str| {
        name.to_ascii_lowercase()
            .split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| FURNITURE.contains(&word))
    };
    if !names.into_iter().any(words) {
        return false;
    }
    // A name alone may lie: what is called a menu and holds prose is prose.
    let (all, linked) = lengths(tree, id);
    all < 200 || linked * 2 > all
}

/// A header of an article holds its title, and is no furniture; that of a site holds links.
fn has_heading_text(tree: &Tree, id: Id) -> bool {
    let node = tree.node(id);
    if node.name() != "header" {
        return false;
    }
    let (all, linked) = lengths(tree, id);
    let mut left = vec![id];
    while let Some(id) = left.pop() {
        let node = tree.node(id);
        if matches!(node.name(), "h1" | "h2") {
            return linked * 2 < all;
        }
        left.extend(node.children());
    }
    false
}

/// The length of the text below a node, and of that within links.
fn lengths(tree: &Tree, id: Id) -> (usize, usize) {
    let (mut all, mut linked) = (0, 0);
    let mut left = vec![(id, false)];
    while let Some((id, in_link)) = left.pop() {
        let node = tree.node(id);
        if let Some(text) = node.as_text() {
            let length = text.trim().len();
            all += length;
            linked += if in_link { length } else { 0 };
        } else if !is_unseen(node) {
            let in_link = in_link || node.name() == "a";
            left.extend(node.children().iter().map(|child| (*child, in_link)));
        }
    }
    (all, linked)
}

fn visible_length(tree: &Tree, id: Id, without_furniture: bool) -> usize {
    let mut length = 0;
    let mut left = vec![id];
    while let Some(id) = left.pop() {
        let node = tree.node(id);
        if let Some(text) = node.as_text() {
            length += text.trim().len();
        } else if !is_unseen(node)
            && !(without_furniture && matches!(node.name(), "nav" | "aside" | "footer" | "header"))
        {
            left.extend(node.children());
        }
    }
    length
}
