//! Which traces are wanted, and how SQL says it.
//!
//! Patterns are looked up once, before the traces are gone through: names, users and sessions are far fewer than
//! traces, and a trace only has their numbers.

use crate::StoreError;
use hanok_base::{Timestamp, TraceId};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use std::fmt::Write as _;

/// Which traces are wanted. Empty lists and `None` want any. Several of one kind mean any of them, except for tags
/// and words, of which all are meant. In patterns `*` stands for any text, and case does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceQuery {
    /// Patterns of models.
    pub models: Vec<String>,
    /// Patterns of providers.
    pub providers: Vec<String>,
    /// Patterns of keys' names; or their ids.
    pub keys: Vec<String>,
    /// Patterns of projects.
    pub projects: Vec<String>,
    /// Sessions by their exact name, or patterns.
    pub sessions: Vec<String>,
    /// Users by their exact name, or patterns.
    pub users: Vec<String>,
    /// Patterns of tags, all of them.
    pub tags: Vec<String>,
    /// Patterns of prompts, as `name@version` or the name alone.
    pub prompts: Vec<String>,
    /// Patterns of sources.
    pub sources: Vec<String>,
    /// Patterns of what the root did.
    pub operations: Vec<String>,
    /// Patterns of traces' names.
    pub names: Vec<String>,
    /// Texts that occur in the error, or patterns of the whole of it.
    pub errors: Vec<String>,
    /// Ids of traces, or their beginnings and a `*`.
    pub ids: Vec<String>,
    /// Only failed ones, or only those that did not fail.
    pub failed: Option<bool>,
    /// Begun then or later.
    pub since: Option<Timestamp>,
    /// Begun before.
    pub until: Option<Timestamp>,
    /// What is measured, all of it.
    pub measures: Vec<Measured>,
    /// What they were scored, all of it.
    pub scores: Vec<Scored>,
    /// What they have, all of it.
    pub has: Vec<Has>,
    /// Texts that must all occur in name, model, provider, error or previews; ASCII case does not matter.
    pub words: Vec<String>,
    /// What none of them may be.
    pub not: Vec<TraceQuery>,
}

/// A number of a trace, compared. One that is not known passes no comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Which number.
    pub measure: Measure,
    /// How it is compared.
    pub comparison: Comparison,
    /// With what, in the measure's unit.
    pub value: i64,
}

/// A number of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Nano-dollars.
    Cost,
    /// Tokens of prompts and answers.
    Tokens,
    /// Tokens of prompts.
    Input,
    /// Tokens of answers.
    Output,
    /// Nanoseconds from its start to its end.
    Duration,
    /// Nanoseconds to the first token.
    FirstToken,
    /// Spans.
    Spans,
}

impl Measure {
    fn sql(self) -> &'static str {
        match self {
            Self::Cost => "t.cost_nano",
            Self::Tokens => {
                "CASE WHEN t.input_tokens IS NULL AND t.output_tokens IS NULL THEN NULL
                    ELSE coalesce(t.input_tokens, 0) + coalesce(t.output_tokens, 0) END"
            }
            Self::Input => "t.input_tokens",
            Self::Output => "t.output_tokens",
            Self::Duration => "t.duration_ns",
            Self::FirstToken => "t.ttft_ns",
            Self::Spans => "t.span_count",
        }
    }
}

/// How numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// More than.
    More,
    /// As much or more.
    AtLeast,
    /// Less than.
    Less,
    /// As much or less.
    AtMost,
}

impl Comparison {
    /// As it is written: `>`, `>=`, `<` or `<=`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Less => "<",
            Self::AtMost => "<=",
        }
    }
}

/// What some score of a trace, or of one of its spans, is.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// A pattern of the score's name.
    pub name: String,
    /// Its value.
    pub value: ScoreTest,
}

/// What a score's value is.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreTest {
    /// A number that compares so; a yes is 1, a no 0.
    Number(Comparison, f64),
    /// A label of this pattern.
    Label(String),
}

/// What a trace may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Has {
    /// An error.
    Error,
    /// A cost.
    Cost,
    /// A session.
    Session,
    /// A user.
    User,
    /// A tag.
    Tag,
    /// A score, of itself or of one of its spans.
    Score,
}

/// Rows of one step of a filtered scan.
const STEP: i64 = 10_000;
/// So many traces are gone through one by one where an index names them.
const FEW: usize = 20_000;

