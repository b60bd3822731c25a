//! The contract's list of operations on tensors, which says what must be covered.

use std::collections::BTreeMap;

const WIT: &str = include_str!("../../../../wit/tensor@0.1.0/tensor.wit");

/// What gives a tensor: `softmax`, or `unary.exp` where one function does several things.
pub(crate) fn operations() -> Vec<String> {
    listed().into_iter().map(|(name, _)| name).collect()
}

/// Those that claim a gradient: all whose words do not say `No gradient`.
pub(crate) fn with_gradient() -> Vec<String> {
    listed().into_iter().filter(|(_, words)| !words.contains("No gradient")).map(|(name, _)| name).collect()
}

/// `GeluTanh` as the contract writes it.
pub(crate) fn kebab(case: impl std::fmt::Debug) -> String {
    let mut name = String::new();
    for letter in format!("{case:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase());
    }
    name
}

fn listed() -> Vec<(String, String)> {
    let (cases, functions) = (cases(), functions());
    let mut listed = Vec::new();
    for (name, words, arguments) in functions {
        // The one argument that chooses, if there is one.
        let kinds = arguments.split([' ', ',', ')']).filter_map(|kind| Some((kind, cases.get(kind)?)));
        match kinds.into_iter().find(|(kind, _)| *kind != "element-type") {
            Some((_, several)) => listed.extend(several.iter().map(|case| (format!("{name}.{case}"), words.clone()))),
            None => listed.push((name, words)),
        }
    }
    listed
}

/// Name, words and arguments of each function that gives a tensor.
fn functions() -> Vec<(String, String, String)> {
    let (mut found, mut words) = (Vec::new(), String::new());
    for line in WIT.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            words.push_str(more);
        } else if let Some((name, arguments)) = line.split_once(": static func(").or(line.split_once(": func(")) {
            if line.contains("-> result<tensor, error>") {
                found.push((name.to_owned(), std::mem::take(&mut words), arguments.to_owned()));
            }
            words.clear();
        } else if !line.starts_with("@since") {
            words.clear();
        }
    }
    found
}

/// The cases of every enum and variant.
fn cases() -> BTreeMap<&'static str, Vec<String>> {
    let mut found = BTreeMap::new();
    for kind in ["enum ", "variant "] {
        for part in WIT.split(kind).skip(1) {
            let (name, rest) = part.split_once(" {").unwrap();
            let body = rest.split_once('}').unwrap().0;
            let bare: Vec<&str> = body.lines().filter(|line| !line.trim().starts_with("///")).collect();
            let cases = bare.join(" ");
            let cases = cases.split(',').map(|case| case.split('(').next().unwrap().trim().to_owned());
            found.insert(name, cases.filter(|case| !case.is_empty()).collect());
        }
    }
    found
}

#[test]
fn the_list_is_read_whole() {
    let operations = operations();
    for name in
        ["unary.softplus", "binary.pow", "binary-scalar.add", "compare.ge", "reduce.log-sum-exp", "pool.average"]
    {
        assert!(operations.iter().any(|operation| operation == name), "{name} is not in {operations:?}");
    }
    for name in ["regression-loss.quantile", "cross-entropy", "convolve", "from-bytes", "value", "normal"] {
        assert!(operations.iter().any(|operation| operation == name), "{name} is not in {operations:?}");
    }
    let claimed = with_gradient();
    assert!(claimed.len() > 60 && claimed.contains(&"take".to_owned()), "{claimed:?}");
    assert!(!claimed.contains(&"argmax".to_owned()) && !claimed.contains(&"compare.lt".to_owned()), "{claimed:?}");
}

/// Our own enumerations are the contract's.
#[test]
fn every_case_is_there() {
    use tensors::{Binary, Comparison, Pooling, Reduction, Unary};
    let cases = cases();
    let names = |cases: Vec<String>| cases;
    assert_eq!(cases["unary"], names(Unary::ALL.iter().map(kebab).collect()));
    assert_eq!(cases["binary"], names(Binary::ALL.iter().map(kebab).collect()));
    assert_eq!(cases["comparison"], names(Comparison::ALL.iter().map(kebab).collect()));
    assert_eq!(cases["reduction"], names(Reduction::ALL.iter().map(kebab).collect()));
    assert_eq!(cases["pooling"], names(Pooling::ALL.iter().map(kebab).collect()));
}
