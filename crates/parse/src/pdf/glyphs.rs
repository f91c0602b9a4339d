//! Names of glyphs and encodings of one byte: ISO 32000-1, annex D, and what makers of fonts have agreed on.

use encoding_rs::{MACINTOSH, WINDOWS_1252};
use unicode_normalization::UnicodeNormalization as _;

/// Names of glyphs that are neither a letter nor a letter with a mark.
const NAMES: &str = "space   exclam ! quotedbl \" numbersign # dollar $ percent % ampersand & quotesingle ' \
    parenleft ( parenright ) asterisk * plus + comma , hyphen - minus − period . slash / colon : semicolon ; less < \
    equal = greater > question ? at @ bracketleft [ backslash \\ bracketright ] asciicircum ^ underscore _ grave ` \
    braceleft { bar | braceright } asciitilde ~ zero 0 one 1 two 2 three 3 four 4 five 5 six 6 seven 7 eight 8 \
    nine 9 exclamdown ¡ cent ¢ sterling £ fraction ⁄ yen ¥ florin ƒ section § currency ¤ quotedblleft “ \
    guillemotleft « guilsinglleft ‹ guilsinglright › fi fi fl fl ff ff ffi ffi ffl ffl endash – dagger † \
    daggerdbl ‡ periodcentered · paragraph ¶ bullet • quotesinglbase ‚ quotedblbase „ quotedblright ” \
    guillemotright » ellipsis … perthousand ‰ questiondown ¿ acute ´ circumflex ˆ tilde ˜ macron ¯ breve ˘ \
    dotaccent ˙ dieresis ¨ ring ˚ cedilla ¸ hungarumlaut ˝ ogonek ˛ caron ˇ emdash — AE Æ ordfeminine ª Lslash Ł \
    Oslash Ø OE Œ ordmasculine º ae æ dotlessi ı lslash ł oslash ø oe œ germandbls ß quoteleft ‘ quoteright ’ \
    Eth Ð eth ð Thorn Þ thorn þ onesuperior ¹ twosuperior ² threesuperior ³ onehalf ½ onequarter ¼ threequarters ¾ \
    degree ° plusminus ± multiply × divide ÷ logicalnot ¬ mu µ copyright © registered ® trademark ™ brokenbar ¦ \
    Euro € Dcroat Đ dcroat đ Hbar Ħ hbar ħ Eng Ŋ eng ŋ Tbar Ŧ tbar ŧ kgreenlandic ĸ longs ſ napostrophe ŉ IJ IJ \
    ij ij nbspace   softhyphen ­ sfthyphen ­ dotlessj ȷ Alpha Α Beta Β Gamma Γ Delta Δ Epsilon Ε Zeta Ζ Eta Η \
    Theta Θ Iota Ι Kappa Κ Lambda Λ Mu Μ Nu Ν Xi Ξ Omicron Ο Pi Π Rho Ρ Sigma Σ Tau Τ Upsilon Υ Phi Φ Chi Χ Psi Ψ \
    Omega Ω alpha α beta β gamma γ delta δ epsilon ε zeta ζ eta η theta θ iota ι kappa κ lambda λ nu ν xi ξ \
    omicron ο pi π rho ρ sigma σ sigma1 ς tau τ upsilon υ phi φ chi χ psi ψ omega ω theta1 ϑ phi1 ϕ omega1 ϖ \
    infinity ∞ partialdiff ∂ summation ∑ product ∏ integral ∫ radical √ approxequal ≈ notequal ≠ lessequal ≤ \
    greaterequal ≥ lozenge ◊ arrowleft ← arrowup ↑ arrowright → arrowdown ↓ arrowboth ↔ arrowdblright ⇒ \
    arrowdblleft ⇐ element ∈ notelement ∉ intersection ∩ union ∪ propersubset ⊂ reflexsubset ⊆ emptyset ∅ \
    logicaland ∧ logicalor ∨ similar ∼ congruent ≅ equivalence ≡ proportional ∝ existential ∃ universal ∀ \
    gradient ∇ therefore ∴ perpendicular ⊥ angle ∠ asteriskmath ∗ dotmath ⋅ circlemultiply ⊗ circleplus ⊕ aleph ℵ \
    minute ′ second ″ Ifraktur ℑ Rfraktur ℜ weierstrass ℘ club ♣ diamond ♦ heart ♥ spade ♠ filledbox ■ \
    H22073 □ triagup ▲ triagdn ▼ H18533 ■ checkmark ✓ estimated ℮ numero № figuredash ‒ afii61352 № \
    visiblespace ␣ angbracketleft ⟨ angbracketright ⟩ hyphenminus - figurespace   periodinferior . commaaccent ,";

