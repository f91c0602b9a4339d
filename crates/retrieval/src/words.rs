//! Words that say nothing or little, and Korean words without their particles and endings.

/// What was taken off a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    None,
    Particle,
    /// Of a verb made from a noun: the noun is left.
    Noun,
    /// Of any other verb, at the end of a question.
    Predicate,
    /// Of any other verb, inside a question.
    Clause,
}

/// A Korean word without its particle or ending.
pub(crate) fn stem(word: &str) -> (&str, Ending) {
    let keep =
        |ending: &str, least: usize| word.strip_suffix(ending).filter(|stem| stem.chars().count() >= least);
    // `뜻인가요` and `뭐예요` are a noun and `is it`, however short.
    for ending in COPULAS {
        if let Some(stem) = keep(ending, 1) {
            return (
                if stem.chars().count() > 2 { without_particle(stem).0 } else { stem },
                Ending::Particle,
            );
        }
    }
    for ending in VERBAL {
        if let Some(stem) = keep(ending, 2) {
            return (without_particle(stem).0, Ending::Noun);
        }
    }
    for ending in CLAUSES {
        let least = if ending.chars().count() > 1 { 1 } else { 2 };
        if let Some(stem) = keep(ending, least) {
            return (stem, Ending::Clause);
        }
    }
    for ending in PREDICATES {
        if let Some(stem) = keep(ending, 1) {
            return (stem, Ending::Predicate);
        }
    }
    without_particle(word)
}

fn without_particle(word: &str) -> (&str, Ending) {
    for josa in JOSA {
        // Off a word of two syllables a particle of one may as well be part of it.
        if let Some(stem) =
            word.strip_suffix(josa).filter(|stem| stem.chars().count() >= 2 && takes(stem, josa))
        {
            return (stem, Ending::Particle);
        }
    }
    (word, Ending::None)
}

/// Whether a particle of one syllable may follow: some stand after a final consonant only, some after a vowel.
pub(crate) fn takes(stem: &str, josa: &str) -> bool {
    let code = stem.chars().next_back().and_then(|last| u32::from(last).checked_sub(0xac00));
    let Some(code) = code.filter(|code| *code < 11_172) else { return true };
    match josa {
        "은" | "이" | "을" | "과" => code % 28 != 0,
        "는" | "가" | "를" | "와" | "랑" | "란" => code % 28 == 0,
        // ㄹ goes with vowels here.
        "로" => matches!(code % 28, 0 | 8),
        _ => true,
    }
}

pub(crate) fn is_in(list: &str, word: &str) -> bool {
    list.split_ascii_whitespace().any(|known| known == word)
}

/// Particles, longest first.
pub(crate) const JOSA: &[&str] = &[
    "으로부터",
    "에서부터",
    "에게서는",
    "이라는",
    "에서는",
    "에서도",
    "에서의",
    "으로는",
    "으로도",
    "으로서",
    "으로써",
    "까지는",
    "까지의",
    "에게는",
    "에게서",
    "부터는",
    "이라도",
    "에는",
    "에도",
    "에서",
    "에게",
    "으로",
    "로는",
    "로서",
    "로써",
    "로부터",
    "부터",
    "까지",
    "보다",
    "처럼",
    "만큼",
    "마다",
    "조차",
    "마저",
    "밖에",
    "이나",
    "이며",
    "하고",
    "과의",
    "와의",
    "과는",
    "와는",
    "께서",
    "한테",
    "이란",
    "라는",
    "들은",
    "들이",
    "들을",
    "들의",
    "들에게",
    "들도",
    "용",
    "별로",
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "로",
    "도",
    "만",
    "과",
    "와",
    "나",
    "란",
    "랑",
    "께",
    "들",
];

/// What makes a question of a noun.
const COPULAS: &[&str] = &[
    "이었습니까",
    "이었나요",
    "입니까",
    "인가요",
    "일까요",
    "이에요",
    "이예요",
    "예요",
    "에요",
    "이죠",
    "이야",
    "인지요",
    "인데요",
    "였나요",
];

