//! What a text holds that may answer: amounts, times, people, places, reasons.

use crate::words::is_in;
use hanok_index::analyze;

const ENGLISH_NUMBERS: &str = "two three four five six seven eight nine ten eleven twelve fifteen twenty thirty forty \
    fifty sixty ninety hundred thousand half once twice none unlimited";
const KOREAN_NUMBERS: &str = "한 ,두 ,세 ,네 ,다섯,여섯,일곱,여덟,아홉,열 ,스무,서른,석 ,넉 ,하루,이틀,사흘,나흘,닷새,열흘,보름,첫째,둘째,셋째,넷째,반기,\
    절반,매일,매월,매주,매년,해마다,달마다,날마다";
const ENGLISH_SPANS: &str = "second seconds minute minutes hour hours day days week weeks month months quarter year years night \
    fortnight calendar hourly daily weekly monthly yearly annually nightly forever indefinitely";
const ENGLISH_TIMES: &str = "monday mondays tuesday tuesdays wednesday wednesdays thursday thursdays friday fridays saturday saturdays sunday \
    sundays january february march april may june july august september october november december am pm noon midnight morning \
    mornings evening evenings afternoon today tomorrow spring summer autumn winter weekend weekends weekday weekdays christmas easter \
    immediately every";
const ENGLISH_ROLES: &str = "manager director coordinator officer lead team head chair librarian engineer administrator admin owner \
    staff desk committee board supervisor president secretary treasurer assistant teacher nurse doctor operator representative vendor \
    council agency office department service group everyone anyone volunteers parent guardian ceo cto cfo hr editor author maintainer \
    customer members employees contractor founder mayor professor analyst";
const KOREAN_ROLES: &str = "팀,과장,차장,부장,대리,대표,이사,본부장,실장,센터장,원장,담당,직원,관리자,책임자,위원,매니저,기사,영양사,간호사,사수,님,씨,주임,사원,\
    업체,부서,총무,인사,당직,의사,교사,회장,소장,국장,처장,점장,조합,누구나,사람,자는 ,자가 ,자에게";
const ENGLISH_PLACES: &str = "in at on under into onto near behind beside inside outside above below from to page folder file directory";
const KOREAN_PLACES: &str = "에 ,에서,으로,로 ,에게,에는,층,실,옆,앞,뒤,센터,지점,창고,주소,위치,폴더,|";
const ENGLISH_REASONS: &str =
    "because since due as therefore avoid prevent reason cause caused owing so which hence otherwise for";
const KOREAN_REASONS: &str = "때문,위해,위하여,므로,이유,원인,덕분,도록,니까,어서,아서,여서,해서,져서,라서,려서,나서,인해,따라,려고,않게,막기,와서,워서,많아,없어";

/// Whether the words of a text hold one of a list, in lower case.
fn has_word(text: &str, list: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric())
        .any(|word| word.bytes().all(|b| b.is_ascii_alphabetic()) && is_in(list, &word.to_lowercase()))
}

/// Whether a text has one of the parts, which commas tell apart.
pub(super) fn has_any(text: &str, parts: &str) -> bool {
    parts.split(',').any(|part| text.contains(part))
}

pub(super) fn has_number(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit())
        || has_word(text, ENGLISH_NUMBERS)
        || has_any(text, KOREAN_NUMBERS)
}

pub(super) fn has_money(text: &str) -> bool {
    let amount = |(at, sign): (usize, &str)| {
        let (before, after) =
            (text.get(..at).unwrap_or_default(), text.get(at + sign.len()..).unwrap_or_default());
        after.trim_start().starts_with(|c: char| c.is_ascii_digit())
            || before.trim_end().ends_with(|c: char| c.is_ascii_digit())
    };
    if text.match_indices(['$', '€', '£', '¥', '₩']).any(amount) || has_any(text, "무료,무상,공짜")
    {
        return true;
    }
    let words =
        "pound pounds pence penny dollar dollars cent cents euro euros usd eur gbp krw won yen free percent";
    has_word(text, words) || is_counted(text, "원 천원 만원 만 억 p %")
}

