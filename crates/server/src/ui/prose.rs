//! A model's text, set for reading: the plain part of Markdown that models write, and citation markers.
//! `assets/answer.js` does the same while an answer streams; change both together.

use maud::{Markup, html};

/// Sets `text`; `cite` gives the chip for a marker `[n]`, or `None` to leave it as text.
pub(super) fn prose(text: &str, cite: &dyn Fn(usize) -> Option<Markup>) -> Markup {
    let blocks = blocks(text);
    html! {
        @for block in &blocks {
            @match block {
                Block::Heading(line) => p { strong { (inline(line, cite)) } },
                Block::Code(code) => pre.code { (code) },
                Block::Quote(lines) => blockquote { (lines_of(lines, cite)) },
                Block::Bullets(items) => ul { @for item in items { li { (inline(item, cite)) } } },
                Block::Numbers(start, items) => ol start=[(*start != 1).then_some(start)] {
                    @for item in items { li { (inline(item, cite)) } }
                },
                Block::Table(rows) => div.scroll { table.table {
                    @for (at, row) in rows.iter().enumerate() {
                        tr { @for cell in row { @if at == 0 { th { (inline(cell, cite)) } } @else { td { (inline(cell, cite)) } } } }
                    }
                } },
                Block::Text(lines) => p { (lines_of(lines, cite)) },
            }
        }
    }
}

fn lines_of(lines: &[&str], cite: &dyn Fn(usize) -> Option<Markup>) -> Markup {
    html! { @for (at, line) in lines.iter().enumerate() { @if at > 0 { br; } (inline(line, cite)) } }
}

#[derive(Debug, PartialEq)]
enum Block<'a> {
    Heading(&'a str),
    Code(String),
    Quote(Vec<&'a str>),
    Bullets(Vec<String>),
    Numbers(u32, Vec<String>),
    Table(Vec<Vec<&'a str>>),
    Text(Vec<&'a str>),
}

fn blocks(text: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().peekable();
    // A blank line ends a paragraph or a list.
    let mut open = false;
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            open = false;
            continue;
        }
        if let Some(fence) = ["```", "~~~"].into_iter().find(|fence| trimmed.starts_with(fence)) {
            let mut code = String::new();
            for line in lines.by_ref().take_while(|line| !line.trim().starts_with(fence)) {
                code.push_str(line);
                code.push('\n');
            }
            blocks.push(Block::Code(code));
            open = false;
        } else if let Some(heading) = heading(trimmed) {
            blocks.push(Block::Heading(heading));
            open = false;
        } else if let Some(item) = bullet(trimmed) {
            match blocks.last_mut() {
                Some(Block::Bullets(items)) => items.push(item.to_owned()),
                _ => blocks.push(Block::Bullets(vec![item.to_owned()])),
            }
            open = true;
        } else if let Some((number, item)) = numbered(trimmed) {
            match blocks.last_mut() {
                Some(Block::Numbers(_, items)) => items.push(item.to_owned()),
                _ => blocks.push(Block::Numbers(number, vec![item.to_owned()])),
            }
            open = true;
        } else if let Some(quoted) = trimmed.strip_prefix('>') {
            match blocks.last_mut() {
                Some(Block::Quote(lines)) if open => lines.push(quoted.trim()),
                _ => blocks.push(Block::Quote(vec![quoted.trim()])),
            }
            open = true;
        } else if let (Some(head), Some(true)) = (cells(trimmed), lines.peek().map(|next| is_rule(next))) {
            lines.next();
            let mut rows = vec![head];
            while let Some(row) = lines.peek().and_then(|line| cells(line.trim())) {
                rows.push(row);
                lines.next();
            }
            blocks.push(Block::Table(rows));
            open = false;
        } else {
            match blocks.last_mut() {
                Some(Block::Text(lines)) if open => lines.push(trimmed),
                Some(Block::Bullets(items) | Block::Numbers(_, items)) if open => {
                    if let Some(item) = items.last_mut() {
                        item.push(' ');
                        item.push_str(trimmed);
                    }
                }
                _ => blocks.push(Block::Text(vec![trimmed])),
            }
            open = true;
        }
    }
    blocks
}

fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    ((1..=6).contains(&level) && rest.starts_with(' ')).then(|| rest.trim())
}