/// A query as SQL on the traces `t`.
pub(crate) struct Conditions {
    /// Each begins with ` AND `.
    pub(crate) sql: String,
    /// What to select from, where an index finds the traces that can match.
    from: Option<&'static str>,
    /// How many sequence numbers to look at in one go.
    pub(crate) step: i64,
}

impl Conditions {
    /// The values are put behind those that are there.
    pub(crate) fn of(
        conn: &Connection,
        query: &TraceQuery,
        values: &mut Vec<Sql>,
    ) -> Result<Self, StoreError> {
        let before = values.len();
        let mut builder = Builder { conn, values, few: false, none: false };
        let clauses = builder.clauses(query, true)?;
        if builder.none {
            builder.values.truncate(before);
            return Ok(Self { sql: " AND 0".to_owned(), from: None, step: i64::MAX });
        }
        let (from, step) = if builder.few {
            (Some("traces AS t"), i64::MAX)
        } else if !query.sessions.is_empty() {
            // What is passed over costs next to nothing then.
            (Some("traces AS t INDEXED BY traces_by_session"), 10 * STEP)
        } else if !query.users.is_empty() {
            (Some("traces AS t INDEXED BY traces_by_user"), 10 * STEP)
        } else {
            (None, STEP)
        };
        Ok(Self { sql: clauses.iter().flat_map(|clause| [" AND ", clause]).collect(), from, step })
    }

    /// What to select from; `other` where the query names no index.
    pub(crate) fn from(&self, other: &'static str) -> &'static str {
        self.from.unwrap_or(other)
    }
}

struct Builder<'a> {
    conn: &'a Connection,
    values: &'a mut Vec<Sql>,
    /// Whether a clause names the few traces that can match.
    few: bool,
    /// Whether nothing can match: no name has a pattern that is wanted.
    none: bool,
}

