//! The steps, in order. Each is a command of Hanok's, or a file between two of them; what was done before is known by
//! Hanok and costs nothing again, so that a run that was stopped is run again from the beginning.

use crate::catalogue::{PAGE, Size};
use crate::chance::Chance;
use crate::files::{World, document, lines};
use crate::house::{House, Server, write};
use crate::people::Truth;
use crate::told::{Report, step};
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// A query is hard where it was typed at least so often without a click.
const HARD: usize = 2;
/// The searches that are compared: eval and collection.
pub(crate) const SEARCHES: [(&str, &str); 3] =
    [("keyword", "titles"), ("first", "first"), ("semantic", "described")];

/// Everything.
pub(crate) fn all(house: &House, world: &World, size: Size, is_scripted: bool) -> Result<Report> {
    let mut report = Report::new(is_scripted);
    step("The music: playlists, their poor metadata, and the log of the search there was");
    world.write(&house.folder)?;
    println!("{} playlists and {} searches in data/", world.playlists.len(), world.searches.len());

    step(
        "The curator describes each playlist from its first 15 tracks: with its first prompt, and with a better one",
    );
    let first = report.evaluate(house, "curator-first")?;
    let better = report.evaluate(house, "curator")?;
    describe(house, world, "first", first)?;
    describe(house, world, "described", better)?;
    report.compare(house, "curator: first prompt → better prompt", first, better)?;

    step("The labeler writes queries from what is known of some playlists");
    sources(house, world, size)?;
    let written = report.evaluate(house, "labeler-queries")?;
    let written = queries_of(house, written)?;

    step("The log of searches goes into the records, and hard queries come out: searches without a click");
    let server = house.up()?;
    let searched = searched(house, world, size, &server, &written);
    server.stop()?;
    let (asked, pairs) = searched?;
    let count = |split: &str| asked.values().filter(|query| query.split == split).count();
    report.note(format!(
        "queries: {} written by the labeler, {} hard ones and {} usual ones out of the log",
        count("written"),
        count("hard"),
        count("usual")
    ));

    step("The labeler marks pairs of a query and a playlist: the best hits of every search, pooled");
    write(&house.folder.join("data/pairs.jsonl"), &lines(pairs.into_iter()))?;
    let labelled = report.evaluate(house, "labeler-pairs")?;
    queries(house, &asked, labelled)?;
    house.text(&["dataset", "add", "queries", "--file", "data/queries.jsonl"])?;

    step("The searches, by the labeler's labels and by the judge");
    report.note(legs(house)?);
    let mut experiments = Vec::new();
    for (eval, _) in SEARCHES {
        experiments.push(report.evaluate(house, eval)?);
    }
    let [keyword, first, semantic] = <[i64; 3]>::try_from(experiments).unwrap_or_default();
    report.compare(house, "search by keywords → over the curator's descriptions", keyword, semantic)?;
    report.compare(
        house,
        "search over the first prompt's descriptions → over the better one's",
        first,
        semantic,
    )?;
    report.searches = (keyword, semantic);
    for split in ["usual", "hard", "written"] {
        let mut line = format!("{split} queries, served:");
        for (eval, experiment) in [("keyword", keyword), ("first", first), ("semantic", semantic)] {
            let (passed, of) = served(house, experiment, split)?;
            write!(line, "  {eval} {passed} of {of}")?;
        }
        report.note(line);
    }

    step(
        "Who judges the judge: two people label a random share of what it judged, and it is held against them",
    );
    let truth = Truth::new(world, written.clone());
    people(house, &truth, size, &[("keyword", keyword), ("semantic", semantic)])?;
    let (before, after) = (keyword.to_string(), semantic.to_string());
    report.judged(&house.json(&[
        "judge",
        "check",
        "semantic",
        "served",
        "--labels",
        "data/people.jsonl",
        "--probe",
        "--experiment",
        &before,
        "--experiment",
        &after,
    ])?);

    step("The better prompt is released, and the judge looks at yesterday's searches, as it will every day");
    house.text(&["prompt", "label", "curator", "production", "--to", "latest"])?;
    report.evaluate(house, "daily")?;
    Ok(report)
}

/// How descriptions are searched here, in words.
fn legs(house: &House) -> Result<String> {
    let pulled = house.json(&["list"])?;
    let models = pulled.get("models").and_then(Value::as_array);
    let embedder = models.into_iter().flatten().find(|model| text(model, "/purpose") == "embedder");
    Ok(match embedder {
        Some(model) => {
            format!("descriptions are searched by words, and by vectors of {}", text(model, "/name"))
        }
        None => {
            "descriptions are searched by words alone: no embedder was pulled (`hanok pull all-minilm-l6-v2`)"
                .to_owned()
        }
    })
}

