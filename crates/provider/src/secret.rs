//! A value that must not be shown.

use std::fmt;
use std::sync::Arc;

/// A key. Printing it prints `***`; [`Secret::reveal`] is the only way to its text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<Arc<str>>) -> Self {
        Self(text.into())
    }
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Takes known secrets out of texts that come from outside.
#[derive(Clone, Debug, Default)]
pub(crate) struct Redactor(Arc<[Secret]>);

impl Redactor {
    /// Texts shorter than this are no secrets, and replacing them would garble messages.
    const SHORTEST: usize = 8;

    pub(crate) fn new(secrets: impl Iterator<Item = Secret>) -> Self {
        Self(secrets.filter(|secret| secret.reveal().len() >= Self::SHORTEST).collect())
    }

    /// Whether a secret is in the text.
    pub(crate) fn finds(&self, text: &str) -> bool {
        self.0.iter().any(|secret| text.contains(secret.reveal()))
    }

    /// The text without them.
    pub(crate) fn clean(&self, text: String) -> String {
        if !self.finds(&text) {
            return text;
        }
        self.0.iter().fold(text, |text, secret| text.replace(secret.reveal(), "***"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::from("sk-very-secret");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "sk-very-secret");
    }

    #[test]
    fn secrets_are_taken_out_of_texts() {
        let redactor = Redactor::new(["sk-one-11", "sk-two-22", "x"].map(Secret::from).into_iter());
        let check = |text: &str, expect: &str| assert_eq!(redactor.clean(text.to_owned()), expect);
        check("no such key: sk-one-11", "no such key: ***");
        check("sk-two-22 sk-one-11 sk-two-22", "*** *** ***");
        check("x marks the spot", "x marks the spot");
        check("", "");
    }
}
