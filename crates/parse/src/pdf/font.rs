//! Fonts: which characters the bytes of a text stand for, and how wide they are.

use super::glyphs;
use hayro_cmap::{BfString, CMap, CMapName, CidFamily, load_embedded};
use hayro_syntax::object::{Array, Dict, Name, Object, ObjectIdentifier, Stream, String as Bytes};
use std::collections::HashMap;
use std::rc::Rc;

/// The fonts of a document, each read once.
#[derive(Default)]
pub(super) struct Fonts {
    known: HashMap<ObjectIdentifier, Rc<Font>>,
    /// Maps that come with the program, by name.
    maps: HashMap<Vec<u8>, Option<Rc<CMap>>>,
}

/// A font.
pub(super) struct Font {
    kind: Kind,
    to_unicode: Option<CMap>,
    is_bold: bool,
    /// Whether its signs are pictures: what stands for nothing in it is a bullet.
    has_signs: bool,
}

enum Kind {
    /// One byte a glyph.
    Simple { letters: Vec<Option<String>>, widths: Vec<f64> },
    /// Codes of one to four bytes.
    Composite(Box<Composite>),
}

struct Composite {
    codes: Codes,
    /// What a character's number stands for.
    letters: Option<Rc<CMap>>,
    widths: HashMap<u32, f64>,
    default_width: f64,
    is_vertical: bool,
}

/// How bytes become codes and codes become numbers of characters.
enum Codes {
    /// Two bytes are the number.
    Identity,
    Mapped(Rc<CMap>),
    /// The code is UTF-16; its number is the map's.
    Unicode(Rc<CMap>),
}

/// A glyph that is shown.
pub(super) struct Glyph {
    /// What it stands for, where that is known.
    pub(super) text: Option<String>,
    /// Its width in ems.
    pub(super) width: f64,
    /// Whether it is the space that word spacing widens.
    pub(super) is_space: bool,
}

impl Fonts {
    /// The font that a dictionary describes.
    pub(super) fn get(&mut self, dict: &Dict<'_>) -> Rc<Font> {
        let id = dict.obj_id();
        if let Some(font) = id.and_then(|id| self.known.get(&id)) {
            return Rc::clone(font);
        }
        let font = Rc::new(self.read(dict));
        if let Some(id) = id {
            self.known.insert(id, Rc::clone(&font));
        }
        font
    }

    fn map(&mut self, name: CMapName<'_>) -> Option<Rc<CMap>> {
        let key = name.to_bytes().to_vec();
        if let Some(map) = self.maps.get(&key) {
            return map.clone();
        }
        let map = load_embedded(name).and_then(|data| CMap::parse(data, load_embedded)).map(Rc::new);
        self.maps.insert(key, map.clone());
        map
    }

    fn read(&mut self, dict: &Dict<'_>) -> Font {
        let to_unicode = dict.get::<Stream<'_>>(b"ToUnicode").and_then(|stream| {
            let data = stream.decoded().ok()?;
            CMap::parse(&data, load_embedded)
        });
        let name =
            dict.get::<Name<'_>>(b"BaseFont").map(|name| name.as_str().to_lowercase()).unwrap_or_default();
        let is_bold = ["bold", "black", "heavy", "-bd", ",bd"].iter().any(|bold| name.contains(bold));
        let kind = match dict.get::<Name<'_>>(b"Subtype").as_deref() {
            Some(b"Type0") => self.composite(dict),
            _ => simple(dict, &name),
        };
        let has_signs = ["symbol", "dingbats", "wingdings"].iter().any(|signs| name.contains(signs));
        Font { kind, to_unicode, is_bold, has_signs }
    }

    fn composite(&mut self, dict: &Dict<'_>) -> Kind {
        let descendant =
            dict.get::<Array<'_>>(b"DescendantFonts").and_then(|array| array.iter::<Dict<'_>>().next());
        let descendant = descendant.unwrap_or_default();
        let mut family = descendant.get::<Dict<'_>>(b"CIDSystemInfo").map(|info| {
            let text = |key: &[u8]| {
                info.get::<Bytes<'_>>(key).map(|text| text.as_bytes().to_vec()).unwrap_or_default()
            };
            CidFamily::from_registry_ordering(&text(b"Registry"), &text(b"Ordering"))
        });
        let mut is_vertical = false;
        let codes = match dict.get::<Object<'_>>(b"Encoding") {
            Some(Object::Name(name)) => {
                is_vertical = name.ends_with(b"-V");
                let named = CMapName::from_bytes(&name);
                let is_unicode = name.windows(4).any(|part| part == b"UCS2" || part == b"TF16");
                match self.map(named) {
                    _ if name.starts_with(b"Identity") => Codes::Identity,
                    Some(map) => {
                        let own = map.metadata().character_collection.as_ref().map(|own| own.family.clone());
                        family = own.or(family);
                        if is_unicode { Codes::Unicode(map) } else { Codes::Mapped(map) }
                    }
                    None => Codes::Identity,
                }
            }
            Some(Object::Stream(stream)) => {
                is_vertical = stream.dict().get::<i32>(b"WMode") == Some(1);
                let map = stream.decoded().ok().and_then(|data| CMap::parse(&data, load_embedded));
                map.map_or(Codes::Identity, |map| Codes::Mapped(Rc::new(map)))
            }
            _ => Codes::Identity,
        };
        let letters = family.and_then(|family| family.ucs2_cmap()).and_then(|name| self.map(name));
        Kind::Composite(Box::new(Composite {
            codes,
            letters,
            widths: cid_widths(&descendant),
            default_width: descendant.get::<f64>(b"DW").unwrap_or(1000.0) / 1000.0,
            is_vertical,
        }))
    }
}

