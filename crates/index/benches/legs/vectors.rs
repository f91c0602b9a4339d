//! The index of vectors, over embeddings from files or vectors made here.

use crate::measure::{Watch, memory, quantile};
use hanok_index::VectorIndex;
use hanok_index::vectors::Tuning;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const DIMENSIONS: usize = 384;
const LIMIT: usize = 10;
/// Queries that are checked against an exact scan over 32-bit floats.
const CHECKED: usize = 300;

pub(crate) fn tuning(numbers: &[&str]) -> Tuning {
    let mut tuning = Tuning::default();
    let slots = [&mut tuning.exact, &mut tuning.width, &mut tuning.threads];
    for (slot, number) in slots.into_iter().zip(numbers) {
        *slot = number.parse().unwrap_or(*slot);
    }
    tuning
}

pub(crate) fn of_files(texts: &Path, queries: &Path, tuning: Tuning) {
    let (texts, queries) = (floats(texts), floats(queries));
    measure(texts.chunks_exact(DIMENSIONS).map(<[f32]>::to_vec), &queries, "files", tuning);
}

/// Vectors around centres, 200 around each, centres around 50 fields: a centre is its field plus noise of the same
/// length, a vector its centre plus noise of 0.7 of it. Queries are made as vectors are.
pub(crate) fn synthetic(count: usize, tuning: Tuning) {
    let mut random = fastrand::Rng::with_seed(7);
    let fields: Vec<Vec<f32>> = (0..50).map(|_| noise(&mut random, &[0.0; DIMENSIONS], 1.0)).collect();
    let centres: Vec<Vec<f32>> = (0..(count / 200).max(50))
        .map(|_| {
            random.choice(&fields).map(|field| noise(&mut random.fork(), field, 1.0)).unwrap_or_default()
        })
        .collect();
    let mut next = move || {
        let centre = random.choice(&centres).cloned().unwrap_or_default();
        noise(&mut random, &centre, 0.7)
    };
    let queries: Vec<f32> = (0..1000).flat_map(|_| next()).collect();
    measure((0..count).map(|_| next()), &queries, "synthetic", tuning);
}

/// `centre` plus noise of length `share`, all of length 1.
fn noise(random: &mut fastrand::Rng, centre: &[f32], share: f32) -> Vec<f32> {
    let unit = |mut vector: Vec<f32>| {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt().max(f32::MIN_POSITIVE);
        for x in &mut vector {
            *x /= length;
        }
        vector
    };
    // The sum of four even ones is near enough to a normal one.
    let noise = unit((0..DIMENSIONS).map(|_| (0..4).map(|_| random.f32() - 0.5).sum()).collect());
    unit(centre.iter().zip(noise).map(|(centre, noise)| centre + share * noise).collect())
}

fn measure(texts: impl Iterator<Item = Vec<f32>>, queries: &[f32], of: &str, tuning: Tuning) {
    let queries: Vec<&[f32]> = queries.chunks_exact(DIMENSIONS).collect();
    let folder = tempfile::tempdir().expect("a folder for the index");
    let kept = std::env::var_os("LEGS_KEEP").map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(folder.path());
    let index = VectorIndex::open_with(folder, tuning);
    let there = index.mark().is_some();
    let watch = Watch::start();
    let mut writer = index.writer().expect("a writer");
    // The exact nearest, found while the vectors pass by, so that they need not stay in memory.
    let mut nearest: Vec<Vec<(f32, u64)>> = vec![Vec::new(); CHECKED.min(queries.len())];
    let (mut count, mut checking) = (0_u64, 0.0);
    for vector in texts {
        if !there {
            writer.add(count, count / 10, &vector).expect("a vector is added");
        }
        let check = Instant::now();
        for (query, nearest) in queries.iter().zip(&mut nearest) {
            keep(nearest, plain(query, &vector), count);
        }
        checking += check.elapsed().as_secs_f64();
        count += 1;
    }
    let (added, building) = (watch.wall() - checking, Watch::start());
    if !there {
        writer.commit("1").expect("a commit");
    }
    println!(
        "{}",
        json!({
            "measure": "vectors.index", "of": of, "vectors": count, "threads": tuning.threads, "added_s": added,
            "committed_s": building.wall(), "committed_processor_s": building.processor(),
            "memory_mb": memory().0, "peak_mb": memory().1,
        })
    );
    drop(writer);
    drop(index);
    for times in [1, 2, 4, 8] {
        let tuning = Tuning { width: tuning.width * times, ..tuning };
        query(&VectorIndex::open_with(folder, tuning), &queries, &nearest, of, tuning);
    }
}

/// Asks every query five times, and once for each filter.
fn query(index: &VectorIndex, queries: &[&[f32]], nearest: &[Vec<(f32, u64)>], of: &str, tuning: Tuning) {
    let count = index.len();
    let (mut all, mut hits) = (Vec::new(), 0);
    let mut quickest = vec![Duration::MAX; queries.len()];
    for round in 0..5 {
        for (at, query) in queries.iter().enumerate() {
            let begin = Instant::now();
            let found = index.search(query, LIMIT, None).expect("a search");
            let took = begin.elapsed();
            if round > 0 {
                all.push(took);
                if let Some(quickest) = quickest.get_mut(at) {
                    *quickest = took.min(*quickest);
                }
            } else if let Some(nearest) = nearest.get(at) {
                hits += found.iter().filter(|found| nearest.iter().any(|(_, key)| *key == found.key)).count();
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a count")]
    let recall = hits as f64 / (nearest.len() * LIMIT) as f64;
    println!(
        "{}",
        json!({
            "measure": "vectors.query", "of": of, "vectors": count, "width": tuning.width, "recall_at_10": recall,
            "p50_ms": quantile(&mut all, 0.5), "p99_ms": quantile(&mut all, 0.99),
            "quickest_p50_ms": quantile(&mut quickest, 0.5), "quickest_p99_ms": quantile(&mut quickest, 0.99),
            "memory_mb": memory().0, "peak_mb": memory().1,
        })
    );
    for share in [2, 10, 100, 1000] {
        let admit =
            |group: u64| group.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & 0xffff_ffff < (1 << 32) / share;
        let mut all = Vec::new();
        for query in queries {
            let begin = Instant::now();
            index.search(query, LIMIT, Some(&admit)).expect("a search");
            all.push(begin.elapsed());
        }
        println!(
            "{}",
            json!({
                "measure": "vectors.filtered", "of": of, "vectors": count, "width": tuning.width, "one_in": share,
                "p50_ms": quantile(&mut all, 0.5), "p99_ms": quantile(&mut all, 0.99),
            })
        );
    }
}

fn plain(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 32];
    for (a, b) in a.as_chunks::<32>().0.iter().zip(b.as_chunks::<32>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}

fn keep(nearest: &mut Vec<(f32, u64)>, score: f32, key: u64) {
    if nearest.len() >= LIMIT && nearest.last().is_some_and(|last| score <= last.0) {
        return;
    }
    let at = nearest.partition_point(|near| near.0 >= score);
    nearest.insert(at, (score, key));
    nearest.truncate(LIMIT);
}

fn floats(path: &Path) -> Vec<f32> {
    let bytes = std::fs::read(path).expect("a file of floats");
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
