//! Prompts as their users meet them.

mod answering;
mod files;
mod hostile;
mod keeping;
mod techniques;
mod templates;
