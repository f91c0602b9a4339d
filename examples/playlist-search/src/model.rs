//! The scripted models. No language model: rules that read the request and answer as one would, well and sometimes
//! wrongly. What is answered follows from the request alone.

use crate::catalogue::words;
use crate::chance::Chance;
use crate::knowledge::{Heard, KINDS, Reader, USES, Use, Wanted, percent};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What the model of this name says to these messages, system first.
pub(crate) fn answer(model: &str, messages: &[(String, String)]) -> String {
    let said = |role: &str| -> Vec<&str> {
        messages.iter().filter(|(who, _)| who == role).map(|(_, text)| text.as_str()).collect()
    };
    let (instructions, turns) = (said("system").join("\n"), said("user"));
    let asked = turns.first().copied().unwrap_or_default();
    if model.ends_with("judge") {
        return judge(&instructions, asked, turns.len() > 1);
    }
    if let Some(query) = element(asked, "query") {
        return label(&query, &element(asked, "playlist").unwrap_or_default());
    }
    if let Some(description) = element(asked, "description") {
        return queries(&element(asked, "title").unwrap_or_default(), &description);
    }
    match element(asked, "tracks") {
        Some(tracks) => describe(&instructions, &tracks),
        None => "I am a script of the example playlist-search, and know only what it asks.".to_owned(),
    }
}

/// What stands in an element of the request.
fn element(text: &str, name: &str) -> Option<String> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (inside, _) = rest.split_once(&format!("</{name}>"))?;
    let plain =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&apos;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(inside.trim().to_owned(), |text, (mark, sign)| text.replace(mark, sign)))
}

/// The most frequent ones, most first, with how many percent they are.
fn most<'a>(of: impl Iterator<Item = &'a str>) -> Vec<(&'a str, usize)> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut all = 0;
    for one in of {
        *counts.entry(one).or_default() += 1;
        all += 1;
    }
    let mut counts: Vec<(&str, usize)> =
        counts.into_iter().map(|(one, count)| (one, percent(count, all))).collect();
    counts.sort_by_key(|(_, share)| std::cmp::Reverse(*share));
    counts
}

/// The uses that fit most of the tracks, best first.
fn uses_of(tracks: &[Heard<'_>]) -> Vec<(&'static Use, usize)> {
    let fits = |usage: &Use, track: &Heard<'_>| {
        usage.genres.contains(&track.genre) && (usage.tempo.0..=usage.tempo.1).contains(&track.tempo)
    };
    let mut found: Vec<(&Use, usize)> = USES
        .iter()
        .map(|usage| (usage, percent(tracks.iter().filter(|track| fits(usage, track)).count(), tracks.len())))
        .filter(|(_, share)| *share >= 35)
        .collect();
    found.sort_by_key(|(_, share)| std::cmp::Reverse(*share));
    found
}

