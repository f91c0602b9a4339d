//! What the scripted models know of music: coarser than what there is, so that they err as models do.

/// What music is used for, in the words that the models know.
pub(crate) struct Use {
    /// Words for it. The judge knows the first two of each language only, the writer all.
    pub(crate) english: &'static [&'static str],
    pub(crate) korean: &'static [&'static str],
    pub(crate) genres: &'static [&'static str],
    /// Beats a minute.
    pub(crate) tempo: (u32, u32),
    pub(crate) mood: &'static str,
}

/// A kind of music and its other names.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) names: &'static [&'static str],
}

macro_rules! usage {
    ($english:expr, $korean:expr, $genres:expr, $from:literal..$to:literal, $mood:literal) => {
        Use { english: &$english, korean: &$korean, genres: &$genres, tempo: ($from, $to), mood: $mood }
    };
}

pub(crate) static USES: &[Use] = &[
    usage!(
        ["studying", "study", "reading", "exam", "distract"],
        ["공부", "집중", "독서", "시험"],
        ["lo-fi hip hop", "solo piano"],
        60..95,
        "calm"
    ),
    usage!(
        ["sleep", "asleep", "goodnight", "cant sleep"],
        ["자기 전", "잠", "수면", "불면"],
        ["ambient", "solo piano", "new age"],
        40..72,
        "quiet"
    ),
    usage!(
        ["running", "jogging", "pace", "10k"],
        ["러닝", "달리기", "조깅"],
        ["edm", "drum and bass", "hip hop", "house"],
        140..185,
        "driving"
    ),
    usage!(
        ["gym", "workout", "lifting", "lift"],
        ["운동", "헬스", "웨이트"],
        ["metal", "hip hop", "edm"],
        84..185,
        "heavy"
    ),
    usage!(
        ["road trip", "drive", "driving", "highway"],
        ["운전", "드라이브", "고속도로"],
        ["classic rock", "country", "city pop"],
        90..140,
        "open"
    ),
    usage!(
        ["rainy day", "cafe", "coffee", "afternoon"],
        ["카페", "비 오는 날", "커피"],
        ["jazz", "bossa nova"],
        60..125,
        "warm"
    ),
    usage!(["dinner", "background", "wine"], ["저녁", "집들이", "와인"], ["soul", "jazz"], 65..125, "smooth"),
    usage!(
        ["breakup", "sad", "cry", "heartbreak"],
        ["이별", "슬픈", "헤어지", "우울"],
        ["ballad", "indie folk"],
        55..112,
        "sad"
    ),
    usage!(
        ["dance", "idol", "sing along"],
        ["댄스", "아이돌", "노래방", "커버댄스"],
        ["k-pop"],
        105..145,
        "bright"
    ),
    usage!(
        ["kids", "toddler", "baby", "children"],
        ["동요", "아이", "어린이", "아기"],
        ["children's songs"],
        80..135,
        "playful"
    ),
    usage!(
        ["christmas", "holiday", "tree"],
        ["크리스마스", "캐럴", "연말", "성탄"],
        ["christmas"],
        70..145,
        "festive"
    ),
    usage!(
        ["party", "retro", "birthday"],
        ["파티", "생일", "롤러장"],
        ["synth-pop", "disco", "funk"],
        98..136,
        "glittering"
    ),
    usage!(
        ["angry", "loud", "hate", "rage"],
        ["화날", "스트레스", "시끄러운"],
        ["punk rock", "metal"],
        125..195,
        "furious"
    ),
    usage!(
        ["yoga", "meditation", "breathe", "stretching"],
        ["요가", "명상", "스트레칭"],
        ["new age", "ambient"],
        40..75,
        "still"
    ),
    usage!(
        ["beach", "summer", "poolside", "vacation"],
        ["여름", "바닷가", "휴가", "여행"],
        ["reggae", "tropical house"],
        65..115,
        "easy"
    ),
    usage!(["parents", "grandmother"], ["부모님", "효도", "어르신"], ["trot"], 90..140, "hearty"),
    usage!(
        ["morning", "commute", "upbeat", "get up"],
        ["출근길", "아침", "상쾌"],
        ["indie pop"],
        100..135,
        "cheerful"
    ),
    usage!(
        ["coding", "focus", "deadline", "deep work"],
        ["코딩", "야근", "노동요"],
        ["techno", "house"],
        115..140,
        "steady"
    ),
    usage!(["salsa", "latin", "spanish"], ["라틴", "살사", "레게톤"], ["salsa", "reggaeton"], 85..205, "hot"),
    usage!(
        ["walk", "soft", "stroll", "spring"],
        ["산책", "잔잔", "걷기", "봄"],
        ["indie folk", "indie pop"],
        70..135,
        "gentle"
    ),
    usage!(
        ["cleaning", "chores", "vacuum", "kitchen"],
        ["청소", "설거지", "집안일"],
        ["funk", "disco"],
        95..126,
        "bouncy"
    ),
    usage!(["sunday", "church", "choir"], ["주일", "찬양", "은혜"], ["gospel"], 70..125, "uplifting"),
];

macro_rules! kind {
    ($name:literal, $($other:literal),+) => {
        Kind { name: $name, names: &[$name, $($other),+] }
    };
}

