//! The words of traces in full, sessions, costs and settings, in every language.

use super::text::{Count, texts};
use serde::Serialize;

texts! {
    /// The words of these pages.
    RecordTexts {
        // trace
        scores: &'static str, by: &'static str, user: &'static str, prompt: &'static str, source: &'static str,
        tags: &'static str, session: &'static str, turn_of: &'static str, previous_turn: &'static str,
        next_turn: &'static str, failed: Count, rows_shown: &'static str, guard: &'static str,
        tools_offered: Count, estimated: &'static str, left_out: Count, picture: &'static str,
        input_audio: &'static str, input_image: &'static str, reasoning: &'static str,
        output_audio: &'static str, output_image: &'static str, key_error: &'static str,
    }
}

texts! {
    /// The words that the scripts of these pages need.
    RecordWords {
        row_waiting: &'static str,
    }
}

/// English.
pub(super) const EN: RecordTexts = RecordTexts {
    scores: "Scores",
    by: "by",
    user: "User",
    prompt: "Prompt",
    source: "Source",
    tags: "Tags",
    session: "Session",
    turn_of: "turn {n} of {all}",
    previous_turn: "Turn before",
    next_turn: "Turn after",
    failed: Count { one: "1 failed", many: "{n} failed" },
    rows_shown: "Spans {from} to {to} of {all}",
    guard: "Guard decision",
    tools_offered: Count { one: "1 tool offered", many: "{n} tools offered" },
    estimated: "estimated",
    left_out: Count {
        one: "1 earlier message is not shown; the JSON tab and the API have it.",
        many: "{n} earlier messages are not shown; the JSON tab and the API have them.",
    },
    picture: "Picture of the message",
    input_audio: "Input, audio",
    input_image: "Input, pictures",
    reasoning: "Output, reasoning",
    output_audio: "Output, audio",
    output_image: "Output, pictures",
    key_error: "Next failed span",
};

/// 한국어.
pub(super) const KO: RecordTexts = RecordTexts {
    scores: "평가",
    by: "평가자",
    user: "사용자",
    prompt: "프롬프트",
    source: "보낸 곳",
    tags: "태그",
    session: "세션",
    turn_of: "{all}턴 중 {n}번째",
    previous_turn: "이전 턴",
    next_turn: "다음 턴",
    failed: Count { one: "실패 1건", many: "실패 {n}건" },
    rows_shown: "스팬 {all}개 중 {from}~{to}",
    guard: "가드 판정",
    tools_offered: Count { one: "제공된 도구 1개", many: "제공된 도구 {n}개" },
    estimated: "추정치",
    left_out: Count {
        one: "앞선 메시지 1개는 생략했습니다. JSON 탭과 API에 있습니다.",
        many: "앞선 메시지 {n}개는 생략했습니다. JSON 탭과 API에 있습니다.",
    },
    picture: "메시지의 그림",
    input_audio: "입력, 오디오",
    input_image: "입력, 이미지",
    reasoning: "출력, 추론",
    output_audio: "출력, 오디오",
    output_image: "출력, 이미지",
    key_error: "다음 실패 스팬",
};

/// English, for scripts.
pub(super) const EN_WORDS: RecordWords = RecordWords { row_waiting: "Loading" };

/// 한국어, for scripts.
pub(super) const KO_WORDS: RecordWords = RecordWords { row_waiting: "불러오는 중" };
