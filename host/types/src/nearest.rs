//! A word that nobody knows -> the known word that was probably meant.

/// The candidate with the fewest edits to the word, if they are few for its length; the first of equals.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    // Any letter is near any other; and longer words are no typing errors, while the distance costs time with both lengths.
    if length < 2 || word.len() > 128 {
        return None;
    }
    let allowed = (length / 3).max(1);
    let few = |candidate: &&str| candidate.len() <= 128;
    let scored = candidates.into_iter().filter(few).map(|candidate| (edits(word, candidate), candidate));
    scored.filter(|(edits, _)| *edits <= allowed).min_by_key(|(edits, _)| *edits).map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment).
fn edits(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut best = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edits_are_counted() {
        for (left, right, expected) in [
            ("", "", 0),
            ("", "ab", 2),
            ("abc", "abc", 0),
            ("trian", "train", 1),
            ("kitten", "sitting", 3),
            ("ä", "a", 1),
        ] {
            assert_eq!(edits(left, right), expected, "{left} {right}");
            assert_eq!(edits(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn only_what_is_near_is_offered() {
        assert_eq!(nearest("pluginn", ["plugin", "params"]), Some("plugin"));
        assert_eq!(nearest("xyz", ["plugin", "params"]), None);
        assert_eq!(nearest("a", ["b", "c"]), None);
        assert_eq!(nearest(&"a".repeat(1000), ["a"]), None);
    }
}
