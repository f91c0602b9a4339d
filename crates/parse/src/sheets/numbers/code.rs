//! Format codes, taken apart.

/// One of up to four sections of a code.
#[derive(Clone, Debug, Default)]
pub(super) struct Section {
    pub(super) tokens: Vec<Token>,
    /// When it is to be used, where it says so.
    pub(super) condition: Option<Condition>,
    /// Whether digits are grouped by three.
    pub(super) is_grouped: bool,
    /// How often the number is divided by a thousand.
    pub(super) thousands: usize,
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// Text as it is.
    Literal(String),
    /// A place for a digit: `0`, `#` or `?`.
    Digit(char),
    /// The decimal point.
    Point,
    /// `%`.
    Percent,
    /// `E+` (with the sign always) or `E-`.
    Exponent(bool),
    /// The bar of a fraction.
    Slash,
    /// Year, month, day, hour, minute, second, or `a` for a day of the week, and how many letters.
    Date(char, usize),
    /// Hours, minutes or seconds that are not cut at the day.
    Elapsed(char),
    /// Parts of a second.
    SubSecond(usize),
    /// Before or after noon, and the words.
    Noon(&'static str, &'static str),
    /// The cell's own text, or a number without a format.
    General,
}

/// A condition in brackets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Condition {
    is_less: bool,
    is_greater: bool,
    is_equal: bool,
    value: f64,
}

impl Condition {
    fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c| !matches!(c, '<' | '>' | '='))?;
        let (operator, value) = text.split_at_checked(end)?;
        let value = value.trim().parse().ok()?;
        let has = |c| operator.contains(c);
        let (is_less, is_greater, is_equal) = (has('<'), has('>'), has('='));
        (!operator.is_empty()).then_some(Self { is_less, is_greater, is_equal, value })
    }

    #[expect(clippy::float_cmp, reason = "the condition is on the number itself")]
    pub(super) fn holds(self, number: f64) -> bool {
        (self.is_less && number < self.value)
            || (self.is_greater && number > self.value)
            || (self.is_equal && number == self.value)
    }
}

impl Section {
    pub(super) fn is_general(&self) -> bool {
        self.tokens.iter().any(|token| *token == Token::General)
    }

    pub(super) fn is_date(&self) -> bool {
        self.tokens.iter().any(|token| matches!(token, Token::Date(..) | Token::Elapsed(_)))
    }
}

/// The words for before and after noon.
const NOON: [(&str, &str, &str); 3] =
    [("AM/PM", "AM", "PM"), ("A/P", "A", "P"), ("오전/오후", "오전", "오후")];

/// Takes a code apart; what is not understood stands as it is.
pub(super) fn parse(code: &str) -> Vec<Section> {
    let mut sections = Vec::new();
    let mut section = Section::default();
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        if let Some((words, am, pm)) = NOON.into_iter().find(|(words, ..)| starts_with(rest, words)) {
            section.tokens.push(Token::Noon(am, pm));
            rest = rest.get(words.len()..).unwrap_or_default();
            continue;
        }
        if starts_with(rest, "general") {
            section.tokens.push(Token::General);
            rest = rest.get(7..).unwrap_or_default();
            continue;
        }
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            ';' => sections.push(finish(std::mem::take(&mut section))),
            '"' => {
                let (literal, after) = rest.split_once('"').unwrap_or((rest, ""));
                section.tokens.push(Token::Literal(literal.to_owned()));
                rest = after;
            }
            '[' => {
                let (inside, after) = rest.split_once(']').unwrap_or((rest, ""));
                bracket(inside, &mut section);
                rest = after;
            }
            // The character after stands for itself; is left as wide a space; fills the cell.
            '\\' | '_' | '*' => {
                let next = rest.chars().next();
                rest = rest.get(next.map_or(0, char::len_utf8)..).unwrap_or_default();
                if c == '\\' {
                    section.tokens.extend(next.map(|next| Token::Literal(next.to_string())));
                } else if c == '_' {
                    section.tokens.push(Token::Literal(" ".to_owned()));
                }
            }
            '0' | '#' | '?' => section.tokens.push(Token::Digit(c)),
            '.' => section.tokens.push(Token::Point),
            ',' => section.tokens.push(Token::Literal(",".to_owned())),
            '%' => section.tokens.push(Token::Percent),
            '/' => section.tokens.push(Token::Slash),
            '@' => section.tokens.push(Token::General),
            'E' | 'e' if rest.starts_with(['+', '-']) => {
                section.tokens.push(Token::Exponent(rest.starts_with('+')));
                rest = rest.get(1..).unwrap_or_default();
            }
            'y' | 'Y' | 'm' | 'M' | 'd' | 'D' | 'h' | 'H' | 's' | 'S' | 'a' | 'A' | 'e' | 'E' => {
                let more =
                    rest.len() - rest.trim_start_matches(|next: char| next.eq_ignore_ascii_case(&c)).len();
                rest = rest.get(more..).unwrap_or_default();
                let letter = match c.to_ascii_lowercase() {
                    'e' => 'y',
                    letter => letter,
                };
                let count = if c.eq_ignore_ascii_case(&'e') { 4 } else { more + 1 };
                section.tokens.push(Token::Date(letter, count));
            }
            other => section.tokens.push(Token::Literal(other.to_string())),
        }
    }
    sections.push(finish(section));
    sections
}

