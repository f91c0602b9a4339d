//! What the pages show on which people label.

use hanok_eval::judge::Form;

/// The list of queues.
#[derive(Clone, Debug, Default)]
pub struct AnnotationView {
    /// By name.
    pub queues: Vec<QueueView>,
    /// Whether the reader may make queues.
    pub may_make: bool,
    /// Who labels; `None` where nobody said yet.
    pub who: Option<String>,
}

/// One queue.
#[derive(Clone, Debug, Default)]
pub struct QueueView {
    /// Its name.
    pub name: String,
    /// Its project; empty for none.
    pub project: String,
    /// What people are asked.
    pub instructions: String,
    /// What kind of verdicts they give.
    pub form: Form,
    /// The labels, worst first.
    pub labels: Vec<String>,
    /// How many people label each answer.
    pub wanted: u32,
    /// That wait for labels.
    pub open: u64,
    /// On which people differ.
    pub differing: u64,
    /// Done.
    pub done: u64,
    /// That wait for the reader's label.
    pub waiting: u64,
}

/// What of a queue is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// What the reader should label.
    #[default]
    Label,
    /// What should be settled.
    Settle,
    /// What is done.
    Done,
}

impl Show {
    /// Its name in an address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::Settle => "settle",
            Self::Done => "done",
        }
    }

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Label, Self::Settle, Self::Done].into_iter().find(|show| show.as_str() == name)
    }
}

/// A queue as one labels it.
#[derive(Clone, Debug, Default)]
pub struct LabelView {
    /// The queue.
    pub queue: QueueView,
    /// Who labels; `None` where nobody said yet.
    pub who: Option<String>,
    /// Whether that follows from the key and cannot be chosen.
    pub is_keys: bool,
    /// What is shown.
    pub show: Show,
    /// The items that can be moved along, by their numbers.
    pub items: Vec<i64>,
    /// The one that is shown; `None` where nothing is left.
    pub item: Option<ItemView>,
    /// Of what is done, a page.
    pub done: Vec<ItemView>,
    /// Where the next page of it begins.
    pub next: Option<i64>,
}

/// An item, with nothing of it that its reader should not see.
#[derive(Clone, Debug, Default)]
pub struct ItemView {
    /// Its number.
    pub id: i64,
    /// What was asked.
    pub question: Option<String>,
    /// The answer that is judged.
    pub answer: Option<String>,
    /// The answer that it is compared with.
    pub other: Option<String>,
    /// What is expected.
    pub reference: Option<String>,
    /// What may be seen of what people said.
    pub labels: Vec<LabelRow>,
    /// What came out; `None` before it is done.
    pub outcome: Option<String>,
    /// The trace it comes from; `None` while it waits, as the trace shows what others said.
    pub trace: Option<String>,
}

/// What somebody said.
#[derive(Clone, Debug, Default)]
pub struct LabelRow {
    /// Who.
    pub who: String,
    /// The level.
    pub level: usize,
    /// As the queue calls it.
    pub label: String,
    /// Why.
    pub comment: String,
    /// Whether it settles what others differ on.
    pub settles: bool,
}