/// What makes a verb or a sentence of a noun, longest first.
const VERBAL: &[&str] = &[
    "하시겠습니까",
    "하십시오",
    "해주세요",
    "해주십시오",
    "되었습니까",
    "되었나요",
    "이었나요",
    "했습니까",
    "하였나요",
    "하시오",
    "합니까",
    "하나요",
    "하는지",
    "하는가",
    "하려면",
    "하려고",
    "하기로",
    "하기는",
    "하면서",
    "했나요",
    "했는지",
    "했는가",
    "할까요",
    "할지",
    "하는데",
    "하도록",
    "해야만",
    "됩니까",
    "되나요",
    "되는지",
    "되는가",
    "되려면",
    "되도록",
    "됐나요",
    "되면",
    "되는",
    "되어",
    "되고",
    "된다",
    "되지",
    "입니까",
    "인가요",
    "인지",
    "일까요",
    "이에요",
    "예요",
    "였나요",
    "인가",
    "이고",
    "이다",
    "입니다",
    "합니다",
    "됩니다",
    "한다",
    "하는",
    "하면",
    "하고",
    "하여",
    "하기",
    "하며",
    "하게",
    "하지",
    "한가요",
    "한지",
    "한가",
    "해서",
    "해야",
    "했던",
    "했을",
    "하던",
    "해도",
    "할",
    "한",
    "함",
    "된",
    "될",
    "됨",
    "해",
    "인",
];

/// Endings of other verbs at a question's end.
const PREDICATES: &[&str] = &[
    "았습니까",
    "겠습니까",
    "었어요",
    "았어요",
    "였어요",
    "했어요",
    "졌어요",
    "렸어요",
    "던가요",
    "을까요",
    "ㄴ가요",
    "을게요",
    "세요",
    "네요",
    "지요",
    "죠",
    "었습니까",
    "았습니까",
    "였습니까",
    "습니까",
    "었나요",
    "았나요",
    "는가요",
    "은가요",
    "을까요",
    "나요",
    "는지",
    "는가",
    "은가",
    "을까",
    "ㄹ까요",
    "까요",
    "니까",
    "어요",
    "아요",
];

/// Endings of other verbs inside a question.
const CLAUSES: &[&str] = &[
    "어야만",
    "려면",
    "려고",
    "으면",
    "어야",
    "아야",
    "어서",
    "아서",
    "지만",
    "다가",
    "면서",
    "는데",
    "면",
    "야",
    "려",
    "고",
    "던",
];