/// The widths of a composite font: `first [w w w]` and `first last w`, in thousandths.
fn cid_widths(dict: &Dict<'_>) -> HashMap<u32, f64> {
    const MOST: usize = 100_000;
    let mut widths = HashMap::new();
    let Some(array) = dict.get::<Array<'_>>(b"W") else { return widths };
    let mut objects = array.iter::<Object<'_>>();
    let number = |object: Option<Object<'_>>| match object {
        Some(Object::Number(number)) => Some(number),
        _ => None,
    };
    while let Some(first) = number(objects.next()).and_then(|first| u32::try_from(first.as_i64()).ok()) {
        match objects.next() {
            Some(Object::Array(list)) => {
                for (cid, width) in (first..).zip(list.iter::<f64>()) {
                    widths.insert(cid, width / 1000.0);
                }
            }
            Some(Object::Number(last)) => {
                let Some(width) = number(objects.next()) else { break };
                let last = u32::try_from(last.as_i64()).unwrap_or(0).min(first.saturating_add(0xFFFF));
                for cid in first..=last {
                    widths.insert(cid, width.as_f64() / 1000.0);
                }
            }
            _ => break,
        }
        if widths.len() > MOST {
            break;
        }
    }
    widths
}

fn simple(dict: &Dict<'_>, name: &str) -> Kind {
    let descriptor = dict.get::<Dict<'_>>(b"FontDescriptor").unwrap_or_default();
    let encoding = dict.get::<Object<'_>>(b"Encoding");
    let is_symbolic = descriptor.get::<i32>(b"Flags").is_some_and(|flags| flags & 4 != 0);
    let (base, differences) = match &encoding {
        Some(Object::Name(name)) => (Some(name.clone()), None),
        Some(Object::Dict(dict)) => {
            (dict.get::<Name<'_>>(b"BaseEncoding"), dict.get::<Array<'_>>(b"Differences"))
        }
        _ => (None, None),
    };
    let mut letters: Vec<Option<String>> = match base.as_deref() {
        Some(b"WinAnsiEncoding") => glyphs::win_ansi(),
        Some(b"MacRomanEncoding") => glyphs::mac_roman(),
        _ if name.contains("symbol") && !name.contains("segoe") => glyphs::symbol(),
        _ if name.contains("dingbats") => vec![None; 256],
        // A font that brings its own signs says in itself what they are; where it does not, they are letters.
        _ => built_in(&descriptor)
            .unwrap_or_else(|| if is_symbolic { glyphs::win_ansi() } else { glyphs::standard() }),
    };
    let mut code = 0_usize;
    for object in differences.iter().flat_map(|array| array.iter::<Object<'_>>()) {
        match object {
            Object::Number(number) => code = usize::try_from(number.as_i64()).unwrap_or(256),
            Object::Name(name) => {
                if let Some(letter) = letters.get_mut(code) {
                    *letter = glyphs::letter(name.as_str());
                }
                code = code.saturating_add(1);
            }
            _ => {}
        }
    }
    // Widths of Type 3 are in its own space.
    let scale = dict.get::<[f64; 6]>(b"FontMatrix").map_or(0.001, |[a, ..]| a.abs());
    let missing = descriptor.get::<f64>(b"MissingWidth").unwrap_or(0.0);
    let first =
        dict.get::<i32>(b"FirstChar").and_then(|first| usize::try_from(first).ok()).unwrap_or(0).min(256);
    let given = dict.get::<Array<'_>>(b"Widths");
    // The fourteen fonts that every reader has may come without widths.
    let mut widths = if given.is_some() { vec![missing * scale; 256] } else { glyphs::standard_widths(name) };
    for (width, given) in
        widths.iter_mut().skip(first).zip(given.iter().flat_map(|array| array.iter::<f64>()))
    {
        *width = given * scale;
    }
    Kind::Simple { letters, widths }
}

