//! What is generated: playlists with their tracks, and the log of the search there was.

use crate::chance::Chance;
use crate::music::{GENRES, Genre, NOTHING, THEMES, Theme};
use std::collections::BTreeSet;

/// Tracks that the curator is shown.
pub(crate) const SHOWN_TO_CURATOR: usize = 15;
/// Tracks that a listener sees of a playlist.
pub(crate) const SHOWN_TO_LISTENERS: usize = 8;
/// Playlists on a page of results.
pub(crate) const PAGE: usize = 5;

/// How much is generated.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) playlists: usize,
    pub(crate) searches: usize,
    /// Playlists that the labeler writes queries from.
    pub(crate) sources: usize,
    /// Queries that are taken out of the log by chance.
    pub(crate) usual: usize,
    /// Outputs of each search that people label.
    pub(crate) labelled: usize,
}

impl Size {
    pub(crate) const FULL: Self =
        Self { playlists: 260, searches: 700, sources: 45, usual: 60, labelled: 60 };
    pub(crate) const SMALL: Self = Self { playlists: 52, searches: 150, sources: 6, usual: 10, labelled: 16 };
}

/// A song.
pub(crate) struct Track {
    title: String,
    artist: String,
    year: u32,
    genre: &'static str,
    tempo: u32,
    language: &'static str,
}

impl Track {
    /// As the catalogue of the service has it.
    pub(crate) fn line(&self) -> String {
        let Self { title, artist, year, genre, tempo, language } = self;
        format!("{title} - {artist} ({genre}, {year}, {tempo} bpm, {language})")
    }
}

/// A playlist of the community.
pub(crate) struct Playlist {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) tags: Vec<String>,
    pub(crate) tracks: Vec<Track>,
    /// What it is really for, by number: what people who label know by listening.
    pub(crate) theme: usize,
}

impl Playlist {
    /// What the curator is shown.
    pub(crate) fn for_curator(&self) -> String {
        let lines: Vec<String> = self.tracks.iter().take(SHOWN_TO_CURATOR).map(Track::line).collect();
        lines.join("\n")
    }

    /// What a listener sees, on one line.
    pub(crate) fn for_listeners(&self) -> String {
        let lines: Vec<String> = self.tracks.iter().take(SHOWN_TO_LISTENERS).map(Track::line).collect();
        lines.join("; ")
    }

    /// The words that the old search looks at: title, tags, names of songs and artists.
    pub(crate) fn metadata(&self) -> String {
        let songs = self.tracks.iter().take(SHOWN_TO_CURATOR);
        let songs: Vec<String> = songs.map(|track| format!("{} - {}", track.title, track.artist)).collect();
        format!("{}\n\n{}\n\n{}\n", self.title, self.tags.join(" "), songs.join("\n"))
    }
}

/// A search in the log.
pub(crate) struct Search {
    pub(crate) number: usize,
    /// Minutes before the log was written.
    pub(crate) minutes_ago: usize,
    pub(crate) session: usize,
    pub(crate) query: &'static str,
    pub(crate) shown: Vec<String>,
    pub(crate) clicked: Vec<String>,
}

/// All playlists of a seed.
pub(crate) fn playlists(seed: u64, count: usize) -> Vec<Playlist> {
    let mut chance = Chance::new(seed);
    (0..count).map(|number| playlist(&mut chance, number)).collect()
}

fn playlist(chance: &mut Chance, number: usize) -> Playlist {
    let theme = number % THEMES.len();
    let meant = THEMES.get(theme);
    // One in twenty is two playlists in one.
    let other = chance.often(50).then(|| chance.below(THEMES.len()));
    let length = 15 + chance.below(26);
    let tracks = (0..length)
        .filter_map(|at| {
            let of = match other {
                Some(other) if at % 2 == 1 => THEMES.get(other),
                _ if chance.often(100) => chance.one(THEMES),
                _ => meant,
            };
            track(chance, of?)
        })
        .collect();
    let says = chance.often(420);
    let title = match meant.filter(|_| says) {
        Some(meant) => chance.one(&meant.titles).copied(),
        None => chance.one(NOTHING).copied(),
    };
    let mut tags = Vec::new();
    if chance.often(330) {
        let honest = meant.and_then(|meant| meant.genres.first()).copied();
        tags.extend(
            if chance.often(700) { honest } else { chance.one(GENRES).map(|genre| genre.name) }
                .map(str::to_owned),
        );
    }
    Playlist { id: format!("p{number:03}"), title: title.unwrap_or_default().to_owned(), tags, tracks, theme }
}

