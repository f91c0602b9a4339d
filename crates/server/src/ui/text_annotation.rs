//! The words of the pages on which people label, in every language.

use super::text::{Count, texts};
use serde::Serialize;

texts! {
    /// The words of these pages.
    AnnotationTexts {
        annotation: &'static str, queues: &'static str, queue: &'static str, caption: &'static str,
        lead_label: Count, lead_settle: Count, lead_done: &'static str, none_title: &'static str, none_hint: &'static str,
        none_yours: &'static str, none_traces: &'static str, for_you: &'static str, open: &'static str, differing: &'static str,
        done: &'static str, each: &'static str, instructions: &'static str,
        // who labels
        who: &'static str, who_hint: &'static str, who_you: &'static str, who_change: &'static str, who_begin: &'static str,
        // an item
        to_label: &'static str, to_settle: &'static str, all_done: &'static str, all_done_hint: &'static str, nothing_differs: &'static str,
        nothing_done: &'static str, question: &'static str, answer: &'static str, answer_a: &'static str, answer_b: &'static str,
        reference: &'static str, no_text: &'static str, verdict: &'static str, note: &'static str, note_hint: &'static str, skip: &'static str,
        undo: &'static str, previous: &'static str, next: &'static str, blind: &'static str, blind_alone: &'static str,
        yours: &'static str,
        // settling
        differ: &'static str, settle_hint: &'static str, said: &'static str, settled: &'static str,
        // what is done
        done_caption: &'static str, outcome: &'static str, labels: &'static str, further: &'static str,
        trace: &'static str, sample: &'static str,
    }
}

texts! {
    /// What the page's script says.
    AnnotationWords {
        held: &'static str, undone: &'static str, nothing_to_undo: &'static str, skipped: &'static str, not_kept: &'static str,
        settled: &'static str, place: &'static str,
    }
}

/// English.
pub(super) const EN: AnnotationTexts = AnnotationTexts {
    annotation: "Annotation",
    queues: "Queues",
    queue: "Queue",
    caption: "Queues by name",
    lead_label: Count { one: "1 answer waits for your label.", many: "{n} answers wait for your label." },
    lead_settle: Count {
        one: "On 1 answer people differ: somebody should settle it.",
        many: "On {n} answers people differ: somebody should settle them.",
    },
    lead_done: "Nothing waits for you.",
    none_title: "There is no queue yet.",
    none_hint: "A queue holds answers that people label: outputs of an experiment, traces, or rows of a file. What they say is the truth that judges are held against.",
    none_yours: "Who has an admin's key makes queues.",
    none_traces: "Or of what people disliked last week:",
    for_you: "For you",
    open: "Waiting",
    differing: "Differing",
    done: "Done",
    each: "Labels each",
    instructions: "What is asked",
    who: "Your name",
    who_hint: "Your labels are kept under it. Who labels the same answers needs another one.",
    who_you: "You label as {name}",
    who_change: "Change",
    who_begin: "Begin",
    to_label: "To label",
    to_settle: "To settle",
    all_done: "Nothing is left for you here.",
    all_done_hint: "What others still have to label they see without you.",
    nothing_differs: "People differ on nothing that is not settled.",
    nothing_done: "Nothing is done yet.",
    question: "Question",
    answer: "Answer",
    answer_a: "Answer that is judged",
    answer_b: "The other answer",
    reference: "What is expected",
    no_text: "no text",
    verdict: "Your verdict",
    note: "Note",
    note_hint: "Why? Optional, and kept with your verdict",
    skip: "Skip",
    undo: "Undo",
    previous: "Previous",
    next: "Next",
    blind: "{n} people label each answer. Until then nobody sees another's label, nor a judge's.",
    blind_alone: "You see no label but your own, nor a judge's.",
    yours: "You said {label}; another verdict takes its place.",
    differ: "People differ",
    settle_hint: "What you say now settles it, whatever was said before. No judge's verdict is shown.",
    said: "{name} said {label}",
    settled: "{name} settled it: {label}",
    done_caption: "Answers that are done",
    outcome: "Outcome",
    labels: "Labels",
    further: "Further",
    trace: "Open trace",
    sample: "Answer",
};

