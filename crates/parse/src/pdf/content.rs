//! What a page's content shows: pieces of text and where they stand.

use super::font::{Font, Fonts};
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction as Op;
use hayro_syntax::object::{Dict, Name, Object, Stream};
use hayro_syntax::page::{Page, Resources};
use std::rc::Rc;

/// Forms within forms at most.
const DEEPEST_FORM: usize = 12;
/// Instructions of a page at most, those of its forms included.
const MOST_INSTRUCTIONS: usize = 5_000_000;
/// States saved at most.
const MOST_SAVED: usize = 512;

/// A matrix `[a b c d e f]`, as PDF has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrix([f64; 6]);

impl Matrix {
    const IDENTITY: Self = Self([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);

    /// This one first, then `other`.
    fn then(self, other: Self) -> Self {
        let ([a, b, c, d, e, f], [p, q, r, s, t, u]) = (self.0, other.0);
        Self([
            a * p + b * r,
            a * q + b * s,
            c * p + d * r,
            c * q + d * s,
            e * p + f * r + t,
            e * q + f * s + u,
        ])
    }

    fn moved(self, x: f64, y: f64) -> Self {
        Self([1.0, 0.0, 0.0, 1.0, x, y]).then(self)
    }
}

/// A run of glyphs shown one after the other on one baseline.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Where the baseline begins, in points from the page's upper left corner as it is seen.
    pub(super) x: f64,
    pub(super) y: f64,
    /// Where it ends.
    pub(super) end: f64,
    /// The height of the letters' font, in points.
    pub(super) size: f64,
    pub(super) is_bold: bool,
    /// Quarter turns that the text is turned by.
    pub(super) turns: u8,
    /// The id of the marked content that it belongs to.
    pub(super) mark: Option<i64>,
    /// Glyphs that stand for nothing known.
    pub(super) unknown: usize,
    /// Whether it is said to be none of the document's text: a page's number, a running head.
    pub(super) is_artifact: bool,
    /// Whether nobody sees it.
    pub(super) is_invisible: bool,
}

/// What a page shows.
#[derive(Debug, Default)]
pub(super) struct Shown {
    pub(super) pieces: Vec<Piece>,
    /// Pictures that cover a good part of the page.
    pub(super) pictures: usize,
}

/// Reads a page. `most` is how many bytes of text it may have.
pub(super) fn read(page: &Page<'_>, fonts: &mut Fonts, most: usize) -> Shown {
    let base = Matrix(page.initial_transform(true).as_coeffs());
    let mut reader = Reader { fonts, shown: Shown::default(), left: MOST_INSTRUCTIONS, bytes: most };
    let state = State { matrix: base, ..State::default() };
    reader.run(page.typed_operations(), page.resources(), &state, 0, &mut Vec::new());
    reader.shown
}

#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    character: f64,
    word: f64,
    scale: f64,
    leading: f64,
    rise: f64,
    mode: i64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            matrix: Matrix::IDENTITY,
            font: None,
            size: 0.0,
            character: 0.0,
            word: 0.0,
            scale: 1.0,
            leading: 0.0,
            rise: 0.0,
            mode: 0,
        }
    }
}

/// Marked content that is open.
#[derive(Clone)]
struct Mark {
    id: Option<i64>,
    /// The text that stands for what is shown, and whether it was said already.
    actual: Option<String>,
    is_artifact: bool,
}

struct Reader<'f> {
    fonts: &'f mut Fonts,
    shown: Shown,
    left: usize,
    bytes: usize,
}