fn track(chance: &mut Chance, theme: &Theme) -> Option<Track> {
    let name = chance.one(theme.genres)?;
    let genre = GENRES.iter().find(|genre| genre.name == *name)?;
    let language = if ["jazz", "bossa nova"].contains(name) || theme.languages.len() == 1 {
        chance.one(theme.languages)?
    } else {
        theme.languages.first()?
    };
    let tempo = theme.tempo.unwrap_or(genre.tempo);
    Some(Track {
        title: song(chance, genre),
        artist: artist(chance, genre, language),
        year: chance.between(theme.years),
        genre: genre.name,
        tempo: chance.between(tempo),
        language,
    })
}

fn song(chance: &mut Chance, genre: &Genre) -> String {
    const FILLS: [&str; 10] =
        ["in the", "of", "& the", "without", "for", "under the", "no more", "like a", "after", "to the"];
    let mut word = || chance.one(&genre.words).copied().unwrap_or_default();
    let (first, second) = (word(), word());
    let fill = chance.one(&FILLS).copied().unwrap_or_default();
    let plain = first == second || chance.often(300);
    let text = if plain { first.to_owned() } else { format!("{first} {fill} {second}") };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |head| head.to_uppercase().chain(letters).collect())
}

fn artist(chance: &mut Chance, genre: &Genre, language: &str) -> String {
    const FIRST: [&str; 14] = [
        "Mara", "Otis", "June", "Dell", "Iris", "Cass", "Bo", "Nell", "Theo", "Wren", "Hugo", "Ada", "Lio",
        "Ines",
    ];
    const LAST: [&str; 14] = [
        "Vale",
        "Rook",
        "Marsh",
        "Lindqvist",
        "Okoro",
        "Bright",
        "Castell",
        "Doyle",
        "Haze",
        "Quill",
        "Sato",
        "Prado",
        "Winter",
        "Noll",
    ];
    const KOREAN: [&str; 12] = [
        "하늘",
        "이서아",
        "정류장",
        "박도윤",
        "고양이식당",
        "별무리",
        "한지우",
        "달빛소년",
        "최은별",
        "밤바다",
        "소나기",
        "오로라",
    ];
    let mut of = |names: &[&'static str]| chance.one(names).copied().unwrap_or_default();
    if language == "Korean" {
        return of(&KOREAN).to_owned();
    }
    let (first, last) = (of(&FIRST), of(&LAST));
    if genre.tempo.0 > 110 { format!("{last} & {first}") } else { format!("{first} {last}") }
}

/// The log of the search there was: who typed what, what was shown, what was clicked.
pub(crate) fn log(seed: u64, count: usize, playlists: &[Playlist]) -> Vec<Search> {
    let mut chance = Chance::new(seed ^ 0x10c);
    (0..count)
        .filter_map(|number| {
            let theme = chance.below(THEMES.len());
            // What is typed first is typed most often.
            let at = chance.below(6).min(chance.below(6));
            let query = THEMES.get(theme)?.queries.get(at)?;
            let shown: Vec<&Playlist> = old_search(query, playlists);
            let mut clicked = Vec::new();
            let mut looks = 1000;
            for playlist in &shown {
                let pleases = if playlist.theme == theme { 650 } else { 40 };
                if chance.often(looks * pleases / 1000) {
                    clicked.push(playlist.id.clone());
                }
                looks = looks * 8 / 10;
            }
            let minutes_ago = 20 + number * 14 * 24 * 60 / count.max(1) + chance.below(30);
            let shown = shown.iter().map(|playlist| playlist.id.clone()).collect();
            Some(Search { number, minutes_ago, session: number / 3, query, shown, clicked })
        })
        .collect()
}

/// The first page of the search there was: playlists by how many of the words they have.
fn old_search<'a>(query: &str, playlists: &'a [Playlist]) -> Vec<&'a Playlist> {
    let words = words(query);
    let mut found: Vec<(usize, &Playlist)> = playlists
        .iter()
        .map(|playlist| {
            let has = self::words(&playlist.metadata());
            (words.iter().filter(|word| has.contains(*word)).count(), playlist)
        })
        .filter(|(count, _)| *count > 0)
        .collect();
    found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.id.cmp(&b.1.id)));
    found.into_iter().take(PAGE).map(|(_, playlist)| playlist).collect()
}

/// Words in lower case.
pub(crate) fn words(text: &str) -> BTreeSet<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The themes that a query of the log asks for.
pub(crate) fn themes_of(query: &str) -> Vec<usize> {
    let asks = |theme: &Theme| theme.queries.contains(&query);
    THEMES.iter().enumerate().filter(|(_, theme)| asks(theme)).map(|(at, _)| at).collect()
}