fn starts_with(text: &str, word: &str) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

/// What stands in brackets: a currency, an elapsed time, a condition, a colour, a language.
fn bracket(inside: &str, section: &mut Section) {
    if let Some(currency) = inside.strip_prefix('$') {
        let (sign, _) = currency.rsplit_once('-').unwrap_or((currency, ""));
        if !sign.is_empty() {
            section.tokens.push(Token::Literal(sign.to_owned()));
        }
        return;
    }
    if let Some(letter) = inside.chars().next().map(|c| c.to_ascii_lowercase())
        && matches!(letter, 'h' | 'm' | 's')
        && inside.chars().all(|c| c.eq_ignore_ascii_case(&letter))
    {
        return section.tokens.push(Token::Elapsed(letter));
    }
    section.condition = section.condition.or_else(|| Condition::parse(inside));
}

/// Says what letters and commas mean by what stands around them.
fn finish(mut section: Section) -> Section {
    if section.is_date() {
        // An `m` next to hours or seconds is minutes.
        let mut last = ' ';
        for at in 0..section.tokens.len() {
            let following =
                section.tokens.get(at + 1..).unwrap_or_default().iter().find_map(|token| match token {
                    Token::Date(letter, _) | Token::Elapsed(letter) => Some(*letter),
                    _ => None,
                });
            match section.tokens.get_mut(at) {
                Some(Token::Date(letter, count)) => {
                    if *letter == 'm' && *count <= 2 && (last == 'h' || following == Some('s')) {
                        *letter = 'n';
                    }
                    last = *letter;
                }
                Some(Token::Elapsed(letter)) => last = *letter,
                _ => {}
            }
        }
        let mut tokens: Vec<Token> = Vec::new();
        for token in std::mem::take(&mut section.tokens) {
            match (tokens.last_mut(), token) {
                (Some(Token::SubSecond(places)), Token::Digit('0')) => *places += 1,
                (Some(last @ Token::Point), Token::Digit('0')) => *last = Token::SubSecond(1),
                (_, Token::Slash) => tokens.push(Token::Literal("/".to_owned())),
                (_, token) => tokens.push(token),
            }
        }
        section.tokens = tokens;
        return section;
    }
    let is_comma = |token: &Token| matches!(token, Token::Literal(literal) if literal == ",");
    let is_digit = |token: &Token| matches!(token, Token::Digit(_));
    let last = section.tokens.iter().rposition(is_digit);
    let first = section.tokens.iter().position(is_digit);
    if let (Some(first), Some(last)) = (first, last) {
        let within = section.tokens.get(first..last).unwrap_or_default();
        section.is_grouped = within.iter().any(is_comma);
        let after = section.tokens.get(last + 1..).unwrap_or_default();
        section.thousands = after.iter().take_while(|token| is_comma(token)).count();
        let mut at = 0_usize;
        let end = last + section.thousands;
        section.tokens.retain(|token| {
            at += 1;
            !(is_comma(token) && at > first && at <= end + 1)
        });
    }
    // A letter on its own in a number is a word without quotes.
    for token in &mut section.tokens {
        if let Token::Noon(am, pm) = token {
            *token = Token::Literal(format!("{am}/{pm}"));
        }
    }
    section
}
