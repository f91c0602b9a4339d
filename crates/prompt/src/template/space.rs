//! Which white space tags take with them: what a `~` stands beside, and the line of a tag that stands alone on it
//! (Handlebars' own rules; lines are judged by what stood there before anything was stripped).

use super::tree::{Block, Node, Strip, Text};

/// Strips a whole template.
pub(super) fn control(body: &mut [Node]) {
    program(body, true);
}

/// What a node does to its neighbours.
#[derive(Default)]
struct Around {
    strip: Strip,
    /// It may stand alone on its line.
    inline_alone: bool,
    /// Its first tag may, and its last one.
    open_alone: bool,
    close_alone: bool,
}

fn program(body: &mut [Node], root: bool) {
    for at in 0..body.len() {
        let Some(around) = body.get_mut(at).and_then(node) else { continue };
        let (before, after) = (blank_before(body, at, root), blank_after(body, Some(at), root));
        if around.strip.close {
            cut_start(body.get_mut(at + 1), true);
        }
        if around.strip.open {
            cut_end(before_of(body, at), true);
        }
        if around.inline_alone && before && after {
            cut_start(body.get_mut(at + 1), false);
            let indent = before_of(body, at)
                .and_then(|node| text_of(node))
                .map(|text| indent_of(&text.original).to_owned());
            if cut_end(before_of(body, at), false)
                && let (Some(Node::Partial(partial)), Some(indent)) = (body.get_mut(at), indent)
            {
                partial.indent = indent;
            }
        }
        if around.open_alone && before {
            if let Some(first) = body.get_mut(at).and_then(first_body) {
                cut_start(first.first_mut(), false);
            }
            cut_end(before_of(body, at), false);
        }
        if around.close_alone && after {
            cut_start(body.get_mut(at + 1), false);
            if let Some(last) = body.get_mut(at).and_then(last_body) {
                cut_end(last.last_mut(), false);
            }
        }
    }
}

fn node(node: &mut Node) -> Option<Around> {
    match node {
        Node::Text(_) => None,
        Node::Value(tag) => Some(Around { strip: tag.strip, ..Around::default() }),
        Node::Comment(strip) => Some(Around { strip: *strip, inline_alone: true, ..Around::default() }),
        Node::Partial(partial) => {
            let strip = Strip { open: partial.open.open, close: partial.close.close };
            let Some(body) = &mut partial.block else {
                return Some(Around { strip, inline_alone: true, ..Around::default() });
            };
            program(body, false);
            let (open_alone, close_alone) =
                (blank_after(body, None, false), blank_before(body, body.len(), false));
            if partial.open.close {
                cut_start(body.first_mut(), true);
            }
            if partial.close.open {
                cut_end(body.last_mut(), true);
            }
            Some(Around { strip, open_alone, close_alone, ..Around::default() })
        }
        Node::Block(block) => Some(of_block(block)),
    }
}

fn of_block(block: &mut Block) -> Around {
    program(&mut block.body, false);
    if let Some(inverse) = &mut block.inverse {
        program(&mut inverse.body, false);
    }
    let strip = Strip { open: block.open.open, close: block.close.close };
    let open_alone = blank_after(&block.body, None, false);
    if block.open.close {
        cut_start(block.body.first_mut(), true);
    }
    let close_alone = last_of(block).is_some_and(|last| blank_before(last, last.len(), false));
    let close = block.close;
    if let Some(inverse) = &mut block.inverse {
        let body = &mut block.body;
        let alone = {
            let second = first_in(inverse);
            let blank = second.is_some_and(|second| blank_after(second, None, false));
            blank && blank_before(body, body.len(), false)
        };
        if inverse.strip.open {
            cut_end(body.last_mut(), true);
        }
        if inverse.strip.close {
            cut_start(first_in(inverse).and_then(|body| body.first_mut()), true);
        }
        if alone {
            cut_end(body.last_mut(), false);
            cut_start(first_in(inverse).and_then(|body| body.first_mut()), false);
        }
    }
    if close.open {
        cut_end(last_of(block).and_then(|body| body.last_mut()), true);
    }
    Around { strip, open_alone, close_alone, ..Around::default() }
}

