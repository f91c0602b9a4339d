//! `hanok search`

use crate::cli::Search;
use crate::config::Effective;
use crate::{output, wiring};
use hanok_base::{CallContext, CollectionName, LeftOut, Readers, Retriever as _, SearchQuery, SearchResult};
use hanok_retrieval::Library;
use serde_json::json;
use std::process::ExitCode;

/// Searches what is indexed now.
pub(crate) async fn run(effective: Effective, search: Search) -> anyhow::Result<ExitCode> {
    let store = wiring::store_to_read(&effective)?;
    let library = Library::open(store, &effective.data.value).await?;
    let collection = search.collection.map_or_else(|| library.default_collection(), CollectionName::from);
    let _gateway = wiring::equip_to_read(&library, &effective, &collection).await?;
    let mut query = SearchQuery::new(search.query, collection, search.top_k.clamp(1, 1000));
    query.filter = search.filter;
    query.legs = search.legs.map(wiring::legs);
    if !search.reader.is_empty() {
        query.readers = Readers::Of(search.reader);
    }
    let found = library.search(&CallContext::unrecorded(), &query).await?;
    if search.json.json {
        let SearchResult { hits, coverage, left_out } = &found;
        output::json(&json!({ "hits": hits, "coverage": coverage, "left_out": left_out }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for LeftOut { leg, reason } in &found.left_out {
        output::note(output::safe(&format!("{leg} did not count: {reason}")));
    }
    if found.hits.is_empty() {
        output::note("nothing found");
    }
    for (number, hit) in found.hits.iter().enumerate() {
        let place = format!("{}. {}  {}", number + 1, hit.source, hit.heading);
        output::line(output::styled("1", &output::safe(place.trim_end())))?;
        output::line(output::styled(
            "2",
            &format!("   bytes {} to {}, score {:.2}", hit.start, hit.end, hit.score),
        ))?;
        for vote in hit.about.votes.iter().filter(|_| search.why) {
            let line = format!(
                "   {} rank {}, score {:.3}, counts {:.2}: {}",
                vote.leg, vote.rank, vote.score, vote.weight, vote.reason
            );
            output::line(output::safe(&line))?;
        }
        let text: String =
            hit.text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(240).collect();
        output::line(output::safe(&format!("   {text}")))?;
    }
    Ok(ExitCode::SUCCESS)
}
