//! A tree grown by hand: sums, splits and values, against the same computed plainly.

use crate::{binned, read};
use proptest::prelude::*;
use trees::{Binned, Growth};

const EDGES: [f64; 3] = [0.0, 1.0, 2.0];

/// 0, 1, 2, 3 and nothing, over and over, and the reverse of it.
fn rows(count: usize) -> Binned {
    let value = |i: usize| if i % 5 == 4 { f64::NAN } else { (i % 5) as f64 };
    let columns = [(0..count).map(value).collect(), (0..count).rev().map(value).collect()];
    binned(&columns, &[EDGES.to_vec(), EDGES.to_vec()]).unwrap()
}

fn gradients(count: usize) -> (Vec<f64>, Vec<f64>) {
    let wave = |i: usize| (i as f64 * 0.7).sin();
    ((0..count).map(wave).collect(), (0..count).map(|i| 0.1 + wave(i).abs()).collect())
}

#[test]
fn a_bin_holds_the_sums_of_its_rows() {
    let rows = rows(10);
    let gradients: Vec<f64> = (0..10).map(f64::from).collect();
    let mut growth = Growth::learn(&rows, &gradients, &[1.0; 10], None).unwrap();
    let histogram = read(&growth.histogram(0).unwrap());
    let first = [(5.0, 2.0, 2), (7.0, 2.0, 2), (9.0, 2.0, 2), (11.0, 2.0, 2), (13.0, 2.0, 2)];
    assert_eq!(histogram[..5], first, "the last holds what is missing");
    assert_eq!(histogram[5..], [(13.0, 2.0, 2), (11.0, 2.0, 2), (9.0, 2.0, 2), (7.0, 2.0, 2), (5.0, 2.0, 2)]);
}

#[test]
fn of_no_rows_all_sums_are_zero() {
    let mut growth = Growth::learn(&rows(0), &[], &[], None).unwrap();
    assert!(read(&growth.histogram(0).unwrap()).iter().all(|bin| *bin == (0.0, 0.0, 0)));
}

#[test]
fn a_split_deals_rows_by_their_bins() {
    let rows = rows(10);
    let mut growth = Growth::learn(&rows, &[1.0; 10], &[1.0; 10], None).unwrap();
    assert_eq!(growth.split(0, 0, &[0, 4]), Ok((1, 2)));
    assert_eq!(growth.split(2, 1, &[3]), Ok((3, 4)));
    // Rows 0 and 5 are 0, rows 4 and 9 miss; of the others 1 and 6 are 3 in the second column.
    let values = growth.values(&[9.0, 1.0, 9.0, 3.0, 4.0]).unwrap();
    assert_eq!(values, [1.0, 3.0, 4.0, 4.0, 1.0, 1.0, 3.0, 4.0, 4.0, 1.0]);
    let mut others = Growth::follow(&rows);
    others.split(0, 0, &[0, 4]).unwrap();
    others.split(2, 1, &[3]).unwrap();
    assert_eq!(others.values(&[9.0, 1.0, 9.0, 3.0, 4.0]).unwrap(), values);
}

#[test]
fn rows_that_are_not_taken_follow_and_do_not_count() {
    let rows = rows(10);
    let taken: Vec<f64> = (0..10).map(|i| f64::from(i < 5)).collect();
    let mut growth = Growth::learn(&rows, &[1.0; 10], &[1.0; 10], Some(&taken)).unwrap();
    assert!(read(&growth.histogram(0).unwrap()).iter().all(|bin| bin.2 == 1));
    growth.split(0, 0, &[0]).unwrap();
    assert_eq!(read(&growth.histogram(1).unwrap())[0], (1.0, 1.0, 1));
    let values = growth.values(&[0.0, 7.0, 8.0]).unwrap();
    assert_eq!((values[0], values[5], values[1], values[6]), (7.0, 7.0, 8.0, 8.0));
}

