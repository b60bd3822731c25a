//! Values of a column -> where its bins end.

/// The most bins of a column's values; one more holds what is missing, so that a code is a byte.
pub const BINS_MAX: usize = 255;

/// The rows that edges are found from; as many as LightGBM and scikit-learn take by default.
pub const SAMPLE_ROWS: u64 = 200_000;

/// At most `most` bins of about equally many values, as the ends of all but the last: bin i holds what is above end i - 1
/// and at most end i. A value that alone fills a bin has one to itself, after LightGBM's `GreedyFindBin`. Not-a-number and
/// infinities have no part in it.
pub fn edges(mut values: Vec<f64>, most: usize) -> Vec<f64> {
    values.retain(|value| value.is_finite());
    values.sort_unstable_by(f64::total_cmp);
    let distinct: Vec<(f64, usize)> = values.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len())).collect();
    match distinct.len() <= most {
        true => distinct.windows(2).map(|pair| between(pair[0].0, pair[1].0)).collect(),
        false => greedy(&distinct, values.len(), most),
    }
}

/// Which rows stand for all: every one, or [`SAMPLE_ROWS`] spread evenly, each at a place of chance in its stretch so that no
/// rhythm of the rows shows. The same rows every time.
pub fn sampled_rows(rows: u64) -> Option<Vec<u64>> {
    let stretch = |i: u64| u128::from(i) * u128::from(rows) / u128::from(SAMPLE_ROWS);
    (rows > SAMPLE_ROWS).then(|| {
        let place = |i: u64| (stretch(i) as u64, stretch(i + 1) as u64);
        (0..SAMPLE_ROWS).map(place).map(|(start, end)| start + mixed(start) % (end - start)).collect()
    })
}

/// SplitMix64's finaliser (Steele, Lea and Flood, 2014).
fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

/// The middle of two values, or the lesser where no float lies between them.
fn between(lesser: f64, greater: f64) -> f64 {
    let middle = lesser / 2.0 + greater / 2.0;
    if middle < greater { middle.max(lesser) } else { lesser }
}

fn greedy(distinct: &[(f64, usize)], total: usize, most: usize) -> Vec<f64> {
    let share = total as f64 / most as f64;
    let fills = |i: usize| distinct[i].1 as f64 >= share;
    let filled: Vec<usize> = (0..distinct.len()).filter(|&i| fills(i)).map(|i| distinct[i].1).collect();
    let mut bins_left = most - filled.len().min(most - 1);
    let mut rows_left = total - filled.iter().sum::<usize>();
    let mut aim = rows_left as f64 / bins_left as f64;
    let (mut edges, mut held) = (Vec::new(), 0);
    for (i, pair) in distinct.windows(2).enumerate() {
        let count = pair[0].1;
        held += count;
        if !fills(i) {
            rows_left -= count;
        }
        if fills(i) || held as f64 >= aim || fills(i + 1) && held as f64 >= (aim / 2.0).max(1.0) {
            edges.push(between(pair[0].0, pair[1].0));
            held = 0;
            if edges.len() == most - 1 {
                break;
            }
            if !fills(i) && bins_left > 1 {
                bins_left -= 1;
                aim = rows_left as f64 / bins_left as f64;
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        assert_eq!(edges(vec![3.0, 1.0, 2.0, 1.0, f64::NAN, f64::INFINITY], 255), [1.5, 2.5]);
        assert_eq!(edges(vec![f64::NAN], 255), [0.0; 0]);
        assert_eq!(edges(vec![-0.0, 0.0], 255), [0.0; 0], "both zeros are one value");
        assert_eq!(edges(vec![f64::MAX, -f64::MAX], 255), [0.0]);
    }

    #[test]
    fn neighbouring_floats_stay_apart() {
        let next = 1.0_f64.next_up();
        assert_eq!(edges(vec![1.0, next], 255), [1.0]);
        let tiny = f64::from_bits(1);
        assert_eq!(edges(vec![0.0, tiny], 255), [0.0]);
    }

    #[test]
    fn many_values_share_bins_of_one_size() {
        let values = (0..1000).map(f64::from).collect();
        assert_eq!(edges(values, 4), [249.5, 499.5, 749.5]);
    }

    #[test]
    fn a_frequent_value_has_a_bin_to_itself() {
        // Half are 500; the other half share what is left of the bins.
        let values = (0..1000).map(|i| if i % 2 == 0 { 500.0 } else { f64::from(i) }).collect();
        let edges = edges(values, 5);
        assert!(edges.contains(&499.5) || edges.contains(&499.75), "{edges:?}");
        assert!(
            edges.windows(2).any(|pair| pair[0] < 500.0 && 500.0 < pair[1] && pair[1] - pair[0] < 3.0),
            "{edges:?}"
        );
        assert!(edges.len() <= 4 && edges.is_sorted());
    }

    #[test]
    fn a_sample_is_spread_over_all_rows() {
        assert_eq!(sampled_rows(SAMPLE_ROWS), None);
        let rows = sampled_rows(SAMPLE_ROWS * 3 + 7).unwrap();
        assert_eq!(rows.len() as u64, SAMPLE_ROWS);
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows.last().unwrap() < &(SAMPLE_ROWS * 3 + 7));
        let remainders = rows.iter().filter(|row| *row % 3 == 0).count() as u64;
        assert!(remainders.abs_diff(SAMPLE_ROWS / 3) < 2_000, "{remainders}");
    }
}
