//! Whatever the text: a project or problems with true places, never a panic.

use manifest::{Lock, Sources, check};
use proptest::prelude::*;
use types::Problem;

fn true_places(problems: &[Problem], text: &str) {
    assert!(!problems.is_empty());
    for place in problems.iter().filter_map(|problem| problem.place.as_ref()) {
        if place.file != "stepwell.toml" {
            assert!(text.get(place.span.clone()).is_some(), "{place:?}");
            assert_eq!(text[..place.span.start].matches('\n').count() + 1, place.line);
        }
    }
}

fn try_all(text: &str) {
    let pipelines = [("p".to_owned(), text.to_owned())].into();
    match check(&Sources { project: "name = \"a\"".to_owned(), pipelines }) {
        Ok(project) => {
            let pipeline = project.pipelines.values().next().unwrap();
            assert_eq!(pipeline.in_order().len(), pipeline.steps.len());
        }
        Err(problems) => true_places(&problems, text),
    }
    if let Err(problems) = Lock::parse(text) {
        true_places(&problems, text);
    }
    let _ = check(&Sources { project: text.to_owned(), ..Default::default() });
}

/// Pieces of manifests, so that texts get past the syntax.
const WORDS: [&str; 71] = [
    "[steps.a]\n",
    "[steps.b]\n",
    "[steps]\n",
    "[limits]\n",
    "[plugins.csv]\n",
    "plugin = ",
    "builtin = ",
    "\"predict\"\n",
    "\"gate\"\n",
    "\"register\"\n",
    "\"csv\"\n",
    "\"./x.py\"\n",
    "inputs = ",
    "{ table = \"a.table\" }\n",
    "{ model = \"b.model\", rows = \"a.b\" }\n",
    "fit = ",
    "\"a.x\"\n",
    "params = ",
    "params.x.",
    "seed = ",
    "label = ",
    "features = ",
    "ignore = ",
    "[\"x\", \"y\"]\n",
    "require = ",
    "[{ measure = \"m\", at_least = 0.5 }]\n",
    "limits = ",
    "{ memory = \"1 GiB\" }\n",
    "grants = ",
    "{ files = [\"data\"] }\n",
    "nan\n",
    "0x1f\n",
    "1979-05-27\n",
    "-1\n",
    "é = ",
    "[",
    "]",
    "\"",
    "\n",
    "name = ",
    "[schedule]\n",
    "cron = ",
    "\"0 6 * * 1-5\"\n",
    "zone = ",
    "\"Europe/Berlin\"\n",
    "start = ",
    "end = ",
    "jitter = \"5 min\"\n",
    "when = ",
    "[{ rows = \"a.table\", at_least = 1 }]\n",
    "[{ measures = \"b.measures\", measure = \"m\", at_most = 1 }]\n",
    "[{ text = \"${mode}\", is = 3 }]\n",
    "retry = ",
    "{ attempts = 5, backoff = \"10 s\" }\n",
    "pool = ",
    "each = ",
    "{ param = \"x\", values = [1, 2] }\n",
    "{ rows = \"table\", by = \"x\" }\n",
    "{ like = \"a\" }\n",
    "\"best\"\n",
    "[triggers]\n",
    "after = ",
    "files = ",
    "source = { step = \"a\", every = \"5 min\" }\n",
    "[settings]\n",
    "mode = ",
    "${mode}",
    "$",
    "[retention]\n",
    "[notify]\n",
    "[pools]\n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn on_any_text(text in any::<String>()) {
        try_all(&text);
    }

    #[test]
    fn on_any_ascii(bytes in proptest::collection::vec(0u8..128, 0..200)) {
        try_all(&String::from_utf8(bytes).unwrap());
    }

    #[test]
    fn on_pieces_of_manifests(words in proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..30)) {
        try_all(&words.concat());
    }

    #[test]
    fn on_any_damage_to_the_example(at in 0usize..4000, byte in any::<u8>(), cut in 0usize..40) {
        let mut bytes = include_bytes!("../../../examples/tumour/pipelines/train.toml").to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let end = (at + 1 + cut).min(bytes.len());
        bytes.drain(at + 1..end);
        try_all(&String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn on_deep_and_long_texts() {
    try_all(&format!("[steps.a]\nparams = {}", "[".repeat(100_000)));
    try_all(&format!("[steps.a]\nparams = {}1{}", "{a=".repeat(79), "}".repeat(79)));
    try_all(&format!("steps.a.params.{} = 1", vec!["x"; 70].join(".")));
    try_all(&(0..5000).map(|step| format!("[steps.s{step}]\nplugin=\"x\"\n")).collect::<String>());
    let chain = |step: usize| format!("[steps.s{step}]\nplugin=\"x\"\ninputs.t=\"s{}.t\"\n", (step + 1) % 900);
    try_all(&(0..900).map(chain).collect::<String>());
    try_all(&(0..60_000).map(|_| "[[a]]\n").collect::<String>());
}
