//! Everyday words of one meaning, as people ask and as documents say.
//!
//! Only what any office, shop or manual may say; each line is a group, its words are told apart by spaces, and a
//! word of two parts has `_` between them. A word may stand in more than one group.

use super::bag::AFTER_SYLLABLE;
use crate::sentence::is_hangul;
use hanok_index::analyze;
use std::collections::HashMap;
use std::sync::LazyLock;

const GROUPS: &str = "\
cost costs price prices fee fees charge charges rate rates fare tariff pay pays paid expensive pricing
pay salary wage wages salaries
refund refunds reimburse reimbursed reimbursement money_back pay_back everything_back repay
fine fines penalty penalties surcharge
vacation vacations leave holiday holidays time_off day_off annual_leave pto
sick sickness ill illness medical
quit resign resignation leave notice terminate termination
employee employees staff worker workers personnel colleague colleagues
boss manager managers supervisor lead head runs manages manage
manage manages manager run runs lead leads head charge
buy purchase purchases order orders
seller supplier suppliers vendor vendors supply supplies
join sign_up signup register registration enrol enroll subscribe
begin start starts commence launch
end ends finish finishes expire expires expiry stop stops close closes
open opens opening hours
cancel cancels cancellation withdraw revoke call_off
delete deletes deleted remove removed erase erased purge purged wipe drop dropped
keep keeps kept retain retained retention stored store stores save saved recorded records
allow allowed permit permitted permission may admitted accepted
prohibited forbidden banned ban not_allowed not_permitted disallowed restricted
mandatory required compulsory must
fix repair repairs repaired resolve troubleshoot
broken faulty defective fails failed failure out_of_service down outage
restart reboot restarts restarting reload
limit limits maximum max cap quota at_most up_to most threshold
minimum at_least least lowest or_older
age old older years_old
largest biggest highest maximum
valid validity lasts last expires expire good_for period
duration period length term lasts last
deadline due by_the until latest
phone telephone call calls ring number
contact call calls email write reach ask
email e-mail mail
address located location site place
remote remotely home telework telecommute
room rooms hall
book books_ reserve reserves reservation reservations booking bookings hold holds
return returns given_back give_back hand_in handed_in
hand_in submit submits submitted send
borrow borrows borrowed loan loans lend lends lending
late overdue delayed delay
lost lose loses missing
replace replaces replaced replacement exchange change
approve approves approval sign_off authorise authorize consent
owner owns responsible responsibility charge
decide decided decision decisions agreed approved
wifi wi-fi wireless network
password passwords passphrase pin credential
login log_in sign_in signin
settings configuration config configure options set_up setup
install installs installation set_up setup deploy
error errors fault failure
version versions release releases
big size large capacity
capacity seats holds fit people
fast speed quick
weigh weight heavy
car cars vehicle vehicles driving driver
drive drives driven driver
bus train transport commute
parking park car_park spaces
food eat eating meal meals snack snacks
lunch break canteen cafeteria
children child kids kid
people persons readers visitors customers users
customer customers client clients user users
company business firm commercial corporate
reason because due cause
document documents paper papers proof
id identification identity passport
certificate note proof
backup backups dump dumps snapshot copies
server host machine
alert alerts alarm alarms warning
mandatory must
yearly annual annually every_year per_year
monthly every_month per_month
weekly every_week per_week
daily every_day per_day every_night nightly
weekend weekends saturday saturdays sunday sundays
discount discounts reduction cheaper rebate
invoice invoices bill bills billing
contract contracts agreement
warranty guarantee guaranteed
delivery deliver delivers shipping shipped ship dispatch arrive arrives
free complimentary gratis
colour color
photo picture image
toilet restroom
laptop notebook computer
travel trip trips journey journeys
hotel accommodation lodging
expense expenses costs
meeting meetings session sessions
request requests apply application ask
shut closed close closes
increase raise rise raised
decrease cut reduce reduced lower
overtime extra_hours
bonus incentive
deploy deploys deployed deployment release released rollout ship
rollback roll_back revert undo
incident outage downtime
access permission permissions entry
token tokens key keys credential
upgrade update updates updated
guest guests visitor visitors
badge card pass keycard
revenue sales turnover
postpone postponed delay delayed moved pushed_back
attend attended attendee attendees present participant participants
trial probation test
plan tier subscription package
clean cleaning wash descale
allowance stipend budget subsidy
maternity paternity parental family
training course courses learning
hire hires hired recruit recruits starter starters onboarding newcomer joiners
promotion promoted promote
rule rules policy policies guideline guidelines regulation
headquarters head_office office
made make manufacture manufactured produced built
assign assigned owner responsible
equipment device devices gear
broadband internet connection
unused remaining left leftover
carry roll_over carried rollover
frequency often every interval
percentage percent share
rotate rotated rotation renew renewed
response respond reply replies answer
submit submitted file filed
report reports reported notify
식대 식비 점심값 밥값
교통비 차비 택시비
복지 복리후생 혜택
입사 신입 채용 입사자
승진 진급
규정 규칙 정책 방침 지침
공지 안내 공고
배포 릴리스 출시 적용
롤백 되돌리 되돌린 복구
복구 복원 되살리
점검 검사 확인
로그 기록
권한 접근 허가
계정 아이디
호출 요청 부르 부를
발급 만들 생성
갱신 연장 재발급
제조 생산 제작 만들 만든
청소 세척 닦 씻
배터리 충전 전지
고객센터 상담 콜센터 문의
반품 환불 교환
적립 포인트
가입 등록 신청
탈퇴 해지
요금제 플랜 상품
업그레이드 상향 업데이트
출입증 사원증 출입카드 카드키
출입 입장 들어가 들어오
방문객 외부인 손님
긴급 비상 응급
신고 보고 알리
대표 사장 대표이사
연기 미루 미뤄
참석자 참석 참가자
안건 의제 주제
매출 판매액 실적
비율 퍼센트 %
인원 정원 수용
돈 대금 지불 결제 납부 입금
단위 간격
사용 이용 쓰 쓸
사용료 이용료 요금
사유 이유 원인
조건 요건 자격
대상 대상자 적용
한도 상한 최대 까지
넘기 초과 넘으 넘는
못하 불가 금지 안되
지원 보조 제공
지각 늦
조퇴 일찍
이월 넘기 넘어가
남은 미사용 잔여 쓰지_않은
안_쓴 미사용 잔여
외주 하청 위탁
점포 매장 지점
품절 재고 없
답 답변 대답 응답 회신
질문 물음 문의
비용 요금 가격 금액 값 단가 이용료 사용료 수수료 대금
월급 급여 임금 봉급 연봉
월급날 급여일
휴가 연차 쉬 휴무
병가 아프 아파 질병
퇴사 퇴직 사직 그만두 사직서
직원 사원 임직원 근로자 구성원
상사 팀장 관리자 부서장
책임자 담당자 담당 관리자 맡
구입 구매 사다 매입 주문
공급 납품 들여오 공급업체 납품업체
업체 회사 거래처
환불 돌려받 돌려주 반환 취소
벌금 과태료 연체료 위약금
연체 늦 지연
이자 연체료
시작 개시 착수
종료 끝나 만료 마감
취소 철회 해지
삭제 지우 폐기 파기 없애
보관 보존 저장 남기 두다 둔다 유지
보존기간 보관
허용 가능 허락 승인
금지 불가 안 못
승인 결재 허가 동의
신청 접수 요청 등록
제출 내다 낸다 접수
수리 고치 정비 고장
고장 장애 오류 멈추
재시작 재부팅 다시_시작
제한 한도 최대 상한 까지
최소 적어도 이상 최저
기한 마감 까지 기간
기간 동안 유효
유효 만료
전화 연락 연락처 전화번호
연락 전화 문의 알리
메일 이메일
장소 위치 주소
재택 재택근무 원격 원격근무
예약 대여 신청
반납 반환 돌려주
대출 빌리 대여
분실 잃어버리 잃어버린 잃어버렸
교체 갈 바꾸 바꿔 바꾼 교환
변경 바꾸 바꿀 수정 고치
수정 변경 편집
비밀번호 암호 패스워드
까먹 잊어버리 잊어버렸 잊
로그인 접속
설정 구성 환경설정
설치 셋업
조회 보기 확인
색 색깔 색상
크기 용량 사이즈
속도 빠르기
무게 중량
칼로리 열량
버스 통근버스 셔틀
주차 주차장
음식 식품 식사 끼니
식사 식 끼 밥
점심 중식
아이 어린이 아동
환자 고객 이용자
고객 손님 회원 이용자
시각 시간
출근 근무 업무시작
퇴근 근무 업무종료
도착 배송 배달
배송 배달 운송 나르 나른 운반
운반 나르 나른 배송
교육 훈련 연수
증명서 확인서 서류 증빙
준비물 가져오 가져와 지참
영수증 증빙
백업 복제 사본
서버 호스트
경보 알림 알람
매일 날마다 하루
매주 주마다 일주일
매월 매달 달마다 월별
매년 해마다 연간
휴일 공휴일 주말 휴무일
주말 토요일 일요일
할인 깎 감면
청구서 계산서 인보이스
돈 금액 비용 대금
송금 이체 입금 지불 결제 지급
지불 결제 지급 납부 내
계약 약정
보증 무상수리 에이에스
무료 공짜 무상
유니폼 위생복 제복 근무복
노트북 컴퓨터 피씨
출장 외근
숙박 호텔
회의 미팅
레시피 조리법
조리사 조리팀 요리사
지역 권역 구역
인상 오르 올라 올린
인하 내리 내려
감소 줄
이유 까닭 때문 원인
방법 절차 요령
횟수 번
주기 마다 간격
도입 시작 시범
결정 의결 확정 정하 정했
참석 참가 출석
작성 쓰 적
삭감 줄이 깎
잔업 야근 초과근무 연장근로
상여 성과급 보너스 상여금
경조 결혼 경조사
결혼 혼인 경조
출산 분만 육아
명령 명령어 커맨드
";

