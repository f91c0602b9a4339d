//! The index of vectors over a folder: what is found, what survives, what is made anew.

use hanok_index::vectors::Tuning;
use hanok_index::{Found, IndexError, VectorIndex};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const DIMENSIONS: usize = 48;

/// Vectors around a few centres, the same for the same seed.
fn vectors(count: u64, seed: u64) -> Vec<Vec<f32>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut near = |centre: &[f32], spread: f32| -> Vec<f32> {
        let vector: Vec<f32> =
            centre.iter().map(|x| x + spread * (random.f32() + random.f32() - 1.0)).collect();
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.iter().map(|x| x / length).collect()
    };
    let centres: Vec<Vec<f32>> = (0..10).map(|_| near(&[0.0; DIMENSIONS], 1.0)).collect();
    centres.iter().cycle().take(usize::try_from(count).unwrap()).map(|centre| near(centre, 0.3)).collect()
}

/// The nearest by the vectors as they are.
fn scan(all: &[(u64, u64, Vec<f32>)], query: &[f32], admit: impl Fn(u64) -> bool) -> Vec<(u64, f64)> {
    let mut scores: Vec<(u64, f64)> = all
        .iter()
        .filter(|(_, group, _)| admit(*group))
        .map(|(key, _, vector)| {
            (*key, vector.iter().zip(query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum())
        })
        .collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    scores
}

fn keys(found: &[Found]) -> Vec<u64> {
    found.iter().map(|found| found.key).collect()
}

/// Where `found` is what `expect` begins with, but for the order of those that are nearly alike.
fn agree(found: &[Found], expect: &[(u64, f64)], limit: usize) {
    assert_eq!(found.len(), expect.len().min(limit));
    for (found, (_, score)) in found.iter().zip(expect) {
        let exact = expect.iter().find(|(key, _)| *key == found.key).unwrap().1;
        assert!((found.score - exact).abs() < 0.01, "{found:?} is {exact}");
        assert!((found.score - score).abs() < 0.01, "{found:?} where {score} is due");
    }
}

#[test]
fn the_nearest_are_found() {
    let dir = tempfile::tempdir().unwrap();
    let index = VectorIndex::open(dir.path());
    assert_eq!((index.len(), index.dimensions(), index.mark()), (0, None, None));
    assert_eq!(index.search(&[1.0], 5, None).unwrap(), []);
    let all: Vec<(u64, u64, Vec<f32>)> =
        (0..).zip(vectors(1000, 1)).map(|(key, vector)| (key, key / 7, vector)).collect();
    let mut writer = index.writer().unwrap();
    assert!(matches!(index.writer(), Err(IndexError::Locked { .. })), "one writer at a time");
    assert!(matches!(VectorIndex::open(dir.path()).writer(), Err(IndexError::Locked { .. })));
    for (at, (key, group, vector)) in all.iter().enumerate() {
        writer.add(*key, *group, vector).unwrap();
        if at % 300 == 299 {
            writer.commit(&format!("{at}")).unwrap();
        }
    }
    assert_eq!(index.len(), 1000 - 100, "what is not committed is not found");
    writer.commit("all").unwrap();
    assert!(matches!(
        writer.add(1, 1, &[1.0]),
        Err(IndexError::Dimensions { expected: DIMENSIONS, found: 1 })
    ));
    assert!(matches!(writer.add(1, 1, &[f32::NAN; DIMENSIONS]), Err(IndexError::NotFinite)));
    assert!(matches!(index.search(&[1.0], 1, None), Err(IndexError::Dimensions { .. })));
    assert!(matches!(index.search(&[f32::NAN; DIMENSIONS], 1, None), Err(IndexError::NotFinite)));
    for index in [&index, &VectorIndex::open(dir.path())] {
        assert_eq!(
            (index.len(), index.dimensions(), index.mark().as_deref()),
            (1000, Some(DIMENSIONS), Some("all"))
        );
        for query in vectors(20, 2) {
            for limit in [0, 1, 10, 2000] {
                agree(&index.search(&query, limit, None).unwrap(), &scan(&all, &query, |_| true), limit);
                for share in [2, 10, 140] {
                    let admit = |group: u64| group % share == 1;
                    let found = index.search(&query, limit, Some(&admit)).unwrap();
                    agree(&found, &scan(&all, &query, admit), limit);
                }
            }
            let nothing = index.search(&query, 5, Some(&|_| false)).unwrap();
            assert_eq!(nothing, []);
        }
        for (key, _, vector) in all.iter().step_by(50) {
            let found = index.search(vector, 1, None).unwrap();
            assert_eq!(keys(&found), [*key]);
            assert!(found[0].score > 0.999 && found[0].score < 1.001);
        }
    }
}

#[test]
fn length_does_not_matter_and_zeros_are_like_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let index = VectorIndex::open(dir.path());
    let mut writer = index.writer().unwrap();
    for (key, vector) in [(1, [3.0, 4.0]), (2, [1e-30, 0.0]), (3, [0.0, 0.0]), (4, [-1e30, 0.0])] {
        writer.add(key, 0, &vector).unwrap();
    }
    writer.commit("").unwrap();
    assert_eq!(index.mark().as_deref(), Some(""));
    let found = index.search(&[1e20, 0.0], 9, None).unwrap();
    assert_eq!(keys(&found), [2, 1, 3, 4]);
    for (found, expect) in found.iter().zip([1.0, 0.6, 0.0, -1.0]) {
        assert!((found.score - expect).abs() < 0.005, "{found:?}");
    }
    assert_eq!(keys(&index.search(&[0.0, 0.0], 2, None).unwrap()), [1, 2], "all alike: by key");
}