/// All results of an experiment.
fn results(house: &House, experiment: i64) -> Result<Vec<Value>> {
    let shown = house.json(&["eval", "show", &experiment.to_string(), "--results", "--limit", "100000"])?;
    Ok(shown.get("results").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn text<'a>(value: &'a Value, at: &str) -> &'a str {
    value.pointer(at).and_then(Value::as_str).unwrap_or_default()
}

/// Makes documents of what the curator wrote.
fn describe(house: &House, world: &World, collection: &str, experiment: i64) -> Result<()> {
    for result in results(house, experiment)? {
        if let Some(playlist) = world.playlist(text(&result, "/sample/id")) {
            let description = format!("{}\n\n{}\n", playlist.title, text(&result, "/output/text"));
            document(&house.folder, collection, playlist, &description)?;
        }
    }
    Ok(())
}

/// The playlists that queries are written from, each with its title and what the curator wrote of it.
fn sources(house: &House, world: &World, size: Size) -> Result<()> {
    let mut chosen: Vec<&str> = world.playlists.iter().map(|playlist| playlist.id.as_str()).collect();
    Chance::of("sources").shuffle(&mut chosen);
    chosen.truncate(size.sources);
    let mut rows = Vec::new();
    for id in chosen {
        let path = house.folder.join(format!("data/described/{id}.md"));
        let document = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        let description = document.trim_end().rsplit("\n\n").next().unwrap_or_default();
        let title = world.playlist(id).map(|playlist| playlist.title.as_str());
        rows.push(json!({"id": id, "input": {"title": title, "description": description}}));
    }
    write(&house.folder.join("data/sources.jsonl"), &lines(rows.into_iter()))
}

/// What the labeler wrote: each query, and the playlist it was written from.
fn queries_of(house: &House, experiment: i64) -> Result<BTreeMap<String, String>> {
    let mut written = BTreeMap::new();
    for result in results(house, experiment)? {
        let answer: Value = serde_json::from_str(text(&result, "/output/text")).unwrap_or_default();
        for query in answer.get("queries").and_then(Value::as_array).into_iter().flatten() {
            let query = text(query, "/text").trim().to_owned();
            if !query.is_empty() {
                written.entry(query).or_insert_with(|| text(&result, "/sample/id").to_owned());
            }
        }
    }
    Ok(written)
}

/// A query that is asked of every search.
struct Query {
    /// `written` by the labeler, `hard` or `usual` out of the log.
    split: &'static str,
    /// A search for it in the records.
    origin: Option<String>,
}

type Queries = BTreeMap<String, Query>;

/// What needs a server: the log, the hard queries out of it, and what every search finds for every query.
fn searched(
    house: &House,
    world: &World,
    size: Size,
    server: &Server,
    written: &BTreeMap<String, String>,
) -> Result<(Queries, Vec<Value>)> {
    record(world, server)?;
    house.text(&["dataset", "add", "no-click", "--traces", "tag:search-log score.clicked:<1 since:30d"])?;
    let mut missed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in house.text(&["dataset", "export", "no-click"])?.lines() {
        let row: Value = serde_json::from_str(line)?;
        let (query, origin) = (text(&row, "/input/query"), text(&row, "/origin"));
        missed.entry(query.to_owned()).or_default().push(origin.to_owned());
    }
    let typed = |query: &str| world.searches.iter().filter(|search| search.query == query).count();
    let is_hard = |query: &str, missed: usize| missed >= HARD && missed * 10 >= typed(query) * 6;
    let hard: Vec<(String, String)> = missed
        .into_iter()
        .filter(|(query, missed)| is_hard(query, missed.len()))
        .filter_map(|(query, missed)| Some((query, missed.into_iter().min()?)))
        .collect();
    let mut asked = Queries::new();
    for query in written.keys() {
        asked.insert(query.clone(), Query { split: "written", origin: None });
    }
    for (query, origin) in hard {
        asked.insert(query, Query { split: "hard", origin: Some(origin) });
    }
    // What is hard was chosen for its failures; how good a search is, the usual queries say, as they come.
    let mut usual: Vec<&str> = world.searches.iter().map(|search| search.query).collect();
    Chance::of("usual").shuffle(&mut usual);
    usual.truncate(size.usual);
    for query in usual {
        asked.insert(query.to_owned(), Query { split: "usual", origin: None });
    }
    server.indexed()?;
    let mut pairs = Vec::new();
    for query in asked.keys() {
        let mut found = BTreeSet::new();
        for (_, collection) in SEARCHES {
            let asked = json!({"query": query, "collection": collection, "top_k": PAGE});
            let answer = server.post("/api/search", &asked)?;
            for hit in answer.get("hits").and_then(Value::as_array).into_iter().flatten() {
                found.insert(text(hit, "/metadata/id").to_owned());
            }
        }
        for playlist in found.iter().filter_map(|id| world.playlist(id)) {
            let shown = format!("{}\n{}", playlist.title, playlist.for_listeners().replace("; ", "\n"));
            let id = format!("{query}/{}", playlist.id);
            pairs.push(json!({"id": id, "input": {"query": query, "playlist": shown}, "cluster": query}));
        }
    }
    Ok((asked, pairs))
}

