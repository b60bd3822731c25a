//! Rows of a node -> those of its children, each in its order.

use rayon::prelude::*;

/// Rows that one thread deals out at a time. Fewer stay on this thread: to hand work to the pool costs two changes of threads.
const CHUNK_ROWS: usize = 16_384;

/// Puts the rows that go left before the others, both in the order they had. Gives how many go left. `spare` is as long as
/// `rows`.
pub(crate) fn partition(rows: &mut [u32], spare: &mut [u32], goes_left: impl Fn(u32) -> bool + Sync) -> usize {
    if rows.len() <= CHUNK_ROWS {
        let left = deal(rows, spare, &goes_left);
        let ((here, there), (from_left, from_right)) = (rows.split_at_mut(left), spare.split_at(left));
        bring_back((here, from_left, there, from_right));
        return left;
    }
    let chunks = rows.par_chunks(CHUNK_ROWS).zip(spare.par_chunks_mut(CHUNK_ROWS));
    let lefts: Vec<usize> = chunks.map(|(rows, spare)| deal(rows, spare, &goes_left)).collect();
    let left = lefts.iter().sum();
    let (mut to_left, mut to_right) = rows.split_at_mut(left);
    let mut moves = Vec::with_capacity(lefts.len());
    for (dealt, left) in spare.chunks(CHUNK_ROWS).zip(lefts) {
        let (from_left, from_right) = dealt.split_at(left);
        let here;
        (here, to_left) = std::mem::take(&mut to_left).split_at_mut(from_left.len());
        let there;
        (there, to_right) = std::mem::take(&mut to_right).split_at_mut(from_right.len());
        moves.push((here, from_left, there, from_right));
    }
    moves.into_par_iter().for_each(bring_back);
    left
}

/// What was dealt out to either side, to where it belongs, in the order it had.
fn bring_back((here, from_left, there, from_right): (&mut [u32], &[u32], &mut [u32], &[u32])) {
    here.copy_from_slice(from_left);
    // They were dealt from the end.
    there.iter_mut().zip(from_right.iter().rev()).for_each(|(to, from)| *to = *from);
}

/// Deals rows out: to the left from the start, to the right from the end. Gives how many went left.
fn deal(rows: &[u32], spare: &mut [u32], goes_left: impl Fn(u32) -> bool) -> usize {
    let (mut left, mut right) = (0, rows.len());
    for &row in rows {
        let goes_left = goes_left(row);
        // Without a branch: half of all guesses would be wrong. Whichever place is not meant is written over later.
        let place = if goes_left { left } else { right - 1 };
        spare[place] = row;
        left += usize::from(goes_left);
        right -= usize::from(!goes_left);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_their_order() {
        for length in [0, 1, 2, CHUNK_ROWS, CHUNK_ROWS + 1, 5 * CHUNK_ROWS + 77] {
            let before: Vec<u32> = (0..length as u32).map(|row| row * 3).collect();
            for modulus in [1, 2, 7, 1_000_000] {
                let goes_left = |row: u32| row.is_multiple_of(modulus);
                let (mut rows, mut spare) = (before.clone(), vec![0; length]);
                let left = partition(&mut rows, &mut spare, goes_left);
                let mut expected: Vec<u32> = before.iter().copied().filter(|row| goes_left(*row)).collect();
                assert_eq!(left, expected.len());
                expected.extend(before.iter().filter(|row| !goes_left(**row)));
                assert_eq!(rows, expected, "{length} {modulus}");
            }
        }
    }
}