#[test]
fn a_group_is_replaced_deleted_and_everything_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let index = VectorIndex::open(dir.path());
    let all = vectors(6, 3);
    let found = |query: usize| keys(&index.search(&all[query], 9, None).unwrap());
    let mut writer = index.writer().unwrap();
    writer.add(1, 7, &all[0]).unwrap();
    writer.add(2, 8, &all[1]).unwrap();
    writer.commit("1").unwrap();
    writer.delete_group(7);
    writer.add(3, 7, &all[2]).unwrap();
    writer.add(4, 9, &all[3]).unwrap();
    writer.delete_group(9);
    writer.add(5, 9, &all[4]).unwrap();
    assert_eq!(found(0).len(), 2, "nothing changes before a commit");
    writer.commit("2").unwrap();
    let mut now = found(0);
    now.sort_unstable();
    assert_eq!((now, index.len()), (vec![2, 3, 5], 3));
    drop(writer);
    let again = VectorIndex::open(dir.path());
    assert_eq!((again.len(), again.mark().as_deref()), (3, Some("2")));
    let mut writer = again.writer().unwrap();
    writer.add(8, 8, &all[0]).unwrap();
    writer.clear();
    writer.add(9, 9, &[1.0, 0.0]).unwrap();
    writer.commit("3").unwrap();
    assert_eq!((again.len(), again.dimensions()), (1, Some(2)));
    writer.delete_group(9);
    writer.commit("4").unwrap();
    assert_eq!((again.len(), again.dimensions(), again.mark().as_deref()), (0, None, Some("4")));
    let files: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files.len(), 2, "no file stays behind: {files:?}");
}

#[test]
fn a_broken_index_is_empty_and_made_anew() {
    let break_it = |how: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let index = VectorIndex::open(dir.path());
        let mut writer = index.writer().unwrap();
        for (key, vector) in (0..).zip(vectors(50, 4)) {
            writer.add(key, key, &vector).unwrap();
        }
        writer.commit("1").unwrap();
        drop((writer, index));
        how(dir.path());
        let index = VectorIndex::open(dir.path());
        assert_eq!((index.mark(), index.len(), index.dimensions()), (None, 0, None));
        let mut writer = index.writer().unwrap();
        writer.add(1, 1, &[1.0, 0.0]).unwrap();
        writer.commit("new").unwrap();
        assert_eq!(keys(&index.search(&[1.0, 0.0], 10, None).unwrap()), [1]);
        assert_eq!(VectorIndex::open(dir.path()).mark().as_deref(), Some("new"));
    };
    let segment = |dir: &Path| -> std::path::PathBuf {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        entries.into_iter().find(|path| path.extension().is_some_and(|e| e == "vec")).unwrap()
    };
    break_it(&|dir| std::fs::write(dir.join("manifest"), "{").unwrap());
    break_it(&|dir| std::fs::write(dir.join("manifest"), "").unwrap());
    break_it(&|dir| std::fs::remove_file(dir.join("manifest")).unwrap());
    break_it(&|dir| std::fs::remove_file(segment(dir)).unwrap());
    break_it(&|dir| std::fs::write(segment(dir), "short").unwrap());
    break_it(&|dir| {
        let bytes = std::fs::read(segment(dir)).unwrap();
        std::fs::write(segment(dir), &bytes[..bytes.len() - 1]).unwrap();
    });
    break_it(&|dir| {
        let mut bytes = std::fs::read(segment(dir)).unwrap();
        bytes[8] ^= 1;
        std::fs::write(segment(dir), &bytes).unwrap();
    });
}

