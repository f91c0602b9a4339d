//! HTML: the main content of a page, its headings, lists, tables and code.
//!
//! Not a browser: nothing is fetched or run, and style sheets are not looked at.

mod main_content;
mod token;
mod tree;
mod write;

use crate::markdown::{Writer, one_line};
use crate::properties::Properties;
use crate::text::{Decoded, decode_as};
use crate::{Layout, Limits, Parsed, Unfit};
use tree::{Id, Tree};

/// The page in `bytes`.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    let Decoded { text, note } = decode_as(bytes, charset(bytes).as_deref())?;
    let tree = Tree::new(&text);
    drop(text);
    let properties = properties(&tree);
    let mut writer = Writer::new(limits);
    write::write(&tree, main_content::find(&tree), &mut writer);
    let (text, pages) = writer.finish()?;
    let Properties { title, metadata } = properties;
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata, notes: note.into_iter().collect() })
}

/// The encoding that the page names: in `<meta charset>`, `<meta http-equiv>`, or the XML declaration.
fn charset(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(4096)).unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let named = |mark: &str| {
        let (_, after) = head.split_once(mark)?;
        let name = after.trim_start_matches([' ', '=', '"', '\'']);
        let end =
            name.find(|c: char| !(c.is_ascii_alphanumeric() || "-_:.".contains(c))).unwrap_or(name.len());
        name.get(..end).filter(|name| !name.is_empty()).map(str::to_owned)
    };
    let declared = head.trim_start().starts_with("<?xml").then(|| named("encoding=")).flatten();
    // A page that can say that it is UTF-16 is not.
    let named = named("charset=").or(declared)?;
    Some(if named.starts_with("utf-16") { "utf-8".to_owned() } else { named })
}

fn properties(tree: &Tree) -> Properties {
    let mut properties = Properties::default();
    let mut title = None;
    for id in tree.all() {
        let node = tree.node(id);
        match node.name() {
            "html" => {
                if let Some(language) = node.get("lang").or_else(|| node.get("xml:lang")) {
                    properties.set("language", language);
                }
            }
            "title" if title.is_none() => title = Some(tree.text(id)),
            "meta" => {
                let (Some(name), Some(content)) =
                    (node.get("name").or_else(|| node.get("property")), node.get("content"))
                else {
                    continue;
                };
                let name = match name.to_ascii_lowercase().as_str() {
                    "og:title" => "title",
                    "author" | "article:author" | "dc.creator" => "author",
                    "keywords" => "keywords",
                    "description" | "og:description" => "subject",
                    "article:published_time" | "date" | "dc.date" | "dcterms.created" => "created",
                    "article:modified_time" | "last-modified" | "dcterms.modified" => "modified",
                    _ => continue,
                };
                properties.set(name, content);
            }
            _ => {}
        }
    }
    if let Some(title) = title.as_deref() {
        properties.set("title", title);
    }
    if properties.title.is_none()
        && let Some(heading) = tree.all().find(|id| tree.node(*id).name() == "h1")
    {
        properties.set("title", &one_line(&tree.text(heading)));
    }
    properties
}

/// A shorthand for what all of a tree hangs on.
const ROOT: Id = Id::ROOT;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expect: &str) {
        let parsed = parse(html.as_bytes(), &Limits::default()).expect("it is HTML");
        assert_eq!(parsed.text, expect, "{html}");
    }

    #[test]
    fn blocks_become_markdown() {
        check("<h2>Two</h2><p>One &amp; <b>two</b>\n three<br>four", "## Two\n\nOne & two three\nfour\n");
        check("<ul><li>a<li>b<ol><li>c</ol></ul>", "- a\n- b\n  1. c\n");
        check(
            "<pre><code class='language-rust'>fn main() {\n    let a = 1 &lt; 2;\n}\n</code></pre>",
            "```rust\nfn main() {\n    let a = 1 < 2;\n}\n```\n",
        );
        check(
            "<table><tr><th>이름<th>값<tr><td>a|b<td colspan=2>1<br>2</table>",
            "| 이름 | 값 |\n| --- | --- |\n| a\\|b | 1 2 |\n",
        );
        check(
            "<blockquote><p>said</p></blockquote><hr><dl><dt>term<dd>what it is</dl>",
            "> said\n\nterm\n\n- what it is\n",
        );
        check(
            "<p># no heading</p><script>var x = '<p>no</p>';</script><style>p{}</style>",
            "\\# no heading\n",
        );
        check(
            "<p>1 < 2 &nbsp;&hellip; &#44032;&#xAC01; &unknown; &copy 3</p>",
            "1 < 2 … 가각 &unknown; © 3\n",
        );
    }

    #[test]
    fn boilerplate_is_left_out() {
        check(
            "<body><header><a href=/>Site</a></header><nav><ul><li><a>Home</a></ul></nav>\
             <main><h1>본문 제목</h1><p>여기가 본문이다.</p></main>\
             <aside>See also</aside><footer>© 2026</footer></body>",
            "# 본문 제목\n\n여기가 본문이다.\n",
        );
        check(
            "<div class='cookie-banner'>We use cookies</div><div id=content><p>Text that counts, and enough of it.</p></div>\
             <div class='sidebar'><a>One</a> <a>Two</a></div><p hidden>unseen</p><p style='display: none'>unseen</p>",
            "Text that counts, and enough of it.\n",
        );
    }

    #[test]
    fn pages_say_what_they_are() {
        let page = "<html lang=ko><meta charset=euc-kr><title> 제목 \n 하나</title><meta name=author content=김><p>가나다";
        let (bytes, ..) = encoding_rs::EUC_KR.encode(page);
        let parsed = parse(&bytes, &Limits::default()).expect("it is HTML");
        assert_eq!((parsed.title.as_deref(), parsed.text.as_str()), (Some("제목 하나"), "가나다\n"));
        assert_eq!(parsed.metadata.get("author").and_then(|author| author.as_str()), Some("김"));
        assert_eq!(parsed.metadata.get("language").and_then(|language| language.as_str()), Some("ko"));
    }

    #[test]
    fn depth_costs_nothing() {
        for (open, close) in [
            ("<div>", "</div>"),
            ("<ul><li>", ""),
            ("<table><tr><td>", ""),
            ("<b>", "</i>"),
            ("<p><span>", ""),
        ] {
            let html = format!("{}deep{}", open.repeat(100_000), close.repeat(100_000));
            let parsed = parse(html.as_bytes(), &Limits::default()).expect("it is HTML");
            assert!(parsed.text.contains("deep"), "{open}");
        }
    }
}
