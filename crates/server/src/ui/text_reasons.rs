//! Reasons that other rooms give in English, and how they are put in Korean.
//!
//! A reason is kept as it was given, by evals and searches alike, and the API gives it so; pages say it in their reader's
//! language. What stands in braces is anything, what stands in [`NUMBERS`] a number, and `{why}` another reason.

/// Names of what is always a number.
pub(super) const NUMBERS: [&str; 7] = ["n", "of", "low", "high", "percent", "missing", "total"];

/// Reasons in English and in Korean, the longer ones of one beginning first.
pub(super) const REASONS: &[(&str, &str)] = &[
    // why a run stopped
    (
        "interrupted; {missing} of {total} tries are missing",
        "중단되었고, 시도 {total}번 중 {missing}번이 빠졌습니다",
    ),
    (
        "the budget is used up: {missing} of {total} tries are missing, and the next one could pass it",
        "예산을 다 써서 시도 {total}번 중 {missing}번이 빠졌습니다. 다음 시도는 예산을 넘길 수 있습니다",
    ),
    (
        "the budget has no room left for a call that may cost ${most} (`max_tokens` of the task or the judge makes that less): \
         {missing} of {total} tries are missing",
        "${most}까지 들 수 있는 호출을 하기에는 남은 예산이 모자라(과제나 심판의 `max_tokens`를 줄이면 덜 듭니다), 시도 \
         {total}번 중 {missing}번이 빠졌습니다",
    ),
    (
        "a call has no known price, so the budget cannot be held: give the model a price in hanok.toml ([prices]), or run \
         without a budget; {missing} of {total} tries are missing",
        "가격을 모르는 호출이 있어 예산을 지킬 수 없습니다. hanok.toml의 [prices]에 모델의 가격을 적거나 예산 없이 \
         실행하세요. 시도 {total}번 중 {missing}번이 빠졌습니다",
    ),
    (
        "no try gave an output, the last error was: {error}; {missing} of {total} tries are missing",
        "출력을 낸 시도가 없었고 마지막 오류는 다음과 같습니다: {error}. 시도 {total}번 중 {missing}번이 빠졌습니다",
    ),
    // by what a gate decided about a corrected rate
    ("corrected, {percent} % from {low} to {high}", "보정한 {percent} % 구간 {low} ~ {high}"),
    ("no sample has a number of `{score}`", "`{score}` 값이 있는 샘플이 없습니다"),
    (
        "`{score}` is no judge's score, and cannot be corrected",
        "`{score}`은(는) 심판의 점수가 아니어서 보정할 수 없습니다",
    ),
    (
        "the judge `{judge}` was not held against people's labels yet; run `hanok judge check`",
        "심판 `{judge}`을(를) 아직 사람의 라벨과 견주지 않았습니다. `hanok judge check`를 실행하세요",
    ),
    (
        "what is known of the judge `{judge}` is of another model, prompt or rubric; run `hanok judge check` again",
        "심판 `{judge}`에 대해 아는 것은 다른 모델, 프롬프트, 기준의 것입니다. `hanok judge check`를 다시 실행하세요",
    ),
    (
        "there is no queue `{queue}`; bring people's labels in with `hanok judge labels import {name} FILE`",
        "큐 `{queue}`이(가) 없습니다. `hanok judge labels import {name} FILE`로 사람의 라벨을 들여오세요",
    ),
    (
        "people said `{labels}` in the queue `{queue}`, and the judge says `{levels}`: these cannot be compared",
        "큐 `{queue}`에서 사람들은 `{labels}`(이)라고 했고 심판은 `{levels}`(이)라고 하므로 견줄 수 없습니다",
    ),
    ("there is no experiment {id}", "실험 {id}이(가) 없습니다"),
    ("the experiment {id} has no score `{score}`", "실험 {id}에는 점수 `{score}`이(가) 없습니다"),
    ("there are too few items with both labels and verdicts", "라벨과 판정이 다 있는 항목이 너무 적습니다"),
    ("people say `{label}` of all items", "사람들이 모든 항목에 `{label}`(이)라고 했습니다"),
    ("the judge says the same of all items", "심판이 모든 항목에 같은 말을 합니다"),
    (
        "the judge is not shown to be better than chance (sensitivity + specificity - 1 is at least {low})",
        "심판이 우연보다 낫다고 할 수 없습니다(민감도 + 특이도 - 1의 하한 {low})",
    ),
    (
        "the judge is not shown to be better than chance (quadratic kappa is at least {low})",
        "심판이 우연보다 낫다고 할 수 없습니다(이차 카파의 하한 {low})",
    ),
    ("there are labels of one kind only", "라벨이 한 가지뿐입니다"),
    ("there are too few samples", "샘플이 너무 적습니다"),
    // of scorers: texts
    ("the sample says nothing of what is expected", "샘플에 기대하는 답이 없습니다"),
    ("expected {texts}", "기대한 답: {texts}"),
    ("nothing is said of what the text should contain", "글에 무엇이 들어 있어야 하는지 정해지지 않았습니다"),
    ("missing {texts}", "빠진 것: {texts}"),
    ("the expression does not match", "정규식에 맞지 않습니다"),
    ("neither the scorer has a pattern nor the sample", "채점기에도 샘플에도 패턴이 없습니다"),
    (
        "`{pattern}` is not an expression that can be used: {error}",
        "`{pattern}`은(는) 쓸 수 있는 정규식이 아닙니다: {error}",
    ),
    ("the texts are too long for an edit distance", "편집 거리를 재기에는 글이 너무 깁니다"),
    ("nothing is expected", "기대하는 답이 없습니다"),
    ("{n} edits", "편집 {n}번"),
    // numbers
    ("what is expected is no number: `{value}`", "기대하는 답이 숫자가 아닙니다: `{value}`"),
    ("there are {n} numbers", "숫자가 {n}개 있습니다"),
    ("there is no number", "숫자가 없습니다"),
    ("{n}, expected {of}", "{n}, 기대한 값 {of}"),
    ("no price is known", "가격을 알 수 없습니다"),
    // rankings
    ("the sample does not say which are relevant", "샘플에 무엇이 관련 있는지 적혀 있지 않습니다"),
    ("nothing is relevant to this sample", "이 샘플에 관련 있는 것이 없습니다"),
    ("the output is no list of names: {why}", "출력이 이름의 목록이 아닙니다: {why}"),
    ("the output is no list of names", "출력이 이름의 목록이 아닙니다"),
    ("{n} of the first {of} are relevant, of {total}", "관련 있는 {total}개 중 앞의 {of}개 안에 {n}개"),
    ("the grade of `{name}` is no number: {grade}", "`{name}`의 등급이 숫자가 아닙니다: {grade}"),
    // data and tools
    ("it is empty", "비어 있습니다"),
    ("it is not JSON: {error}", "JSON이 아닙니다: {error}"),
    (
        "nothing is said of what is expected there; `exists = true` asks for anything",
        "거기에 무엇이 있어야 하는지 정해지지 않았습니다. 무엇이든 있으면 된다면 `exists = true`를 쓰세요",
    ),
    ("the output has no data to follow a path in: {why}", "출력에 경로를 따라갈 데이터가 없습니다: {why}"),
    ("nothing is at {path} of the output", "출력의 {path} 자리에 아무것도 없습니다"),
    ("nothing is at {path}", "{path} 자리에 아무것도 없습니다"),
    ("{path} is `{found}`, expected `{expected}`", "{path}의 값은 `{found}`, 기대한 값은 `{expected}`"),
    ("the sample says nothing of the tools to call", "샘플에 호출할 도구가 적혀 있지 않습니다"),
    ("an expected call has no name", "기대하는 호출에 이름이 없습니다"),
    ("{call} was not called in its turn", "{call}을(를) 차례에 호출하지 않았습니다"),
    ("{call} was not called", "{call}을(를) 호출하지 않았습니다"),
    ("`{call}` was called before {other}", "{other}보다 `{call}`을(를) 먼저 호출했습니다"),
    ("{n} calls were made, {of} expected", "{n}번 호출했고, 기대한 것은 {of}번입니다"),
    // vectors and citations
    ("an empty text has no vector", "빈 글에는 벡터가 없습니다"),
    (
        "the embedder gave another number of vectors than texts",
        "임베더가 글의 수와 다른 수의 벡터를 주었습니다",
    ),
    ("there is no citation", "인용이 없습니다"),
    ("{title}: it quotes nothing", "{title}: 따온 글이 없습니다"),
    ("{title}: there is no document `{source}`", "{title}: 문서 `{source}`이(가) 없습니다"),
    ("{title}: `{source}` does not say that there", "{title}: `{source}`의 그 자리에 그런 말이 없습니다"),
    // commands, endpoints and code
    ("the answer is not JSON: {error}: `{text}`", "답이 JSON이 아닙니다: {error}: `{text}`"),
    ("the answer is no score: `{text}`", "답이 점수가 아닙니다: `{text}`"),
    ("the answer has no `value`, `score` or `pass`", "답에 `value`도 `score`도 `pass`도 없습니다"),
    ("it is no score", "점수가 아닙니다"),
    ("it ended with {why}: {said}", "{why}(으)로 끝났습니다: {said}"),
    ("a signal", "신호"),
    ("status {n}", "상태 {n}"),
    ("{host} did not answer within {time}", "{host}이(가) {time} 안에 답하지 않았습니다"),
    ("not supported: {why}", "지원하지 않습니다: {why}"),
    ("the code answered with neither `pass` nor `score`", "코드의 답에 `pass`도 `score`도 없습니다"),
    ("the code answered with what is no score: {said}", "코드의 답이 점수가 아닙니다: {said}"),
    ("the row brings no scorers", "행에 채점기가 없습니다"),
    ("`{score}` has no value", "`{score}`에 값이 없습니다"),
    // judges
    ("there is no other answer to compare with", "견줄 다른 답변이 없습니다"),
    ("it gave a verdict of another form", "다른 꼴의 판정을 했습니다"),
    ("there is no answer", "답이 없습니다"),
    ("the provider's content filter refused", "제공자의 콘텐츠 필터가 거절했습니다"),
    ("{why}; at first: {first}", "{why}. 처음에는: {first}"),
    ("the answer was cut at its limit of tokens: {why}", "답이 토큰 한도에서 잘렸습니다: {why}"),
    ("it is not JSON with a verdict: `{text}`", "판정이 든 JSON이 아닙니다: `{text}`"),
    ("it gives several verdicts", "판정이 여러 개입니다"),
    ("it has no `verdict`", "`verdict`가 없습니다"),
    (
        "its verdict is {verdict}, which is not among those it may give",
        "판정이 {verdict}인데, 할 수 있는 판정이 아닙니다",
    ),
    ("its verdict is `{verdict}`", "판정이 `{verdict}`입니다"),
    // what leads judges astray: the attacks, and what changed
    ("plain request, Korean", "대놓고 부탁, 한국어"),
    ("plain request", "대놓고 부탁"),
    ("end of the material, Korean", "자료가 끝난 척, 한국어"),
    ("end of the material", "자료가 끝난 척"),
    ("verdict as JSON, Korean", "JSON 판정, 한국어"),
    ("verdict as JSON", "JSON 판정"),
    ("new rubric", "새 평가 기준"),
    ("turn of the judge", "심판의 차례인 척"),
    ("hidden comment", "숨은 주석"),
    ("word of authority", "권위 있는 말"),
    ("swapped", "순서를 바꿈"),
    ("again", "다시 물음"),
    ("padded", "군말을 붙임"),
    ("depends on the order", "순서에 달림"),
    ("leans to {why}", "{why}으로 기욺"),
    ("the first", "앞의 것"),
    ("the second", "뒤의 것"),
    // why a leg counts as it does
    (
        "of {n} passages of this collection, vectors find the rest again with a mean reciprocal rank of {low}, words with {high}",
        "이 컬렉션의 구절 {n}개로 재면 평균 역순위가 벡터는 {low}, 낱말은 {high}",
    ),
    ("too few chunks to try the vectors on", "벡터를 시험해 보기에는 청크가 너무 적습니다"),
    ("the dense leg failed: {error}", "벡터 검색에 실패했습니다: {error}"),
    ("the reranker failed: {error}", "재순위 모델이 실패했습니다: {error}"),
    (
        "this collection's embedder is being opened: ask again, or search by words",
        "이 컬렉션의 임베더를 여는 중입니다. 다시 묻거나 낱말로 검색하세요",
    ),
    ("this collection's embedder cannot be opened: {error}", "이 컬렉션의 임베더를 열 수 없습니다: {error}"),
    ("how the texts most like it among the best do", "가장 나은 결과 가운데 이와 가장 닮은 글들이 받은 점수"),
];
