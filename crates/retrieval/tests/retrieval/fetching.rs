//! Documents at URLs.

use crate::house::{House, docs};
use hanok_base::{CollectionName, Trust};
use hanok_net::ClientOptions;
use hanok_retrieval::{Cancel, Fetcher, Intake, Rule, Settings, SyncReport};
use hanok_store::documents::Origin;
use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each path with what stands for it, and keeps what was asked.
struct Site {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
    answers: Arc<Mutex<Vec<(&'static str, String)>>>,
}

impl Site {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, answers) =
            (Arc::<Mutex<Vec<String>>>::default(), Arc::<Mutex<Vec<(&str, String)>>>::default());
        let site = Self { address, asked: asked.clone(), answers: answers.clone() };
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (asked, answers) = (asked.clone(), answers.clone());
                tokio::spawn(async move {
                    let mut request = Vec::new();
                    let mut byte = [0; 1];
                    while !request.ends_with(b"\r\n\r\n") {
                        if stream.read(&mut byte).await.is_ok_and(|read| read == 0) {
                            return;
                        }
                        request.extend(byte);
                    }
                    let request = String::from_utf8(request).unwrap().to_lowercase();
                    let path = request.split(' ').nth(1).unwrap().to_owned();
                    asked.lock().push(request);
                    let found = answers
                        .lock()
                        .iter()
                        .find(|(known, _)| *known == path)
                        .map(|(_, answer)| answer.clone());
                    let answer =
                        found.unwrap_or_else(|| "404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned());
                    let _gone = stream.write_all(format!("HTTP/1.1 {answer}").as_bytes()).await;
                });
            }
        });
        site
    }

    /// `path` is answered with this from now on.
    fn put(&self, path: &'static str, head: &str, body: &str) {
        let answer = format!("{head}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let mut answers = self.answers.lock();
        answers.retain(|(known, _)| *known != path);
        answers.push((path, answer));
    }

    fn url(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("http://{}{path}", self.address))
    }

    fn equip(&self, house: &House, private: &[String]) {
        let fetcher = Fetcher::new(ClientOptions::default(), private, 4096).unwrap();
        house.library.equip_intake(Intake { fetcher: Some(fetcher), workshop: None });
    }
}

fn reason(report: &SyncReport) -> &str {
    let [(_, reason)] = &report.skipped[..] else { panic!("{report:?}") };
    reason
}

#[tokio::test]
async fn a_url_is_fetched_and_asked_whether_it_changed() {
    let (house, site) = (House::new().await, Site::new().await);
    site.equip(&house, std::slice::from_ref(&site.address));
    site.put(
        "/guide",
        "200 OK\r\ncontent-type: text/markdown\r\netag: \"one\"",
        "# Guide\n\nThe anchor is down.",
    );
    house.write("a.md", "The beacon.");
    let paths = [house.docs(), site.url("/guide")];
    assert_eq!(house.sync_paths(&paths).await.added, 2);
    let hit = &house.hits("anchor").await[0];
    assert_eq!((hit.source.as_str(), hit.heading.as_str()), (paths[1].to_str().unwrap(), "Guide"));
    let source = house.library.source(hit.source_id).await.unwrap().unwrap();
    assert_eq!(source.summary.meta.origin, Origin::Url);

    site.put("/guide", "304 Not Modified\r\netag: \"one\"", "");
    let report = house.sync_paths(&paths).await;
    assert_eq!((report.unchanged, report.read), (2, 0), "{report:?}");
    assert!(site.asked.lock().last().unwrap().contains("if-none-match: \"one\""));

    site.put(
        "/guide",
        "200 OK\r\ncontent-type: text/markdown\r\netag: \"two\"",
        "# Guide\n\nThe anchor is up.",
    );
    assert_eq!(house.sync_paths(&paths).await.changed, 1);
    // A server that is away, or that has lost it, takes nothing away here.
    site.put("/guide", "500 Oops", "");
    let report = house.sync_paths(&paths).await;
    assert_eq!((report.unchanged, report.deleted), (2, 0), "{report:?}");
    assert!(reason(&report).contains("500"), "{report:?}");
    assert_eq!(house.hits("anchor").await[0].text, "The anchor is up.");
    // No longer asked for.
    assert_eq!(house.sync_paths(&[house.docs()]).await.deleted, 1);
}

