//! The house has floors: a crate depends on crates of lower floors only.

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

/// Every crate of the house and its floor, those to come included. `xtask` and its tools stand beside the
/// house: they may look at all of it, nothing in it may look back.
const FLOORS: &[(&str, u8)] = &[
    ("hanok-base", 0),
    ("hanok-stats", 0),
    ("hanok-wire", 1),
    ("hanok-net", 1),
    ("hanok-store", 1),
    ("hanok-index", 1),
    ("hanok-guard", 1),
    ("hanok-parse", 1),
    ("hanok-provider", 2),
    ("hanok-local", 2),
    ("hanok-trace", 2),
    ("hanok-prompt", 2),
    ("hanok-gateway", 3),
    ("hanok-retrieval", 3),
    ("hanok-agent", 4),
    ("hanok-eval", 4),
    ("hanok-train", 5),
    ("hanok-server", 6),
    ("hanok", 7),
    ("eval-bench", 8),
    ("gateway-bench", 8),
    ("local-bench", 8),
    ("playlist-search", 8),
    ("records-bench", 8),
    ("retrieval-bench", 8),
    ("wire-fuzz", 8),
    ("xtask", 8),
];

/// One crate and the crates of this workspace that it names, for its code, its tests or its build.
#[derive(Debug)]
struct Crate<'a> {
    name: &'a str,
    depends_on: Vec<&'a str>,
}

/// Checks the workspace around this program and gives the number of edges seen.
///
/// # Errors
///
/// Names every crate that is not in the table and every edge that does not go downward.
pub(crate) fn check_workspace() -> Result<usize> {
    let metadata = MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .no_deps()
        .exec()
        .context("reading `cargo metadata`")?;
    let crates = crates_of(&metadata);
    if crates.is_empty() {
        bail!("`cargo metadata` names no crate");
    }
    let faults = faults(&crates);
    if !faults.is_empty() {
        bail!("the floors do not hold:\n  {}", faults.join("\n  "));
    }
    Ok(crates.iter().map(|this| this.depends_on.len()).sum())
}

fn crates_of(metadata: &Metadata) -> Vec<Crate<'_>> {
    metadata
        .workspace_packages()
        .into_iter()
        .map(|package| Crate {
            name: package.name.as_str(),
            depends_on: package
                .dependencies
                .iter()
                .filter(|dependency| dependency.path.is_some())
                .map(|dependency| dependency.name.as_str())
                .collect(),
        })
        .collect()
}

fn faults(crates: &[Crate<'_>]) -> Vec<String> {
    let mut faults = Vec::new();
    for this in crates {
        let Some(floor) = floor(this.name) else {
            faults.push(format!("{} is not in the table of floors (xtask/src/floors.rs)", this.name));
            continue;
        };
        for below in &this.depends_on {
            match self::floor(below) {
                None => faults.push(format!("{} depends on {below}, which is not in the table", this.name)),
                Some(other) if other >= floor => faults.push(format!(
                    "{} (floor {floor}) depends on {below} (floor {other}); only lower floors are allowed",
                    this.name
                )),
                Some(_) => {}
            }
        }
    }
    faults
}

fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, depends_on: &[&str], expect: &[&str]) {
        let found = faults(&[Crate { name, depends_on: depends_on.to_vec() }]);
        assert_eq!(found.len(), expect.len(), "{found:?}");
        for (fault, part) in found.iter().zip(expect) {
            assert!(fault.contains(part), "{fault:?} does not say {part:?}");
        }
    }

    #[test]
    fn only_downward_edges_pass() {
        check("hanok-provider", &["hanok-base", "hanok-wire", "hanok-net"], &[]);
        check("hanok-wire", &["hanok-gateway"], &["hanok-wire (floor 1) depends on hanok-gateway (floor 3)"]);
        check("hanok-retrieval", &["hanok-gateway"], &["floor 3) depends on hanok-gateway (floor 3)"]);
        check("hanok-base", &["hanok-base"], &["floor 0) depends on hanok-base (floor 0)"]);
        check("hanok", &["xtask"], &["hanok (floor 7) depends on xtask (floor 8)"]);
    }

    #[test]
    fn a_crate_outside_the_table_fails() {
        check("hanok-cellar", &["hanok-base"], &["hanok-cellar is not in the table"]);
        check("hanok-server", &["hanok-cellar"], &["hanok-cellar, which is not in the table"]);
    }

    #[test]
    fn each_crate_stands_on_one_floor() {
        for (name, _) in FLOORS {
            assert_eq!(FLOORS.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
    }

    #[test]
    fn every_kind_of_dependency_counts() {
        let metadata = MetadataCommand::parse(include_str!("../tests/upward.json")).unwrap();
        let found = faults(&crates_of(&metadata));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().any(|fault| fault.contains("hanok-wire (floor 1) depends on hanok-server")));
        assert!(found.iter().any(|fault| fault.contains("hanok-base (floor 0) depends on hanok-stats")));
    }

    #[test]
    fn the_floors_of_this_workspace_hold() {
        assert!(check_workspace().unwrap() > 0);
    }
}
