//! What a request says about its reader: language and theme.

use super::shell::Theme;
use super::text::Lang;

/// The reader's choices, and the cookies that keep a choice just made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefs {
    /// The language.
    pub lang: Lang,
    /// The theme.
    pub theme: Theme,
    /// `Set-Cookie` values to answer with.
    pub set_cookies: Vec<String>,
}

impl Prefs {
    /// Reads `?lang=` and `?theme=`, then the cookies `hanok_lang` and `hanok_theme`, then `Accept-Language`.
    /// Missing headers are empty texts.
    pub fn read(query: &str, cookie: &str, accept_language: &str) -> Self {
        let asked = |name: &str| pairs(query, '&').find(|(key, _)| *key == name).map(|(_, value)| value);
        let kept = |name: &str| pairs(cookie, ';').find(|(key, _)| *key == name).map(|(_, value)| value);
        let mut set_cookies = Vec::new();
        let mut keep = |name: &str, value: &str| {
            set_cookies.push(format!("{name}={value}; Path=/; Max-Age=31536000; SameSite=Lax"));
        };
        let asked_lang = asked("lang").and_then(Lang::parse);
        let asked_theme = asked("theme").and_then(Theme::parse);
        if let Some(lang) = asked_lang {
            keep("hanok_lang", lang.as_str());
        }
        if let Some(theme) = asked_theme {
            keep("hanok_theme", theme.as_str());
        }
        Self {
            lang: asked_lang
                .or_else(|| kept("hanok_lang").and_then(Lang::parse))
                .or_else(|| accepted(accept_language))
                .unwrap_or_default(),
            theme: asked_theme.or_else(|| kept("hanok_theme").and_then(Theme::parse)).unwrap_or_default(),
            set_cookies,
        }
    }
}

fn pairs(text: &str, separator: char) -> impl Iterator<Item = (&str, &str)> {
    text.split(separator).filter_map(|pair| pair.trim().split_once('='))
}

/// The known language with the greatest weight; the first of equals.
fn accepted(header: &str) -> Option<Lang> {
    let mut best: Option<(f32, Lang)> = None;
    for item in header.split(',') {
        let mut fields = item.split(';');
        let Some(lang) = fields.next().and_then(|tag| Lang::parse(tag.trim())) else {
            continue;
        };
        let weight = fields
            .find_map(|field| field.trim().strip_prefix("q="))
            .map_or(1.0, |weight| weight.parse::<f32>().unwrap_or(0.0));
        if weight > best.map_or(0.0, |(best, _)| best) {
            best = Some((weight, lang));
        }
    }
    best.map(|(_, lang)| lang)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_beats_the_cookie_beats_the_header() {
        let check = |query, cookie, header, lang, theme, cookies| {
            let prefs = Prefs::read(query, cookie, header);
            assert_eq!((prefs.lang, prefs.theme, prefs.set_cookies.len()), (lang, theme, cookies));
        };
        check("", "", "", Lang::En, Theme::System, 0);
        check("", "", "ko-KR,ko;q=0.9,en;q=0.8", Lang::Ko, Theme::System, 0);
        check("", "", "de, en;q=0.5, ko;q=0.7", Lang::Ko, Theme::System, 0);
        check("", "", "ko;q=0, en;q=x", Lang::En, Theme::System, 0);
        check("", "hanok_lang=en; hanok_theme=dark", "ko", Lang::En, Theme::Dark, 0);
        check("filter=x&lang=ko&theme=light", "hanok_lang=en", "en", Lang::Ko, Theme::Light, 2);
        check("lang=xx&theme=pink", "", "", Lang::En, Theme::System, 0);
    }
}