#[test]
fn a_sibling_is_what_is_left_to_the_bit() {
    let count = 30_000;
    let (rows, (gradients, hessians)) = (rows(count), gradients(count));
    let mut kept = Growth::learn(&rows, &gradients, &hessians, None).unwrap();
    let mut anew = Growth::learn(&rows, &gradients, &hessians, None).unwrap();
    kept.histogram(0).unwrap();
    for growth in [&mut kept, &mut anew] {
        growth.split(0, 0, &[0]).unwrap();
    }
    // Nothing was kept for the second, so it sums every row.
    for node in [2, 1] {
        assert_eq!(kept.histogram(node).unwrap(), anew.histogram(node).unwrap());
    }
}

#[test]
fn no_number_of_threads_changes_a_bit() {
    let count = 50_000;
    let (rows, (gradients, hessians)) = (rows(count), gradients(count));
    let grown = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let mut growth = Growth::learn(&rows, &gradients, &hessians, None).unwrap();
            let root = growth.histogram(0).unwrap();
            growth.split(0, 1, &[0, 4]).unwrap();
            (root, growth.histogram(1).unwrap(), growth.values(&[0.0, 1.0, 2.0]).unwrap())
        })
    };
    let alone = grown(1);
    for threads in [2, 3, 7] {
        assert!(grown(threads) == alone, "{threads} threads");
    }
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let rows = rows(10);
    let refused = |gradients: &[f64], hessians: &[f64], taken: Option<&[f64]>| {
        Growth::learn(&rows, gradients, hessians, taken).unwrap_err().name
    };
    assert_eq!(refused(&[1.0; 9], &[1.0; 10], None), "gradients");
    assert_eq!(refused(&[1.0; 10], &[1.0; 11], None), "hessians");
    assert_eq!(refused(&[1.0; 10], &[1.0; 10], Some(&[])), "taken");
    let mut growth = Growth::learn(&rows, &[1.0; 10], &[1.0; 10], None).unwrap();
    assert_eq!(growth.histogram(1).unwrap_err().name, "node");
    assert_eq!(growth.split(0, 2, &[0]).unwrap_err().name, "feature");
    assert_eq!(growth.values(&[]).unwrap_err().name, "of-nodes");
    growth.split(0, 0, &[0]).unwrap();
    assert_eq!(growth.split(0, 0, &[0]).unwrap_err().to_string(), "`node` 0 is split already");
    let error = Growth::follow(&rows).histogram(0).unwrap_err();
    assert_eq!(error.to_string(), "`node` has rows without gradients, which only follow");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of any gradients, a node's sums are those of its rows to within a unit a row.
    #[test]
    fn sums_are_those_of_the_rows(
        numbers in prop::collection::vec((-1e3..1e3f64, 0.0..1e-3f64), 1..300), left in prop::collection::vec(0u8..5, 0..5),
    ) {
        let rows = rows(numbers.len());
        let (gradients, hessians): (Vec<f64>, Vec<f64>) = numbers.iter().copied().unzip();
        let mut growth = Growth::learn(&rows, &gradients, &hessians, None).unwrap();
        growth.histogram(0).unwrap();
        growth.split(0, 0, &left).unwrap();
        for (node, side) in [(1, true), (2, false)] {
            let bins = read(&growth.histogram(node).unwrap());
            for (bin, got) in bins[..5].iter().enumerate() {
                let here = |row: &usize| row % 5 == bin && left.contains(&(bin as u8)) == side;
                let sum = |values: &[f64]| (0..values.len()).filter(here).map(|row| values[row]).sum::<f64>();
                prop_assert!((got.0 - sum(&gradients)).abs() < 1e-4, "{got:?}");
                prop_assert!((got.1 - sum(&hessians)).abs() < 1e-9, "{got:?}");
                prop_assert_eq!(got.2, (0..numbers.len()).filter(here).count() as u64);
            }
        }
    }
}
