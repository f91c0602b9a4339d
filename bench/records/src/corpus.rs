//! The script that makes calls from real text. The same seed makes the same calls.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// The script, for people.
pub(crate) const SCRIPT: &str = "\
the script: sentences of the collections scifact, cranfield and ko-autorag, in their order. A message is 1 to 6 \
sentences in a row from a random place. A conversation is ten calls, each with a system prompt of 4 sentences (one of \
20), every turn so far and a new question; a single call has a system prompt and a question. Each call is a trace of \
two spans: the program's own, and the chat with all its messages. 12 models, 4 providers, 5,000 users, 30 tags, 20 \
prompts, 2 % failures; begun over the last 30 days";

/// 2 % of calls fail.
const FAILURES: u64 = 50;
const TURNS: u64 = 10;
const DAY_NS: u64 = 86_400_000_000_000;
/// Names of models; the price list knows some of them.
const MODELS: [(&str, &str); 12] = [
    ("openai", "gpt-5-mini"),
    ("openai", "gpt-5"),
    ("openai", "gpt-4.1"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("anthropic", "claude-opus-4-1"),
    ("gemini", "gemini-2.5-flash"),
    ("gemini", "gemini-2.5-pro"),
    ("mistral", "mistral-large-latest"),
    ("mistral", "mistral-small-latest"),
    ("mistral", "our-own-model"),
];

/// Sentences in their order.
pub(crate) struct Texts(Vec<String>);

impl Texts {
    /// Those of the collections in a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        #[derive(Deserialize)]
        struct Document {
            text: String,
        }
        let mut sentences = Vec::new();
        for collection in ["scifact", "cranfield", "ko-autorag"] {
            let path = folder.join(collection).join("corpus.jsonl");
            let lines = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            for line in lines.lines() {
                let Document { text } = serde_json::from_str(line)?;
                let whole = text.split_inclusive(['.', '\n']).map(str::trim);
                sentences.extend(whole.filter(|sentence| sentence.len() > 20).map(ToOwned::to_owned));
            }
        }
        ensure!(sentences.len() > 1_000, "too little text in {}", folder.display());
        Ok(Self(sentences))
    }

    fn some(&self, at: u64, count: u64) -> String {
        let at = usize::try_from(at).unwrap_or(0) % self.0.len();
        let some = self.0.iter().cycle().skip(at).take(usize::try_from(count).unwrap_or(1));
        some.map(String::as_str).collect::<Vec<_>>().join(" ")
    }
}

/// One call.
pub(crate) struct Call {
    /// It and its spans are numbered by this.
    pub(crate) number: u64,
    pub(crate) session: Option<String>,
    pub(crate) user: String,
    pub(crate) tags: Vec<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) provider: &'static str,
    pub(crate) model: &'static str,
    /// Who says what, the answer last.
    pub(crate) messages: Vec<(&'static str, String)>,
    pub(crate) start_ns: u64,
    pub(crate) duration_ns: u64,
    pub(crate) input_tokens: u64,
    pub(crate) output_tokens: u64,
    pub(crate) error: bool,
}

/// Makes calls, one after another.
pub(crate) struct Script<'a> {
    texts: &'a Texts,
    dice: Dice,
    number: u64,
    /// When the first begins, and how far the next is.
    start_ns: u64,
    step_ns: u64,
}

impl<'a> Script<'a> {
    /// `calls` of them over the 30 days before `now_ns`.
    pub(crate) fn new(texts: &'a Texts, calls: u64, now_ns: u64) -> Self {
        let start_ns = now_ns.saturating_sub(30 * DAY_NS);
        Self { texts, dice: Dice(7), number: 0, start_ns, step_ns: 30 * DAY_NS / calls.max(1) }
    }

    /// A single call.
    pub(crate) fn single(&mut self) -> Call {
        let (system, question) = (self.system(), self.said());
        let user = self.dice.skewed(5_000);
        self.call(None, user, vec![("system", system), ("user", question)])
    }

    /// A conversation of ten calls.
    pub(crate) fn conversation(&mut self) -> Vec<Call> {
        let session = Some(format!("session-{}", self.number));
        let user = self.dice.skewed(5_000);
        let mut messages = vec![("system", self.system())];
        let mut calls = Vec::new();
        for _ in 0..TURNS {
            messages.push(("user", self.said()));
            let call = self.call(session.clone(), user, messages.clone());
            messages.clone_from(&call.messages);
            calls.push(call);
        }
        calls
    }

    fn call(
        &mut self,
        session: Option<String>,
        user: u64,
        mut messages: Vec<(&'static str, String)>,
    ) -> Call {
        let number = self.number;
        self.number += 1;
        let input: usize = messages.iter().map(|(_, text)| text.len()).sum();
        messages.push(("assistant", self.said()));
        let output = messages.last().map_or(0, |(_, text)| text.len());
        let dice = &mut self.dice;
        let model = usize::try_from(dice.skewed(12)).unwrap_or(0);
        let (provider, model) = MODELS.get(model).copied().unwrap_or(("openai", "gpt-5-mini"));
        Call {
            number,
            session,
            user: format!("user-{user}"),
            tags: (0..dice.roll(3)).map(|_| format!("tag-{}", dice.skewed(30))).collect(),
            prompt: (dice.roll(2) == 0).then(|| format!("prompt-{}", dice.skewed(20))),
            provider,
            model,
            messages,
            start_ns: self.start_ns + number * self.step_ns,
            duration_ns: (1 + dice.roll(2_000)) * (1 + dice.roll(2_000)) * 1_000,
            input_tokens: input as u64 / 4,
            output_tokens: output as u64 / 4,
            error: dice.roll(FAILURES) == 0,
        }
    }

    fn said(&mut self) -> String {
        let (at, count) = (self.dice.roll(1 << 40), 1 + self.dice.roll(6));
        self.texts.some(at, count)
    }

    fn system(&mut self) -> String {
        self.texts.some(self.dice.roll(20) * 997, 4)
    }
}

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }

    /// Low numbers more often.
    fn skewed(&mut self, sides: u64) -> u64 {
        self.roll(sides).min(self.roll(sides))
    }
}
