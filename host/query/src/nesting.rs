//! Whether a text nests too deep to be parsed at all. Where a text goes wrong, the parser tries two ways at each bracket around
//! it; and for some words and signs it calls itself without counting.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Parentheses within parentheses.
const PARENTHESES_MAX: usize = 30;
/// Lists and structures within each other.
const BRACKETS_MAX: usize = 8;
/// Brackets that follow others at once, as in `int[][]`, in the whole text.
const CHAINS_MAX: usize = 200;
/// The same word or sign in a row.
const ALIKE_MAX: usize = 50;

/// The word or sign with which it is too much, and why.
pub(crate) fn too_deep(tokens: &[TokenWithSpan]) -> Option<(&TokenWithSpan, String)> {
    let mut nesting = Nesting::default();
    tokens.iter().enumerate().find_map(|(at, found)| {
        let before = at.checked_sub(1).map(|before| &tokens[before].token);
        nesting.see(before, &found.token);
        nesting.complaint(&found.token).map(|complaint| (found, complaint))
    })
}

/// How deep it is at a place of the text.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    brackets: usize,
    /// Those of types: `array<..>`. They are not taken back, since `>` is more than their end.
    angles: usize,
    chains: usize,
    alike: usize,
}

impl Nesting {
    fn see(&mut self, before: Option<&Token>, token: &Token) {
        self.alike = if before == Some(token) { self.alike + 1 } else { 0 };
        match token {
            Token::LParen => self.parentheses += 1,
            Token::RParen => self.parentheses = self.parentheses.saturating_sub(1),
            Token::LBracket | Token::LBrace => {
                self.brackets += 1;
                self.chains += usize::from(before == Some(&Token::RBracket));
            }
            Token::RBracket | Token::RBrace => self.brackets = self.brackets.saturating_sub(1),
            Token::Lt => self.angles += usize::from(before.is_some_and(is_nested_type)),
            _ => {}
        }
    }

    fn complaint(&self, token: &Token) -> Option<String> {
        if self.alike > ALIKE_MAX {
            return Some(format!("`{token}` stands more than {ALIKE_MAX} times in a row"));
        }
        if self.parentheses > PARENTHESES_MAX {
            return Some(format!("more than {PARENTHESES_MAX} parentheses stand within each other"));
        }
        let compound = self.brackets.max(self.angles) > BRACKETS_MAX || self.chains > CHAINS_MAX;
        compound.then(|| format!("more than {BRACKETS_MAX} lists or structures stand within each other"))
    }
}

fn is_nested_type(token: &Token) -> bool {
    let named = |word: &str| ["array", "struct", "map"].iter().any(|name| word.eq_ignore_ascii_case(name));
    matches!(token, Token::Word(word) if word.quote_style.is_none() && named(&word.value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Text;

    #[test]
    fn each_bound_holds_from_the_first_beyond_it() {
        let nested =
            |open: &str, close: &str, depth: usize| format!("select {}1{}", open.repeat(depth), close.repeat(depth));
        for (text, most, says) in [
            (&(|n| nested("(", ")", n)) as &dyn Fn(usize) -> String, PARENTHESES_MAX, "30 parentheses"),
            (&|n| nested("[", "]", n), BRACKETS_MAX, "8 lists or structures"),
            (&|n| nested("{'a': ", "}", n), BRACKETS_MAX, "8 lists or structures"),
            (&|n| format!("cast(null as {}int)", "Array<".repeat(n)), BRACKETS_MAX, "8 lists or structures"),
            // The first bracket of a chain follows none.
            (&|n| format!("null::int{}", "[]".repeat(n + 1)), CHAINS_MAX, "8 lists or structures"),
            (&|n| format!("select {}1", "not ".repeat(n + 1)), ALIKE_MAX, "`not` stands more than 50 times"),
        ] {
            let complaint = |count: usize| {
                let sql = text(count);
                let tokens = Text { sql: &sql }.tokens().unwrap();
                too_deep(&tokens).map(|(_, complaint)| complaint)
            };
            assert_eq!(complaint(most), None, "{}", text(1));
            assert!(complaint(most + 1).is_some_and(|told| told.contains(says)), "{}", text(1));
        }
        // What is closed is not within, and `<` alone is no bracket.
        let sql = format!("select {} a < 1", "(1) + [1] + ".repeat(100));
        assert!(too_deep(&Text { sql: &sql }.tokens().unwrap()).is_none());
    }
}
