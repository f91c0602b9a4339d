//! Prompts that nobody saved: what is being written in a playground can be called like any other, for a while.

use crate::prompt::Prompt;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// How their names begin, which no prompt's does.
const PREFIX: &str = "draft:";
/// Drafts that are kept, the newest.
const MOST: usize = 256;
/// Digits of a draft's hash that name it.
const DIGITS: usize = 24;

/// Drafts that can be called, by names that their contents make.
#[derive(Default)]
pub struct Drafts {
    kept: Mutex<VecDeque<(String, Arc<Prompt>)>>,
}

impl Drafts {
    /// Keeps a draft, and gives the name to call it by. The same text has the same name.
    pub fn keep(&self, prompt: Prompt) -> String {
        let content = format!("{}\n{}", prompt.name(), prompt.version().as_str());
        let hash = blake3::hash(content.as_bytes()).to_hex();
        let name: String = PREFIX.chars().chain(hash.chars().take(DIGITS)).collect();
        let mut kept = self.kept.lock();
        kept.retain(|(known, _)| *known != name);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back((name.clone(), Arc::new(prompt)));
        name
    }

    /// Whether a name is a draft's.
    pub fn is_name(name: &str) -> bool {
        name.starts_with(PREFIX)
    }

    /// The draft of this name, where it is still there.
    pub fn get(&self, name: &str) -> Option<Arc<Prompt>> {
        self.kept.lock().iter().find(|(known, _)| known == name).map(|(_, prompt)| prompt.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Partials;

    #[test]
    fn drafts_are_known_by_what_they_say() {
        let drafts = Drafts::default();
        let parsed = |text: &str| Prompt::parse("answer", text, &Partials::new()).unwrap();
        let first = drafts.keep(parsed("Hi {{name}}"));
        assert!(Drafts::is_name(&first) && !Drafts::is_name("answer"));
        assert_eq!(drafts.keep(parsed("Hi {{name}}")), first);
        assert_ne!(drafts.keep(parsed("Ho {{name}}")), first);
        assert_eq!(
            drafts.get(&first).map(|prompt| prompt.source().to_string()).as_deref(),
            Some("Hi {{name}}")
        );
        for number in 0..MOST {
            drafts.keep(parsed(&format!("{number}")));
        }
        assert!(drafts.get(&first).is_none(), "the oldest goes first");
    }
}
