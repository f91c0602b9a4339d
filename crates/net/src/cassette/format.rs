//! The lines of a cassette.
//!
//! A cassette is JSON lines: one that says that it is one, then for each exchange a `request`, a `response`,
//! a `piece` for each piece of the body as it came, and an `end`. Of an exchange all lines are there, or, at
//! the very end of a file whose writer was killed, some.

use super::content::Content;
use crate::{HeaderMap, HeaderName, HeaderValue, NetErrorKind, StatusCode};
use serde::{Deserialize, Serialize};

/// The first line.
pub(super) const FIRST_LINE: &str = "{\"cassette\":1}\n";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Cassette(u32),
    Request(Asked),
    Response(Answered),
    Piece(Piece),
    End(End),
}

/// A request as recorded: without secrets.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    #[serde(flatten)]
    pub(super) body: Content,
}

/// The head of an answer.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// How long after the request.
    pub(super) after_ms: u64,
    pub(super) headers: Vec<(String, String)>,
}

/// A piece of a body.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Piece {
    /// How long after the piece before, or after the head.
    pub(super) after_ms: u64,
    #[serde(flatten)]
    pub(super) data: Content,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum End {
    Complete,
    Broken(Break),
}

/// Why an answer has no end.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Break {
    /// The connection was closed.
    Cut,
    /// Nothing more came in time.
    Stalled,
    /// What came was not HTTP.
    Malformed,
    /// Whoever had asked let go.
    LetGo,
}

impl Break {
    pub(super) fn of(kind: NetErrorKind) -> Self {
        match kind {
            NetErrorKind::IdleTimeout | NetErrorKind::FirstByteTimeout => Self::Stalled,
            NetErrorKind::Protocol => Self::Malformed,
            _ => Self::Cut,
        }
    }
}

/// A request and all of its answer.
#[derive(Clone, Debug)]
pub(super) struct Exchange {
    pub(super) asked: Asked,
    pub(super) answered: Answered,
    pub(super) pieces: Vec<Piece>,
    pub(super) end: End,
}

impl Exchange {
    /// Its lines.
    pub(super) fn write(self) -> Result<String, serde_json::Error> {
        let Self { asked, answered, pieces, end } = self;
        let mut text = String::new();
        let pieces = pieces.into_iter().map(Line::Piece);
        for line in [Line::Request(asked), Line::Response(answered)].into_iter().chain(pieces) {
            text.push_str(&serde_json::to_string(&line)?);
            text.push('\n');
        }
        text.push_str(&serde_json::to_string(&Line::End(end))?);
        text.push('\n');
        Ok(text)
    }
}

/// What a cassette holds.
#[derive(Debug)]
pub(super) struct Tape {
    /// Each exchange with the line it begins at, from 1.
    pub(super) exchanges: Vec<(usize, Exchange)>,
    /// The bytes up to the end of the last whole exchange.
    pub(super) whole: usize,
    /// The line at which an exchange begins that is not whole.
    pub(super) torn: Option<usize>,
}

/// A line, from 1, that is not as it should be.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) line: usize,
    pub(super) why: String,
}