/// Marks that names of letters end with, and the characters that combine.
const MARKS: [(&str, char); 13] = [
    ("acute", '\u{301}'),
    ("grave", '\u{300}'),
    ("circumflex", '\u{302}'),
    ("dieresis", '\u{308}'),
    ("tilde", '\u{303}'),
    ("caron", '\u{30C}'),
    ("breve", '\u{306}'),
    ("macron", '\u{304}'),
    ("ring", '\u{30A}'),
    ("cedilla", '\u{327}'),
    ("ogonek", '\u{328}'),
    ("hungarumlaut", '\u{30B}'),
    ("dotaccent", '\u{307}'),
];

/// What a glyph with this name stands for.
pub(super) fn letter(name: &str) -> Option<String> {
    // What stands behind a point is a variant of the same.
    let name = match name.split_once('.') {
        Some(("", _)) => return None,
        Some((name, _)) => name,
        None => name,
    };
    if name.len() == 1 && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Some(name.to_owned());
    }
    if let Some((_, text)) = pairs().find(|(known, _)| *known == name) {
        return Some(text.to_owned());
    }
    if name.contains('_') {
        return name.split('_').map(letter).collect::<Option<Vec<_>>>().map(|parts| parts.concat());
    }
    let marked = MARKS.iter().find_map(|(mark, combining)| {
        let base = name.strip_suffix(mark).filter(|base| base.len() == 1)?;
        Some([base.chars().next()?, *combining].into_iter().nfc().collect())
    });
    if marked.is_some() {
        return marked;
    }
    let hex = |digits: &str| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(String::from);
    let digits =
        |digits: &str| (4..=6).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if let Some(code) = name.strip_prefix("uni").filter(|code| code.len() >= 4) {
        return code.get(..4).filter(|code| digits(code)).and_then(hex);
    }
    name.strip_prefix('u').filter(|code| digits(code)).and_then(hex)
}

/// The names and what they stand for. Two spaces in a row are a space that is a value.
fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut rest = NAMES;
    std::iter::from_fn(move || {
        let (name, after) = rest.split_once(' ')?;
        let end = after.char_indices().skip(1).find(|(_, c)| *c == ' ').map_or(after.len(), |(at, _)| at);
        let (value, after) = after.split_at_checked(end)?;
        rest = after.strip_prefix(' ').unwrap_or(after);
        Some((name, value))
    })
}

fn table(decode: impl Fn(u8) -> Option<char>) -> Vec<Option<String>> {
    (0..=255).map(|byte| decode(byte).filter(|c| !c.is_control()).map(String::from)).collect()
}

/// `WinAnsiEncoding`; codes that it leaves open are bullets.
pub(super) fn win_ansi() -> Vec<Option<String>> {
    table(|byte| match byte {
        0x7F | 0x81 | 0x8D | 0x8F | 0x90 | 0x9D => Some('•'),
        byte => WINDOWS_1252.decode_without_bom_handling(&[byte]).0.chars().next(),
    })
}

/// `MacRomanEncoding`.
pub(super) fn mac_roman() -> Vec<Option<String>> {
    table(|byte| MACINTOSH.decode_without_bom_handling(&[byte]).0.chars().next())
}

/// `StandardEncoding`.
pub(super) fn standard() -> Vec<Option<String>> {
    const UPPER: &str = "\u{A1}¡¢£⁄¥ƒ§¤'“«‹›\u{FB01}\u{FB02}\0–†‡·\0¶•‚„”»…‰\0¿\0`´ˆ˜¯˘˙¨\0˚¸\0˝˛ˇ—";
    let upper: Vec<char> = UPPER.chars().skip(1).collect();
    let mut letters = table(|byte| match byte {
        b'\'' => Some('’'),
        b'`' => Some('‘'),
        0x20..=0x7E => Some(char::from(byte)),
        0xA1..=0xD0 => upper.get(usize::from(byte - 0xA1)).copied(),
        0xE1 => Some('Æ'),
        0xE3 => Some('ª'),
        0xE8 => Some('Ł'),
        0xE9 => Some('Ø'),
        0xEA => Some('Œ'),
        0xEB => Some('º'),
        0xF1 => Some('æ'),
        0xF5 => Some('ı'),
        0xF8 => Some('ł'),
        0xF9 => Some('ø'),
        0xFA => Some('œ'),
        0xFB => Some('ß'),
        _ => None,
    });
    for (code, ligature) in [(0xAE, "fi"), (0xAF, "fl")] {
        if let Some(letter) = letters.get_mut(code) {
            *letter = Some(ligature.to_owned());
        }
    }
    letters
}