/// The curator: says what it is told to say, and no more.
fn describe(instructions: &str, text: &str) -> String {
    let tracks = Heard::all(text);
    let genres: Vec<&str> = most(tracks.iter().map(|track| track.genre))
        .into_iter()
        .filter(|(_, share)| *share >= 20)
        .map(|(genre, _)| genre)
        .take(3)
        .collect();
    let listed = genres.join(" and ");
    if !instructions.contains("occasions") {
        return format!("A playlist of {listed}.");
    }
    let mut years: Vec<u32> = tracks.iter().map(|track| track.year).collect();
    let mut tempi: Vec<u32> = tracks.iter().map(|track| track.tempo).collect();
    years.sort_unstable();
    tempi.sort_unstable();
    let at = |of: &[u32], share: usize| {
        of.get(of.len().saturating_sub(1) * share / 100).copied().unwrap_or_default()
    };
    let (from, to, tempo) = (at(&years, 15) / 10 * 10, at(&years, 85) / 10 * 10, at(&tempi, 50));
    let decades = if from == to { format!("the {from}s") } else { format!("the {from}s to the {to}s") };
    let language =
        most(tracks.iter().map(|track| track.language)).first().map_or("", |(language, _)| *language);
    let sung =
        if language == "instrumental" { "without vocals".to_owned() } else { format!("sung in {language}") };
    let speed = match tempo {
        0..75 => "slow",
        75..110 => "unhurried",
        110..140 => "lively",
        _ => "fast",
    };
    let mut uses: Vec<&Use> = uses_of(&tracks).into_iter().map(|(usage, _)| usage).take(2).collect();
    // As models do, it names a use now and then that is none.
    let mut chance = Chance::of(text);
    if chance.often(60) {
        uses.pop();
        let other = chance.one(USES).filter(|other| uses.iter().all(|known| known.mood != other.mood));
        uses.extend(other);
    }
    let mood = uses.first().map_or("plain", |usage| usage.mood);
    let english: Vec<&str> = uses.iter().flat_map(|usage| usage.english.iter().take(3)).copied().collect();
    let korean: Vec<&str> = uses.iter().flat_map(|usage| usage.korean.iter().take(3)).copied().collect();
    let kinds: Vec<&str> = genres
        .iter()
        .filter_map(|genre| KINDS.iter().find(|kind| kind.name == *genre))
        .filter_map(|kind| kind.names.iter().find(|name| !name.is_ascii()).copied())
        .collect();
    let sung_korean = match language {
        "Korean" => "한국 노래",
        "Japanese" => "일본 노래",
        "Spanish" => "스페인어 노래",
        "instrumental" => "가사 없는 음악",
        _ => "팝송",
    };
    format!(
        "{} from {decades}, {sung}. The mood is {mood}, {speed}, around {tempo} bpm. Good for {}. {} {}년대 {}. {} 할 때 듣기 좋은 음악.",
        capital(&listed),
        english.join(", "),
        kinds.join(", "),
        from % 100,
        sung_korean,
        korean.join(", "),
    )
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |head| head.to_uppercase().chain(letters).collect())
}

/// The labeler, first half.
fn queries(title: &str, description: &str) -> String {
    let known = description.to_lowercase();
    let mut chance = Chance::of(&format!("{title}{description}"));
    let usage = USES.iter().find(|usage| usage.english.iter().take(3).any(|word| known.contains(word)));
    let kind = KINDS.iter().find(|kind| known.contains(kind.name));
    let kind_name = kind.map_or("music", |kind| kind.name);
    let korean_kind =
        kind.and_then(|kind| kind.names.iter().find(|name| !name.is_ascii())).copied().unwrap_or("음악");
    let of = |words: Option<&'static [&'static str]>, chance: &mut Chance| {
        words.and_then(|words| chance.one(words)).copied()
    };
    let english = of(usage.map(|usage| usage.english), &mut chance);
    let korean = of(usage.map(|usage| usage.korean), &mut chance);
    let english = match (english, chance.below(3)) {
        (Some(word), 0) => format!("{kind_name} for {word}"),
        (Some(word), 1) => format!("{word} music"),
        (Some(word), _) => format!("songs for {word}"),
        (None, _) => format!("{kind_name} mix"),
    };
    let korean = match (korean, chance.below(2)) {
        (Some(word), 0) => format!("{word} 할 때 듣는 {korean_kind}"),
        (Some(word), _) => format!("{word} 노래 추천"),
        (None, _) => format!("{korean_kind} 추천"),
    };
    json!({"queries": [{"text": english, "language": "en"}, {"text": korean, "language": "ko"}]}).to_string()
}

/// The labeler, second half: it knows all the words there are to know, and wants most of the tracks.
fn label(query: &str, playlist: &str) -> String {
    let wanted = Wanted::of(query, Reader::Thorough);
    let tracks = Heard::all(playlist);
    let fitting = percent(tracks.iter().filter(|track| wanted.takes(track)).count(), tracks.len());
    let relevant = !wanted.is_unclear() && fitting > 50;
    let why = if wanted.is_unclear() {
        "what is asked for is not clear".to_owned()
    } else {
        format!("{fitting} % of the tracks fit")
    };
    json!({"why": why, "relevant": relevant}).to_string()
}

