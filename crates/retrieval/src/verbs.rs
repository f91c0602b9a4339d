//! Forms of verbs that a stemmer does not bring together.

/// English verbs whose forms share no stem, each with its forms.
const IRREGULAR: &[&[&str]] = &[
    &["begin", "begins", "began", "begun"],
    &["break", "breaks", "broke", "broken"],
    &["bring", "brings", "brought"],
    &["build", "builds", "built"],
    &["buy", "buys", "bought"],
    &["choose", "chooses", "chose", "chosen", "choice"],
    &["deal", "deals", "dealt"],
    &["draw", "draws", "drew", "drawn"],
    &["drive", "drives", "drove", "driven"],
    &["eat", "eats", "ate", "eaten"],
    &["fall", "falls", "fell", "fallen"],
    &["feel", "feels", "felt"],
    &["find", "finds", "found"],
    &["fly", "flies", "flew", "flown"],
    &["forbid", "forbids", "forbade", "forbidden"],
    &["forget", "forgets", "forgot", "forgotten"],
    &["freeze", "freezes", "froze", "frozen"],
    &["give", "gives", "gave", "given"],
    &["grow", "grows", "grew", "grown", "growth"],
    &["hear", "hears", "heard"],
    &["hide", "hides", "hid", "hidden"],
    &["hold", "holds", "held"],
    &["keep", "keeps", "kept"],
    &["know", "knows", "knew", "known"],
    &["lead", "leads", "led"],
    &["leave", "leaves", "left"],
    &["lend", "lends", "lent"],
    &["lose", "loses", "lost", "loss"],
    &["make", "makes", "made"],
    &["mean", "means", "meant"],
    &["meet", "meets", "met"],
    &["pay", "pays", "paid", "payment"],
    &["ride", "rides", "rode", "ridden"],
    &["rise", "rises", "rose", "risen"],
    &["run", "runs", "ran"],
    &["sell", "sells", "sold", "sale", "sales"],
    &["send", "sends", "sent"],
    &["speak", "speaks", "spoke", "spoken"],
    &["spend", "spends", "spent"],
    &["stand", "stands", "stood"],
    &["steal", "steals", "stole", "stolen"],
    &["swim", "swims", "swam", "swum"],
    &["take", "takes", "took", "taken"],
    &["teach", "teaches", "taught"],
    &["tear", "tears", "tore", "torn"],
    &["tell", "tells", "told"],
    &["think", "thinks", "thought"],
    &["throw", "throws", "threw", "thrown"],
    &["understand", "understands", "understood"],
    &["wake", "wakes", "woke", "woken"],
    &["wear", "wears", "wore", "worn"],
    &["weigh", "weighs", "weighed", "weight", "heavy", "heavier", "heaviest"],
    &["win", "wins", "winning", "won", "winner"],
    &["write", "writes", "wrote", "written"],
    &["licence", "license"],
    &["colour", "color"],
    &["centre", "center"],
];

/// The other forms of an English word in lower case.
pub(crate) fn forms(word: &str) -> impl Iterator<Item = &'static str> {
    let verb = IRREGULAR.iter().find(|forms| forms.contains(&word)).copied().unwrap_or_default();
    verb.iter().copied().filter(move |form| *form != word)
}

/// A Korean verb's stem whose last vowel was run together with an ending, written out: `바꿔` is `바꾸`, `걸려` is
/// `걸리`.
pub(crate) fn written_out(stem: &str) -> impl Iterator<Item = String> {
    let mut chars = stem.chars();
    let last = chars.next_back();
    let head = chars.as_str().to_owned();
    let vowel = last.and_then(|c| {
        let code = u32::from(c).checked_sub(0xac00).filter(|code| *code < 11_172 && code % 28 == 0)?;
        // Vowels as Unicode numbers them.
        let apart = match code / 28 % 21 {
            14 => 13, // ㅝ, ㅜ
            9 => 8,   // ㅘ, ㅗ
            6 => 20,  // ㅕ, ㅣ
            4 => 18,  // ㅓ, ㅡ
            _ => return None,
        };
        char::from_u32(0xac00 + code / 588 * 588 + apart * 28)
    });
    vowel.into_iter().map(move |c| format!("{head}{c}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_have_other_forms() {
        assert_eq!(forms("sells").collect::<Vec<_>>(), ["sell", "sold", "sale", "sales"]);
        assert_eq!(forms("print").count(), 0);
        let check = |stem: &str, expect: &[&str]| assert_eq!(written_out(stem).collect::<Vec<_>>(), expect);
        check("바꿔", &["바꾸"]);
        check("걸려", &["걸리"]);
        check("써", &["쓰"]);
        check("먹", &[]);
        check("", &[]);
    }
}