impl Builder<'_> {
    /// `wanted`: all of them must hold, so that one may say which traces are worth looking at.
    fn clauses(&mut self, query: &TraceQuery, wanted: bool) -> Result<Vec<String>, StoreError> {
        let mut clauses = Vec::new();
        for (column, patterns) in [
            ("model", &query.models),
            ("provider", &query.providers),
            ("project", &query.projects),
            ("prompt", &query.prompts),
            ("source", &query.sources),
            ("operation", &query.operations),
            ("name", &query.names),
        ] {
            if !patterns.is_empty() {
                let found = self.names(patterns, Behind::of(column))?;
                let ids = self.only(&found, wanted);
                clauses.push(format!("t.{column} {ids}"));
            }
        }
        if !query.keys.is_empty() {
            let found = self.names(&query.keys, None)?;
            let ids = self.only(&found, wanted);
            clauses.push(format!("(t.key_name {ids} OR t.key_id {ids})"));
        }
        for (column, table, names) in
            [("session", "sessions", &query.sessions), ("user", "users", &query.users)]
        {
            if !names.is_empty() {
                let found = self.exact(table, names)?;
                let ids = self.only(&found, wanted);
                clauses.push(format!("t.{column} {ids}"));
            }
        }
        for tag in &query.tags {
            let ids = self.names(std::slice::from_ref(tag), None)?;
            let json = Sql::Text(serde_json::Value::from(ids).to_string());
            let few = "SELECT seq FROM tags WHERE tag IN (SELECT value FROM json_each(?1))";
            let few = if wanted { self.few(few, vec![json.clone()])? } else { None };
            clauses.push(match few {
                Some(few) => few,
                None => format!(
                    "EXISTS (SELECT 1 FROM tags WHERE tag IN (SELECT value FROM json_each({})) AND seq = t.seq)",
                    self.value(json)
                ),
            });
        }
        if let Some(failed) = query.failed {
            clauses.push(format!("t.status = {}", u8::from(failed)));
        }
        for (is, moment) in [(">=", query.since), ("<", query.until)] {
            if let Some(moment) = moment {
                clauses.push(format!("t.start_ns {is} {}", self.value(Sql::Integer(moment.0))));
            }
        }
        self.any(&mut clauses, &query.errors, |this, error| {
            if error.contains('*') {
                format!("lower(t.error) GLOB {}", this.value(glob_pattern(error)))
            } else {
                format!("t.error LIKE {} ESCAPE '\\'", this.value(like_pattern(error)))
            }
        });
        let whole: Option<Vec<TraceId>> = query.ids.iter().map(|id| id.parse().ok()).collect();
        match whole.filter(|ids| wanted && !ids.is_empty()) {
            Some(ids) => {
                let mut found = Vec::new();
                for id in ids {
                    let id = Sql::Blob(id.as_bytes().to_vec());
                    found.extend(numbers_of(
                        self.conn,
                        "SELECT seq FROM traces WHERE trace_id = ?1",
                        vec![id],
                    )?);
                }
                self.few = true;
                let these = self.only(&found, wanted);
                clauses.push(format!("t.seq {these}"));
            }
            None => self.any(&mut clauses, &query.ids, Self::id),
        }
        for Measured { measure, comparison, value } in &query.measures {
            let value = self.value(Sql::Integer(*value));
            clauses.push(format!("{} {} {value}", measure.sql(), comparison.as_str()));
        }
        for scored in &query.scores {
            clauses.push(self.scored(scored, wanted)?);
        }
        clauses.extend(query.has.iter().map(|has| has.sql()));
        for word in &query.words {
            clauses.push(self.word(word)?);
        }
        for not in &query.not {
            let inner = self.clauses(not, false)?;
            if !inner.is_empty() {
                // What is not known is not so.
                clauses.push(format!("NOT coalesce({}, 0)", inner.join(" AND ")));
            }
        }
        Ok(clauses)
    }

    fn any(
        &mut self,
        clauses: &mut Vec<String>,
        wanted: &[String],
        mut one: impl FnMut(&mut Self, &str) -> String,
    ) {
        if !wanted.is_empty() {
            let each: Vec<String> = wanted.iter().map(|wanted| one(self, wanted)).collect();
            clauses.push(format!("({})", each.join(" OR ")));
        }
    }

    fn id(&mut self, id: &str) -> String {
        if let Ok(id) = id.parse::<TraceId>() {
            return format!("t.trace_id = {}", self.value(Sql::Blob(id.as_bytes().to_vec())));
        }
        let mut pattern = id.trim_end_matches('*').to_ascii_uppercase();
        pattern.retain(|char| char.is_ascii_hexdigit());
        pattern.push('*');
        format!("hex(t.trace_id) GLOB {}", self.value(Sql::Text(pattern)))
    }

    fn scored(&mut self, Scored { name, value }: &Scored, wanted: bool) -> Result<String, StoreError> {
        let ids = self.names(std::slice::from_ref(name), None)?;
        let ids = Sql::Text(serde_json::Value::from(ids).to_string());
        let (is, than) = match value {
            ScoreTest::Number(comparison, number) => {
                (format!("s.value {}", comparison.as_str()), Sql::Real(*number))
            }
            ScoreTest::Label(label) => ("lower(s.label) GLOB".to_owned(), glob_pattern(label)),
        };
        let few = format!(
            "SELECT t.seq FROM scores AS s INDEXED BY scores_by_name CROSS JOIN traces AS t
             WHERE s.name IN (SELECT value FROM json_each(?1)) AND {is} ?2 AND {OF_TRACE}"
        );
        if wanted && let Some(few) = self.few(&few, vec![ids.clone(), than.clone()])? {
            return Ok(few);
        }
        let (ids, than) = (self.value(ids), self.value(than));
        Ok(format!(
            "EXISTS (SELECT 1 FROM {SCORES} WHERE {OF_TRACE} AND s.name IN (SELECT value FROM json_each({ids}))
                AND {is} {than})"
        ))
    }

    /// A clause that names the traces a query gives, where they are few.
    fn few(&mut self, sql: &str, values: Vec<Sql>) -> Result<Option<String>, StoreError> {
        let found = numbers_of(self.conn, &format!("{sql} LIMIT {}", FEW + 1), values)?;
        if found.len() > FEW {
            return Ok(None);
        }
        self.few = true;
        Ok(Some(format!("t.seq {}", self.among(&found))))
    }

    fn word(&mut self, word: &str) -> Result<String, StoreError> {
        let word = like_pattern(word);
        let found =
            numbers_of(self.conn, "SELECT id FROM names WHERE text LIKE ?1 ESCAPE '\\'", vec![word.clone()])?;
        let (word, named) = (self.value(word), self.among(&found));
        Ok(format!(
            "(t.input_preview LIKE {word} ESCAPE '\\' OR t.output_preview LIKE {word} ESCAPE '\\'
                OR t.error LIKE {word} ESCAPE '\\' OR t.name {named} OR t.model {named}
                OR t.provider {named} OR t.key_name {named})"
        ))
    }

    /// The names of these patterns.
    fn names(&self, patterns: &[String], behind: Option<Behind>) -> Result<Vec<i64>, StoreError> {
        names_like(self.conn, patterns, behind)
    }

    /// The rows of a table with these very names, or patterns.
    fn exact(&self, table: &str, names: &[String]) -> Result<Vec<i64>, StoreError> {
        rows_named(self.conn, table, names)
    }

    /// Among these and no others.
    fn only(&mut self, ids: &[i64], wanted: bool) -> String {
        self.none |= wanted && ids.is_empty();
        self.among(ids)
    }

    fn among(&mut self, ids: &[i64]) -> String {
        if let [id] = ids {
            return format!("= {}", self.value(Sql::Integer(*id)));
        }
        let json = serde_json::Value::from(ids).to_string();
        format!("IN (SELECT value FROM json_each({}))", self.value(Sql::Text(json)))
    }

    fn value(&mut self, value: Sql) -> String {
        self.values.push(value);
        format!("?{}", self.values.len())
    }
}