/// Reads a cassette.
pub(super) fn read(text: &[u8]) -> Result<Tape, Malformed> {
    let mut tape = Tape { exchanges: Vec::new(), whole: 0, torn: None };
    let mut open: Option<(usize, Open)> = None;
    let mut at = 0;
    for (line, bytes) in (1..).zip(text.split_inclusive(|byte| *byte == b'\n')) {
        at += bytes.len();
        // What a writer that was killed left behind; only the very last line can be without its end.
        if bytes.last() != Some(&b'\n') {
            tape.torn = tape.torn.or(open.as_ref().map(|(first, _)| *first)).or(Some(line));
            return Ok(tape);
        }
        let malformed = |why: String| Malformed { line, why };
        let parsed: Line = serde_json::from_slice(bytes).map_err(|error| {
            let what = if line == 1 { "this is not a cassette: " } else { "" };
            // The position within the line only; the line is given beside it.
            malformed(format!("{what}{} (column {})", without_position(&error), error.column()))
        })?;
        open = match (line, parsed, open) {
            (1, Line::Cassette(1), _) => None,
            (1, Line::Cassette(version), _) => {
                return Err(malformed(format!(
                    "this is a cassette of version {version}, which is not known here"
                )));
            }
            (1, ..) => return Err(malformed("this is not a cassette: its first line is missing".to_owned())),
            (_, Line::Request(asked), None) => {
                Some((line, Open { asked, answered: None, pieces: Vec::new() }))
            }
            (_, Line::Response(answered), Some((first, Open { asked, answered: None, pieces }))) => {
                head(&answered).map_err(malformed)?;
                Some((first, Open { asked, answered: Some(answered), pieces }))
            }
            (_, Line::Piece(piece), Some((first, mut open))) if open.answered.is_some() => {
                piece.data.bytes().map_err(malformed)?;
                open.pieces.push(piece);
                Some((first, open))
            }
            (_, Line::End(end), Some((first, Open { asked, answered: Some(answered), pieces }))) => {
                tape.exchanges.push((first, Exchange { asked, answered, pieces, end }));
                None
            }
            (_, found, open) => return Err(malformed(out_of_order(&found, open.is_some()))),
        };
        if open.is_none() {
            tape.whole = at;
        }
    }
    tape.torn = open.map(|(first, _)| first);
    Ok(tape)
}

/// An exchange that is being read.
struct Open {
    asked: Asked,
    answered: Option<Answered>,
    pieces: Vec<Piece>,
}

fn out_of_order(found: &Line, within: bool) -> String {
    let found = match found {
        Line::Cassette(_) => "cassette",
        Line::Request(_) => "request",
        Line::Response(_) => "response",
        Line::Piece(_) => "piece",
        Line::End(_) => "end",
    };
    let place = if within { "within an exchange that is not at that point" } else { "outside an exchange" };
    format!("a `{found}` {place}; the order is request, response, pieces, end")
}

fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(before, _)| before.to_owned())
}

