//! Names that somebody mistyped, and what they likely meant.

/// How alike names must be, from 0 to 1, for one to be offered for the other.
const ALIKE: f64 = 0.75;

/// How alike two names are, from 0 to 1, whatever their case: by Jaro's and Winkler's measure, or, where they are a slip
/// or two of the fingers apart (a letter left out, added, changed, or two swapped), at least 0.8.
pub fn likeness(a: &str, b: &str) -> f64 {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let alike = strsim::jaro_winkler(&a, &b);
    let length = a.chars().count().max(b.chars().count());
    let slips = strsim::osa_distance(&a, &b);
    // One letter of two is half a name.
    if length > 2 && slips <= 1 + length / 8 { alike.max(0.8) } else { alike }
}

/// The name most like an unknown one, if any is like it at all.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|name| (likeness(unknown, name), name))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// What to add to a message about an unknown name: `; did you mean … ?`, or nothing.
pub fn did_you_mean<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(unknown, known).map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// The name that a message of serde's likely wants, "unknown field `x`, expected one of `a`, `b`": of those it lists,
/// and of `others`. `None` of any other message.
pub fn meant<'a>(message: &'a str, others: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if !message.contains("unknown ") {
        return None;
    }
    let mut quoted = message.split('`').skip(1).step_by(2);
    let unknown = quoted.next()?;
    nearest(unknown, quoted.chain(others))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_names() {
        let check = |unknown: &str, known: &[&str], expect: Option<&str>| {
            assert_eq!(nearest(unknown, known.iter().copied()), expect, "{unknown}");
        };
        check("aks", &["ask", "bask", "support"], Some("ask"));
        check("Suport", &["ask", "support"], Some("support"));
        check("temprature", &["temperature", "template"], Some("temperature"));
        check("concurency", &["concurrency"], Some("concurrency"));
        check("ab", &["cd", "xb"], None);
        check("zzz", &["ask", "support"], None);
        check("감사", &["감사합니다", "검사"], Some("감사합니다"));
        check("", &["ask"], None);
        assert_eq!(did_you_mean("aks", ["ask"]), "; did you mean `ask`?");
        assert_eq!(did_you_mean("q", ["ask"]), "");
        let message = "unknown field `modle`, expected one of `name`, `model`";
        assert_eq!((meant(message, []), meant("missing field `model`", [])), (Some("model"), None));
        assert_eq!(meant("unknown field `thresold`", ["threshold"]), Some("threshold"));
    }
}
