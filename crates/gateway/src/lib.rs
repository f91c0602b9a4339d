//! The gateway: from a model's name in a client's request to an answer in that client's dialect.
//!
//! It resolves names, lets calls in under their key's limits and budgets, goes through a model's targets,
//! records the gateway span, and turns every failure into an explicit error. Deliberately not here: dialect
//! code (it asks `hanok-wire`), vendor names, sockets, SQL, prices (seams that the binary ties), documents. It
//! is itself a [`hanok_base::Provider`], so that answerers can call models through it.
//!
//! Reading order: [`gateway`], [`call`] (one call, top to bottom), `failover` (a model's targets until one answers),
//! `attempt` (one try at one target), `outcome` and [`answer`] (what goes back), `inner` (calls of other rooms), [`stored`] (responses that may be asked back), [`prompted`] (prompts kept here); whom to try: [`routes`] (names to models), [`route`] (a model and its
//! targets), [`plan`] (in which order), [`target`] (how a target does), `retry`, `resume` (streams that
//! break off), [`catalog`] (what providers
//! offer), `about` (what is known of a model); who may: [`key`], [`limit`], `admission`, [`policy`], [`accounts`]
//! (who pays), [`budget`] (money), [`tariff`] (prices); `cache` (answers given again).

mod about;
pub mod accounts;
mod admission;
pub mod answer;
mod attempt;
pub mod budget;
mod cache;
pub mod call;
pub mod catalog;
mod failover;
pub mod gateway;
mod inner;
pub mod key;
pub mod limit;
mod outcome;
pub mod plan;
pub mod policy;
pub mod prompted;
mod resume;
mod retry;
pub mod route;
pub mod routes;
pub mod stored;
pub mod target;
pub mod tariff;

pub use answer::{Answer, AnswerBody, AnswerStream, Pieces};
pub use budget::{Balance, Bound, Ledger, NoVault, Vault};
pub use call::Call;
pub use catalog::{Catalog, ProviderHealth};
pub use gateway::Gateway;
pub use key::{Budget, Key, KeyRing, Period};
pub use limit::{Limits, Meter};
pub use policy::Policy;
pub use prompted::{AskedPrompt, Misfit, Prepared, Prompts, Reading};
pub use route::{Entry, Model, Rule, Strategy};
pub use routes::{Routes, RoutesError};
pub use stored::{KeptResponse, Shelf, Turn};
pub use target::{Target, TargetHealth, TargetState, TargetStates};
pub use tariff::{Tariff, Unpriced};
