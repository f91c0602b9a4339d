//! The structure that a document says it has (ISO 32000-1, 14.7 and 14.8): its headings, lists and tables, in the
//! order in which its maker has them read.

use super::content::Piece;
use super::layout::{Block, Line, flow};
use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, Name, Number, Object, ObjectIdentifier};
use std::collections::{HashMap, HashSet};

/// Elements within elements at most.
const DEEPEST: usize = 96;
/// Elements of a document at most.
const MOST: usize = 1_000_000;
/// Of a document's letters, this share must be in its structure for it to be believed.
const LEAST_SHARE: f64 = 0.8;

/// The blocks of each page as the document's structure has them; what of a page is in no element stays in `pages`.
/// `None`, and nothing is taken, where there is no structure or too little is in it.
pub(super) fn take(pdf: &Pdf, pages: &mut [Vec<Piece>]) -> Option<Vec<Vec<Block>>> {
    let catalog = pdf.xref().get::<Dict<'_>>(pdf.xref().root_id())?;
    let root = catalog.get::<Dict<'_>>(b"StructTreeRoot")?;
    let numbers = pdf.pages().iter().enumerate().filter_map(|(at, page)| Some((page.raw().obj_id()?, at)));
    let mut marked: HashMap<(usize, i64), Vec<Piece>> = HashMap::new();
    let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
    let mut all = 0;
    for (at, pieces) in pages.iter().enumerate() {
        for piece in pieces {
            all += if piece.is_artifact { 0 } else { letters(&piece.text) };
            if let Some(mark) = piece.mark {
                marked.entry((at, mark)).or_default().push(piece.clone());
            }
        }
    }
    let mut walk = Walk {
        numbers: numbers.collect(),
        roles: root.get::<Dict<'_>>(b"RoleMap").unwrap_or_default(),
        marked,
        taken: HashSet::new(),
        seen: HashSet::new(),
        pages: pages.iter().map(|_| Vec::new()).collect(),
        open: Vec::new(),
        letters: 0,
        lists: Vec::new(),
        label: None,
        last_page: None,
        left: MOST,
    };
    walk.kids(&root, None, 0);
    walk.flush(Kind::Loose);
    #[expect(clippy::cast_precision_loss, reason = "numbers of letters")]
    let share = walk.letters as f64 / all.max(1) as f64;
    if share < LEAST_SHARE {
        return None;
    }
    let Walk { taken, pages: blocks, .. } = walk;
    for (at, pieces) in pages.iter_mut().enumerate() {
        pieces
            .retain(|piece| !piece.is_artifact && piece.mark.is_none_or(|mark| !taken.contains(&(at, mark))));
    }
    Some(blocks)
}

/// What a run of text is.
enum Kind {
    Heading(usize),
    Paragraph,
    /// In no paragraph that the structure knows.
    Loose,
}

struct Walk<'a> {
    numbers: HashMap<ObjectIdentifier, usize>,
    roles: Dict<'a>,
    marked: HashMap<(usize, i64), Vec<Piece>>,
    taken: HashSet<(usize, i64)>,
    seen: HashSet<ObjectIdentifier>,
    pages: Vec<Vec<Block>>,
    /// The text of the block at hand, and on which page it began.
    open: Vec<(usize, Piece)>,
    letters: usize,
    /// Lists that are open: whether an item has just begun.
    lists: Vec<bool>,
    label: Option<String>,
    /// The page of the text taken last.
    last_page: Option<usize>,
    left: usize,
}