/// The widths, in ems, of one of the fonts that every reader has, by the family that its name tells.
pub(super) fn standard_widths(name: &str) -> Vec<f64> {
    // In thousandths, from the space to the tilde.
    const HELVETICA: [u16; 95] = [
        278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556,
        556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778,
        722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278,
        278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
        556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
    ];
    const TIMES: [u16; 95] = [
        250, 333, 408, 500, 500, 833, 778, 180, 333, 333, 500, 564, 250, 333, 250, 278, 500, 500, 500, 500,
        500, 500, 500, 500, 500, 500, 278, 278, 564, 564, 564, 444, 921, 722, 667, 667, 722, 611, 556, 722,
        722, 333, 389, 722, 611, 889, 722, 722, 556, 722, 667, 556, 611, 722, 722, 944, 722, 722, 611, 333,
        278, 333, 469, 500, 333, 444, 500, 444, 500, 444, 333, 500, 500, 278, 278, 500, 278, 778, 500, 500,
        500, 500, 333, 389, 278, 500, 500, 722, 500, 500, 444, 480, 200, 480, 541,
    ];
    if name.contains("courier") {
        return vec![0.6; 256];
    }
    let letters = if name.contains("times") || name.contains("serif") { TIMES } else { HELVETICA };
    // Bold letters are a twentieth wider.
    let scale = if name.contains("bold") { 1.05 } else { 1.0 } / 1000.0;
    let mut widths = vec![0.53; 256];
    for (width, letter) in widths.iter_mut().skip(usize::from(b' ')).zip(letters) {
        *width = f64::from(letter) * scale;
    }
    widths
}

/// The encoding of the font Symbol.
pub(super) fn symbol() -> Vec<Option<String>> {
    const LETTERS: &str = "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖ";
    const SMALL: &str = "αβχδεφγηιϕκλμνοπθρστυϖωξψζ";
    table(|byte| match byte {
        b'A'..=b'Z' => LETTERS.chars().nth(usize::from(byte - b'A')),
        b'a'..=b'z' => SMALL.chars().nth(usize::from(byte - b'a')),
        b'-' => Some('−'),
        b'*' => Some('∗'),
        0x20..=0x3F | b'[' | b']' | b'{' | b'|' | b'}' | b'_' => Some(char::from(byte)),
        0xA3 => Some('≤'),
        0xA5 => Some('∞'),
        0xAC => Some('←'),
        0xAD => Some('↑'),
        0xAE => Some('→'),
        0xAF => Some('↓'),
        0xB0 => Some('°'),
        0xB1 => Some('±'),
        0xB3 => Some('≥'),
        0xB4 => Some('×'),
        0xB7 => Some('•'),
        0xB8 => Some('÷'),
        0xB9 => Some('≠'),
        0xBA => Some('≡'),
        0xBB => Some('≈'),
        0xBC => Some('…'),
        0xCE => Some('∈'),
        0xD5 => Some('∏'),
        0xD6 => Some('√'),
        0xE5 => Some('∑'),
        0xF2 => Some('∫'),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glyphs_stand_for_letters() {
        let check = |name: &str, expect: Option<&str>| assert_eq!(letter(name).as_deref(), expect, "{name}");
        check("A", Some("A"));
        check("space", Some(" "));
        check("exclam", Some("!"));
        check("commaaccent", Some(","));
        check("eacute", Some("é"));
        check("Scaron", Some("Š"));
        check("f_f_i", Some("ffi"));
        check("ffi", Some("ffi"));
        check("a.sc", Some("a"));
        check("uniAC00", Some("가"));
        check("u1F600", Some("😀"));
        check(".notdef", None);
        check("g123", None);
        assert_eq!(standard().get(0xAE).cloned().flatten().as_deref(), Some("fi"));
        assert_eq!(standard().get(0xD0).cloned().flatten().as_deref(), Some("—"));
        assert_eq!(win_ansi().get(0x80).cloned().flatten().as_deref(), Some("€"));
    }
}