#[tokio::test]
async fn what_may_not_be_fetched_says_why() {
    let (house, site) = (House::new().await, Site::new().await);
    let name: CollectionName = docs();
    let fetch = async |path: &str| {
        let paths = [site.url(path)];
        house.library.sync(&name, &paths, &(), &Cancel::default()).await.unwrap()
    };
    // This machine is not named as allowed.
    site.equip(&house, &[]);
    site.put("/a", "200 OK\r\ncontent-type: text/plain", "text");
    let report = fetch("/a").await;
    assert!(reason(&report).contains("127.0.0.1 is a loopback address"), "{report:?}");
    assert!(site.asked.lock().is_empty());
    // Neither by a redirect from one that is.
    let other = Site::new().await;
    let allowed = format!("localhost:{}", other.address.rsplit(':').next().unwrap());
    site.equip(&house, std::slice::from_ref(&allowed));
    other.put("/go", &format!("302 Found\r\nlocation: {}", site.url("/a").display()), "");
    let paths = [PathBuf::from(format!("http://{allowed}/go"))];
    let report = house.library.sync(&name, &paths, &(), &Cancel::default()).await.unwrap();
    assert!(reason(&report).contains("127.0.0.1 is a loopback address"), "{report:?}");
    assert!(site.asked.lock().is_empty());

    site.equip(&house, std::slice::from_ref(&site.address));
    let check = async |path: &'static str, head: &str, body: &str, expect: &str| {
        site.put(path, head, body);
        let report = fetch(path).await;
        assert!(reason(&report).contains(expect), "{path}: {report:?}");
    };
    check("/b", "302 Found\r\nlocation: /b", "", "redirects more than 5 times").await;
    check("/c", "200 OK\r\ncontent-type: image/png", "png", "this kind of document is not indexed").await;
    check("/d", "200 OK\r\ncontent-type: text/plain", &"x".repeat(5000), "it is larger than").await;
    check("/e", "200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: br", "x", "packed as br").await;
    check("/f", "302 Found", "", "a redirect to nowhere").await;
    check("/g", "302 Found\r\nlocation: file:///etc/passwd", "", "not a usable URL").await;
    check("/h", "200 OK\r\ncontent-type: application/pdf", "%PDF-1.7", "needs a parser").await;
    site.put("/relative", "301 Moved\r\nlocation: ../a", "");
    assert_eq!(fetch("/relative").await.added, 1);
}

#[tokio::test]
async fn rules_are_of_whole_addresses() {
    let (house, site) = (House::new().await, Site::new().await);
    site.equip(&house, std::slice::from_ref(&site.address));
    site.put("/legal/a", "200 OK\r\ncontent-type: text/plain", "The anchor.");
    site.put("/open/b", "200 OK\r\ncontent-type: text/plain", "The beacon.");
    let rule = Rule {
        matches: Some(format!("http://{}/legal/**", site.address)),
        trust: Some(Trust::Trusted),
        ..Rule::default()
    };
    house.library.configure(&docs(), Settings { metadata: vec![rule], ..Settings::default() }).await.unwrap();
    assert_eq!(house.sync_paths(&[site.url("/legal/a"), site.url("/open/b")]).await.added, 2);
    let trust = async |query: &str| {
        let id = house.hits(query).await[0].source_id;
        house.library.source(id).await.unwrap().unwrap().summary.meta.trust
    };
    assert_eq!((trust("anchor").await, trust("beacon").await), (Trust::Trusted, Trust::Untrusted));
}