#[test]
fn an_index_whose_folder_went_away_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("index");
    let index = VectorIndex::open(&folder);
    let mut writer = index.writer().unwrap();
    writer.add(1, 1, &[1.0, 0.0]).unwrap();
    writer.commit("1").unwrap();
    drop(writer);
    index.forget_if_gone();
    assert_eq!(index.len(), 1);
    std::fs::remove_dir_all(&folder).unwrap();
    index.forget_if_gone();
    assert_eq!((index.len(), index.mark()), (0, None));
}

const SMALL: Tuning = Tuning { exact: 200, width: 64, threads: 2 };

/// A filled index with a graph, in commits of so many.
fn linked(dir: &Path, tuning: Tuning, all: &[(u64, u64, Vec<f32>)], at_once: usize) -> VectorIndex {
    let index = VectorIndex::open_with(dir, tuning);
    let mut writer = index.writer().unwrap();
    for part in all.chunks(at_once) {
        for (key, group, vector) in part {
            writer.add(*key, *group, vector).unwrap();
        }
        writer.commit("some").unwrap();
    }
    index
}

fn graph_of(dir: &Path) -> std::path::PathBuf {
    let mut entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.find(|path| path.extension().is_some_and(|e| e == "graph")).unwrap()
}

/// The share of the ten nearest, of admitted groups, that are found.
fn recall(
    index: &VectorIndex,
    all: &[(u64, u64, Vec<f32>)],
    admit: Option<&(dyn Fn(u64) -> bool + Sync)>,
) -> f64 {
    let (mut hits, mut due) = (0, 0);
    // Not far from some vector, as questions are.
    for (near, query) in all.iter().step_by(all.len() / 100).map(|(.., vector)| vector).zip(vectors(100, 9)) {
        let query: Vec<f32> = near.iter().zip(&query).map(|(near, other)| near + 0.3 * other).collect();
        let expect = scan(all, &query, |group| admit.is_none_or(|admit| admit(group)));
        let expect: Vec<u64> = expect.iter().take(10).map(|(key, _)| *key).collect();
        let found = index.search(&query, 10, admit).unwrap();
        assert_eq!(found.len(), expect.len());
        assert!(found.iter().all(|found| admit.is_none_or(|admit| admit(found.group))));
        due += expect.len();
        hits += keys(&found).iter().filter(|key| expect.contains(key)).count();
    }
    f64::from(u32::try_from(hits).unwrap()) / f64::from(u32::try_from(due).unwrap())
}

#[test]
fn a_graph_leads_to_the_nearest() {
    let all: Vec<(u64, u64, Vec<f32>)> =
        (0..).zip(vectors(2000, 5)).map(|(key, vector)| (key, key / 4, vector)).collect();
    // Whole, by parts that join the graph, and one after another.
    for at_once in [2000, 500, 90] {
        let dir = tempfile::tempdir().unwrap();
        let mut index = linked(dir.path(), SMALL, &all, at_once);
        assert_eq!(index.len(), 2000);
        for reopened in [false, true] {
            if reopened {
                index = VectorIndex::open_with(dir.path(), SMALL);
            }
            let whole = recall(&index, &all, None);
            assert!(whole > 0.95, "{at_once}: {whole}");
            for (share, least) in [(2, 0.95), (10, 0.95), (200, 0.95), (499, 0.95)] {
                let found = recall(&index, &all, Some(&|group| group % share == 1));
                assert!(found > least, "{at_once}, one in {share}: {found}");
            }
        }
        // A third goes: first out of the graph's rows, then out of the graph.
        let rest: Vec<_> = all.iter().filter(|(_, group, _)| group % 3 != 0).cloned().collect();
        let mut writer = index.writer().unwrap();
        for gone in (0..500).filter(|group| group % 3 == 0) {
            writer.delete_group(gone);
            if gone == 150 {
                writer.commit("a little less").unwrap();
                assert!(
                    recall(
                        &index,
                        &all.iter()
                            .filter(|(_, group, _)| group % 3 != 0 || *group > 150)
                            .cloned()
                            .collect::<Vec<_>>(),
                        None
                    ) > 0.95
                );
            }
        }
        writer.commit("less").unwrap();
        assert_eq!(index.len(), rest.len() as u64);
        let found = recall(&index, &rest, None);
        assert!(found > 0.95, "{at_once}, less: {found}");
    }
}

