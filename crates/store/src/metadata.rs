//! Which documents of a collection meet conditions on what is known of them, and who may find them.

use crate::StoreError;
use crate::documents::Documents;
use crate::query::{Comparison, glob_pattern};
use hanok_base::SourceId;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use std::fmt::Write as _;

/// Which documents are wanted: those that pass every test and that one of the readers may find.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceQuery {
    /// All of them must hold.
    pub tests: Vec<SourceTest>,
    /// Who asks: everything that one of these, or everybody, may find; `None` finds everything.
    pub readers: Option<Vec<String>>,
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceTest {
    /// Whether the opposite is wanted. What a document does not have is not as it is said to be.
    pub not: bool,
    /// What is looked at: `path`, `title`, `format`, `origin`, `trust`, or else a member of the metadata.
    pub field: String,
    /// What it must be.
    pub is: Is,
}

/// What a field must be. A list in the metadata passes where one of its items does.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// Like one of these patterns, in which `*` stands for any text; case does not matter.
    Like(Vec<String>),
    /// On this side of a number. Text that is no number does not pass.
    Number(Comparison, f64),
    /// On this side of a text in the order of its characters, as dates are (`2026-11-20`).
    Text(Comparison, String),
    /// There, and not null.
    There,
}

impl Documents<'_> {
    /// The documents of a collection that a query wants, in ascending order of ids.
    pub async fn groups_where(
        self,
        collection: i64,
        query: SourceQuery,
    ) -> Result<Vec<SourceId>, StoreError> {
        self.store.read(move |conn| groups_where(conn, collection, &query)).await
    }
}

fn groups_where(
    conn: &Connection,
    collection: i64,
    query: &SourceQuery,
) -> Result<Vec<SourceId>, StoreError> {
    let mut asked = Asked { sql: String::new(), values: vec![Sql::Integer(collection)] };
    for test in &query.tests {
        asked.sql.push_str(if test.not { " AND NOT (" } else { " AND (" });
        asked.test(test);
        asked.sql.push(')');
    }
    if let Some(readers) = &query.readers {
        let number = asked.value(readers_value(readers));
        let _ = write!(asked.sql, " AND {}", readable_by(number));
    }
    let sql = format!("SELECT s.id FROM sources s WHERE s.collection_id = ?1{}", asked.sql);
    let mut select = conn.prepare(&sql)?;
    let mut found: Vec<SourceId> = select
        .query_map(params_from_iter(asked.values), |row| Ok(SourceId(row.get::<_, i64>(0)?.cast_unsigned())))?
        .collect::<Result<_, _>>()?;
    found.sort_unstable();
    Ok(found)
}

/// SQL that is true of a source `s` which one of the readers may find who stand in the value of this number.
pub(crate) fn readable_by(number: usize) -> String {
    format!(
        "(s.readers = '[]' OR EXISTS (SELECT 1 FROM json_each(s.readers) r
          WHERE r.value IN (SELECT value FROM json_each(?{number}))))"
    )
}

/// Readers as one value, however many they are.
pub(crate) fn readers_value(readers: &[String]) -> Sql {
    Sql::Text(serde_json::Value::from(readers).to_string())
}

/// The columns that can be asked for; everything else is metadata.
const COLUMNS: &[&str] = &["path", "title", "format", "origin", "trust"];

struct Asked {
    sql: String,
    values: Vec<Sql>,
}

impl Asked {
    fn value(&mut self, value: Sql) -> usize {
        self.values.push(value);
        self.values.len()
    }

    fn test(&mut self, test: &SourceTest) {
        if let Some(column) = COLUMNS.iter().find(|column| **column == test.field) {
            // As if it were one item of metadata.
            let _ = write!(
                self.sql,
                "EXISTS (SELECT 1 FROM (SELECT s.{column} AS value, 'text' AS type WHERE s.{column} <> '') j WHERE "
            );
        } else {
            // A member's name in a JSON path is quoted; a quote cannot stand in it, nor what ends a text.
            let path = format!("$.\"{}\"", test.field.replace(['"', '\0'], ""));
            let path = self.value(Sql::Text(path));
            let _ = write!(self.sql, "EXISTS (SELECT 1 FROM json_each(s.metadata, ?{path}) j WHERE ");
        }
        match &test.is {
            Is::Like(patterns) => {
                for (at, pattern) in patterns.iter().enumerate() {
                    let number = self.value(glob_pattern(pattern));
                    let or = if at > 0 { " OR " } else { "" };
                    // What JSON calls true is 1 to SQLite.
                    let _ = write!(
                        self.sql,
                        "{or}lower(CASE j.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE j.value END) \
                         GLOB ?{number}"
                    );
                }
                if patterns.is_empty() {
                    self.sql.push('0');
                }
            }
            Is::Number(comparison, value) => {
                let number = self.value(Sql::Real(*value));
                let _ = write!(
                    self.sql,
                    "(j.type IN ('integer', 'real') OR (j.type = 'text' AND j.value GLOB '*[0-9]*'
                      AND j.value NOT GLOB '*[^0-9.+-]*' AND j.value NOT GLOB '?*[+-]*'))
                     AND CAST(j.value AS REAL) {} ?{number}",
                    comparison.as_str()
                );
            }
            Is::Text(comparison, value) => {
                let number = self.value(Sql::Text(value.clone()));
                let _ = write!(self.sql, "j.type = 'text' AND j.value {} ?{number}", comparison.as_str());
            }
            Is::There => self.sql.push_str("j.type <> 'null'"),
        }
        self.sql.push(')');
    }
}