pub(super) fn has_duration(text: &str) -> bool {
    has_word(text, ENGLISH_SPANS)
        || is_counted(text, "일 시간 주 개월 달 년 분 초 주일 h d s m ms min 세기 학기 분기")
        || has_any(text, "하루,이틀,사흘,나흘,닷새,열흘,보름,일주일,반기,분기,영구")
}

pub(super) fn has_time(text: &str) -> bool {
    has_duration(text)
        || has_year(text)
        || has_word(text, ENGLISH_TIMES)
        || is_counted(text, "시 월 일 : - /")
        || has_any(
            text,
            "매일,매월,매주,매년,매달,요일,새벽,아침,저녁,오전,오후,정오,자정,봄,가을,여름,겨울,해마다,마다,말일,연말,당일,즉시,수시,마지막",
        )
}

/// Whether a number stands alone that can be a year: `in 1412`.
fn has_year(text: &str) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
        word.len() == 4 && word.starts_with(['1', '2']) && word.bytes().all(|byte| byte.is_ascii_digit())
    })
}

pub(super) fn has_person(text: &str) -> bool {
    if has_word(text, ENGLISH_ROLES) || text.contains('@') || has_any(text, KOREAN_ROLES) {
        return true;
    }
    // Two capitalised words in a row, or a Korean family name with two syllables.
    let mut capital_before = false;
    for word in text.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        let mut chars = bare.chars();
        let capital = chars.next().is_some_and(|c| c.is_ascii_uppercase())
            && chars.next().is_some_and(|c| c.is_ascii_lowercase());
        if capital && capital_before {
            return true;
        }
        capital_before = capital && word.ends_with(char::is_alphanumeric);
        let mut syllables = bare.chars();
        if bare.chars().count() >= 3
            && syllables.next().is_some_and(|c| "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진나지엄채원천방공함변염여추도소석선설마".contains(c))
            && text.contains('|')
        {
            return true;
        }
    }
    false
}

pub(super) fn has_place(text: &str) -> bool {
    text.contains(['/', '`', '@']) || has_word(text, ENGLISH_PLACES) || has_any(text, KOREAN_PLACES)
}

pub(super) fn has_reason(text: &str) -> bool {
    has_word(text, ENGLISH_REASONS) || has_any(text, KOREAN_REASONS)
}

fn is_number_word(word: &str) -> bool {
    KOREAN_NUMBERS.split(',').any(|number| number == word)
}

/// Whether a number is followed by one of the counters, directly or after a space.
pub(super) fn is_counted(text: &str, counters: &str) -> bool {
    let digits = text.char_indices().filter(|(_, c)| c.is_ascii_digit()).map(|(at, _)| at + 1);
    let written = KOREAN_NUMBERS
        .split(',')
        .flat_map(|number| text.match_indices(number).map(|(at, found)| at + found.len()));
    // A word such as 이틀 counts by itself.
    if counters
        .split_ascii_whitespace()
        .any(|counter| counter.chars().count() >= 2 && is_number_word(counter) && text.contains(counter))
    {
        return true;
    }
    digits.chain(written).any(|end| {
        let after = text.get(end..).unwrap_or_default();
        let after = after.trim_start_matches([' ', '만', '천', '백', '억']);
        counters.split_ascii_whitespace().any(|counter| {
            after.strip_prefix(counter).is_some_and(|rest| {
                !counter.ends_with(|c: char| c.is_ascii_alphabetic())
                    || !rest.starts_with(|c: char| c.is_ascii_alphanumeric())
            }) || (matches!(counter, "만" | "억" | "천원" | "만원")
                && text.get(end..).is_some_and(|rest| rest.trim_start().starts_with(counter)))
        })
    })
}

/// Whether a number stands close before a term of `counted`: `two books` for `how many books`.
pub(crate) fn number_is_near(text: &str, counted: &[String]) -> bool {
    let tokens: Vec<String> = analyze(text).into_iter().map(|token| token.text).collect();
    tokens.iter().enumerate().any(|(at, token)| {
        counted.contains(token)
            && tokens.get(at.saturating_sub(4)..at).is_some_and(|before| {
                before
                    .iter()
                    .any(|word| word.bytes().all(|b| b.is_ascii_digit()) || is_in(ENGLISH_NUMBERS, word))
            })
    })
}