/// The judge: knows fewer words, is content with fewer tracks, and where it does not understand a query it goes by
/// words that happen to be there.
fn judge(instructions: &str, material: &str, again: bool) -> String {
    let question = block(material, "question").unwrap_or_default();
    let answer = block(material, "answer").unwrap_or_default();
    // Now and then it forgets the form, and gives it when asked again.
    if !again && Chance::of(material).often(15) {
        return "Looking at the tracks, I would say this is fine.".to_owned();
    }
    let (reasons, pass) = if instructions.contains("a description of them") {
        faithful(&question, &answer)
    } else {
        served(&question, &answer)
    };
    let verdict = if pass { "pass" } else { "fail" };
    json!({"reasoning": reasons, "verdict": verdict}).to_string()
}

/// What stands between the lines that begin and end a block.
fn block(material: &str, name: &str) -> Option<String> {
    let (_, rest) = material.split_once(&format!("<<<{name} "))?;
    let (_, rest) = rest.split_once(">>>\n")?;
    let (inside, _) = rest.split_once(&format!("\n<<<end of {name} "))?;
    Some(inside.to_owned())
}

fn served(query: &str, page: &str) -> (String, bool) {
    let wanted = Wanted::of(query, Reader::Hasty);
    if wanted.is_unclear() {
        let asked = words(query);
        let shared: Vec<String> = words(page).intersection(&asked).cloned().collect();
        let reasons = format!("I go by the words; they share: {}", shared.join(", "));
        return (reasons, !shared.is_empty());
    }
    let best = page
        .lines()
        .map(|line| {
            let tracks = Heard::all(line);
            (percent(tracks.iter().filter(|track| wanted.takes(track)).count(), tracks.len()), line)
        })
        .max_by_key(|(fitting, _)| *fitting);
    let (fitting, line) = best.unwrap_or_default();
    let which = line.split(':').next().unwrap_or_default();
    (format!("of `{which}`, which fits best, {fitting} % of the tracks are what is asked for"), fitting >= 40)
}

fn faithful(tracks: &str, description: &str) -> (String, bool) {
    let tracks = Heard::all(tracks);
    let said = description.to_lowercase();
    let there: Vec<&str> = tracks.iter().map(|track| track.genre).collect();
    let absent = KINDS
        .iter()
        .filter(|kind| said.contains(kind.name) && !there.contains(&kind.name))
        // `hip hop` stands in `lo-fi hip hop`, and `house` in `tropical house`.
        .find(|kind| !there.iter().any(|genre| genre.contains(kind.name)));
    if let Some(kind) = absent {
        return (format!("it speaks of {}, and no track is", kind.name), false);
    }
    let fits = |usage: &Use| {
        let fitting = tracks.iter().filter(|track| usage.genres.contains(&track.genre)).count();
        percent(fitting, tracks.len()) >= 30
    };
    let named = said.split("good for").nth(1).unwrap_or_default();
    let wrong = USES
        .iter()
        .find(|usage| usage.english.first().is_some_and(|word| named.contains(word)) && !fits(usage));
    match wrong {
        Some(usage) => {
            (format!("the tracks are not for {}", usage.english.first().unwrap_or(&"that")), false)
        }
        None => ("what it says is in the tracks".to_owned(), true),
    }
}

/// Tokens of a text, roughly as models count them.
pub(crate) fn tokens(text: &str) -> usize {
    let (mut plain, mut other) = (0, 0);
    for c in text.chars() {
        if c.is_ascii() { plain += 1 } else { other += 1 }
    }
    plain / 4 + other / 2 + 1
}

/// A chat request as role and text of each message.
pub(crate) fn messages(request: &Value) -> Vec<(String, String)> {
    let text = |content: &Value| match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    };
    let role = |message: &Value| match message.get("role").and_then(Value::as_str).unwrap_or_default() {
        "developer" => "system".to_owned(),
        role => role.to_owned(),
    };
    let list = request.get("messages").and_then(Value::as_array);
    let both = |message: &Value| (role(message), text(message.get("content").unwrap_or(&Value::Null)));
    list.into_iter().flatten().map(both).collect()
}
