//! Vendors of models as data: a [`Vendor`] is a dialect, a base URL, a way to show the key and a few quirks;
//! one [`HttpProvider`] makes each of them a [`hanok_base::Provider`].
//!
//! Deliberately not here: code for one vendor (the table holds what differs), dialects (`hanok-wire`),
//! sockets (`hanok-net`), retries and fallback (`hanok-gateway`).
//!
//! Every answer is either complete or an explicit error, whole or streamed, passed on or decoded; no error
//! text that leaves this crate holds a key.
//!
//! Reading order: [`vendors`], [`secret`], [`config`], [`face`] (one dialect of a
//! provider), [`http`], then `head`, `stream`, `stages`,
//! `recording`, `failure`.

pub mod config;
pub mod face;
mod failure;
mod head;
pub mod http;
mod recording;
pub mod secret;
mod stages;
mod stream;
pub mod vendors;

pub use config::{ConfigError, ProviderConfig, detect_from_env};
pub use face::Also;
pub use hanok_net::Timeouts;
pub use http::HttpProvider;
pub use secret::Secret;
pub use vendors::{
    Auth, Embeds, MaxTokens, Models, Quirks, Rerank, StreamUsage, Task, Thoughts, VENDORS, Vendor, vendor,
};