/// Sends the log as OpenTelemetry's spans, and each search's clicks as a score.
fn record(world: &World, server: &Server) -> Result<()> {
    let known = server.get("/api/traces?filter=tag:search-log&limit=1")?;
    if known.get("traces").and_then(Value::as_array).is_some_and(|traces| !traces.is_empty()) {
        println!("the log is in the records already");
        return Ok(());
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_nanos();
    let attribute = |name: &str, value: &str| json!({"key": name, "value": {"stringValue": value}});
    let trace_of = |number: usize| format!("5ea2c41095ea2c4109{number:014x}");
    for some in world.searches.chunks(200) {
        let spans: Vec<Value> = some
            .iter()
            .map(|search| {
                let ago = u128::try_from(search.minutes_ago).unwrap_or_default() * 60_000_000_000;
                let start = now.saturating_sub(ago);
                let shown: Vec<Value> = search.shown.iter().map(|id| json!({ "id": id })).collect();
                json!({
                    "traceId": trace_of(search.number), "spanId": format!("{:016x}", search.number + 1),
                    "name": "search", "kind": 1, "startTimeUnixNano": start.to_string(),
                    "endTimeUnixNano": (start + 9_000_000).to_string(),
                    "attributes": [
                        attribute("gen_ai.operation.name", "retrieval"),
                        attribute("gen_ai.retrieval.query.text", search.query),
                        attribute("gen_ai.retrieval.documents", &Value::from(shown).to_string()),
                        attribute("gen_ai.conversation.id", &format!("listener-{}", search.session)),
                        {"key": "hanok.tags", "value": {"arrayValue": {"values": [{"stringValue": "search-log"}]}}},
                    ],
                })
            })
            .collect();
        let resource = json!({"attributes": [attribute("service.name", "playlist-search")]});
        let sent = json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]});
        server.post("/v1/traces", &sent)?;
    }
    for search in &world.searches {
        let score = json!({
            "trace_id": trace_of(search.number), "name": "clicked", "value": !search.clicked.is_empty(),
            "id": format!("clicked-{}", search.number),
        });
        server.post("/api/scores", &score)?;
    }
    println!("{} searches are in the records, each with what was clicked as a score", world.searches.len());
    Ok(())
}

/// Writes the queries with the playlists that the labeler marked, in an order that chance makes, so that the first so
/// many of them are a random share.
fn queries(house: &House, asked: &Queries, labelled: i64) -> Result<()> {
    let mut relevant: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for result in results(house, labelled)? {
        let label: Value = serde_json::from_str(text(&result, "/output/text")).unwrap_or_default();
        if label.get("relevant").and_then(Value::as_bool).unwrap_or_default() {
            let query = text(&result, "/sample/input/query").to_owned();
            let playlist = text(&result, "/sample/id").rsplit('/').next().unwrap_or_default().to_owned();
            relevant.entry(query).or_default().push(playlist);
        }
    }
    let mut all: Vec<(&String, &Query)> = asked.iter().collect();
    Chance::of("queries").shuffle(&mut all);
    let rows = all.into_iter().map(|(query, about)| {
        let mut row = Map::new();
        row.insert("id".to_owned(), query.clone().into());
        row.insert("input".to_owned(), json!({ "query": query }));
        if let Some(relevant) = relevant.get(query) {
            row.insert("expected".to_owned(), json!(relevant));
        }
        if let Some(origin) = &about.origin {
            row.insert("origin".to_owned(), origin.clone().into());
        }
        row.insert("split".to_owned(), about.split.into());
        Value::Object(row)
    });
    write(&house.folder.join("data/queries.jsonl"), &lines(rows))
}

/// Writes `data/people.jsonl`: a random share of what the judge judged, as the two people label it.
fn people(house: &House, truth: &Truth<'_>, size: Size, searches: &[(&str, i64)]) -> Result<()> {
    let mut rows = Vec::new();
    for (name, experiment) in searches {
        let labelled =
            results(house, *experiment)?.into_iter().filter_map(|result| truth.label(name, &result));
        rows.extend(labelled.take(size.labelled));
    }
    write(&house.folder.join("data/people.jsonl"), &lines(rows.into_iter()))
}

/// Of the queries of a split, how many a search served by the judge's verdict, and how many there are.
fn served(house: &House, experiment: i64, split: &str) -> Result<(usize, usize)> {
    let results = results(house, experiment)?;
    let of = results.iter().filter(|result| text(result, "/sample/metadata/split") == split);
    let verdicts: Vec<bool> =
        of.filter_map(|result| result.pointer("/scores/served/value").and_then(Value::as_bool)).collect();
    Ok((verdicts.iter().filter(|passed| **passed).count(), verdicts.len()))
}