pub(crate) static KINDS: &[Kind] = &[
    kind!("lo-fi hip hop", "lofi", "lo-fi", "로파이", "study beats"),
    kind!("ambient", "앰비언트", "sleep sounds"),
    kind!("solo piano", "piano", "피아노"),
    kind!("house", "하우스"),
    kind!("techno", "테크노", "electronic", "전자음악"),
    kind!("drum and bass", "dnb", "드럼 앤 베이스"),
    kind!("edm", "이디엠"),
    kind!("hip hop", "rap", "힙합", "boom bap"),
    kind!("metal", "메탈"),
    kind!("punk rock", "punk", "펑크록"),
    kind!("classic rock", "dad rock", "올드락", "록"),
    kind!("country", "컨트리"),
    kind!("jazz", "재즈"),
    kind!("bossa nova", "보사노바"),
    kind!("soul", "소울"),
    kind!("funk", "펑크 음악"),
    kind!("disco", "디스코"),
    kind!("indie folk", "인디 포크", "korean indie", "인디"),
    kind!("indie pop", "인디 팝", "upbeat indie"),
    kind!("ballad", "ballads", "발라드", "love songs"),
    kind!("k-pop", "kpop", "케이팝", "아이돌"),
    kind!("trot", "트로트"),
    kind!("city pop", "시티팝", "japanese pop"),
    kind!("synth-pop", "synth", "신스팝"),
    kind!("reggae", "레게 음악"),
    kind!("tropical house", "트로피컬"),
    kind!("salsa", "살사"),
    kind!("reggaeton", "레게톤"),
    kind!("children's songs", "동요", "songs for kids", "baby songs"),
    kind!("christmas", "carol", "캐럴", "크리스마스"),
    kind!("new age", "뉴에이지", "명상 음악"),
    kind!("gospel", "choir", "가스펠"),
];

/// How much of what there is to know somebody knows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reader {
    Thorough,
    Hasty,
}

impl Reader {
    fn words(self, words: &'static [&'static str]) -> &'static [&'static str] {
        let known = if self == Self::Thorough { words.len() } else { words.len().min(2) };
        words.get(..known).unwrap_or_default()
    }
}

/// What a query asks for.
#[derive(Default)]
pub(crate) struct Wanted {
    uses: Vec<&'static Use>,
    kinds: Vec<&'static str>,
    years: Option<(u32, u32)>,
    language: Option<&'static str>,
}

impl Wanted {
    /// Whether nothing of a query was understood.
    pub(crate) fn is_unclear(&self) -> bool {
        self.uses.is_empty() && self.kinds.is_empty() && self.years.is_none() && self.language.is_none()
    }

    /// Reads a query.
    pub(crate) fn of(query: &str, reader: Reader) -> Self {
        let query = query.to_lowercase();
        let padded = format!(" {query} ");
        // Korean words take endings; English ones stand alone.
        let has = |word: &str| {
            if word.is_ascii() { padded.contains(&format!(" {word} ")) } else { query.contains(word) }
        };
        let uses = USES
            .iter()
            .filter(|usage| {
                reader.words(usage.english).iter().chain(reader.words(usage.korean)).any(|word| has(word))
            })
            .collect();
        let kinds = KINDS
            .iter()
            .filter(|kind| kind.names.iter().any(|name| has(name)))
            .map(|kind| kind.name)
            .collect();
        let decades = [
            ("80s", "80년대", (1978, 1989)),
            ("90s", "90년대", (1990, 1999)),
            ("2000s", "2000년대", (2000, 2009)),
            ("old school", "올드스쿨", (1985, 1999)),
            ("new", "최신", (2018, 2030)),
        ];
        let years =
            decades.iter().find(|(english, korean, _)| has(english) || has(korean)).map(|(.., years)| *years);
        let languages = [
            ("korean", "한국", "Korean"),
            ("kpop", "케이팝", "Korean"),
            ("japanese", "일본", "Japanese"),
            ("spanish", "스페인", "Spanish"),
            ("no lyrics", "가사 없는", "instrumental"),
        ];
        let language =
            languages.iter().find(|(english, korean, _)| has(english) || has(korean)).map(|(.., name)| *name);
        Self { uses, kinds, years, language }
    }

    /// Whether a track is what is asked for.
    pub(crate) fn takes(&self, track: &Heard<'_>) -> bool {
        let of_use = |usage: &&Use| {
            usage.genres.contains(&track.genre) && (usage.tempo.0..=usage.tempo.1).contains(&track.tempo)
        };
        let is_kind = self.kinds.is_empty() || self.kinds.contains(&track.genre);
        let is_use = self.uses.is_empty() || self.uses.iter().any(of_use);
        let is_then = self.years.is_none_or(|(from, to)| (from..=to).contains(&track.year));
        let is_sung = self.language.is_none_or(|language| language == track.language);
        // Who names a kind of music means that rather than what it is used for.
        let fits = if self.kinds.is_empty() { is_use } else { is_kind };
        fits && is_then && is_sung
    }
}

/// A track as it is written in a request: `Title - Artist (genre, year, N bpm, language)`.
pub(crate) struct Heard<'a> {
    pub(crate) genre: &'a str,
    pub(crate) year: u32,
    pub(crate) tempo: u32,
    pub(crate) language: &'a str,
}

impl<'a> Heard<'a> {
    pub(crate) fn read(line: &'a str) -> Option<Self> {
        let (_, facts) = line.trim().rsplit_once(" (")?;
        let mut facts = facts.strip_suffix(')')?.split(", ");
        let (genre, year, tempo, language) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
        Some(Self {
            genre,
            year: year.parse().ok()?,
            tempo: tempo.strip_suffix(" bpm")?.parse().ok()?,
            language,
        })
    }

    /// All tracks of a text, one a line or between semicolons.
    pub(crate) fn all(text: &'a str) -> Vec<Self> {
        text.split(['\n', ';']).filter_map(Self::read).collect()
    }
}

/// The share of something, in percent.
pub(crate) fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or_default()
}
