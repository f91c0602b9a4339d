//! Versioned prompts: dotprompt files to messages, settings and schemas.
//!
//! Deliberately not here: calling a model, HTTP, and where rows of examples come from (an
//! [`ExampleSource`](hanok_base::ExampleSource) knows).