impl Reader<'_> {
    fn run<'a>(
        &mut self,
        mut ops: TypedIter<'_>,
        resources: &Resources<'a>,
        from: &State,
        depth: usize,
        marks: &mut Vec<Mark>,
    ) {
        let mut state = from.clone();
        let mut saved: Vec<State> = Vec::new();
        let (mut text, mut line) = (Matrix::IDENTITY, Matrix::IDENTITY);
        let marks_before = marks.len();
        while let Some(op) = ops.next() {
            if self.left == 0 || self.bytes == 0 {
                return;
            }
            self.left -= 1;
            match op {
                Op::SaveState(_) if saved.len() < MOST_SAVED => saved.push(state.clone()),
                Op::RestoreState(_) => state = saved.pop().unwrap_or(state),
                Op::Transform(m) => {
                    let matrix = [m.0, m.1, m.2, m.3, m.4, m.5].map(|number| number.as_f64());
                    state.matrix = Matrix(matrix).then(state.matrix);
                }
                Op::BeginText(_) => (text, line) = (Matrix::IDENTITY, Matrix::IDENTITY),
                Op::TextFont(font) => {
                    state.font = resources.get_font(font.0).map(|dict| self.fonts.get(&dict));
                    state.size = font.1.as_f64();
                }
                Op::CharacterSpacing(space) => state.character = space.0.as_f64(),
                Op::WordSpacing(space) => state.word = space.0.as_f64(),
                Op::HorizontalScaling(scale) => state.scale = scale.0.as_f64() / 100.0,
                Op::TextLeading(leading) => state.leading = leading.0.as_f64(),
                Op::TextRise(rise) => state.rise = rise.0.as_f64(),
                Op::TextRenderingMode(mode) => state.mode = mode.0.as_i64(),
                Op::NextLine(by) => {
                    line = line.moved(by.0.as_f64(), by.1.as_f64());
                    text = line;
                }
                Op::NextLineAndSetLeading(by) => {
                    state.leading = -by.1.as_f64();
                    line = line.moved(by.0.as_f64(), by.1.as_f64());
                    text = line;
                }
                Op::SetTextMatrix(m) => {
                    line = Matrix([m.0, m.1, m.2, m.3, m.4, m.5].map(|number| number.as_f64()));
                    text = line;
                }
                Op::NextLineUsingLeading(_) => {
                    line = line.moved(0.0, -state.leading);
                    text = line;
                }
                Op::ShowText(shown) => self.show(shown.0.as_bytes(), &state, &mut text, marks),
                Op::NextLineAndShowText(shown) => {
                    line = line.moved(0.0, -state.leading);
                    text = line;
                    self.show(shown.0.as_bytes(), &state, &mut text, marks);
                }
                Op::ShowTextWithParameters(shown) => {
                    state.word = shown.0.as_f64();
                    state.character = shown.1.as_f64();
                    line = line.moved(0.0, -state.leading);
                    text = line;
                    self.show(shown.2.as_bytes(), &state, &mut text, marks);
                }
                Op::ShowTexts(array) => {
                    for object in array.0.iter::<Object<'_>>() {
                        match object {
                            Object::String(shown) => self.show(shown.as_bytes(), &state, &mut text, marks),
                            Object::Number(by) => {
                                let by = -by.as_f64() / 1000.0 * state.size;
                                let is_vertical = state.font.as_ref().is_some_and(|font| font.is_vertical());
                                text = if is_vertical {
                                    text.moved(0.0, by)
                                } else {
                                    text.moved(by * state.scale, 0.0)
                                };
                            }
                            _ => {}
                        }
                    }
                }
                Op::BeginMarkedContent(_) => marks.push(Mark { id: None, actual: None, is_artifact: false }),
                Op::BeginMarkedContentWithProperties(mark) => {
                    let inline = match mark.1 {
                        Object::Dict(dict) => Some(dict.clone()),
                        Object::Name(name) => resources.properties.get::<Dict<'_>>(name),
                        _ => None,
                    };
                    let actual = inline
                        .as_ref()
                        .and_then(|dict| dict.get::<hayro_syntax::object::String<'_>>(b"ActualText"));
                    marks.push(Mark {
                        id: inline.as_ref().and_then(|dict| dict.get::<i32>(b"MCID")).map(i64::from),
                        actual: actual.map(|text| super::text_string(&text)),
                        is_artifact: &**mark.0 == b"Artifact",
                    });
                }
                Op::EndMarkedContent(_) if marks.len() > marks_before => drop(marks.pop()),
                Op::XObject(name) => {
                    if let Some(object) = resources.get_x_object(name.0) {
                        self.object(&object, resources, &state, depth, marks);
                    }
                }
                Op::InlineImage(_) => self.picture(&state),
                _ => {}
            }
        }
        marks.truncate(marks_before);
    }

    /// Shows a form or a picture.
    fn object<'a>(
        &mut self,
        object: &Stream<'a>,
        outer: &Resources<'a>,
        state: &State,
        depth: usize,
        marks: &mut Vec<Mark>,
    ) {
        let dict = object.dict();
        match dict.get::<Name<'_>>(b"Subtype").as_deref() {
            Some(b"Image") => self.picture(state),
            Some(b"Form") if depth < DEEPEST_FORM => {
                let Ok(content) = object.decoded() else { return };
                let mut state = state.clone();
                if let Some(matrix) = dict.get::<[f64; 6]>(b"Matrix") {
                    state.matrix = Matrix(matrix).then(state.matrix);
                }
                let own = dict.get::<Dict<'_>>(b"Resources").map(Resources::new);
                let resources = own.as_ref().unwrap_or(outer);
                self.run(TypedIter::new(&content), resources, &state, depth + 1, marks);
            }
            _ => {}
        }
    }

    /// A picture fills the unit square; what is as large as a hand counts.
    fn picture(&mut self, state: &State) {
        let [a, b, c, d, ..] = state.matrix.0;
        if (a * d - b * c).abs() > 40_000.0 {
            self.shown.pictures += 1;
        }
    }

    fn show(&mut self, bytes: &[u8], state: &State, at: &mut Matrix, marks: &mut [Mark]) {
        let Some(font) = &state.font else { return };
        let whole = |at: Matrix| {
            Matrix([state.size * state.scale, 0.0, 0.0, state.size, 0.0, state.rise])
                .then(at.then(state.matrix))
                .0
        };
        let [a, b, c, d, x, y] = whole(*at);
        let turns = match (a.abs() >= b.abs(), a >= 0.0, b >= 0.0) {
            (true, true, _) => 0,
            (true, false, _) => 2,
            (false, _, true) => 1,
            (false, _, false) => 3,
        };
        let size = c.hypot(d);
        let mark = marks.iter().rev().find_map(|mark| mark.id);
        let (mut said, mut unknown) = (String::new(), 0);
        for glyph in font.glyphs(bytes) {
            let spacing = state.character + if glyph.is_space { state.word } else { 0.0 };
            if font.is_vertical() {
                *at = at.moved(0.0, -state.size - spacing);
            } else {
                *at = at.moved((glyph.width * state.size + spacing) * state.scale, 0.0);
            }
            match glyph.text {
                Some(text) => said.push_str(&text),
                None => unknown += 1,
            }
        }
        let [.., end_x, end_y] = whole(*at);
        // What stands for the glyphs is said once, where the first of them is.
        if let Some(actual) = marks.iter_mut().rev().find_map(|mark| mark.actual.as_mut()) {
            said = std::mem::take(actual);
            unknown = 0;
        }
        if !(x.is_finite() && y.is_finite() && end_x.is_finite() && end_y.is_finite() && size.is_finite()) {
            return;
        }
        self.bytes = self.bytes.saturating_sub(said.len());
        // Turned text is read along its own line.
        let (x, y, end) = match turns {
            0 => (x, y, end_x),
            1 => (y, -x, end_y),
            2 => (-x, -y, -end_x),
            _ => (-y, x, -end_y),
        };
        let (is_bold, is_invisible, end) = (font.is_bold(), state.mode == 3, end.max(x));
        let is_artifact = marks.iter().any(|mark| mark.is_artifact);
        let text = said;
        let piece = Piece { text, x, y, end, size, is_bold, turns, mark, unknown, is_artifact, is_invisible };
        self.shown.pieces.push(piece);
    }
}
