//! The contract in `wit/`: every item says since which version it is there, for a released one stays as it is.

use crate::Offence;
use crate::tree::File;

/// Blocks whose lines are items; in all others they are fields and cases.
const BLOCKS: [&str; 3] = ["interface", "world", "resource"];
const TYPES: [&str; 7] = ["interface", "world", "resource", "record", "variant", "enum", "flags"];

/// Items of the contract without `@since` before them.
pub fn without_since(files: &[File]) -> Vec<Offence> {
    files.iter().filter(|file| file.is("wit") && file.path.starts_with("wit/")).flat_map(of_file).collect()
}

fn of_file(file: &File) -> Vec<Offence> {
    let mut offences = Vec::new();
    // Whether each open block is of items; the file itself is.
    let mut open = vec![true];
    let mut annotated = false;
    for (n, line) in file.lines() {
        let line = line.split("//").next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let item = item(line).filter(|_| open.last() == Some(&true));
        if item.is_some() && !annotated && !line.starts_with("@since") {
            offences.push(Offence::new(&file.path, n, format!("`{line}`")));
        }
        // An annotation holds for the next line that is something else.
        annotated = line.starts_with('@') && item.is_none();
        let depth = line.matches('{').count() as i64 - line.matches('}').count() as i64;
        if depth > 0 {
            open.push(item.is_some_and(|kind| BLOCKS.contains(&kind)));
        } else if depth < 0 && open.len() > 1 {
            open.pop();
        }
    }
    offences
}

/// The kind of item that a line begins.
fn item(line: &str) -> Option<&'static str> {
    let line = match line.strip_prefix("@since") {
        Some(rest) => rest.split_once(')')?.1.trim_start(),
        None => line,
    };
    let word = line.split([' ', '(']).next()?;
    if let Some(kind) = TYPES.into_iter().find(|kind| *kind == word) {
        return Some(kind);
    }
    let is_function = line.split_once(':').is_some_and(|(name, kind)| {
        let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '%');
        let kind = kind.trim_start().trim_start_matches("static ").trim_start_matches("async ");
        named && kind.starts_with("func")
    });
    (is_function || word == "type" || word == "constructor").then_some("function")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        let offences = without_since(&[File::new("wit/a@0.1.0/a.wit", text)]);
        offences.into_iter().map(|offence| offence.place.replace("wit/a@0.1.0/a.wit:", "")).collect()
    }

    const ANNOTATED: &str = "\
package a:b@0.1.0;

/// Doc.
@since(version = 0.1.0)
interface tables {
    use c:d/e@0.1.0.{error};
    @since(version = 0.1.0)
    variant kind {
        /// A case.
        one,
        two(u32),
    }
    @since(version = 0.1.0)
    enum element { float32, float64 }
    @since(version = 0.1.0)
    resource table {
        @since(version = 0.1.0)
        /// Doc between.
        rows: func() -> u64;
        @since(version = 0.1.0)
        create: static func(
            a: u32,
        ) -> result<table, error>;
    }
    @since(version = 0.1.0) type name = string;
}
";

    #[test]
    fn what_is_annotated_passes() {
        assert_eq!(lines(ANNOTATED), Vec::<String>::new());
    }

    #[test]
    fn each_annotation_that_is_taken_away_is_missed() {
        for (i, line) in ANNOTATED.lines().enumerate().filter(|(_, line)| line.contains("@since")) {
            let without = line.replace("@since(version = 0.1.0)", "");
            let text: Vec<_> =
                ANNOTATED.lines().enumerate().map(|(j, l)| if i == j { without.as_str() } else { l }).collect();
            assert_eq!(lines(&text.join("\n")).len(), 1, "line {}", i + 1);
        }
    }
}