/// The status and headers of a recorded head.
pub(super) fn head(answered: &Answered) -> Result<(StatusCode, HeaderMap), String> {
    let status =
        StatusCode::from_u16(answered.status).map_err(|_| format!("{} is not a status", answered.status))?;
    let mut headers = HeaderMap::with_capacity(answered.headers.len());
    for (name, value) in &answered.headers {
        let bad = || format!("`{}` is not a header", name.escape_debug());
        let name = HeaderName::try_from(name.as_str()).map_err(|_| bad())?;
        headers.append(name, HeaderValue::try_from(value.as_str()).map_err(|_| bad())?);
    }
    Ok((status, headers))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn exchange(end: End) -> Exchange {
        let piece = |after_ms, data: &'static [u8]| Piece { after_ms, data: Content::of(&Bytes::from(data)) };
        Exchange {
            asked: Asked {
                method: "POST".to_owned(),
                url: "http://host/v1/chat?x=1".to_owned(),
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: Content::of_request(b"{\"model\":\"m\",\"seed\":18446744073709551615,\"t\":0.1}"),
            },
            answered: Answered {
                status: 200,
                after_ms: 7,
                headers: vec![("a".to_owned(), "1".to_owned()), ("a".to_owned(), "2".to_owned())],
            },
            pieces: vec![piece(1, b"data: \xea\xb0"), piece(0, b"\x80\n\n"), piece(3, "끝".as_bytes())],
            end,
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut text = FIRST_LINE.to_owned();
        let ends = [
            End::Complete,
            End::Broken(Break::Cut),
            End::Broken(Break::Stalled),
            End::Broken(Break::Malformed),
            End::Broken(Break::LetGo),
        ];
        for end in ends {
            text.push_str(&exchange(end).write().unwrap());
        }
        let tape = read(text.as_bytes()).unwrap();
        assert_eq!((tape.whole, tape.torn), (text.len(), None));
        assert_eq!(tape.exchanges.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [2, 8, 14, 20, 26]);
        let mut again = FIRST_LINE.to_owned();
        for ((_, read), end) in tape.exchanges.into_iter().zip(ends) {
            assert_eq!(read.end, end);
            let bytes: Vec<u8> = read.pieces.iter().flat_map(|piece| piece.data.bytes().unwrap()).collect();
            assert_eq!(bytes, "data: 가\n\n끝".as_bytes());
            again.push_str(&read.write().unwrap());
        }
        assert_eq!(again, text);
        assert!(
            text.contains("\"json\":{\"model\":\"m\",\"seed\":18446744073709551615,\"t\":0.1}"),
            "{text}"
        );
        assert!(
            text.contains("{\"piece\":{\"after_ms\":3,\"text\":\"끝\"}}\n{\"end\":\"complete\"}\n"),
            "{text}"
        );
        assert!(text.contains("{\"end\":{\"broken\":\"cut\"}}\n"), "{text}");
    }

    #[test]
    fn a_torn_end_is_found_at_every_byte() {
        let first = format!("{FIRST_LINE}{}", exchange(End::Complete).write().unwrap());
        let text = format!("{first}{}", exchange(End::Complete).write().unwrap());
        for cut in first.len()..text.len() {
            let tape = read(&text.as_bytes()[..cut]).unwrap();
            assert_eq!((tape.whole, tape.exchanges.len()), (first.len(), 1), "{cut}");
            assert_eq!(tape.torn, (cut > first.len()).then_some(8), "{cut}");
        }
        let tape = read(&FIRST_LINE.as_bytes()[..5]).unwrap();
        assert_eq!((tape.whole, tape.torn), (0, Some(1)));
        let tape = read(b"").unwrap();
        assert_eq!((tape.whole, tape.torn), (0, None));
    }

    #[test]
    fn malformed_lines_are_named() {
        let ask = "{\"request\":{\"method\":\"GET\",\"url\":\"http://h/\",\"headers\":[],\"text\":\"\"}}\n";
        let answer = "{\"response\":{\"status\":200,\"after_ms\":0,\"headers\":[]}}\n";
        let check = |lines: &[&str], line: usize, part: &str| {
            let error = read(lines.concat().as_bytes()).unwrap_err();
            assert_eq!(error.line, line, "{lines:?}: {}", error.why);
            assert!(error.why.contains(part), "{lines:?}: {}", error.why);
        };
        check(&["\n"], 1, "not a cassette");
        check(&["{}\n"], 1, "not a cassette");
        check(&[ask], 1, "first line is missing");
        check(&["{\"cassette\":2}\n"], 1, "version 2");
        check(&[FIRST_LINE, "nonsense\n"], 2, "column");
        check(&[FIRST_LINE, "{\"request\":{}}\n"], 2, "method");
        check(&[FIRST_LINE, answer], 2, "a `response` outside an exchange");
        check(&[FIRST_LINE, ask, ask], 3, "a `request` within");
        check(&[FIRST_LINE, ask, "{\"end\":\"complete\"}\n"], 3, "the order is");
        check(&[FIRST_LINE, ask, "{\"end\":\"over\"}\n"], 3, "over");
        check(&[FIRST_LINE, ask, &answer.replace("200", "7")], 3, "7 is not a status");
        check(&[FIRST_LINE, ask, &answer.replace("[]", "[[\"a b\",\"\"]]")], 3, "`a b` is not a header");
        check(&[FIRST_LINE, ask, answer, "{\"piece\":{\"after_ms\":0,\"base64\":\"?\"}}\n"], 4, "base64");
        check(&[FIRST_LINE, ask, answer, "{\"piece\":{\"after_ms\":0}}\n"], 4, "column");
        check(&[FIRST_LINE, ask, answer, FIRST_LINE], 4, "a `cassette`");
    }
}
