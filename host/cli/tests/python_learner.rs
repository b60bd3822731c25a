//! A learner in Python: trained with the host's tensors, used in batch and served from the same component.

mod harness;

use harness::Project;
use serde_json::json;

const LEARNER: &str = r#"
import json

from stepwell import Predictor, Trained, Trainer, metric
from stepwell.tensor import Variable, full, sgd, tensor


class Line(Trainer):
    """Least squares by gradient descent, without an intercept."""

    gives = {"answer": "float64"}
    warm_starts = True

    def train(self, training):
        x = tensor(training.train, training.features, "float64")
        y = tensor(training.train, [training.label], "float64")
        begin = full([len(training.features), 1], 0.0, "float64")
        if training.initial:
            begin = tensor(json.loads(training.initial["model.json"])["weights"], [len(training.features), 1], "float64")
        weights = Variable("weights", begin)
        optimiser = sgd([weights])
        for epoch in range(600):
            error = x @ weights.value() - y
            loss = (error * error).mean()
            if epoch == 0:
                first = loss.item()
            optimiser.step(loss, 0.1)
        metric("loss", loss.item())
        model = {"features": training.features, "weights": list(weights.value().values())}
        types = training.train.types
        return Trained(
            files={"model.json": json.dumps(model).encode()},
            inputs={name: types[name] for name in training.features},
            outputs=self.gives,
            measures={"loss": loss.item(), "first_loss": first},
        )


class Answer(Predictor):
    def load(self, files):
        model = json.loads(files["model.json"])
        self.features = model["features"]
        self.weights = tensor(model["weights"], [len(self.features), 1], "float64")

    def predict(self, rows):
        return (tensor(rows, self.features, "float64") @ self.weights).to_table(["answer"])
"#;

const PIPELINE: &str = r#"
[steps.bodies]
plugin = "csv"
params = { path = "data/bodies.csv" }
grants = { files = ["data"] }

[steps.model]
plugin = "./steps/line.py"
inputs = { train = "bodies.table" }
label = "y"

[steps.on]
plugin = "./steps/line.py"
inputs = { train = "bodies.table", initial = "model.model" }
label = "y"

[steps.predicted]
builtin = "predict"
inputs = { rows = "bodies.table", model = "model.model" }
"#;

#[test]
fn a_python_learner_trains_with_tensors_and_answers() {
    let project = Project::new();
    project.write("data/bodies.csv", "a,b,y\n1.5,0.5,2.5\n0.5,1.5,-0.5\n1.25,1.5,1.0\n-1.5,0.75,-3.75\n");
    project.write("steps/line.py", LEARNER);
    project.write("pipelines/train.toml", PIPELINE);
    project.write("stepwell.toml", "name = \"lines\"\n");
    let checked = project.stepwell(&["check", "--json"]).json();
    let steps = checked[0]["steps"].as_array().unwrap();
    let outputs = |name: &str| steps.iter().find(|step| step["step"] == name).unwrap()["outputs"].clone();
    assert_eq!(outputs("predicted"), json!({"table": 4}), "check knows what the predictor will give: {checked}");
    project.stepwell(&["run"]).expect("run", 0, &["succeeded"]);
    for row in project.rows(1, "predicted.table") {
        let value = |name: &str| row[name].as_f64().unwrap();
        // y = 2 a - b, which the rows hold exactly.
        assert!((value("answer") - value("y")).abs() < 1e-6, "{row}");
    }
    let shown = project.stepwell(&["runs", "show", "1", "--json"]).json();
    let first_loss = |name: &str| {
        let step = shown["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap();
        let measures = step["outputs"]["model"]["measures"].as_array().unwrap();
        measures.iter().find(|measure| measure["name"] == "first_loss").unwrap()["value"].as_f64().unwrap()
    };
    assert!(first_loss("model") > 1.0 && first_loss("on") < 1e-9, "the second goes on from the first: {shown:#}");
}
