//! `similarity` and `citations`: outputs against what an embedder or the documents say.

use super::spec::Citations;
use super::subject::{Ask, Found, Subject};
use crate::SourceTexts;
use hanok_base::{BoxFuture, CallContext, Citation, EmbedKind, Embedder, Sample};
use std::collections::HashMap;
use std::sync::Arc;

/// `similarity`: the cosine of the vectors of text and expected text; of several expected texts the nearest.
pub(crate) struct Similar(pub(crate) Arc<dyn Embedder>);

impl Ask for Similar {
    fn ask<'a>(&'a self, cx: &'a CallContext, _: &'a Sample, subject: Subject<'a>) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let expected = subject.expected_texts();
            if expected.is_empty() {
                return Found::skipped("the sample says nothing of what is expected");
            }
            let mut texts: Vec<&str> = vec![&subject.text];
            texts.extend(expected.iter().map(AsRef::as_ref));
            // An empty text means nothing, and some models refuse it.
            if texts.iter().any(|text| text.trim().is_empty()) {
                return Found::skipped("an empty text has no vector");
            }
            let vectors = match self.0.embed(cx, &texts, EmbedKind::Document).await {
                Ok(vectors) => vectors,
                Err(error) => return Found::failed(error.to_string()),
            };
            let Some((text, references)) =
                vectors.split_first().filter(|(_, rest)| rest.len() == expected.len())
            else {
                return Found::failed("the embedder gave another number of vectors than texts");
            };
            let cosine = |other: &Vec<f32>| -> f64 {
                let along: f64 = text.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                let length = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
                let lengths = length(text) * length(other);
                if lengths > 0.0 { along / lengths } else { 0.0 }
            };
            references.iter().map(cosine).max_by(f64::total_cmp).map_or_else(
                || Found::skipped("nothing is expected"),
                |best| Found::number(best, self.0.id()),
            )
        })
    }
}

/// `citations`: the share of the citations whose quote stands verbatim at its place in its source.
pub(crate) struct Verbatim {
    pub(crate) sources: Option<Arc<dyn SourceTexts>>,
    pub(crate) spec: Citations,
}

impl Ask for Verbatim {
    fn ask<'a>(&'a self, _: &'a CallContext, _: &'a Sample, subject: Subject<'a>) -> BoxFuture<'a, Found> {
        Box::pin(async move {
            let citations = &subject.output.citations;
            if citations.is_empty() {
                return if self.spec.required {
                    Found::number(0.0, "there is no citation")
                } else {
                    Found::skipped("there is no citation")
                };
            }
            let mut texts: HashMap<&str, Vec<String>> = HashMap::new();
            if let Some(sources) = &self.sources {
                for quote in citations.iter().filter_map(|citation| citation.quote.as_ref()) {
                    if !texts.contains_key(quote.source.as_str()) {
                        match sources.texts(&quote.source).await {
                            Ok(found) => texts.insert(&quote.source, found),
                            Err(why) => return Found::failed(why),
                        };
                    }
                }
            }
            let faults: Vec<String> = citations
                .iter()
                .filter_map(|citation| {
                    fault(citation, &texts).map(|why| format!("{}: {why}", citation.title))
                })
                .collect();
            #[expect(clippy::cast_precision_loss, reason = "an answer has few citations")]
            let share = (citations.len() - faults.len()) as f64 / citations.len() as f64;
            Found::number(share, faults.join("; "))
        })
    }
}

/// What is wrong with a citation.
fn fault(citation: &Citation, texts: &HashMap<&str, Vec<String>>) -> Option<String> {
    let Some(quote) = &citation.quote else {
        return Some("it quotes nothing".to_owned());
    };
    let texts = texts.get(quote.source.as_str()).map(Vec::as_slice).unwrap_or_default();
    if texts.is_empty() {
        return Some(format!("there is no document `{}`", quote.source));
    }
    let is_there =
        |text: &String| text.get(quote.start..quote.end) == Some(&quote.text) && !quote.text.is_empty();
    (!texts.iter().any(is_there)).then(|| format!("`{}` does not say that there", quote.source))
}
