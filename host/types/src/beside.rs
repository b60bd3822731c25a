//! Texts that are to be told apart: two long ones beside each other, the elements of a list.

/// What stands before the place where the texts begin to differ, in characters.
const BEFORE: usize = 12;

/// Both texts, each of at most so many characters (no fewer than 32): whole where they fit, else from shortly before the place
/// where they begin to differ. Texts that differ stay different.
pub fn beside(texts: [&str; 2], most: usize) -> [String; 2] {
    let most = most.max(32);
    if texts.iter().all(|text| text.chars().count() <= most) {
        return texts.map(str::to_owned);
    }
    let same = texts[0].chars().zip(texts[1].chars()).take_while(|(a, b)| a == b).count();
    let begin = if same < most - BEFORE || texts[0] == texts[1] { 0 } else { same - BEFORE };
    texts.map(|text| part(text, begin, most))
}

/// So many characters from there on, with dots for what is left out.
fn part(text: &str, begin: usize, most: usize) -> String {
    let count = text.chars().count();
    let (before, room) = if begin > 0 { ("..", most - 2) } else { ("", most) };
    let rest = count - begin.min(count);
    let (taken, after) = if rest > room { (room - 2, "..") } else { (rest, "") };
    let middle: String = text.chars().skip(begin).take(taken).collect();
    format!("{before}{middle}{after}")
}

/// Elements one behind another, with commas between them; where one has a comma itself, all are quoted.
pub fn listed(elements: impl IntoIterator<Item = impl ToString>) -> String {
    let elements: Vec<String> = elements.into_iter().map(|element| element.to_string()).collect();
    match elements.iter().any(|element| element.contains([',', '"'])) {
        true => elements.iter().map(|element| format!("{element:?}")).collect::<Vec<_>>().join(", "),
        false => elements.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_seen() {
        let long = "x".repeat(100);
        let [end, more, middle] = [format!("{long}end"), long.clone(), format!("{}y{}", &long[..50], &long[51..])];
        let x = |count| "x".repeat(count);
        for (a, b, shown_a, shown_b) in [
            ("short", "other", "short".to_owned(), "other".to_owned()),
            (&end, &more, format!("..{}end", x(12)), format!("..{}", x(12))),
            (&long, &middle, format!("..{}..", x(28)), format!("..{}y{}..", x(12), x(15))),
            (&long, "y", format!("{}..", x(30)), "y".to_owned()),
            (&long, "x", format!("{}..", x(30)), "x".to_owned()),
            (&long, &long, format!("{}..", x(30)), format!("{}..", x(30))),
        ] {
            assert_eq!(beside([a, b], 32), [shown_a, shown_b], "{a} {b}");
        }
    }

    #[test]
    fn texts_that_differ_stay_different() {
        for at in 0..200 {
            let (a, mut b) = (vec!['é'; 200], vec!['é'; 200]);
            b[at] = 'e';
            let [a, b] = [a, b].map(|text| text.into_iter().collect::<String>());
            let [shown, other] = beside([&a, &b], 48);
            assert!(shown != other && [&shown, &other].iter().all(|text| text.chars().count() <= 48), "{at}: {shown}");
        }
    }

    #[test]
    fn elements_of_a_list_stay_apart() {
        assert_eq!(listed(["p", "q"]), "p, q");
        assert_eq!(listed(["p, q", "r"]), "\"p, q\", \"r\"");
        assert_ne!(listed(["p, q", "r"]), listed(["p", "q, r"]));
        assert_eq!(listed([0; 0]), "");
    }
}