#[test]
fn a_graph_is_the_same_for_any_number_of_threads() {
    let all: Vec<(u64, u64, Vec<f32>)> =
        (0..).zip(vectors(1500, 6)).map(|(key, vector)| (key, key, vector)).collect();
    let made = |threads: usize| {
        let dir = tempfile::tempdir().unwrap();
        let index = linked(dir.path(), Tuning { threads, ..SMALL }, &all, 900);
        let mut writer = index.writer().unwrap();
        (0..500).for_each(|group| writer.delete_group(group));
        writer.commit("less").unwrap();
        std::fs::read(graph_of(dir.path())).unwrap()
    };
    let one = made(1);
    assert!(one == made(2) && one == made(5));
}

#[test]
fn a_broken_graph_costs_time_only() {
    let all: Vec<(u64, u64, Vec<f32>)> =
        (0..).zip(vectors(1000, 7)).map(|(key, vector)| (key, key, vector)).collect();
    let break_it = |how: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        drop(linked(dir.path(), SMALL, &all, 1000));
        how(&graph_of(dir.path()));
        let index = VectorIndex::open_with(dir.path(), SMALL);
        assert_eq!(index.len(), 1000);
        assert!(recall(&index, &all, None) > 0.95);
        index.writer().unwrap().commit("again").unwrap();
        assert!(recall(&index, &all, None) > 0.95);
        assert!(graph_of(dir.path()).exists());
    };
    break_it(&|path| std::fs::remove_file(path).unwrap());
    break_it(&|path| std::fs::write(path, "short").unwrap());
    break_it(&|path| {
        // Links to rows that are not there, and to everything.
        let mut bytes = std::fs::read(path).unwrap();
        for (at, byte) in bytes.iter_mut().enumerate().skip(64).step_by(400) {
            *byte ^= u8::try_from(at % 251).unwrap();
        }
        std::fs::write(path, bytes).unwrap();
    });
}

const CHILD: &str = "HANOK_VECTORS_CHILD";

/// Killed while it commits over and over, a writer leaves one of its commits, whole.
#[test]
fn a_killed_writer_leaves_its_last_commit() {
    if let Ok(dir) = std::env::var(CHILD) {
        return write_for_ever(Path::new(&dir));
    }
    let dir = tempfile::tempdir().unwrap();
    for round in 0..8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "vectors::a_killed_writer_leaves_its_last_commit", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut commits =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("commit ")?.parse::<u64>().ok());
        let said = commits.nth(3 + round).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        let index = VectorIndex::open(dir.path());
        let mark: u64 = index.mark().unwrap().parse().unwrap();
        assert!(mark >= said, "{said} was committed, {mark} is there");
        assert_eq!(index.len(), expected(mark));
        let found = index.search(&vector_of(mark), 1, None).unwrap();
        assert_eq!(keys(&found), [mark]);
    }
}

/// Of commit `n`: ten vectors in groups of their own, and the group of five commits before is gone.
fn expected(n: u64) -> u64 {
    n.min(5) * 10
}

fn vector_of(n: u64) -> Vec<f32> {
    vectors(1, n).remove(0)
}

fn write_for_ever(dir: &Path) {
    // With a graph that is made anew and extended all the time.
    let index = VectorIndex::open_with(dir, Tuning { exact: 30, width: 16, threads: 1 });
    let mut n: u64 = index.mark().map_or(0, |mark| mark.parse().unwrap());
    let mut writer = index.writer().unwrap();
    loop {
        n += 1;
        for _ in 0..10 {
            writer.add(n, n, &vector_of(n)).unwrap();
        }
        if let Some(old) = n.checked_sub(5) {
            writer.delete_group(old);
        }
        writer.commit(&n.to_string()).unwrap();
        println!("commit {n}");
    }
}