/// The body behind `{{else}}`, or behind the `if` of `{{else if}}`.
fn first_in(inverse: &mut super::tree::Inverse) -> Option<&mut Vec<Node>> {
    if inverse.chained {
        match inverse.body.first_mut() {
            Some(Node::Block(block)) => Some(&mut block.body),
            _ => None,
        }
    } else {
        Some(&mut inverse.body)
    }
}

/// The body before the last tag.
fn last_of(block: &mut Block) -> Option<&mut Vec<Node>> {
    let Some(inverse) = &mut block.inverse else {
        return Some(&mut block.body);
    };
    if !inverse.chained {
        return Some(&mut inverse.body);
    }
    match inverse.body.first_mut() {
        Some(Node::Block(inner)) => last_of(inner),
        _ => None,
    }
}

fn first_body(node: &mut Node) -> Option<&mut Vec<Node>> {
    match node {
        Node::Block(block) => Some(&mut block.body),
        Node::Partial(partial) => partial.block.as_mut(),
        _ => None,
    }
}

fn last_body(node: &mut Node) -> Option<&mut Vec<Node>> {
    match node {
        Node::Block(block) => last_of(block),
        Node::Partial(partial) => partial.block.as_mut(),
        _ => None,
    }
}

fn before_of(body: &mut [Node], at: usize) -> Option<&mut Node> {
    at.checked_sub(1).and_then(|at| body.get_mut(at))
}

fn text_of(node: &Node) -> Option<&Text> {
    if let Node::Text(text) = node { Some(text) } else { None }
}

/// Whether nothing but white space stands between the node `at` and the line's beginning.
fn blank_before(body: &[Node], at: usize, root: bool) -> bool {
    let Some(previous) = at.checked_sub(1).and_then(|at| body.get(at)) else {
        return root;
    };
    let Node::Text(text) = previous else { return false };
    let blank = text.original.trim_end();
    let space = text.original.get(blank.len()..).unwrap_or_default();
    space.contains('\n') || (root && at == 1 && blank.is_empty())
}

/// Whether nothing but white space stands between the node `at` (`None`: the body's beginning) and the line's end.
fn blank_after(body: &[Node], at: Option<usize>, root: bool) -> bool {
    let next = at.map_or(0, |at| at + 1);
    let Some(following) = body.get(next) else {
        return root;
    };
    let Node::Text(text) = following else { return false };
    let rest = text.original.trim_start();
    let space = text.original.get(..text.original.len() - rest.len()).unwrap_or_default();
    space.contains('\n') || (root && body.get(next + 1).is_none() && rest.is_empty())
}

fn text_in(node: &mut Node) -> Option<&mut Text> {
    if let Node::Text(text) = node { Some(text) } else { None }
}

fn indent_of(text: &str) -> &str {
    let rest = text.trim_end_matches([' ', '\t']);
    text.get(rest.len()..).unwrap_or_default()
}

/// Strips the beginning: all white space, or what is left of the line.
fn cut_start(node: Option<&mut Node>, all: bool) {
    let Some(text) = node.and_then(text_in) else { return };
    if !all && text.right_stripped {
        return;
    }
    let rest = if all {
        text.value.trim_start()
    } else {
        let line = text.value.trim_start_matches([' ', '\t']);
        let line = line.strip_prefix('\r').filter(|line| line.starts_with('\n')).unwrap_or(line);
        line.strip_prefix('\n').unwrap_or(line)
    };
    text.right_stripped = rest.len() != text.value.len();
    text.value = rest.to_owned();
}

/// Strips the end: all white space, or the indentation; whether there was any.
fn cut_end(node: Option<&mut Node>, all: bool) -> bool {
    let Some(text) = node.and_then(text_in) else { return false };
    if !all && text.left_stripped {
        return false;
    }
    let rest = if all { text.value.trim_end() } else { text.value.trim_end_matches([' ', '\t']) };
    text.left_stripped = rest.len() != text.value.len();
    let length = rest.len();
    text.value.truncate(length);
    text.left_stripped
}
