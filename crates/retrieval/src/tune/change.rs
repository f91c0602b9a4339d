//! What is tried: one change at a time to how a collection is cut and searched.

use super::{LeftOut, Member};
use crate::chunking::{Chunker, Chunking, Parents};
use crate::equipment::{Equipment, Fusion};
use hanok_base::{Legs, Reranker};
use std::fmt::Write as _;
use std::sync::Arc;

/// Sizes of chunks that are tried, in tokens.
const SIZES: [usize; 5] = [100, 200, 300, 450, 700];
/// Weights of the dense leg that are tried.
const WEIGHTS: [f64; 4] = [0.3, 0.45, 0.55, 0.7];

/// What a change is of. One of each kind is adopted at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Where texts are cut.
    Chunker,
    /// Whether they are cut by meaning: every sentence is embedded for it, so that it is tried only where that is asked
    /// for.
    Semantic,
    /// How long chunks are.
    Size,
    /// Whether English words are found by their stems.
    Tokenizer,
    /// How legs become one list.
    Fusion,
    /// Which legs are asked.
    Legs,
    /// Whether the best hits are looked at once more.
    Rerank,
}

impl Kind {
    /// All there are.
    pub const ALL: [Self; 7] =
        [Self::Chunker, Self::Semantic, Self::Size, Self::Tokenizer, Self::Fusion, Self::Legs, Self::Rerank];

    /// Those that are tried where nobody says which.
    pub fn by_default() -> Vec<Self> {
        Self::ALL.into_iter().filter(|kind| *kind != Self::Semantic).collect()
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chunker => "chunker",
            Self::Semantic => "semantic",
            Self::Size => "size",
            Self::Tokenizer => "tokenizer",
            Self::Fusion => "fusion",
            Self::Legs => "legs",
            Self::Rerank => "rerank",
        }
    }

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A reranker, and its name in the configuration.
pub type Named = (String, Arc<dyn Reranker>);

/// How a collection is cut and searched.
#[derive(Clone)]
pub(super) struct Setup {
    pub(super) equipment: Equipment,
    pub(super) chunking: Chunking,
    pub(super) keep_endings: bool,
}

/// Something to change.
pub(super) struct Change {
    pub(super) kind: Kind,
    /// What says so in the configuration.
    pub(super) member: Member,
    /// All of it, with the change.
    pub(super) setup: Setup,
}

/// What could be changed of `now`, one at a time.
pub(super) fn changes(now: &Setup, reranker: Option<&Named>) -> Vec<Change> {
    let mut changes = Vec::new();
    let cut = |kind, chunking: Chunking| Change {
        kind,
        member: Member { name: "chunking", value: inline(&chunking) },
        setup: Setup { chunking, ..now.clone() },
    };
    let by = [Chunker::Structure, Chunker::Recursive, Chunker::Sentence, Chunker::Tokens];
    let by = by.into_iter().filter(|by| *by != now.chunking.by);
    changes.extend(by.map(|by| cut(Kind::Chunker, Chunking { by, ..now.chunking.clone() })));
    if now.equipment.embedder.is_some() && now.chunking.by != Chunker::Semantic {
        let chunking = Chunking { by: Chunker::Semantic, ..now.chunking.clone() };
        changes.push(cut(Kind::Semantic, chunking));
    }
    let sizes = SIZES.into_iter().filter(|size| *size != now.chunking.size);
    changes.extend(sizes.map(|size| cut(Kind::Size, Chunking { size, ..now.chunking.clone() })));

    changes.push(Change {
        kind: Kind::Tokenizer,
        member: Member { name: "stemming", value: now.keep_endings.to_string() },
        setup: Setup { keep_endings: !now.keep_endings, ..now.clone() },
    });

    let mut add = |kind: Kind, name: &'static str, value: String, equipment: Equipment| {
        let setup = Setup { equipment, ..now.clone() };
        changes.push(Change { kind, member: Member { name, value }, setup });
    };
    let now = &now.equipment;
    if now.embedder.is_some() {
        for dense in WEIGHTS {
            let fusion = Fusion::Scores { dense };
            if fusion != now.fusion {
                let equipment = Equipment { fusion, ..now.clone() };
                add(Kind::Fusion, "fusion", format!("{{ dense = {dense} }}"), equipment);
            }
        }
        let rrf = Fusion::Rrf { k: 60.0 };
        if now.fusion != rrf {
            add(Kind::Fusion, "fusion", "\"rrf\"".to_owned(), Equipment { fusion: rrf, ..now.clone() });
        }
        for (legs, name) in [(Legs::Bm25, "bm25"), (Legs::Dense, "dense"), (Legs::Hybrid, "hybrid")] {
            if now.legs.unwrap_or(Legs::Hybrid) != legs {
                let equipment = Equipment { legs: Some(legs), ..now.clone() };
                add(Kind::Legs, "legs", format!("\"{name}\""), equipment);
            }
        }
    }
    match (&now.reranker, reranker) {
        (Some(_), _) => {
            let equipment = Equipment { reranker: None, ..now.clone() };
            add(Kind::Rerank, "rerank", "\"none\"".to_owned(), equipment);
        }
        (None, Some((name, reranker))) => {
            let equipment = Equipment { reranker: Some(reranker.clone()), ..now.clone() };
            let name = serde_json::Value::from(name.as_str());
            add(Kind::Rerank, "rerank", name.to_string(), equipment);
        }
        (None, None) => {}
    }
    changes
}

