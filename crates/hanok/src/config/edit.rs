//! Changes to the file that leave its comments and its form as they are.

use super::parse;
use anyhow::{Context as _, bail};
use std::path::Path;
use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

/// The file's text with these members of a collection's table set, each with its value as TOML writes it. Where the
/// collection has no table, one is made, with `paths`, without which there is none.
pub(crate) fn with_members(
    file: &Path,
    text: &str,
    collection: &str,
    members: &[(String, String)],
    paths: Option<&[String]>,
) -> anyhow::Result<String> {
    let mut document: DocumentMut = text.parse().with_context(|| file.display().to_string())?;
    let mut implicit = Table::new();
    implicit.set_implicit(true);
    let collections = document.entry("collections").or_insert(Item::Table(implicit));
    let Some(collections) = collections.as_table_like_mut() else {
        bail!("{}: `collections` is no table", file.display());
    };
    if !collections.contains_key(collection) {
        let Some(paths) = paths else {
            bail!("{}: there is no [collections.{collection}] to write to", file.display());
        };
        let mut table = Table::new();
        table.insert("paths", Item::Value(Value::Array(paths.iter().collect())));
        collections.insert(collection, Item::Table(table));
    }
    let Some(table) = collections.get_mut(collection).and_then(Item::as_table_like_mut) else {
        bail!("{}: collections.{collection} is no table", file.display());
    };
    for (name, value) in members {
        let value: Value = value.parse().with_context(|| format!("{name} = {value}"))?;
        set(table, name, value);
    }
    let text = document.to_string();
    // Never a file that a server would refuse.
    parse(file, &text)?;
    Ok(text)
}

/// Sets a member where it stands, with the comments around it; a table of its own stays one.
fn set(table: &mut dyn TableLike, name: &str, mut value: Value) {
    match (table.get_mut(name), &value) {
        (Some(Item::Table(own)), Value::InlineTable(members)) => {
            let gone: Vec<String> = own
                .iter()
                .map(|(name, _)| name.to_owned())
                .filter(|name| !members.contains_key(name))
                .collect();
            for name in gone {
                own.remove(&name);
            }
            for (name, member) in members {
                set(own, name, member.clone());
            }
        }
        (Some(item), _) => {
            if let Some(before) = item.as_value() {
                *value.decor_mut() = before.decor().clone();
            }
            *item = Item::Value(value);
        }
        (None, _) => drop(table.insert(name, Item::Value(value))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_form_stay() {
        let check = |text: &str, paths: Option<&[&str]>, expect: &str| {
            let members = [("chunking", "{ by = \"sentence\", size = 200 }"), ("legs", "\"bm25\"")];
            let members = members.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let paths: Option<Vec<String>> =
                paths.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
            let got = with_members(Path::new("hanok.toml"), text, "docs", &members, paths.as_deref());
            assert_eq!(got.unwrap(), expect, "{text}");
        };
        check(
            "# ours\n[collections.docs] # here\npaths = [\n  \"a\", # one\n]\nlegs = \"dense\"   # why\n\n[server]\n",
            None,
            "# ours\n[collections.docs] # here\npaths = [\n  \"a\", # one\n]\nlegs = \"bm25\"   # why\n\
             chunking = { by = \"sentence\", size = 200 }\n\n[server]\n",
        );
        check(
            "[collections.docs]\npaths = []\n[collections.docs.chunking]\n# tried by hand\nsize = 90\noverlap = 3\n",
            None,
            "[collections.docs]\npaths = []\nlegs = \"bm25\"\n[collections.docs.chunking]\n# tried by hand\n\
             size = 200\nby = \"sentence\"\n",
        );
        check(
            "[server]\n",
            Some(&["notes"]),
            "[server]\n\n[collections.docs]\npaths = [\"notes\"]\n\
             chunking = { by = \"sentence\", size = 200 }\nlegs = \"bm25\"\n",
        );
        check(
            "",
            Some(&["notes"]),
            "[collections.docs]\npaths = [\"notes\"]\nchunking = { by = \"sentence\", size = 200 }\nlegs = \"bm25\"\n",
        );
    }

    #[test]
    fn what_would_not_be_read_again_is_not_written() {
        let check = |text: &str, name: &str, value: &str, expect: &str| {
            let members = [(name.to_owned(), value.to_owned())];
            let error = with_members(Path::new("hanok.toml"), text, "docs", &members, None).unwrap_err();
            assert!(format!("{error:#}").contains(expect), "{error:#}");
        };
        check("[server]\n", "legs", "\"bm25\"", "no [collections.docs]");
        check("[collections.docs]\npaths = []\n", "leg", "\"bm25\"", "unknown field `leg`");
        check("[collections.docs]\npaths = []\n", "legs", "\"bm", "legs");
        check("[collections", "legs", "\"bm25\"", "hanok.toml");
    }
}
