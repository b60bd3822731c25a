//! The moves of a model's aliases -> which version had one at a time, and which one to go back to.

use types::AliasMove;

/// The move by which an alias stood as it did at a time; none before its first one.
pub fn held<'a>(moves: &'a [AliasMove], alias: &str, at_us: i64) -> Option<&'a AliasMove> {
    moves.iter().rev().find(|moved| moved.alias == alias && moved.moved_us <= at_us)
}

/// The version that a rollback of an alias goes to: the one that it had before. Another rollback goes further back, never
/// to the version that was rolled back from; none if there is nothing before. An alias that was taken away gets back what it had.
pub fn before(moves: &[AliasMove], alias: &str) -> Option<u32> {
    let (mut had, mut is_gone) = (Vec::new(), false);
    for moved in moves.iter().filter(|moved| moved.alias == alias) {
        match moved.to {
            None => is_gone = true,
            Some(_) if moved.rollback && is_gone => is_gone = false,
            Some(_) if moved.rollback => drop(had.pop()),
            Some(to) => {
                is_gone = false;
                // Given again after it was taken away: what is before it is still another version.
                if had.last() != Some(&to) {
                    had.push(to);
                }
            }
        }
    }
    if !is_gone {
        had.pop();
    }
    had.pop()
}

#[cfg(test)]
mod tests {
    use super::*;
    use types::ModelName;

    fn moved(alias: &str, to: u32, moved_us: i64, rollback: bool) -> AliasMove {
        let to = Some(to);
        let model: ModelName = "tumour".parse().unwrap();
        let (alias, why) = (alias.to_owned(), "a test".to_owned());
        AliasMove { model, alias, from: None, to, why, moved_us, by: None, rollback }
    }

    #[test]
    fn an_alias_is_held_from_its_move_to_the_next_one() {
        let moves =
            [moved("champion", 1, 10, false), moved("challenger", 9, 15, false), moved("champion", 2, 20, false)];
        let at = |at_us| held(&moves, "champion", at_us).and_then(|moved| moved.to);
        assert_eq!([9, 10, 19, 20, i64::MAX].map(at), [None, Some(1), Some(1), Some(2), Some(2)]);
        assert_eq!(held(&moves, "nobody", 20), None);
    }

    #[test]
    fn rollbacks_go_further_back_each_time() {
        let mut moves = vec![moved("champion", 1, 1, false), moved("challenger", 7, 1, false)];
        assert_eq!((before(&[], "champion"), before(&moves, "champion")), (None, None));
        moves.extend([moved("champion", 2, 2, false), moved("champion", 3, 3, false)]);
        for expected in [Some(2), Some(1), None] {
            assert_eq!(before(&moves, "champion"), expected);
            moves.extend(expected.map(|to| moved("champion", to, 4, true)));
        }
        // What is promoted afterwards stands upon where the rollbacks led.
        moves.push(moved("champion", 3, 5, false));
        assert_eq!(before(&moves, "champion"), Some(1));
    }

    #[test]
    fn an_alias_that_was_taken_away_is_nobodys_and_comes_back() {
        let gone = |moved_us| AliasMove { to: None, ..moved("champion", 0, moved_us, false) };
        let mut moves = vec![moved("champion", 1, 1, false), moved("champion", 2, 2, false), gone(3)];
        assert_eq!(held(&moves, "champion", 3).map(|moved| moved.to), Some(None));
        for expected in [Some(2), Some(1), None] {
            assert_eq!(before(&moves, "champion"), expected);
            moves.extend(expected.map(|to| moved("champion", to, 4, true)));
        }
        // The same version again is no move that could be taken back.
        moves.extend([gone(5), moved("champion", 1, 6, false)]);
        assert_eq!(before(&moves, "champion"), None);
        moves.push(moved("champion", 2, 7, false));
        assert_eq!(before(&moves, "champion"), Some(1));
    }
}