/// What of the ways to cut is not tried, and why, with what has it tried.
pub(super) fn left_out(now: &Setup, kinds: &[Kind]) -> Option<LeftOut> {
    let asked = kinds.contains(&Kind::Semantic);
    if now.chunking.by == Chunker::Semantic || !(asked || kinds.contains(&Kind::Chunker)) {
        return None;
    }
    let reason = if now.equipment.embedder.is_none() {
        "it compares sentences by an embedder, and this collection has none".to_owned()
    } else if asked {
        return None;
    } else {
        "every sentence is embedded for it, once for each size that is tried; `--try` with `semantic` among what it names \
         tries it"
            .to_owned()
    };
    let chunking = Chunking { by: Chunker::Semantic, ..now.chunking.clone() };
    Some(LeftOut { change: Member { name: "chunking", value: inline(&chunking) }.to_string(), reason })
}

/// As an inline table of TOML; what is as it is by default is left out.
fn inline(chunking: &Chunking) -> String {
    let Chunking { by, size, whole, overlap, parents, parent_size } = chunking;
    let mut text = format!("{{ by = \"{}\", size = {size}", by.name());
    for (name, value) in [("whole", whole), ("overlap", overlap), ("parent_size", parent_size)] {
        if let Some(value) = value {
            // Writing to a string cannot fail.
            let _ = write!(text, ", {name} = {value}");
        }
    }
    let parents = match parents {
        Parents::None => "",
        Parents::Shown => ", parents = \"shown\"",
        Parents::Merged => ", parents = \"merged\"",
    };
    text + parents + " }"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_models_only_cuts_are_tried() {
        let now =
            Setup { equipment: Equipment::default(), chunking: Chunking::default(), keep_endings: false };
        let tried: Vec<String> = changes(&now, None).iter().map(|change| change.member.to_string()).collect();
        assert!(tried.contains(&"stemming = false".to_owned()), "{tried:?}");
        assert_eq!(tried.len(), 3 + 4 + 1, "{tried:?}");
        assert!(tried.contains(&"chunking = { by = \"sentence\", size = 300 }".to_owned()), "{tried:?}");
        assert!(tried.contains(&"chunking = { by = \"structure\", size = 100 }".to_owned()), "{tried:?}");
    }

    #[test]
    fn a_cut_is_written_as_the_configuration_reads_it() {
        let check = |chunking: Chunking| {
            let text = format!("chunking = {}", inline(&chunking));
            let read: std::collections::HashMap<String, Chunking> = toml::from_str(&text).unwrap();
            assert_eq!(read["chunking"], chunking, "{text}");
        };
        check(Chunking::default());
        check(Chunking { by: Chunker::Semantic, ..Chunking::default() });
        check(Chunking {
            by: Chunker::Tokens,
            size: 77,
            whole: Some(90),
            overlap: Some(0),
            parents: Parents::Merged,
            parent_size: Some(400),
        });
    }
}
