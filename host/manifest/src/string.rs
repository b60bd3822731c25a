//! A TOML string as it is written -> where a character of what it says stands.

use std::iter::Peekable;
use std::str::CharIndices;
use types::Spot;

/// The byte at which the character at a spot of the string's value is written; the string's end if it has none there.
pub(crate) fn offset(written: &str, spot: Spot) -> usize {
    let escapes = written.starts_with('"');
    let mut signs = written.char_indices().peekable();
    skip_opening(written, &mut signs);
    let (mut line, mut column) = (1, 1);
    while let Some((at, sign)) = signs.next() {
        let said = match sign {
            '\\' if escapes => escaped(&mut signs),
            sign => Some(sign),
        };
        // A backslash at a line's end says nothing.
        let Some(said) = said else { continue };
        if (line, column) >= (spot.line, spot.column) {
            return at;
        }
        (line, column) = if said == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    written.len()
}

/// One quote, or three and the line's end after them.
fn skip_opening(written: &str, signs: &mut Peekable<CharIndices<'_>>) {
    let long = written.starts_with("\"\"\"") || written.starts_with("'''");
    for _ in 0..if long { 3 } else { 1 } {
        signs.next();
    }
    if long {
        signs.next_if(|(_, sign)| *sign == '\r');
        signs.next_if(|(_, sign)| *sign == '\n');
    }
}

/// What stands behind a backslash, taken.
fn escaped(signs: &mut Peekable<CharIndices<'_>>) -> Option<char> {
    let (_, sign) = signs.next()?;
    match sign {
        'n' => Some('\n'),
        'u' | 'U' | 'x' => {
            let digits = match sign {
                'x' => 2,
                'u' => 4,
                _ => 8,
            };
            let code =
                (0..digits).filter_map(|_| signs.next()?.1.to_digit(16)).fold(0, |code, digit| code << 4 | digit);
            Some(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER))
        }
        sign if sign.is_whitespace() => {
            while signs.next_if(|(_, sign)| sign.is_whitespace()).is_some() {}
            None
        }
        sign => Some(sign),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spot_of_the_value_is_found_in_what_was_written() {
        for (written, line, column, found) in [
            ("\"select x\"", 1, 8, "x\""),
            ("'select x'", 1, 8, "x'"),
            ("\"\"\"\nselect\n  x\"\"\"", 2, 3, "x\"\"\""),
            ("'''\r\nselect\n  x'''", 2, 3, "x'''"),
            ("'''select \\x y'''", 1, 8, "\\x y'''"),
            (r#""a\nb x""#, 2, 3, "x\""),
            (r#""\"a\" \u00e9x""#, 1, 6, "x\""),
            (r#""\U0001F600x""#, 1, 2, "x\""),
            ("\"\"\"a \\\n\n   x\"\"\"", 1, 3, "x\"\"\""),
            ("\"é x\"", 1, 3, "x\""),
            // Beyond the end.
            ("'a'", 7, 1, ""),
            ("'''a", 1, 5, ""),
            ("\"\\", 1, 1, ""),
        ] {
            let at = offset(written, Spot { line, column });
            assert_eq!(&written[at..], found, "{written} at {line}:{column}");
        }
    }
}
