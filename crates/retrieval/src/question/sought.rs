//! What kind of answer a question seeks, and whether a text has one.
//!
//! `How much` seeks an amount, `누가` a person: a sentence without one does not answer, however much of the
//! question it repeats.

use super::kinds::{
    has_any, has_duration, has_money, has_number, has_person, has_place, has_reason, has_time, is_counted,
};
use crate::words::is_in;

/// A kind of answer.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Answer {
    Money,
    Duration,
    Time,
    Number,
    Person,
    Place,
    Reason,
    /// A number of what `몇` counts: `대` of `몇 대`.
    Counted(String),
    /// A command, a piece of code.
    Code,
}

/// The kinds of answer a question seeks; several for `who … by when`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    kinds: Vec<Answer>,
    /// What to do: more than one sentence, mostly.
    pub(crate) steps: bool,
}

const MONEY_CUES: &str = "cost,price,fee,how much do i pay,how much does,how much is,how much money,fare,\
    charge,salary,얼마예요,비용,요금,가격,금액,단가,값이,얼마를 내,수수료,벌금,급여는 얼마";
const DURATION_CUES: &str = "how long,how many days,how many weeks,how many months,how many years,\
    how many hours,how many minutes,기간,며칠,얼마나 오래,얼마 동안";
const TIME_CUES: &str = "what time,which day,what day,by when,opening times,how often,deadline,언제,몇 시,몇시,\
    시각,시기,무슨 요일,며칠까지,얼마나 자주,얼마 전,월급날,주기";
const NUMBER_CUES: &str = "how many,how much,how old,how often,how far,how big,how large,how heavy,\
    how fast,number of,maximum,minimum,몇,얼마,최대 ,최소 ";
const PERSON_CUES: &str = "누가,누구,담당자,이름";
const REASON_CUES: &str = "why,reason,왜,이유,까닭,원인";
const STEP_CUES: &str = "how do,how to,how can,how should,what should,what do i,what to do,어떻게,방법,절차";

const PLACE_CUES: &str = "which room,which floor,어디";
const CODE_CUES: &str = "command,명령";

/// What `몇` may count, and how a text may say so; the longest first.
const COUNTERS: &[(&str, &str)] = &[
    ("개월", "개월 달"),
    ("시간", "시간"),
    ("가지", "가지 개"),
    ("군데", "군데 곳"),
    ("퍼센트", "% 퍼센트 프로"),
    ("GB", "GB 기가"),
    ("MB", "MB 메가"),
    ("kg", "kg 킬로"),
    ("km", "km 킬로"),
    ("시", "시 :"),
    ("분", "분"),
    ("초", "초"),
    ("년", "년 해 개월"),
    ("일", "일 하루 이틀 사흘 나흘 주"),
    ("주", "주"),
    ("달", "달 개월"),
    ("명", "명 인 사람 분"),
    ("대", "대"),
    ("개", "개 가지 곳"),
    ("번", "번 회"),
    ("회", "회 번"),
    ("곳", "곳 군데 개"),
    ("층", "층"),
    ("식", "식"),
    ("끼", "끼 식"),
    ("장", "장 쪽"),
    ("권", "권"),
    ("살", "살 세"),
    ("세", "세 살"),
    ("도", "도 ℃"),
    ("점", "점"),
    ("단", "단"),
    ("호", "호"),
    ("조", "조"),
    ("차", "차"),
];

/// Words that the kind of answer says already.
const MONEY_WORDS: &str =
    "cost costs price prices fee fees charge charges rate pay paid 비용 요금 가격 금액 단가 값 대금";
const TIME_WORDS: &str = "time times day days hour hours date dates period duration deadline week weeks month months \
    year years minutes 시간 시각 시기 날짜 기간 기한 일자 주기";

impl Sought {
    /// What a question seeks.
    pub(crate) fn of(text: &str) -> Self {
        let lower = format!("{} ", text.to_lowercase());
        let asks = |cues: &str| has_any(&lower, cues);
        let counter = text.split_once('몇').and_then(|(_, after)| counter_of(after.trim_start()));
        let money = asks(MONEY_CUES);
        let time = (asks(TIME_CUES) || asks_with(&lower, "when")) && !lower.contains("몇 시간");
        let duration = asks(DURATION_CUES) && !time;
        let number = asks(NUMBER_CUES) && !money && !duration && !time && counter.is_none();
        let person = asks(PERSON_CUES) || ["who", "whom", "whose"].iter().any(|word| asks_with(&lower, word));
        let kinds = [
            money.then_some(Answer::Money),
            duration.then_some(Answer::Duration),
            time.then_some(Answer::Time),
            number.then_some(Answer::Number),
            person.then_some(Answer::Person),
            (asks(PLACE_CUES) || asks_with(&lower, "where")).then_some(Answer::Place),
            asks(REASON_CUES).then_some(Answer::Reason),
            counter.filter(|_| !money).map(Answer::Counted),
            asks(CODE_CUES).then_some(Answer::Code),
        ];
        Self { kinds: kinds.into_iter().flatten().collect(), steps: asks(STEP_CUES) }
    }