impl<'a> Walk<'a> {
    fn kids(&mut self, element: &Dict<'a>, page: Option<usize>, depth: usize) {
        match element.get::<Object<'_>>(b"K") {
            Some(Object::Array(kids)) => self.array(&kids, page, depth),
            Some(kid) => self.kid(kid, page, depth),
            None => {}
        }
    }

    fn array(&mut self, kids: &Array<'a>, page: Option<usize>, depth: usize) {
        for kid in kids.iter::<Object<'_>>() {
            self.kid(kid, page, depth);
        }
    }

    fn kid(&mut self, kid: Object<'a>, page: Option<usize>, depth: usize) {
        if depth > DEEPEST || self.left == 0 {
            return;
        }
        self.left -= 1;
        match kid {
            Object::Number(mark) => self.mark(page, mark),
            Object::Array(kids) => self.array(&kids, page, depth + 1),
            Object::Dict(dict) => {
                let page =
                    dict.get_ref(b"Pg").and_then(|page| self.numbers.get(&page.into()).copied()).or(page);
                if let Some(mark) = dict.get::<Number>(b"MCID") {
                    self.mark(page, mark);
                } else if dict.contains_key(b"S") && dict.obj_id().is_none_or(|id| self.seen.insert(id)) {
                    self.element(&dict, page, depth + 1);
                }
            }
            _ => {}
        }
    }

    fn mark(&mut self, page: Option<usize>, mark: Number) {
        let Some(page) = page else { return };
        let key = (page, mark.as_i64());
        if let Some(pieces) = self.marked.remove(&key) {
            self.taken.insert(key);
            self.last_page = Some(page);
            for piece in pieces {
                self.letters += piece.text.chars().filter(|c| !c.is_whitespace()).count();
                self.open.push((page, piece));
            }
        }
    }

    /// An element's role, as the standard has them.
    fn role(&self, element: &Dict<'a>) -> Vec<u8> {
        let mut role = element.get::<Name<'_>>(b"S").map(|name| name.to_vec()).unwrap_or_default();
        for _ in 0..8 {
            match self.roles.get::<Name<'_>>(&role) {
                Some(mapped) if *mapped != *role => role = mapped.to_vec(),
                _ => break,
            }
        }
        role
    }

    fn element(&mut self, element: &Dict<'a>, page: Option<usize>, depth: usize) {
        match self.role(element).as_slice() {
            b"Artifact" => {}
            b"H" | b"Title" => self.block(element, page, depth, Kind::Heading(1)),
            [b'H', level @ b'1'..=b'6'] => {
                self.block(element, page, depth, Kind::Heading(usize::from(level - b'0')))
            }
            b"P" | b"Caption" | b"Code" | b"BibEntry" | b"TOCI" => {
                self.block(element, page, depth, Kind::Paragraph)
            }
            b"L" => {
                self.flush(Kind::Loose);
                self.lists.push(false);
                self.kids(element, page, depth);
                self.flush(Kind::Paragraph);
                self.lists.pop();
            }
            b"LI" => {
                self.flush(Kind::Paragraph);
                if let Some(begins) = self.lists.last_mut() {
                    *begins = true;
                }
                self.kids(element, page, depth);
                self.flush(Kind::Paragraph);
            }
            b"Lbl" if !self.lists.is_empty() => self.label = Some(self.text(element, page, depth)),
            b"Table" => {
                self.flush(Kind::Loose);
                let (mut rows, mut on) = (Vec::new(), None);
                self.rows(element, page, depth, &mut rows, &mut on);
                if let Some(blocks) = on.or(page).and_then(|page| self.pages.get_mut(page)) {
                    blocks.push(Block::Table(rows));
                }
            }
            b"Document" | b"Part" | b"Sect" | b"Art" | b"Div" | b"BlockQuote" | b"TOC" | b"Index"
            | b"Aside" | b"Note" | b"FENote" => self.block(element, page, depth, Kind::Loose),
            _ => self.kids(element, page, depth),
        }
    }

    fn block(&mut self, element: &Dict<'a>, page: Option<usize>, depth: usize, kind: Kind) {
        self.flush(if self.lists.is_empty() { Kind::Loose } else { Kind::Paragraph });
        self.kids(element, page, depth);
        self.flush(kind);
    }

    /// The text within an element, on one line, apart from the block at hand.
    fn text(&mut self, element: &Dict<'a>, page: Option<usize>, depth: usize) -> String {
        let outer = std::mem::take(&mut self.open);
        self.inline(element, page, depth);
        let inner = std::mem::replace(&mut self.open, outer);
        let lines = flow(inner.into_iter().map(|(_, piece)| piece).collect());
        let texts: Vec<&str> = lines.iter().map(|line| line.text.trim()).collect();
        texts.join(" ")
    }

    /// Takes what is within an element as one text, whatever it is made of.
    fn inline(&mut self, element: &Dict<'a>, page: Option<usize>, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let kids: Vec<Object<'a>> = match element.get::<Object<'_>>(b"K") {
            Some(Object::Array(kids)) => kids.iter::<Object<'_>>().collect(),
            Some(kid) => vec![kid],
            None => Vec::new(),
        };
        for kid in kids {
            if self.left == 0 {
                return;
            }
            match kid {
                Object::Dict(dict) if dict.contains_key(b"S") => {
                    self.left -= 1;
                    let page =
                        dict.get_ref(b"Pg").and_then(|page| self.numbers.get(&page.into()).copied()).or(page);
                    if dict.obj_id().is_none_or(|id| self.seen.insert(id)) && self.role(&dict) != b"Artifact"
                    {
                        self.inline(&dict, page, depth + 1);
                    }
                }
                kid => self.kid(kid, page, depth + 1),
            }
        }
    }

    fn rows(
        &mut self,
        element: &Dict<'a>,
        page: Option<usize>,
        depth: usize,
        rows: &mut Vec<Vec<String>>,
        on: &mut Option<usize>,
    ) {
        if depth > DEEPEST {
            return;
        }
        let kids: Vec<Object<'a>> = match element.get::<Object<'_>>(b"K") {
            Some(Object::Array(kids)) => kids.iter::<Object<'_>>().collect(),
            Some(kid) => vec![kid],
            None => Vec::new(),
        };
        for kid in kids {
            let Object::Dict(dict) = kid else { continue };
            if self.left == 0 || dict.obj_id().is_some_and(|id| !self.seen.insert(id)) {
                continue;
            }
            self.left -= 1;
            let page = dict.get_ref(b"Pg").and_then(|page| self.numbers.get(&page.into()).copied()).or(page);
            match self.role(&dict).as_slice() {
                b"TR" => {
                    rows.push(Vec::new());
                    self.rows(&dict, page, depth + 1, rows, on);
                }
                b"TH" | b"TD" => {
                    let before = self.taken.len();
                    let cell = self.text(&dict, page, depth + 1);
                    // The page is that of the first cell that says something.
                    if on.is_none() && self.taken.len() > before {
                        *on = self.last_page;
                    }
                    if let Some(row) = rows.last_mut() {
                        row.push(cell);
                    }
                }
                b"Caption" => {
                    let caption = self.text(&dict, page, depth + 1);
                    rows.push(vec![caption]);
                }
                _ => self.rows(&dict, page, depth + 1, rows, on),
            }
        }
    }

    /// Puts the block at hand on the page on which it began.
    fn flush(&mut self, kind: Kind) {
        let open = std::mem::take(&mut self.open);
        let Some(page) = open.first().map(|(page, _)| *page) else { return };
        let lines: Vec<Line> = flow(open.into_iter().map(|(_, piece)| piece).collect());
        if lines.is_empty() {
            return;
        }
        let depth = self.lists.len().saturating_sub(1);
        let begins = self.lists.last_mut().is_some_and(std::mem::take);
        let label = self.label.take();
        let block = match kind {
            Kind::Heading(level) => Block::Heading(level, lines),
            _ if begins => Block::Item { depth, mark: mark(label.as_deref()), lines },
            Kind::Paragraph => Block::Paragraph(lines),
            Kind::Loose => Block::Lines(lines),
        };
        if let Some(blocks) = self.pages.get_mut(page) {
            blocks.push(block);
        }
    }
}

/// The mark of an item: its number, or a hyphen for any bullet.
fn mark(label: Option<&str>) -> String {
    let label = label.unwrap_or_default().trim();
    let digits = label.trim_end_matches(['.', ')']);
    if !digits.is_empty() && digits.len() <= 4 && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{digits}.");
    }
    "-".to_owned()
}
