//! What a case was like, as a set of numbers: the stand-in for coverage. An input that shows a feature never
//! seen before is worth keeping.

use hanok_wire::WireError;
use std::fmt::{self, Debug, Write};

/// Bits of a feature's number. Two features of one number are one, which bounds what can be kept.
const BITS: u32 = 16;

/// The features of one case.
#[derive(Debug, Default)]
pub(crate) struct Features {
    found: Vec<u32>,
    /// What is being looked at.
    about: u64,
}

impl Features {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.found.clear();
        self.about = 0;
    }

    /// What was found, each once.
    pub(crate) fn take(&mut self) -> Vec<u32> {
        self.found.sort_unstable();
        self.found.dedup();
        std::mem::take(&mut self.found)
    }

    /// What follows is about this.
    pub(crate) fn about(&mut self, what: &str) {
        self.about = what.bytes().fold(0xcbf2_9ce4_8422_2325, mix);
        self.add(0);
    }

    /// The shape of a value: its types, members and variants in their neighbourhoods, not its texts.
    pub(crate) fn shape(&mut self, value: &impl Debug) {
        // Nothing in here fails.
        let _ =
            write!(Shape { features: self, state: State::Between, word: 0, before: [0; 2] }, "{value:?} ");
    }

    /// What kind of error it is.
    pub(crate) fn error(&mut self, error: &WireError) {
        self.add(words(error).bytes().fold(1, mix));
    }

    fn add(&mut self, feature: u64) {
        let number = (feature ^ self.about).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - BITS);
        self.found.extend(u32::try_from(number));
    }
}

/// The words of an error before and behind all that it quotes, up to where it shows what it met. Nothing of an
/// upstream's own words.
pub(crate) fn words(error: &WireError) -> String {
    if let WireError::Upstream(fault) = error {
        return format!("the upstream's {}", fault.kind);
    }
    let text = error.to_string();
    let quote = |char: char| char == '`' || char == '"';
    let plain = |char: &char| char.is_ascii_alphabetic() || " ,:;()'-".contains(*char);
    let before = text.split(quote).next().unwrap_or_default();
    let behind = text.contains(quote).then(|| text.rsplit(quote).next()).flatten().unwrap_or_default();
    let words: String = before.chars().take_while(plain).chain(behind.chars().take_while(plain)).collect();
    words.trim_matches([' ', ':']).to_owned()
}

fn mix(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
}

/// Reads what `Debug` writes, token by token, without keeping it.
struct Shape<'a> {
    features: &'a mut Features,
    state: State,
    word: u64,
    before: [u64; 2],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Between,
    Word,
    Number,
    Text { empty: bool, escaped: bool },
}

impl Shape<'_> {
    fn token(&mut self, token: u64) {
        let [first, second] = self.before;
        self.features.add(first.rotate_left(7) ^ second.rotate_left(3) ^ token);
        self.before = [second, token];
    }

    fn read(&mut self, char: char) {
        self.state = match self.state {
            State::Text { empty, escaped: false } if char == '"' => {
                self.token(if empty { 11 } else { 12 });
                State::Between
            }
            State::Text { escaped, .. } => State::Text { empty: false, escaped: !escaped && char == '\\' },
            State::Word if char.is_alphanumeric() || char == '_' => {
                self.word = mix(self.word, u8::try_from(char).unwrap_or(0));
                State::Word
            }
            State::Number if char.is_ascii_alphanumeric() || "._+-".contains(char) => State::Number,
            State::Word => {
                self.token(self.word);
                self.begin(char)
            }
            State::Number => {
                self.token(13);
                self.begin(char)
            }
            State::Between => self.begin(char),
        };
    }

    fn begin(&mut self, char: char) -> State {
        match char {
            '"' => State::Text { empty: true, escaped: false },
            'a'..='z' | 'A'..='Z' | '_' => {
                self.word = mix(17, u8::try_from(char).unwrap_or(0));
                State::Word
            }
            '0'..='9' | '-' => State::Number,
            '[' | '{' | '(' => {
                self.token(u64::from(u32::from(char)));
                State::Between
            }
            _ => State::Between,
        }
    }
}

impl Write for Shape<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().for_each(|char| self.read(char));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::ProviderErrorKind;
    use hanok_wire::StreamFault;

    #[test]
    fn shapes_and_words_count_and_texts_do_not() {
        let of = |value: &dyn Fn(&mut Features)| {
            let mut features = Features::default();
            features.about("x");
            value(&mut features);
            features.take()
        };
        let shape = |value: Vec<Option<(&'static str, i32)>>| of(&|features| features.shape(&value));
        assert_eq!(shape(vec![Some(("a\"b", 1))]), shape(vec![Some(("other", 77))]));
        assert_ne!(shape(vec![Some(("a", 1))]), shape(vec![Some(("", 1))]));
        assert_ne!(shape(vec![Some(("a", 1))]), shape(vec![None]));
    }

    #[test]
    fn errors_are_known_by_their_own_words() {
        let error = |message: &str| WireError::Member { param: "a[1]".into(), message: message.into() };
        let same = words(&error("must not be `x`, here"));
        assert_eq!(same, words(&error("must not be `y\"z`, here: 7")));
        assert_ne!(same, words(&error("must not be `y`, there")));
        let fault = StreamFault { kind: ProviderErrorKind::Overloaded, message: "a".into(), code: None };
        let other = StreamFault { message: "b".into(), ..fault.clone() };
        assert_eq!(words(&WireError::Upstream(fault)), words(&WireError::Upstream(other)));
    }
}
