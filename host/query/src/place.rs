//! What the engine says of an error -> where in the text it stands.
//!
//! The parser and some of the planner know; for the rest the text is searched for what the message names.

use crate::Error;
use datafusion::common::DataFusionError;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, Word};
use types::Spot;

/// A call of a function.
pub(crate) struct Call {
    /// As the text has it.
    pub(crate) name: String,
    pub(crate) spot: Spot,
    /// For each argument its column, where it is one and nothing more.
    pub(crate) arguments: Vec<Option<String>>,
}

/// What stands beside an operator, where it is one word.
pub(crate) enum Operand {
    Column(String),
    /// Of this kind.
    Literal(&'static str),
}

/// A text that errors point into.
#[derive(Clone, Copy)]
pub(crate) struct Text<'t> {
    pub(crate) sql: &'t str,
}

impl<'t> Text<'t> {
    /// Words, numbers and signs, without what is white.
    pub(crate) fn tokens(&self) -> Result<Vec<TokenWithSpan>, Error> {
        match Tokenizer::new(&GenericDialect {}, self.sql).tokenize_with_location() {
            Ok(tokens) => Ok(tokens.into_iter().filter(|found| !matches!(found.token, Token::Whitespace(_))).collect()),
            Err(error) => {
                let (message, spot) = (without_place(&error.message), spot(error.location.line, error.location.column));
                Err(Error::text(self, spot, lowered(message)))
            }
        }
    }

    /// Where it ends.
    pub(crate) fn end(&self) -> Spot {
        let line = self.sql.lines().count().max(1);
        Spot { line, column: self.sql.lines().last().map_or(0, |last| last.chars().count()) + 1 }
    }

    fn tokens_at_all(&self) -> Vec<TokenWithSpan> {
        self.tokens().unwrap_or_default()
    }

    /// Where it begins, after white and comments.
    pub(crate) fn first(&self) -> Spot {
        self.tokens_at_all().first().map_or(Spot::START, begins)
    }

    pub(crate) fn first_word(&self) -> Option<String> {
        self.tokens_at_all().into_iter().find_map(|found| match found.token {
            Token::Word(word) => Some(word.value),
            _ => None,
        })
    }

    /// Where a second statement begins.
    pub(crate) fn after_semicolon(&self) -> Spot {
        let tokens = self.tokens_at_all();
        let after = tokens.iter().skip_while(|found| found.token != Token::SemiColon);
        after.filter(|found| found.token != Token::SemiColon).map(begins).next().unwrap_or(Spot::START)
    }

    /// The line of a spot, and how many characters from there a caret is to underline.
    pub(crate) fn line(&self, spot: Spot) -> (&'t str, usize) {
        let line = self.sql.lines().nth(spot.line.saturating_sub(1)).unwrap_or_default();
        let rest = line.chars().skip(spot.column.saturating_sub(1));
        let width = rest.take_while(|sign| sign.is_alphanumeric() || matches!(sign, '_' | '.' | '"')).count();
        (line, width.max(1))
    }

    /// Where the first of these words stands as a word of its own.
    pub(crate) fn find<'w>(&self, words: impl IntoIterator<Item = &'w str>) -> Option<Spot> {
        let tokens = self.tokens_at_all();
        let is = |token: &Token, sought: &str| match token {
            Token::Word(word) => word.value.eq_ignore_ascii_case(sought),
            Token::SingleQuotedString(value) | Token::Number(value, _) => value == sought,
            _ => false,
        };
        words.into_iter().find_map(|sought| tokens.iter().find(|found| is(&found.token, sought)).map(begins))
    }

    /// Where a value is written, the first time.
    pub(crate) fn literal(&self, sought: &str) -> Option<Spot> {
        let number = sought.parse::<f64>().ok();
        let is = |found: &&TokenWithSpan| match &found.token {
            Token::SingleQuotedString(value) | Token::EscapedStringLiteral(value) => value == sought,
            Token::Number(value, _) => number.is_some() && value.parse().ok() == number,
            Token::Word(word) => {
                word.quote_style.is_none() && word.keyword != Keyword::NoKeyword && word.value == sought
            }
            _ => false,
        };
        self.tokens_at_all().iter().find(is).map(begins)
    }

    /// Where an operator stands, a sign or a word, and what is on its left and on its right.
    pub(crate) fn operations(&self, operator: &str) -> Vec<(Spot, [Option<Operand>; 2])> {
        let tokens = self.tokens_at_all();
        let sought = match operator.split_once(' ') {
            Some(("is", _)) => "distinct",
            Some((first, _)) => first,
            None => operator,
        };
        let is = |token: &Token| match token {
            Token::Word(word) => word.quote_style.is_none() && word.value.eq_ignore_ascii_case(sought),
            sign => sign.to_string() == sought,
        };
        let places = (0..tokens.len()).filter(|at| is(&tokens[*at].token));
        let beside = |at: usize| {
            let before = at.checked_sub(1).and_then(|before| operand(std::slice::from_ref(&tokens[before])));
            [before, operand(&tokens[at + 1..])]
        };
        places.map(|at| (begins(&tokens[at]), beside(at))).collect()
    }

    /// The calls of a function that goes by these names.
    pub(crate) fn calls(&self, names: &[&str]) -> Vec<Call> {
        let tokens = self.tokens_at_all();
        let call = |(at, pair): (usize, &[TokenWithSpan])| match (&pair[0].token, &pair[1].token) {
            (Token::Word(word), Token::LParen) if names.iter().any(|name| word.value.eq_ignore_ascii_case(name)) => {
                let arguments = arguments(&tokens[at + 2..]);
                Some(Call { name: word.value.clone(), spot: begins(&pair[0]), arguments })
            }
            _ => None,
        };
        tokens.windows(2).enumerate().filter_map(call).collect()
    }
}

