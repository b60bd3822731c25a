//! `--param STEP.NAME=VALUE` -> the pipeline with that value; what the plugin's schema says of it is `plan`'s to hold it against.
//! Pure.

use manifest::{Pipeline, Source};
use types::{Id, Problem, Settings, StepName};

/// Sets parameters of steps for one run, or says everything that is wrong with them.
pub(crate) fn apply(pipeline: &mut Pipeline, params: &Settings) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (name, value) in params {
        if let Err(problem) = set(pipeline, name, value) {
            problems.push(problem);
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn set(pipeline: &mut Pipeline, name: &str, value: &serde_json::Value) -> Result<(), Problem> {
    let malformed = || {
        let hint = "a parameter of a step is STEP.PARAMETER, such as `model.depth`";
        Problem::new(format!("`{name}` is no parameter of a step")).hinted(hint)
    };
    let (step, key) = name.split_once('.').filter(|(_, key)| !key.is_empty()).ok_or_else(malformed)?;
    let step = StepName::parse(step).map_err(|_| malformed())?;
    let known: Vec<String> = pipeline.steps.iter().map(|step| step.name.to_string()).collect();
    let Some(found) = pipeline.steps.iter_mut().find(|found| found.name == step) else {
        let problem = Problem::new(format!("pipeline `{}` has no step `{step}`", pipeline.name));
        let near = types::nearest(step.as_str(), known.iter().map(String::as_str));
        return Err(problem.hinted(match near {
            Some(near) => format!("did you mean `{near}.{key}`?"),
            None => format!("it has {}", known.join(", ")),
        }));
    };
    let Source::Plugin(_) = &found.source else {
        return Err(Problem::new(format!("step `{step}` has no parameters: it is a built-in")));
    };
    if let Some(manifest::Each::Values { param, .. }) = &found.course.each
        && param == key
    {
        let problem = Problem::new(format!("step `{step}` runs for each of several values of `{key}`"));
        return Err(problem.hinted("one value for all of them cannot be set; change `each` in the file"));
    }
    if let Some(params) = found.params.as_object_mut() {
        params.insert(key.to_owned(), value.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &str = "[steps.rows]\nplugin = \"csv\"\nparams = { path = \"a.csv\" }\n\n\
        [steps.gate]\nbuiltin = \"gate\"\ninputs = { measures = \"rows.table\" }\n\
        require = [{ measure = \"auc\", at_least = 0.5 }]\n";

    fn pipeline() -> Pipeline {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("pipelines")).unwrap();
        std::fs::write(folder.path().join("stepwell.toml"), "name = \"shop\"\n").unwrap();
        std::fs::write(folder.path().join("pipelines/train.toml"), TEXT).unwrap();
        manifest::load(folder.path()).unwrap().pipelines.pop_first().unwrap().1
    }

    #[test]
    fn a_value_takes_the_files_place_or_stands_beside_it() {
        let mut pipeline = pipeline();
        let params = [("rows.path".to_owned(), json!("b.csv")), ("rows.page_rows".to_owned(), json!(5))].into();
        assert_eq!(apply(&mut pipeline, &params), Ok(()));
        assert_eq!(pipeline.steps[0].params, json!({ "path": "b.csv", "page_rows": 5 }));
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        let names = ["path", "rows.", "rosw.path", "gate.at_least", "Rows.path"];
        let params = names.map(|name| (name.to_owned(), json!(1))).into();
        let problems = apply(&mut pipeline(), &params).unwrap_err();
        let said: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "`Rows.path` is no parameter of a step",
                "step `gate` has no parameters: it is a built-in",
                "`path` is no parameter of a step",
                "pipeline `train` has no step `rosw`",
                "`rows.` is no parameter of a step",
            ]
        );
        assert_eq!(problems[3].hint.as_deref(), Some("did you mean `rows.path`?"));
    }
}
