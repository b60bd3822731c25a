//! A page for people, as blocks -> Markdown or HTML. What stands in it may be a stranger's: neither form lets it be markup.

use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem;color:#1c2024}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #e3e6e8;vertical-align:top;overflow-wrap:anywhere}";

/// A part of a page.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Block {
    Heading(String),
    /// As many paragraphs as it has lines.
    Text(String),
    Table {
        head: Vec<&'static str>,
        rows: Vec<Vec<String>>,
    },
}

/// The page as Markdown (CommonMark with tables).
pub(crate) fn markdown(title: &str, blocks: &[Block]) -> String {
    let mut page = format!("# {}\n", plain(title));
    for block in blocks {
        let _ = match block {
            Block::Heading(text) => write!(page, "\n## {}\n", plain(text)),
            Block::Text(text) => write!(page, "\n{}\n", paragraphs(text).map(plain).collect::<Vec<_>>().join("\n\n")),
            Block::Table { head, rows } => write!(page, "\n{}", markdown_table(head, rows)),
        };
    }
    page
}

fn markdown_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(head.iter().map(|cell| plain(cell)).collect());
    table += &line(head.iter().map(|_| "---".to_owned()).collect());
    table.extend(rows.iter().map(|row| line(row.iter().map(|cell| plain(cell)).collect())));
    table
}

/// The page as HTML that stands alone.
pub(crate) fn html(title: &str, blocks: &[Block]) -> String {
    let title = escaped(title);
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title><style>{STYLE}</style>\n<h1>{title}</h1>\n"
    );
    for block in blocks {
        page += &match block {
            Block::Heading(text) => format!("<h2>{}</h2>\n", escaped(text)),
            Block::Text(text) => paragraphs(text).map(|line| format!("<p>{}</p>\n", escaped(line))).collect(),
            Block::Table { head, rows } => html_table(head, rows),
        };
    }
    page + "</html>\n"
}

fn html_table(head: &[&str], rows: &[Vec<String>]) -> String {
    let cells = |kind: &str, cells: Vec<String>| -> String {
        let cells: String = cells.iter().map(|cell| format!("<{kind}>{cell}")).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let head = cells("th", head.iter().map(|cell| escaped(cell)).collect());
    let rows: String = rows.iter().map(|row| cells("td", row.iter().map(|cell| escaped(cell)).collect())).collect();
    format!("<table>{head}{rows}</table>\n")
}

fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// A text as HTML shows it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// One line, in which Markdown sees no markup.
fn plain(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let is_first = at == 0;
        match c {
            c if c.is_control() => line.push(' '),
            '\\' | '`' | '*' | '[' | ']' | '<' | '>' | '|' | '~' | '&' => line.extend(['\\', c]),
            // Within a word an underscore is none of Markdown's.
            '_' if is_first || text[at + 1..].chars().next().is_none_or(|next| !next.is_alphanumeric()) => {
                line.extend(['\\', c]);
            }
            '#' | '+' | '-' | '=' if is_first => line.extend(['\\', c]),
            c => line.push(c),
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> [Block; 3] {
        let rows = vec![vec!["a|b".to_owned(), "<script>".to_owned()]];
        [
            Block::Heading("Data".to_owned()),
            Block::Text("one\n\n# two & [x](y)".to_owned()),
            Block::Table { head: vec!["name", "value"], rows },
        ]
    }

    #[test]
    fn markdown_shows_what_was_said() {
        let expected = "# mean_radius\n\n## Data\n\none\n\n\\# two \\& \\[x\\](y)\n\n| name | value |\n| --- | --- |\n| a\\|b | \\<script\\> |\n";
        assert_eq!(markdown("mean_radius", &page()), expected);
    }

    #[test]
    fn html_shows_what_was_said() {
        let page = html("a\"b", &page());
        assert!(page.contains("<title>a&quot;b</title>"), "{page}");
        assert!(page.contains("<p>one</p>\n<p># two &amp; [x](y)</p>\n<table><tr><th>name<th>value</tr>\n"), "{page}");
        assert!(page.ends_with("<tr><td>a|b<td>&lt;script&gt;</tr>\n</table>\n</html>\n"), "{page}");
    }

    #[test]
    fn a_line_stays_a_line() {
        assert_eq!(plain("a\n# b\u{1b}[2J _x_ snake_case"), "a # b \\[2J _x\\_ snake_case");
    }
}