/// Korean words that only ask.
pub(crate) const KOREAN_EMPTY: &str = "무엇 무엇이 무엇을 무엇인가 무엇인가요 무엇입니까 무엇인지 무엇이며 무엇일까요 뭐 뭐가 뭐야 뭔가요 뭡니까 뭘 무슨 어떤 어떠한 \
    어떻게 어떻습니까 어떤가요 어떠한가요 어떠 어느 왜 언제 언제까지 언제부터 언제인가요 언제입니까 어디 어디서 어디에 어디에서 어디로 어디인가요 어디입니까 \
    누구 누가 누구인가요 누구입니까 누구의 누구에게 얼마 얼마나 얼마인가요 얼마입니까 얼마까지 몇 몇개 며칠 며칠인가요 이 그 저 이것 그것 저것 것 것은 것이 것을 \
    수 때 때는 때의 등 및 또는 혹은 그리고 그러면 그럼 하지만 그런데 대해 대해서 대한 대하여 관해 관한 관해서 관하여 관련 관련된 관련한 경우 경우에 경우에는 위해 \
    위해서 위한 위하여 통해 통한 통해서 따라 따른 따르면 의해 의한 있다 있나 있나요 있습니까 있는 있는지 있는가 있어 있어요 있을까요 있으며 있을 있을까 있던 있었나요 \
    있었습니까 없나요 없는 없다 없습니까 인가요 입니까 되나요 되는지 됩니까 되는 된 될 하나요 합니까 하는 하는지 해야 하면 할 한 하려면 하며 해 해야하나요 해줘 해주세요 \
    주세요 주십시오 주시겠어요 알려 알려줘 알려주세요 알려주십시오 알려줄래 알고 싶어요 싶습니다 싶은데 설명 설명해 설명해줘 설명해주세요 설명하시오 설명하라 설명해주십시오 \
    서술하시오 기술하시오 나열하시오 말해줘 말해 말해주세요 말하나요 말합니까 찾아줘 보여줘 구하시오 궁금합니다 궁금해요 대하 좀 제발 모두 각각 그중 중 중에서 중에 가장 더 \
    우리 저희 제가 나는 내가 나 너 당신 여기 거기 현재 지금 다음 아래 위 위의 정도 같은 같이 어떤지 인지 어떤가 하게 되어 되었나요 되었습니까 되며 됐나요 했나요 했습니까 \
    이루어지 이루어지나요 이루어집니까 \
    받고 갖고 가지고 두고 안 안에 이내 이내에 후 후에 전 전에 뒤 뒤에 동안 사이 사이에 뭔지 뭐죠 뭐예요 뭐부터 무엇부터 따로 아직 이미 어디에 어디서 되어있나요 \
    자주 많이 빨리 바로 반드시 꼭 먼저 다시 항상 보통 주로 만약 만일 혹시 얼마마다 마다 하여야 해야만 않나요 않은 않는 못하나요";
/// Korean words that say little of a subject.
pub(crate) const KOREAN_LITTLE: &str = "방법 이유 의미 뜻 종류 목적 내용 특징 정의 여부 문서 사항 부분 점 차이 차이점 예시 사례 가지 방식 역할 개념 필요 필요성 가능 사용 이용 제공 해당 주요 \
    구체적 회사 사람 곳 결과 기본 기본적 구성 이름 값 크기";
/// English words that only ask or join.
pub(crate) const ENGLISH_EMPTY: &str = "a an the this that these those it its he she they them their his her him we us our you your i me my mine \
    is are was were be been being am do does did doing done has have had having will would shall should can could may might must \
    of in on at by for from to with without into onto over under about as than then so if or and but nor not no yes out up down off \
    what which who whom whose when where why how there here any some all each every both either neither such other another same own \
    very more most less least much many few just only also too again still yet ever even now please tell explain describe \
    give show let know say says said mean means according between during before after while because until since per via within across \
    i'm i'd don't doesn't isn't aren't what's how's it's let's can't won't s t d ll re ve someone something anything everything one ones \
    long often far old big does't cannot couldn't wouldn't shouldn't didn't wasn't aren't haven't through whether per many around";
/// English words that say little of a subject.
pub(crate) const ENGLISH_LITTLE: &str = "way ways reason reasons kind kinds type types sort example examples meaning definition purpose list detail \
    details information info document documents doc docs work works working happen happens happening use uses used using get gets make \
    makes made need needs needed require requires required want wants allow allows possible thing things different difference \
    differences go goes take takes come comes put set exactly actually name called call find does currently first main person people \
    place time times number support supports supported available default \
    day days hour hours minute minutes week weeks month months year years half quarter back new current people rate";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_words_lose_particles_and_endings() {
        let check = |word: &str, expect: &str| assert_eq!(stem(word).0, expect, "{word}");
        check("지방은행의", "지방은행");
        check("설치하려면", "설치");
        check("휴가는", "휴가");
        check("휴가", "휴가");
        check("책을", "책을");
        check("신청합니까", "신청");
        check("회사에서는", "회사");
        check("걸리나요", "걸리");
        check("절차인가요", "절차");
    }
}