/// 한국어.
pub(super) const KO: AnnotationTexts = AnnotationTexts {
    annotation: "라벨",
    queues: "대기열",
    queue: "대기열",
    caption: "대기열, 이름순",
    lead_label: Count {
        one: "답변 1개가 라벨을 기다립니다.", many: "답변 {n}개가 라벨을 기다립니다."
    },
    lead_settle: Count {
        one: "답변 1개에서 사람들의 판정이 갈립니다. 누군가 정해야 합니다.",
        many: "답변 {n}개에서 사람들의 판정이 갈립니다. 누군가 정해야 합니다.",
    },
    lead_done: "할 일이 없습니다.",
    none_title: "아직 대기열이 없습니다.",
    none_hint: "대기열에는 사람이 라벨을 달 답변이 들어갑니다. 실험의 출력, 트레이스, 파일의 행으로 만들 수 있습니다. 사람이 단 라벨이 심판을 견줄 참값이 됩니다.",
    none_yours: "대기열은 관리자 키가 있는 사람이 만듭니다.",
    none_traces: "지난주에 사람들이 싫어한 것으로 만들려면:",
    for_you: "내 차례",
    open: "기다림",
    differing: "갈림",
    done: "끝남",
    each: "답변당 라벨",
    instructions: "묻는 것",
    who: "이름",
    who_hint: "라벨을 이 이름으로 남깁니다. 같은 답변에 라벨을 다는 사람은 다른 이름을 쓰세요.",
    who_you: "{name}(으)로 라벨을 답니다",
    who_change: "바꾸기",
    who_begin: "시작",
    to_label: "라벨 달기",
    to_settle: "정하기",
    all_done: "여기에는 할 일이 남지 않았습니다.",
    all_done_hint: "다른 사람이 달 것은 그 사람에게 보입니다.",
    nothing_differs: "갈렸는데 정하지 않은 것이 없습니다.",
    nothing_done: "아직 끝난 것이 없습니다.",
    question: "질문",
    answer: "답변",
    answer_a: "판정할 답변",
    answer_b: "다른 답변",
    reference: "옳은 답",
    no_text: "글 없음",
    verdict: "판정",
    note: "메모",
    note_hint: "왜 그런가요? 적지 않아도 되고, 판정과 함께 남습니다",
    skip: "건너뛰기",
    undo: "되돌리기",
    previous: "이전",
    next: "다음",
    blind: "답변마다 {n}명이 라벨을 답니다. 그때까지는 남의 라벨도 심판의 판정도 보이지 않습니다.",
    blind_alone: "내 라벨 말고는 남의 라벨도 심판의 판정도 보이지 않습니다.",
    yours: "{label}(이)라고 했습니다. 다시 고르면 바뀝니다.",
    differ: "판정이 갈립니다",
    settle_hint: "지금 고르면 앞의 라벨과 상관없이 정해집니다. 심판의 판정은 보여 주지 않습니다.",
    said: "{name}: {label}",
    settled: "{name}(이)가 정함: {label}",
    done_caption: "끝난 답변",
    outcome: "결과",
    labels: "라벨",
    further: "다음",
    trace: "트레이스 열기",
    sample: "답변",
};

/// What the script says in English.
pub(super) const EN_WORDS: AnnotationWords = AnnotationWords {
    held: "{label}. Undo takes it back",
    undone: "Taken back",
    nothing_to_undo: "There is nothing to take back",
    skipped: "Skipped: it comes again at the end",
    not_kept: "The label was not kept: {why}",
    settled: "Settled: {label}. Undo takes it back",
    place: "{n} of {all}",
};

/// 스크립트가 하는 말.
pub(super) const KO_WORDS: AnnotationWords = AnnotationWords {
    held: "{label}. 되돌릴 수 있습니다",
    undone: "되돌렸습니다",
    nothing_to_undo: "되돌릴 것이 없습니다",
    skipped: "건너뛰었습니다. 끝에 다시 나옵니다",
    not_kept: "라벨을 남기지 못했습니다: {why}",
    settled: "정했습니다: {label}. 되돌릴 수 있습니다",
    place: "{all}개 중 {n}번째",
};
