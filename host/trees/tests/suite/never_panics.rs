//! Any calls in any order: a result or an error, never a panic, and no row lost.

use crate::{binned, read};
use proptest::prelude::*;
use trees::Growth;

#[derive(Debug, Clone)]
enum Call {
    Histogram(u32),
    Split(u32, u32, Vec<u8>),
    Values(Vec<f64>),
}

fn number() -> impl Strategy<Value = f64> {
    let odd = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, -f64::MAX, f64::MIN_POSITIVE, 5e-324, -0.0];
    prop_oneof![4 => -3.0..3.0f64, 1 => prop::sample::select(odd), 1 => any::<f64>()]
}

fn call() -> impl Strategy<Value = Call> {
    let node = || prop_oneof![9 => 0u32..9, 1 => any::<u32>()];
    let feature = prop_oneof![9 => 0u32..3, 1 => any::<u32>()];
    let left = prop::collection::vec(prop_oneof![9 => 0u8..6, 1 => any::<u8>()], 0..300);
    prop_oneof![
        node().prop_map(Call::Histogram),
        (node(), feature, left).prop_map(|(node, feature, left)| Call::Split(node, feature, left)),
        prop::collection::vec(number(), 0..9).prop_map(Call::Values),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_calls_are_answered(
        columns in prop::collection::vec(prop::collection::vec(number(), 20), 0..3),
        edges in prop::collection::vec(prop::collection::vec(number(), 0..4), 0..3),
        gradients in prop::collection::vec(number(), 20), hessians in prop::collection::vec(number(), 20),
        taken in prop::option::of(prop::collection::vec(number(), 19..21)),
        calls in prop::collection::vec(call(), 0..12),
    ) {
        let mut edges = edges;
        edges.resize(columns.len(), Vec::new());
        edges.iter_mut().for_each(|edges| edges.sort_by(f64::total_cmp));
        let Ok(binned) = binned(&columns, &edges) else { return Ok(()) };
        let mut growths = vec![Growth::follow(&binned)];
        growths.extend(Growth::learn(&binned, &gradients, &hessians, taken.as_deref()));
        for growth in &mut growths {
            let mut nodes = 1;
            for call in &calls {
                match call {
                    Call::Histogram(node) => {
                        if let Ok(histogram) = growth.histogram(*node) {
                            prop_assert_eq!(read(&histogram).len(), binned.bins().iter().sum::<usize>());
                        }
                    }
                    Call::Split(node, feature, left) => {
                        if let Ok((first, second)) = growth.split(*node, *feature, left) {
                            prop_assert_eq!((first, second), (nodes, nodes + 1));
                            nodes += 2;
                        }
                    }
                    Call::Values(values) => drop(growth.values(values)),
                }
            }
            let numbers: Vec<f64> = (0..nodes).map(|node| f64::from(node) + 1.0).collect();
            prop_assert!(growth.values(&numbers).unwrap().iter().all(|value| *value >= 1.0), "every row is in a leaf");
        }
    }

    /// Whatever the values, edges rise strictly, are finite and as few as asked.
    #[test]
    fn edges_are_edges(values in prop::collection::vec(number(), 0..400), most in 1usize..256) {
        let edges = trees::edges(values.clone(), most);
        prop_assert!(edges.len() < most && edges.iter().all(|edge| edge.is_finite()));
        prop_assert!(edges.windows(2).all(|pair| pair[0] < pair[1]), "{edges:?}");
        binned(&[values], &[edges]).unwrap();
    }
}