/// The encoding that a Type 1 font has in its clear text: `dup 65 /A put`.
fn built_in(descriptor: &Dict<'_>) -> Option<Vec<Option<String>>> {
    let program = descriptor.get::<Stream<'_>>(b"FontFile")?;
    let data = program.decoded().ok()?;
    let clear = data.get(..data.windows(5).position(|five| five == b"eexec").unwrap_or(data.len()))?;
    let text = String::from_utf8_lossy(clear);
    let (_, encoding) = text.split_once("/Encoding")?;
    if encoding.trim_start().starts_with("StandardEncoding") {
        return Some(glyphs::standard());
    }
    let mut letters = vec![None; 256];
    for entry in encoding.split("dup").skip(1).take(512) {
        let mut words = entry.split_whitespace();
        let code = words.next().and_then(|code| code.parse::<usize>().ok());
        let name = words.next().and_then(|name| name.strip_prefix('/'));
        if let (Some(code), Some(name)) = (code, name)
            && let Some(letter) = letters.get_mut(code)
        {
            *letter = glyphs::letter(name);
        }
    }
    letters.iter().any(Option::is_some).then_some(letters)
}

impl Font {
    pub(super) fn is_bold(&self) -> bool {
        self.is_bold
    }

    pub(super) fn is_vertical(&self) -> bool {
        matches!(&self.kind, Kind::Composite(composite) if composite.is_vertical)
    }

    /// The glyphs that bytes stand for.
    pub(super) fn glyphs(&self, bytes: &[u8]) -> Vec<Glyph> {
        match &self.kind {
            Kind::Simple { letters, widths } => bytes
                .iter()
                .map(|byte| Glyph {
                    text: self
                        .unicode(u32::from(*byte))
                        .or_else(|| letters.get(usize::from(*byte)).cloned().flatten()),
                    width: widths.get(usize::from(*byte)).copied().unwrap_or(0.0),
                    is_space: *byte == b' ',
                })
                .collect(),
            Kind::Composite(composite) => self.composite_glyphs(composite, bytes),
        }
    }

    fn composite_glyphs(&self, composite: &Composite, mut bytes: &[u8]) -> Vec<Glyph> {
        let mut glyphs = Vec::with_capacity(bytes.len() / 2);
        while !bytes.is_empty() {
            let (code, length, cid) = composite.next(bytes);
            bytes = bytes.get(length..).unwrap_or_default();
            let own = || match (&composite.codes, &composite.letters) {
                (Codes::Unicode(_), _) => char::from_u32(code).map(String::from),
                (_, Some(letters)) => letters.lookup_bf_string(cid).and_then(text_of),
                _ => None,
            };
            glyphs.push(Glyph {
                text: self.unicode(code).or_else(own),
                width: composite.widths.get(&cid).copied().unwrap_or(composite.default_width),
                is_space: length == 1 && code == 0x20,
            });
        }
        glyphs
    }

    /// What the font says that a code stands for.
    fn unicode(&self, code: u32) -> Option<String> {
        let mapped = self.to_unicode.as_ref()?.lookup_bf_string(code)?;
        if self.has_signs && matches!(mapped, BfString::Char('\u{E000}'..='\u{F8FF}')) {
            return Some("•".to_owned());
        }
        text_of(mapped)
    }
}

impl Composite {
    /// The next code, how many bytes it has, and its character's number.
    fn next(&self, bytes: &[u8]) -> (u32, usize, u32) {
        let code =
            |length: usize| bytes.iter().take(length).fold(0_u32, |code, byte| code << 8 | u32::from(*byte));
        let two = bytes.len().min(2);
        match &self.codes {
            Codes::Identity => (code(two), two, code(two)),
            Codes::Mapped(map) | Codes::Unicode(map) => {
                for length in 1..=bytes.len().min(4) {
                    let cid =
                        u8::try_from(length).ok().and_then(|bytes| map.lookup_cid_code(code(length), bytes));
                    if let Some(cid) = cid {
                        return (utf16(code(length), length, &self.codes), length, cid);
                    }
                }
                (code(two), two, 0)
            }
        }
    }
}

/// A code of four bytes in UTF-16 is a pair of surrogates.
fn utf16(code: u32, length: usize, codes: &Codes) -> u32 {
    if length < 4 || !matches!(codes, Codes::Unicode(_)) {
        return code;
    }
    let [a, b, c, d] = code.to_be_bytes();
    let pair = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
    char::decode_utf16(pair).next().and_then(Result::ok).map_or(code, u32::from)
}

/// What a map says, less what is no text: fonts are made whose glyphs all stand for nothing.
fn text_of(mapped: BfString) -> Option<String> {
    let text = match mapped {
        BfString::Char(c) => c.to_string(),
        BfString::String(text) => text,
    };
    let is_text =
        |c: char| c != '\0' && c != '\u{FFFD}' && c != '\u{FFFF}' && !('\u{E000}'..='\u{F8FF}').contains(&c);
    text.chars().all(is_text).then_some(text)
}