/// What these tokens begin with, where it is a column or a value and no more.
fn operand(tokens: &[TokenWithSpan]) -> Option<Operand> {
    let mut tokens = tokens.iter().map(|found| &found.token);
    Some(match (tokens.next()?, tokens.next(), tokens.next()) {
        (Token::Number(number, _), ..) if number.contains(['.', 'e', 'E']) => Operand::Literal("number"),
        (Token::Number(..), ..) => Operand::Literal("whole number"),
        (Token::SingleQuotedString(_), ..) => Operand::Literal("text"),
        (Token::Word(_), Some(Token::LParen | Token::SingleQuotedString(_)), _) => return None,
        (Token::Word(_), Some(Token::Period), Some(Token::Word(name))) | (Token::Word(name), ..) => {
            Operand::Column(as_read(name))
        }
        _ => return None,
    })
}

/// Those of the call whose parenthesis was opened just before.
fn arguments(tokens: &[TokenWithSpan]) -> Vec<Option<String>> {
    let mut depth = 0usize;
    let within = tokens.iter().take_while(|found| {
        match found.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return false,
            Token::RParen => depth -= 1,
            _ => {}
        }
        true
    });
    let within: Vec<&Token> = within.map(|found| &found.token).collect();
    if within.is_empty() {
        return Vec::new();
    }
    let mut depth = 0usize;
    let parts = within.split(|token| {
        match token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && **token == Token::Comma
    });
    parts.map(column).collect()
}

/// The column that an argument is: `a`, `t.a` or `distinct a`.
fn column(argument: &[&Token]) -> Option<String> {
    let argument = match argument {
        [Token::Word(first), rest @ ..] if first.value.eq_ignore_ascii_case("distinct") => rest,
        whole => whole,
    };
    match argument {
        [Token::Word(name)] | [Token::Word(_), Token::Period, Token::Word(name)] => Some(as_read(name)),
        _ => None,
    }
}

/// A name without quotes is read in small letters.
fn as_read(name: &Word) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

pub(crate) fn begins(found: &TokenWithSpan) -> Spot {
    spot(found.span.start.line, found.span.start.column)
}

pub(crate) fn spot(line: u64, column: u64) -> Spot {
    Spot { line: (line as usize).max(1), column: (column as usize).max(1) }
}

/// Where an error of the engine stands in the text.
pub(crate) fn of(text: &Text<'_>, error: &DataFusionError, message: &str) -> Spot {
    let said = || spot_in(&error.to_string());
    // The parser has no place for what is missing.
    let ended = || message.ends_with("got EOF").then(|| text.end());
    let named = || text.find(names_in(message));
    marked(error).or_else(said).or_else(ended).or_else(named).unwrap_or_else(|| text.first())
}

/// Where the planner says it is.
pub(crate) fn marked(error: &DataFusionError) -> Option<Spot> {
    let span = error.diagnostic()?.span?;
    Some(spot(span.start.line, span.start.column))
}

/// ".. at Line: 3, Column: 8".
fn spot_in(message: &str) -> Option<Spot> {
    let (_, rest) = message.rsplit_once("at Line: ")?;
    let (line, rest) = rest.split_once(", Column: ")?;
    let digits = rest.len() - rest.trim_start_matches(|sign: char| sign.is_ascii_digit()).len();
    Some(spot(line.parse().ok()?, rest[..digits].parse().ok()?))
}

/// A message of the parser without its place, which is told apart.
pub(crate) fn without_place(message: &str) -> &str {
    message.rsplit_once("at Line: ").map_or(message, |(before, _)| before).trim_end()
}

/// As our messages begin. Words in capitals, such as `SELECT`, stay.
pub(crate) fn lowered(message: &str) -> String {
    let mut signs = message.chars();
    match (signs.next(), message.chars().nth(1)) {
        (Some(first), Some(second)) if !second.is_uppercase() => first.to_lowercase().chain(signs).collect(),
        _ => message.to_owned(),
    }
}

/// What a message names: in quotes first, else each word that is followed by a parenthesis.
fn names_in(message: &str) -> Vec<&str> {
    let quoted = message.split(['\'', '`', '"']).skip(1).step_by(2);
    let quoted = quoted.flat_map(|name| [name, name.rsplit(['.', ' ']).next().unwrap_or(name)]);
    let is_name = |sign: char| sign.is_alphanumeric() || sign == '_';
    let called = message.match_indices('(').map(|(at, _)| {
        let before = &message[..at];
        &before[before.rfind(|sign| !is_name(sign)).map_or(0, |end| end + 1)..]
    });
    quoted.chain(called).filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_the_parser_says_where() {
        let said = "SQL error: ParserError(\"Expected: an expression, found: FROM at Line: 3, Column: 12\")";
        assert_eq!(spot_in(said), Some(Spot { line: 3, column: 12 }));
        assert_eq!(spot_in("no place"), None);
        assert_eq!(without_place("Expected: x, found: y at Line: 3, Column: 12"), "Expected: x, found: y");
    }

    #[test]
    fn what_a_message_names_is_found_in_the_text() {
        let text = Text { sql: "select a,\n  sum(\"Size\") from t -- sum\n" };
        for (message, line, column) in [
            ("Failed to coerce arguments: sum(Utf8)", 2, 3),
            ("no field named 'Size'", 2, 7),
            ("table 'public.t' not found", 2, 20),
        ] {
            assert_eq!(text.find(names_in(message)), Some(Spot { line, column }), "{message}");
        }
        assert_eq!(text.find(names_in("nothing at all")), None);
    }
}
