//! Who takes from whom -> an order in which to go, and the circles that have none.

use std::collections::BTreeSet;

/// `takes[i]` are those that `i` takes from. Gives the order, in which the lower index comes first where nothing else
/// decides, and circles: each in the direction of the data, from its lowest index.
pub(crate) fn order(takes: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut done = vec![false; takes.len()];
    let mut order = Vec::new();
    go(takes, &mut done, &mut order);
    let mut cycles = Vec::new();
    while let Some(start) = done.iter().position(|done| !done) {
        let cycle = cycle(takes, &done, start);
        cycle.iter().for_each(|index| done[*index] = true);
        cycles.push(cycle);
        // What hangs on the circle is not part of it.
        go(takes, &mut done, &mut Vec::new());
    }
    (order, cycles)
}

/// Marks and appends, lowest index first, all that take only from what is done.
fn go(takes: &[Vec<usize>], done: &mut [bool], order: &mut Vec<usize>) {
    let mut waiting: Vec<usize> = takes.iter().map(|takes| takes.iter().filter(|from| !done[**from]).count()).collect();
    let mut takers = vec![Vec::new(); takes.len()];
    for (index, takes) in takes.iter().enumerate() {
        takes.iter().for_each(|from| takers[*from].push(index));
    }
    let mut ready: BTreeSet<usize> = (0..takes.len()).filter(|index| !done[*index] && waiting[*index] == 0).collect();
    while let Some(index) = ready.pop_first() {
        done[index] = true;
        order.push(index);
        for taker in &takers[index] {
            waiting[*taker] -= 1;
            if waiting[*taker] == 0 && !done[*taker] {
                ready.insert(*taker);
            }
        }
    }
}

/// A circle met when walking against the data from a start that `go` left over: such a walk never ends.
fn cycle(takes: &[Vec<usize>], done: &[bool], start: usize) -> Vec<usize> {
    let mut walk = vec![start];
    loop {
        let here = walk[walk.len() - 1];
        let Some(next) = takes[here].iter().copied().find(|from| !done[*from]) else { return walk };
        if let Some(begin) = walk.iter().position(|index| *index == next) {
            let mut cycle = walk.split_off(begin);
            cycle.reverse();
            let lowest = (0..cycle.len()).min_by_key(|at| cycle[*at]).unwrap_or(0);
            cycle.rotate_left(lowest);
            return cycle;
        }
        walk.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_decides_where_nothing_else_does() {
        assert_eq!(order(&[vec![], vec![], vec![]]).0, [0, 1, 2]);
        assert_eq!(order(&[vec![2], vec![], vec![]]).0, [1, 2, 0]);
        assert_eq!(order(&[vec![1, 1], vec![2], vec![], vec![0]]).0, [2, 1, 0, 3]);
    }

    #[test]
    fn circles_are_found_without_what_hangs_on_them() {
        // 0 -> 1 -> 2 -> 0; 3 takes from 2; 4 takes from itself; 5 is free.
        let (order, cycles) = order(&[vec![2], vec![0], vec![1], vec![2], vec![4], vec![]]);
        assert_eq!(order, [5]);
        assert_eq!(cycles, [vec![0, 1, 2], vec![4]]);
    }
}