    /// Whether a command or a piece of code is sought.
    pub(crate) fn code(&self) -> bool {
        self.kinds.contains(&Answer::Code)
    }

    /// Whether the word after `몇` begins with what is counted.
    pub(crate) fn counts(word: &str) -> bool {
        counter_of(word).is_some()
    }

    /// Whether the kind of answer already says what the word says: `price` where an amount is sought.
    pub(crate) fn implies(&self, word: &str) -> bool {
        self.kinds.iter().any(|kind| {
            let words = match kind {
                Answer::Money => MONEY_WORDS,
                Answer::Time | Answer::Duration => TIME_WORDS,
                Answer::Person => "person name 이름 사람 담당자",
                Answer::Code => "command commands run 명령 명령어",
                Answer::Reason => "reason 이유 까닭 원인",
                Answer::Number | Answer::Place | Answer::Counted(_) => "",
            };
            is_in(words, word)
        })
    }

    /// How far `text`, with `near` around it, has what is sought, in 0..=1; 1 where anything will do.
    pub(crate) fn fits(&self, text: &str, near: &str, is_code: bool) -> f64 {
        if self.code() {
            return if is_code || text.contains('`') { 1.0 } else { 0.0 };
        }
        let held = self.kinds.iter().map(|kind| match kind {
            kind if kind.is_in(text) => 1.0,
            kind if kind.is_in(near) => 0.5,
            _ => 0.0,
        });
        let count = u32::try_from(self.kinds.len()).unwrap_or(u32::MAX);
        if count == 0 { 1.0 } else { held.sum::<f64>() / f64::from(count) }
    }
}

impl Answer {
    fn is_in(&self, text: &str) -> bool {
        match self {
            Self::Money => has_money(text),
            Self::Duration => has_duration(text),
            Self::Time => has_time(text),
            Self::Number => has_number(text),
            Self::Person => has_person(text),
            Self::Place => has_place(text),
            Self::Reason => has_reason(text),
            Self::Counted(counter) => {
                let known = COUNTERS.iter().find(|(known, _)| known == counter);
                is_counted(text, known.map_or(counter.as_str(), |(_, ways)| ways))
            }
            Self::Code => text.contains('`'),
        }
    }
}

/// Whether a question in lower case asks with `word`: at its head, or after `and`, `to` and their like; elsewhere
/// `who` and `when` join clauses.
fn asks_with(question: &str, word: &str) -> bool {
    let mut before = "and";
    for here in question.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if here == word && is_in("and or by to from for since until with at ask know", before) {
            return true;
        }
        before = here;
    }
    false
}

/// The counter at the head of a text: one that is known, or a unit in Latin letters.
fn counter_of(text: &str) -> Option<String> {
    let latin: String = text.chars().take_while(char::is_ascii_alphabetic).collect();
    if !latin.is_empty() {
        return Some(latin);
    }
    COUNTERS.iter().map(|(counter, _)| *counter).find(|counter| text.starts_with(counter)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_what_is_sought_or_not() {
        let check = |question: &str, text: &str, expect: bool| {
            let fits = Sought::of(question).fits(text, "", false);
            assert_eq!(fits > 0.5, expect, "{question} {text} {fits}");
        };
        check("How much does a room cost?", "It is £9 an hour.", true);
        check("How much does a room cost?", "It has 40 seats.", false);
        check("How long is a card valid?", "It lasts four years.", true);
        check("When was the oldest bell cast?", "The oldest bell was cast in 1412.", true);
        check("How long is a card valid?", "It costs 2 pounds.", false);
        check("When is the office open?", "From 9:00 to 17:00.", true);
        check("When is the office open?", "It has a lift.", false);
        check("Who runs the branch?", "Ask Helena Brandt.", true);
        check("Who runs the branch?", "it is closed on sundays.", false);
        check("How many people came?", "Only 41 came.", true);
        check("How many people came?", "Nobody knows.", false);
        check("Why is it closed?", "Because the lift broke.", true);
        check("가격이 얼마예요?", "한 끼에 7,000원이다.", true);
        check("가격이 얼마예요?", "최소 50식이다.", false);
        check("차량은 몇 대인가요?", "트럭 12대가 있다.", true);
        check("차량은 몇 대인가요?", "12시에 온다.", false);
        check("몇 시에 여나요?", "오전 9시에 연다.", true);
        check("누가 승인하나요?", "본부장이 승인한다.", true);
        check("어떻게 하나요?", "하면 된다.", true);
    }
}