fn bullet(line: &str) -> Option<&str> {
    ["- ", "* ", "+ ", "• "].into_iter().find_map(|mark| line.strip_prefix(mark)).map(str::trim)
}

fn numbered(line: &str) -> Option<(u32, &str)> {
    let (number, item) = line.split_once(". ").or_else(|| line.split_once(") "))?;
    let number = number.parse().ok().filter(|_| number.len() <= 3)?;
    Some((number, item.trim()))
}

fn cells(line: &str) -> Option<Vec<&str>> {
    let inner = line.strip_prefix('|')?;
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    Some(inner.split('|').map(str::trim).collect())
}

fn is_rule(line: &str) -> bool {
    let line = line.trim();
    line.starts_with('|') && line.contains('-') && line.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// Bold, code, links and markers within a line.
fn inline(text: &str, cite: &dyn Fn(usize) -> Option<Markup>) -> Markup {
    let mut out: Vec<Markup> = Vec::new();
    let mut rest = text;
    let mut plain = String::new();
    while let Some(c) = rest.chars().next() {
        if let Some((piece, after)) = marked(rest, cite) {
            if !plain.is_empty() {
                out.push(html! { (plain) });
                plain.clear();
            }
            out.push(piece);
            rest = after;
        } else {
            plain.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    html! { @for piece in &out { (piece) } (plain) }
}

/// What is marked up at the very start of `text`, and what follows it.
fn marked<'a>(text: &'a str, cite: &dyn Fn(usize) -> Option<Markup>) -> Option<(Markup, &'a str)> {
    if let Some(rest) = text.strip_prefix('`') {
        let (code, after) = rest.split_once('`')?;
        return (!code.is_empty()).then(|| (html! { code { (code) } }, after));
    }
    if let Some(rest) = text.strip_prefix("**") {
        let (bold, after) = rest.split_once("**")?;
        let holds = !bold.is_empty() && !bold.starts_with(' ');
        return holds.then(|| (html! { strong { (inline(bold, cite)) } }, after));
    }
    let rest = text.strip_prefix('[')?;
    let (inner, after) = rest.split_once(']')?;
    if let Ok(n) = inner.parse::<usize>() {
        return cite(n).map(|chip| (chip, after));
    }
    let (url, after) = after.strip_prefix('(')?.split_once(')')?;
    let safe = url.starts_with("https://") || url.starts_with("http://");
    (safe && !inner.is_empty()).then(|| (html! { a href=(url) rel="noreferrer" { (inner) } }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, want: &str) {
        let cite = |n: usize| (n <= 2).then(|| html! { a.cite { (n) } });
        assert_eq!(prose(text, &cite).into_string(), want);
    }

    #[test]
    fn text_is_set_and_never_parsed_as_html() {
        check(
            "<b>hi</b> & [x](javascript:alert(1))",
            "<p>&lt;b&gt;hi&lt;/b&gt; &amp; [x](javascript:alert(1))</p>",
        );
        check("**Yes.** So [1][3].", "<p><strong>Yes.</strong> So <a class=\"cite\">1</a>[3].</p>");
        check("a\nb\n\nc", "<p>a<br>b</p><p>c</p>");
        check(
            "# 제목\n- 하나\n- 둘 [2]",
            "<p><strong>제목</strong></p><ul><li>하나</li><li>둘 <a class=\"cite\">2</a></li></ul>",
        );
        check("3. x\n4. y\n   more", "<ol start=\"3\"><li>x</li><li>y more</li></ol>");
        check(
            "```rust\nlet a = \"<\";\n```\nend",
            "<pre class=\"code\">let a = &quot;&lt;&quot;;\n</pre><p>end</p>",
        );
        check("> a\n> b", "<blockquote>a<br>b</blockquote>");
        check(
            "| a | b |\n|---|:-:|\n| 1 | 2 |",
            "<div class=\"scroll\"><table class=\"table\"><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table></div>",
        );
        check("unclosed ** and ` and [", "<p>unclosed ** and ` and [</p>");
    }
}
