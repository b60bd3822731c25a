//! Sizes: a file that is read in one sitting, a function that is seen at once.

use crate::Offence;
use crate::tree::File;

/// Lines of a file.
pub const FILE_LINES_MAX: usize = 600;
/// Lines of a function, from its `fn` to the brace under it.
pub const FUNCTION_LINES_MAX: usize = 70;

/// Sources that are too long.
pub fn long_files(files: &[File]) -> Vec<Offence> {
    let sources = files.iter().filter(|file| ["rs", "py", "wit"].iter().any(|end| file.is(end)));
    let counted = sources.map(|file| (file, file.lines().count()));
    counted
        .filter(|(_, lines)| *lines > FILE_LINES_MAX)
        .map(|(file, lines)| Offence::new(&file.path, lines, format!("the file has {lines} lines")))
        .collect()
}

/// Functions in Rust that are too long. Rustfmt puts the closing brace under the `fn`, which finds the end. In tests a
/// function may be one long expectation.
pub fn long_functions(files: &[File]) -> Vec<Offence> {
    let sources = files.iter().filter(|file| file.is("rs") && !file.path.contains("/tests/"));
    sources.flat_map(long_functions_of).collect()
}

fn long_functions_of(file: &File) -> Vec<Offence> {
    let lines: Vec<&str> = file.text.lines().collect();
    let functions = (0..lines.len()).filter_map(|start| Some((start, function_name(lines[start])?)));
    functions
        .filter_map(|(start, name)| Some((start, name, function_lines(&lines[start..])?)))
        .filter(|(_, _, length)| *length > FUNCTION_LINES_MAX)
        .map(|(start, name, length)| Offence::new(&file.path, start + 1, format!("`{name}` has {length} lines")))
        .collect()
}

/// The name, where a line begins a function whose body follows.
pub(crate) fn function_name(line: &str) -> Option<&str> {
    let mut rest = line.trim_start();
    loop {
        if let Some(named) = rest.strip_prefix("fn ") {
            let end = named.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(named.len());
            return (end > 0).then(|| &named[..end]);
        }
        let (word, after) = rest.split_once(' ')?;
        let is_modifier = matches!(word, "const" | "async" | "unsafe" | "extern" | "pub")
            || word.starts_with("pub(")
            || word.starts_with('"');
        rest = is_modifier.then_some(after)?;
    }
}

/// Lines of the function that the first one begins; none of one without a body.
fn function_lines(lines: &[&str]) -> Option<usize> {
    let first = lines.first()?;
    if first.trim_end().ends_with(['}', ';']) {
        return None;
    }
    let indent = &first[..first.len() - first.trim_start().len()];
    let closing = format!("{indent}}}");
    for (i, line) in lines.iter().enumerate().skip(1) {
        if *line == closing {
            return Some(i + 1);
        }
        // `) -> Answer;`: a declaration over several lines.
        if line.strip_prefix(indent).is_some_and(|rest| rest.starts_with(')') && rest.ends_with(';')) {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(lines: usize) -> String {
        format!("impl A {{\n    pub(crate) async fn long(\n{}    }}\n}}\n", "        x;\n".repeat(lines - 2))
    }

    #[test]
    fn a_file_of_601_lines_is_too_long() {
        let files = |lines: usize, path| [File::new(path, &"x\n".repeat(lines))];
        assert_eq!(long_files(&files(600, "a.rs")), []);
        assert_eq!(long_files(&files(601, "a.rs")), [Offence::new("a.rs", 601, "the file has 601 lines")]);
        assert_eq!(long_files(&files(601, "a.csv")), []);
    }

    #[test]
    fn a_function_of_71_lines_is_too_long() {
        assert_eq!(long_functions(&[File::new("a.rs", &function(70))]), []);
        let offences = long_functions(&[File::new("a.rs", &function(71))]);
        assert_eq!(offences, [Offence::new("a.rs", 2, "`long` has 71 lines")]);
        assert_eq!(long_functions(&[File::new("host/a/tests/a.rs", &function(71))]), []);
    }

    #[test]
    fn a_declaration_does_not_count_what_follows() {
        let text = format!("trait A {{\n    fn a(\n        x: u8,\n    ) -> u8;\n{}    }}\n}}\n", "\n".repeat(90));
        assert_eq!(long_functions(&[File::new("a.rs", &text)]), []);
    }

    #[test]
    fn names_are_read_behind_any_modifier() {
        for (line, expected) in [
            ("fn a() {", Some("a")),
            ("    pub(crate) const unsafe fn b_1<T>(", Some("b_1")),
            (r#"extern "C" fn c() {"#, Some("c")),
            ("let f = fn () {", None),
            ("// a fn b() {", None),
            ("", None),
        ] {
            assert_eq!(function_name(line), expected, "{line}");
        }
    }
}