/// The names of these patterns.
pub(crate) fn names_like(
    conn: &Connection,
    patterns: &[String],
    behind: Option<Behind>,
) -> Result<Vec<i64>, StoreError> {
    let mut sql = String::from("SELECT id FROM names WHERE ");
    let mut values = Vec::new();
    for (number, pattern) in (1..).zip(patterns) {
        let or = if number > 1 { " OR " } else { "" };
        // Writing to a string cannot fail.
        let _ = write!(sql, "{or}lower(text) GLOB ?{number}");
        if let Some(behind) = behind {
            let _ = write!(sql, " OR {} GLOB ?{number}", behind.sql());
        }
        values.push(glob_pattern(pattern));
    }
    numbers_of(conn, &sql, values)
}

/// The rows of a table with these very names, or patterns.
pub(crate) fn rows_named(conn: &Connection, table: &str, names: &[String]) -> Result<Vec<i64>, StoreError> {
    let mut found = Vec::new();
    for name in names {
        found.extend(if name.contains('*') {
            numbers_of(
                conn,
                &format!("SELECT id FROM {table} WHERE lower(name) GLOB ?1"),
                vec![glob_pattern(name)],
            )?
        } else {
            numbers_of(
                conn,
                &format!("SELECT id FROM {table} WHERE name = ?1"),
                vec![Sql::Text(name.clone())],
            )?
        });
    }
    Ok(found)
}

fn numbers_of(conn: &Connection, sql: &str, values: Vec<Sql>) -> Result<Vec<i64>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Scores `s` by the trace they are of.
const SCORES: &str = "scores AS s INDEXED BY scores_by_trace";
/// They are of the trace `t` and its spans, made in its project or for all of them.
const OF_TRACE: &str = "s.trace_id = t.trace_id AND s.project IN (0, coalesce(t.project, 0))";

impl Has {
    fn sql(self) -> String {
        let is = match self {
            Self::Error => "t.status = 1",
            Self::Cost => "t.cost_nano IS NOT NULL",
            Self::Session => "t.session IS NOT NULL",
            Self::User => "t.user IS NOT NULL",
            Self::Tag => "t.tags IS NOT NULL",
            Self::Score => return format!("EXISTS (SELECT 1 FROM {SCORES} WHERE {OF_TRACE})"),
        };
        is.to_owned()
    }
}

/// By what part of a name it is found, too.
#[derive(Clone, Copy)]
pub(crate) enum Behind {
    /// A model is asked for as `provider/model`, and looked for by its own name.
    Slash,
    /// A prompt is `name@version`, and looked for by its name.
    At,
}

impl Behind {
    fn of(column: &str) -> Option<Self> {
        match column {
            "model" => Some(Self::Slash),
            "prompt" => Some(Self::At),
            _ => None,
        }
    }

    fn sql(self) -> &'static str {
        match self {
            Self::Slash => "lower(substr(text, instr(text, '/') + 1))",
            Self::At => "lower(substr(text, 1, instr(text, '@') - 1))",
        }
    }
}

/// Only `*` is special to us.
pub(crate) fn glob_pattern(glob: &str) -> Sql {
    let mut pattern = String::with_capacity(glob.len());
    for char in glob.chars().map(|char| char.to_ascii_lowercase()) {
        match char {
            '[' | '?' => pattern.extend(['[', char, ']']),
            char => pattern.push(char),
        }
    }
    Sql::Text(pattern)
}

fn like_pattern(word: &str) -> Sql {
    let mut pattern = String::from("%");
    for char in word.chars() {
        if matches!(char, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(char);
    }
    pattern.push('%');
    Sql::Text(pattern)
}