/// For each word, as its terms, the other words of its groups.
static SYNONYMS: LazyLock<HashMap<String, Vec<Vec<String>>>> = LazyLock::new(|| {
    let mut known: HashMap<String, Vec<Vec<String>>> = HashMap::new();
    for group in GROUPS.lines() {
        let words: Vec<&str> = group.split_ascii_whitespace().collect();
        for word in words.iter().filter(|word| !word.contains('_')) {
            let own = key(word);
            let ways = known.entry(own.clone()).or_default();
            for way in words.iter().flat_map(|other| spoken(other)) {
                if key_of(&way) != own && !way.is_empty() && !ways.contains(&way) {
                    ways.push(way);
                }
            }
        }
    }
    known
});

/// Words that mean what `word` means, each as its terms.
pub(crate) fn synonyms(word: &str) -> Vec<Vec<String>> {
    SYNONYMS.get(&key(word)).cloned().unwrap_or_default()
}

/// The terms a text may have for a word: one Korean syllable comes with a particle or an ending.
fn spoken(word: &str) -> Vec<Vec<String>> {
    let mut ways = vec![terms(&word.replace('_', " "))];
    if word.chars().count() == 1 && word.chars().all(is_hangul) {
        ways.extend(AFTER_SYLLABLE.chars().map(|after| vec![format!("{word}{after}")]));
    }
    ways
}

fn key(word: &str) -> String {
    key_of(&terms(word))
}

fn key_of(terms: &[String]) -> String {
    terms.join(" ")
}

fn terms(text: &str) -> Vec<String> {
    analyze(text).into_iter().map(|token| token.text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_others_of_their_meaning() {
        let check = |word: &str, other: &str, expect: bool| {
            assert_eq!(synonyms(word).contains(&terms(other)), expect, "{word} {other}");
        };
        check("price", "fee", true);
        check("vacations", "time off", true);
        check("휴가", "연차", true);
        check("price", "leave", false);
        check("price", "price", false);
        assert!(synonyms("granite").is_empty());
    }
}
