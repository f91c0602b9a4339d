//! Pulling from a hub on loopback: redirections, broken connections, wrong sums.

use super::*;
use crate::config::Overrides;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A hub that keeps one model, and what it was asked.
#[derive(Default)]
struct Server {
    files: BTreeMap<String, Vec<u8>>,
    /// Bytes of the large file that one connection lets through.
    cut_after: Option<usize>,
    sha256: Option<String>,
    size: Option<usize>,
    asked: Mutex<Vec<String>>,
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const LARGE: &str = "model.safetensors";

impl Server {
    async fn start(self) -> (Arc<Self>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = Arc::new(self);
        let served = Arc::clone(&server);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let served = Arc::clone(&served);
                tokio::spawn(async move { served.answer(stream).await });
            }
        });
        (server, endpoint)
    }

    async fn answer(&self, mut stream: TcpStream) {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            if stream.read(&mut byte).await.unwrap_or(0) == 0 {
                return;
            }
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_lowercase();
        let line = |name: &str| {
            head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")).map(str::to_owned))
        };
        let path = head.split(' ').nth(1).unwrap().to_owned();
        let from: usize = line("range")
            .map_or(0, |range| range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap());
        self.asked
            .lock()
            .unwrap()
            .push(format!("{path} {from} {}", line("authorization").unwrap_or_default()));
        let answer = self.answer_to(&path, from);
        let _gone = stream.write_all(&answer).await;
        let _gone = stream.shutdown().await;
    }

    fn answer_to(&self, path: &str, from: usize) -> Vec<u8> {
        if let Some(file) = path.strip_prefix("/kept/") {
            let data = &self.files[file];
            if from >= data.len() && from > 0 {
                return b"HTTP/1.1 416 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
            }
            let rest = &data[from..];
            let status = if from > 0 { "206 Partial" } else { "200 OK" };
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len());
            let sent = self.cut_after.map_or(rest.len(), |most| most.min(rest.len()));
            return [head.as_bytes(), &rest[..sent]].concat();
        }
        let file = path.strip_prefix("/owner/tiny/resolve/").and_then(|rest| rest.split_once('/'));
        let Some((file, data)) = file.and_then(|(_, file)| Some((file, self.files.get(file)?))) else {
            return b"HTTP/1.1 404 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec();
        };
        let common = format!("x-repo-commit: {COMMIT}\r\nconnection: close\r\n");
        if file == LARGE {
            let sha256 =
                self.sha256.as_ref().map(|sum| format!("x-linked-etag: \"{sum}\"\r\n")).unwrap_or_default();
            let size = self.size.unwrap_or(data.len());
            let head = format!(
                "HTTP/1.1 302 Found\r\nlocation: /kept/{file}\r\nx-linked-size: {size}\r\n{sha256}{common}content-length: 0\r\n\r\n"
            );
            return head.into_bytes();
        }
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{common}\r\n", data.len());
        [head.as_bytes(), data].concat()
    }
}

/// A model so small that every byte of it is written here: one layer of four numbers, three words.
fn tiny() -> BTreeMap<String, Vec<u8>> {
    let config = json!({
        "model_type": "bert", "architectures": ["BertModel"], "hidden_size": 4, "num_hidden_layers": 1,
        "num_attention_heads": 2, "intermediate_size": 8, "max_position_embeddings": 16, "hidden_act": "gelu",
    });
    let tokenizer = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": { "type": "Whitespace" }, "post_processor": null, "decoder": null,
        "model": { "type": "WordLevel", "vocab": { "[UNK]": 0, "a": 1, "b": 2 }, "unk_token": "[UNK]" },
    });
    let mut tensors: Vec<(String, Vec<usize>)> = vec![
        ("embeddings.word_embeddings.weight".to_owned(), vec![3, 4]),
        ("embeddings.position_embeddings.weight".to_owned(), vec![16, 4]),
        ("embeddings.token_type_embeddings.weight".to_owned(), vec![2, 4]),
    ];
    let layer = "encoder.layer.0";
    for (name, to, from) in [
        ("attention.self.query", 4, 4),
        ("attention.self.key", 4, 4),
        ("attention.self.value", 4, 4),
        ("attention.output.dense", 4, 4),
        ("intermediate.dense", 8, 4),
        ("output.dense", 4, 8),
    ] {
        tensors.push((format!("{layer}.{name}.weight"), vec![to, from]));
        tensors.push((format!("{layer}.{name}.bias"), vec![to]));
    }
    for norm in ["embeddings", "encoder.layer.0.attention.output", "encoder.layer.0.output"] {
        tensors.push((format!("{norm}.LayerNorm.weight"), vec![4]));
        tensors.push((format!("{norm}.LayerNorm.bias"), vec![4]));
    }
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (number, (name, shape)) in tensors.into_iter().enumerate() {
        let start = data.len();
        for value in 0..shape.iter().product::<usize>() {
            let value = f32::from(u8::try_from((number * 7 + value * 3) % 11).unwrap()) / 11.0 - 0.4;
            data.extend(value.to_le_bytes());
        }
        header.insert(name, json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] }));
    }
    let mut header = serde_json::to_vec(&header).unwrap();
    header.resize(header.len().next_multiple_of(8), b' ');
    let weights = [&(header.len() as u64).to_le_bytes(), header.as_slice(), data.as_slice()].concat();
    [
        ("config.json", config.to_string().into_bytes()),
        ("tokenizer.json", tokenizer.to_string().into_bytes()),
        (LARGE, weights),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect()
}

