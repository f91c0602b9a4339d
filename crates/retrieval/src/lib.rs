//! Documents in, answers out: files are found and cut into chunks, an index follows the store, questions are
//! searched for, and answers quote their sources byte for byte.
//!
//! The store holds the truth; the search index follows it by generation and can always be built again.
//!
//! Deliberately not here: SQL (`hanok-store`), postings and terms (`hanok-index`), any wire format, and models:
//! the one that answers from documents is called through the gateway, as a [`Provider`](hanok_base::Provider).
//!
//! Reading order: `load` (files), `block`, `sentence` and [`chunking`] (their text), [`sync`] (keeping a collection
//! like its files), `touched` (only some of them), `way` (how its texts are cut now), `follow` (the index of words), [`dense`] (that of vectors), `stretch` (the traces of making them) and [`trial`] (what an embedder knows of
//! them), `former` (the embedder before), [`library`] (collections and search), `holdings` (what is in them), [`equipment`], `filter`, `legs`, `fuse` and `neighbours`
//! (what a search is made of), `words`, `verbs` and
//! `question` (what a question asks for), `answer` (an answer's events), `score` (the best sentences),
//! [`extract`], `quotation`, `fold`, `verify` and [`ask`] (answerers), `model` (a chat model asked on the way), [`embedder`] and
//! [`rerank`] (models of providers), [`query`] (what a model does with a question), [`options`] (what a request asks for), [`eval`] (how good the search is), [`questions`] (where nobody has judged it).

mod answer;
pub mod ask;
mod block;
pub mod chunking;
pub mod dense;
mod describe;
pub mod embedder;
pub mod equipment;
pub mod error;
pub mod eval;
pub mod extract;
mod fetch;
mod filter;
mod fold;
mod follow;
mod former;
mod fuse;
mod git;
mod holdings;
pub mod intake;
mod legs;
pub mod library;
mod load;
mod model;
mod names;
mod neighbours;
pub mod options;
pub mod query;
mod question;
pub mod questions;
mod quotation;
mod read;
pub mod rerank;
mod score;
mod sentence;
pub mod settings;
mod stretch;
pub mod sync;
mod touched;
pub mod trial;
pub mod tune;
mod verbs;
mod verify;
mod watch;
mod way;
mod words;

pub use ask::AskAnswerer;
pub use chunking::{Chunker, Chunking, Layout, Parents, Piece, preview};
pub use dense::Embedded;
pub use describe::Rule;
pub use embedder::ProviderEmbedder;
pub use equipment::{Equipment, Fusion, Readiness};
pub use error::LibraryError;
pub use eval::{EvalReport, Expansion, QueryTimes, evaluate, evaluate_with, has_judgements};
pub use extract::ExtractAnswerer;
pub use fetch::Fetcher;
pub use former::Serving;
pub use intake::Intake;
pub use library::{CollectionInfo, Library};
pub use load::{on_disk, replaced};
pub use options::{AskOptions, CollectionOptions};
pub use query::{QueryExpander, QueryStep};
pub use questions::{Asked, Questionnaire, Synthetic, Text, documents_of, make_questions};
pub use rerank::{ListwiseReranker, ProviderReranker};
pub use settings::Settings;
pub use sync::{Cancel, Progress, SyncReport};
pub use trial::{Script, Trial, Trials};
pub use tune::{Kind, LeftOut, Member, Question, TuneReport, tune};
pub use watch::Watched;
pub use way::Comparison;
