//! Single URLs: fetched as they are, within the rules of the way out, and not again while the server says that
//! nothing changed.
//!
//! Invariant: every redirect is held to the same rules as the address that was asked for.

use bytes::Bytes;
use hanok_net::{
    Client, ClientOptions, Egress, HeaderMap, HeaderValue, NetErrorKind, Request, StatusCode, Timeouts, Url,
    header,
};
use std::time::Duration;
use url::Url as Address;

/// Redirects that are followed.
const REDIRECTS: usize = 5;
const FIRST_BYTE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(30);
/// For all of one document.
const WHOLE: Duration = Duration::from_mins(2);

/// Fetches documents.
#[derive(Clone)]
pub struct Fetcher {
    client: Client,
    /// Bytes.
    largest: u64,
}

/// What a server gave.
#[derive(Debug)]
pub(crate) enum Fetched {
    /// It is as it was.
    Unchanged,
    /// A document.
    Document {
        bytes: Bytes,
        /// A file's name with the extension that fits what the server says it is.
        name: String,
        /// What the server's next answer can be known by.
        validator: Option<String>,
    },
}

impl Fetcher {
    /// Fetches over a client of these options. Loopback, private and otherwise reserved addresses are refused,
    /// but for the hosts in `private`; `largest` is in bytes.
    pub fn new(
        mut options: ClientOptions,
        private: &[String],
        largest: u64,
    ) -> Result<Self, hanok_net::NetError> {
        let rules = private.iter().try_fold(Egress::default(), |rules, host| rules.allow_private(host))?;
        options.egress = Some(rules.refuse_private());
        Ok(Self { client: Client::new(options)?, largest })
    }

    /// The document at a URL; an error says in words why there is none now. `validator` is that of what is known.
    pub(crate) async fn fetch(&self, url: &str, validator: Option<&str>) -> Result<Fetched, String> {
        let fetched = tokio::time::timeout(WHOLE, self.follow(url, validator)).await;
        fetched.unwrap_or_else(|_| Err(format!("it took longer than {} s", WHOLE.as_secs())))
    }

    async fn follow(&self, url: &str, validator: Option<&str>) -> Result<Fetched, String> {
        let mut url = Address::parse(url).map_err(|error| error.to_string())?;
        let headers = conditions(validator);
        let timeouts = Timeouts { connect: None, first_byte: FIRST_BYTE, idle: IDLE };
        for _ in 0..=REDIRECTS {
            let address = Url::parse(url.as_str()).map_err(|error| error.to_string())?;
            let request = Request { url: &address, headers: &headers, body: Bytes::new(), timeouts };
            let response = self.client.get(request).await.map_err(|error| error.to_string())?;
            let text = |name: header::HeaderName| {
                response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
            };
            match response.status {
                StatusCode::NOT_MODIFIED if validator.is_some() => return Ok(Fetched::Unchanged),
                status if status.is_redirection() => {
                    let target = text(header::LOCATION).ok_or("it is a redirect to nowhere")?;
                    let next = url.join(&target).map_err(|_| "it is a redirect to no address")?;
                    if url.scheme() == "https" && next.scheme() != "https" {
                        return Err("it redirects from https to http".to_owned());
                    }
                    url = next;
                }
                StatusCode::OK => {
                    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
                    let too_large = || format!("it is larger than {} MiB", self.largest >> 20);
                    if length.is_some_and(|length| length > self.largest) {
                        return Err(too_large());
                    }
                    if let Some(encoding) =
                        text(header::CONTENT_ENCODING).filter(|encoding| encoding != "identity")
                    {
                        return Err(format!(
                            "the server sent it packed as {encoding}, which was not asked for"
                        ));
                    }
                    let name = named(url.path(), text(header::CONTENT_TYPE).as_deref());
                    let validator = text(header::ETAG).map(|tag| format!("etag {tag}"));
                    let modified = || text(header::LAST_MODIFIED).map(|time| format!("time {time}"));
                    let validator = validator.or_else(modified);
                    let largest = usize::try_from(self.largest).unwrap_or(usize::MAX);
                    let body = response.body.collect(largest).await;
                    let bytes = body.map_err(|error| match error.kind() {
                        NetErrorKind::TooLarge => too_large(),
                        _ => error.to_string(),
                    })?;
                    return Ok(Fetched::Document { bytes, name, validator });
                }
                status => return Err(format!("the server answered {status}")),
            }
        }
        Err(format!("it redirects more than {REDIRECTS} times"))
    }
}

/// Whether a path of a collection is a URL.
pub(crate) fn is_url(path: &str) -> bool {
    path.starts_with("https://") || path.starts_with("http://")
}

fn conditions(validator: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/html, application/pdf, text/*, */*;q=0.8"));
    let (name, value) = match validator.and_then(|validator| validator.split_once(' ')) {
        Some(("etag", tag)) => (header::IF_NONE_MATCH, tag),
        Some(("time", time)) => (header::IF_MODIFIED_SINCE, time),
        _ => return headers,
    };
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
    headers
}

/// Content types and the extensions that say the same.
const TYPES: [(&str, &str); 15] = [
    ("text/html", "html"),
    ("application/xhtml+xml", "html"),
    ("application/pdf", "pdf"),
    ("text/markdown", "md"),
    ("text/csv", "csv"),
    ("text/tab-separated-values", "tsv"),
    ("application/json", "json"),
    ("application/x-ndjson", "jsonl"),
    ("application/jsonl", "jsonl"),
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "docx"),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation", "pptx"),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    ("application/vnd.oasis.opendocument.spreadsheet", "ods"),
    ("application/vnd.ms-excel", "xls"),
    ("text/plain", "txt"),
];

/// A name that says what a document is: by the server's word, but for types that say nothing, by the path.
fn named(path: &str, content_type: Option<&str>) -> String {
    let last = path.rsplit('/').next().unwrap_or_default();
    let has_extension = last.rsplit_once('.').is_some_and(|(stem, end)| {
        !stem.is_empty() && (1..=8).contains(&end.len()) && end.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    let essence = content_type.and_then(|kind| kind.split(';').next()).unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let extension = TYPES.iter().find(|(kind, _)| *kind == essence).map(|(_, extension)| *extension);
    match extension {
        // Servers call source code and Markdown `text/plain`, and anything at all `application/octet-stream`.
        Some("txt") | None if has_extension => last.to_owned(),
        Some(extension) => format!("document.{extension}"),
        None if essence.is_empty() => "document.html".to_owned(),
        None => last.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_known_by_its_type_or_name() {
        let check =
            |path: &str, kind: Option<&str>, expect: &str| assert_eq!(named(path, kind), expect, "{path}");
        check("/guide", Some("text/html; charset=utf-8"), "document.html");
        check("/a/report.pdf", Some("application/octet-stream"), "report.pdf");
        check("/a/report", Some("Application/PDF"), "document.pdf");
        check("/raw/README.md", Some("text/plain"), "README.md");
        check("/raw/LICENSE", Some("text/plain"), "document.txt");
        check("/", None, "document.html");
        check("/photo", Some("image/png"), "photo");
        check("/v1.0/", Some("text/html"), "document.html");
    }
}