fn effective(data: &Path) -> Effective {
    let overrides = Overrides { data: Some(data.to_owned()), ..Overrides::default() };
    Effective::without_file(&overrides).unwrap()
}

struct Case {
    _folder: tempfile::TempDir,
    models: Models,
    effective: Effective,
}

fn case() -> Case {
    let folder = tempfile::tempdir().unwrap();
    let effective = effective(folder.path());
    Case { models: Models::at(folder.path()), _folder: folder, effective }
}

async fn pull(case: &Case, endpoint: &str, retries: u32) -> anyhow::Result<Installed> {
    let hub = Hub::at(&case.effective, endpoint, Some("secret"))?;
    hub.pull("owner/tiny", case.models.stage("tiny")?, retries).await
}

fn sum_of(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"))
}

#[tokio::test]
async fn a_model_comes_with_redirections_and_leaves_again() {
    let files = tiny();
    let sha256 = Some(sum_of(&files[LARGE]));
    let (server, endpoint) = Server { files, sha256, ..Server::default() }.start().await;
    let case = case();
    let model = pull(&case, &endpoint, 0).await.unwrap();
    assert_eq!((model.name.as_str(), model.dimensions, model.layers), ("tiny", 4, 1));
    assert_eq!(model.source, Some(format!("{endpoint}/owner/tiny@{COMMIT}")));
    assert_eq!(case.models.list().unwrap().0, [model]);
    let asked = server.asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("/owner/tiny/resolve/main/config.json 0 bearer secret"), "{asked:?}");
    assert!(asked[1].starts_with(&format!("/owner/tiny/resolve/{COMMIT}/")), "{asked:?}");
    assert!(case.models.stage("tiny").is_err(), "it is there");
    case.models.rm("tiny").unwrap();
    assert!(case.models.list().unwrap().0.is_empty());
    assert!(case.models.rm("tiny").is_err());
}

#[tokio::test]
async fn a_broken_connection_goes_on_where_it_was() {
    let files = tiny();
    let (len, sha256) = (files[LARGE].len(), Some(sum_of(&files[LARGE])));
    let (server, endpoint) =
        Server { files, sha256, cut_after: Some(700), ..Server::default() }.start().await;
    let case = case();
    // Without another try it stays aside, and the next pull goes on from there.
    pull(&case, &endpoint, 0).await.unwrap_err();
    assert!(case.models.list().unwrap().0.is_empty());
    pull(&case, &endpoint, 1).await.unwrap();
    let asked = server.asked.lock().unwrap();
    let starts: Vec<usize> = asked
        .iter()
        .filter(|line| line.starts_with("/kept/"))
        .map(|line| line.split(' ').nth(1).unwrap().parse().unwrap())
        .collect();
    let expect: Vec<usize> = (0..len).step_by(700).collect();
    assert_eq!(starts, expect);
}

#[tokio::test]
async fn what_is_not_right_is_not_taken() {
    let right = tiny();
    let mut torn = right.clone();
    torn.get_mut(LARGE).unwrap().truncate(900);
    let mut other = right.clone();
    other.insert("config.json".to_owned(), br#"{"model_type":"llama"}"#.to_vec());
    let mut without = right.clone();
    without.remove(LARGE);
    let sum = Some("0".repeat(64));
    for (server, expect) in [
        (Server { files: right.clone(), sha256: sum, ..Server::default() }, "SHA-256"),
        (Server { files: right.clone(), size: Some(3), ..Server::default() }, "another size"),
        (Server { files: torn, ..Server::default() }, "no whole safetensors file"),
        (Server { files: other, ..Server::default() }, "the model type `llama` is not supported"),
        (Server { files: without, ..Server::default() }, "no model.safetensors"),
        (Server::default(), "no config.json"),
    ] {
        let (_server, endpoint) = server.start().await;
        let case = case();
        let error = format!("{:#}", pull(&case, &endpoint, 0).await.unwrap_err());
        assert!(error.contains(expect), "{error:?} does not say {expect:?}");
        assert!(case.models.list().unwrap().0.is_empty());
        // Nothing that is wrong stands in the way of the next attempt.
        let (_server, endpoint) = Server { files: right.clone(), ..Server::default() }.start().await;
        pull(&case, &endpoint, 0).await.unwrap();
    }
}

#[tokio::test]
async fn a_folder_is_taken_as_it_is() {
    let case = case();
    let from = tempfile::tempdir().unwrap();
    let folder: PathBuf = from.path().join("Mine");
    std::fs::create_dir(&folder).unwrap();
    assert!(case.models.adopt(&folder, None, Options::default()).is_err());
    for (name, bytes) in tiny() {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    let model = case.models.adopt(&folder, None, Options::default()).unwrap();
    assert_eq!(model.name, "mine");
    assert!(case.models.folder_of("mine").unwrap().join(LARGE).is_file());
    assert!(case.models.adopt(&folder, Some("../out"), Options::default()).is_err());
}
