"""First-party learners against scikit-learn and PyTorch on the same rows: prints the table of docs/learners.md.

    python compare.py --stepwell PATH [--bike bike_sharing_hourly.csv] [--only wine,digits] [--keep FOLDER]

Writes each data set as CSV files into a temporary folder, makes a project there, runs it with `stepwell`, trains the rivals on
the same rows and judges both by the same code. Needs what requirements.txt names.
"""

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import data as sets
import numpy
import rivals
import sklearn
import torch
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

SEEDS = [1, 2, 3]
MLP = {"hidden": [64, 64], "epochs": 100, "early_stopping": 10}


def steps(data):
    """The learners to run on a data set: step name -> plugin, parameters, seed."""
    network = {**MLP, "objective": "multiclass"} if data.classes else MLP
    networks = {f"mlp-{seed}": ("mlp", network, seed) for seed in SEEDS}
    if data.classes is None:
        penalties = {"linear": (0, 0), "ridge": (0, 10), "lasso": (50, 0), "elastic": (20, 20)}
        found = {name: ("linear", {"l1": l1, "l2": l2}, 0) for name, (l1, l2) in penalties.items()}
        return found | networks
    objective = {"objective": "multiclass"} if len(data.classes) > 2 else {}
    clusters = len(data.classes)
    return {
        "logistic": ("logistic", {**objective, "l2": 1}, 0),
        "logistic-l1": ("logistic", {**objective, "l1": 1, "l2": 1, "max_iterations": 5000}, 0),
        "logistic-balanced": ("logistic", {**objective, "class_weight": "balanced"}, 0),
        "kmeans": ("kmeans", {"clusters": clusters}, 0),
        "pca": ("pca", {"components": 5}, 0),
        "pca-white": ("pca", {"components": 5, "whiten": True, "prefix": "w"}, 0),
    } | networks


def toml(value):
    """A value as TOML writes it, which is JSON but for tables."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value)


def pipeline(data):
    """The whole pipeline of a data set."""
    lines = []

    def step(name, **keys):
        lines.append(f"[steps.{name}]")
        lines.extend(f"{key} = {toml(value)}" for key, value in keys.items())
        lines.append("")

    for part in data.parts:
        grants = {"files": ["data"]}
        step(part, plugin="csv", params={"path": f"data/{data.name}_{part}.csv"}, grants=grants)
    for name, (plugin, params, seed) in steps(data).items():
        keys = {"plugin": plugin, "params": params, "seed": seed, "limits": {"wall": "1 h"}}
        if plugin == "pca":
            step(name, **keys, fit="train.table", inputs={"rows": "test.table"})
            out = f"{name}.rows"
        else:
            inputs = {"train": "train.table"}
            categories = list(data.parts["train"].categories) if plugin == "mlp" else []
            if "early_stopping" in params:
                inputs["validation"] = "validation.table"
            if plugin != "kmeans":
                keys["label"] = "label"
            step(name, **keys, inputs=inputs, features=data.features + categories)
            step(f"{name}-predicted", builtin="predict", inputs={"rows": "test.table", "model": f"{name}.model"})
            out = f"{name}-predicted.table"
        grants = {"files": [{"path": "out", "write": True}]}
        step(f"{name}-out", plugin="export", inputs={"table": out}, params={"path": f"out/{name}.csv"}, grants=grants)
    return "\n".join(lines)


def run(stepwell, folder, data):
    """Runs the pipeline: the predicted rows and the measures of each learner."""
    for inner in ("data", "out", "pipelines"):
        (folder / inner).mkdir(parents=True)
    (folder / "stepwell.toml").write_text(f'name = "{data.name}"\n')
    (folder / "pipelines/compare.toml").write_text(pipeline(data))
    data.write(folder / "data")
    ended = subprocess.run([stepwell, "-C", folder, "run", "--json"], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"{data.name}: {ended.stdout[-3000:]}{ended.stderr[-3000:]}")
    shown = subprocess.run([stepwell, "-C", folder, "runs", "show", "1", "--json"], capture_output=True, text=True)
    (folder / "run.json").write_text(shown.stdout)
    found = {}
    for name in steps(data):
        with open(folder / f"out/{name}.csv", newline="") as opened:
            found[name] = list(csv.DictReader(opened))
    return found, json.loads(shown.stdout)


def column(rows, name):
    return numpy.array([float(row[name]) for row in rows])


def probabilities(rows, data):
    if len(data.classes) == 2:
        positive = column(rows, "probability")
        return numpy.column_stack([1 - positive, positive])
    return numpy.column_stack([column(rows, f"probability_{name}") for name in data.classes])


def rmse(prediction, data):
    return float(numpy.sqrt(((prediction - data.parts["test"].label) ** 2).mean()))


def judged(answer, data):
    """The measure of a data set by its name."""
    label = data.parts["test"].label
    if data.classes is None:
        return {"RMSE": rmse(answer, data)}
    found = {"log loss": log_loss(label, answer, labels=range(len(data.classes)))}
    if len(data.classes) == 2:
        return {"ROC-AUC": roc_auc_score(label, answer[:, 1])} | found
    return {"accuracy": accuracy_score(label, answer.argmax(1))} | found


def show(data, learner, measures, apart=None):
    """Lines of the table: a measure each, ours and the rival's, and how far apart answers are at most."""
    for measure, (ours, theirs) in measures.items():
        spread = lambda values: f"{numpy.mean(values):.5g}" + (
            f" ± {numpy.std(values):.2g}" if len(values) > 1 else ""
        )
        apart_shown = "" if apart is None else f"{apart:.1e}"
        print(f"| {data.name} | {learner} | {measure} | {spread(ours)} | {spread(theirs)} | {apart_shown} |", flush=True)


def both(ours, theirs):
    return {measure: ([ours[measure]], [theirs[measure]]) for measure in ours}


def compare_numbers(found, data):
    for name, (plugin, params, _) in steps(data).items():
        if plugin == "linear":
            ours, theirs = column(found[name], "prediction"), rivals.linear(data, params["l1"], params["l2"])
            apart = numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()
            learner = f"linear, l1 = {params['l1']}, l2 = {params['l2']}"
            show(data, learner, both(judged(ours, data), judged(theirs, data)), apart)


def compare_classes(found, data, measures):
    for name, balanced in (("logistic", False), ("logistic-l1", False), ("logistic-balanced", True)):
        params = steps(data)[name][1]
        ours = probabilities(found[name], data)
        theirs = rivals.logistic(data, params.get("l1", 0), params.get("l2", 1), balanced)
        learner = name.replace("-l1", ", l1 = l2 = 1").replace("-balanced", ", balanced classes")
        show(data, learner, both(judged(ours, data), judged(theirs, data)), numpy.abs(ours - theirs).max())
    inertia = measures["kmeans"]["inertia"]
    show(data, "kmeans", {"inertia": ([inertia], [rivals.kmeans(data, len(data.classes))])})
    for name, prefix, whiten in (("pca", "pc", False), ("pca-white", "w", True)):
        theirs = rivals.pca(data, 5, whiten)
        ours = numpy.column_stack([column(found[name], f"{prefix}{place}") for place in range(1, 6)])
        spread = {"deviation of 5 components": ([ours.std()], [theirs.std()])}
        show(data, "pca, whitened" if whiten else "pca", spread, numpy.abs(ours - theirs).max())


def compare_networks(found, data):
    ours, theirs = {}, {}
    for seed in SEEDS:
        rows = found[f"mlp-{seed}"]
        answer = probabilities(rows, data) if data.classes else column(rows, "prediction")
        rival = rivals.mlp(data, seed, MLP["hidden"], MLP["epochs"], MLP["early_stopping"])
        for side, answered in ((ours, answer), (theirs, rival)):
            for measure, value in judged(answered, data).items():
                side.setdefault(measure, []).append(value)
    show(data, "mlp", {measure: (ours[measure], theirs[measure]) for measure in ours})


def measured(shown):
    """What the trainers measured, by step."""
    models = {step["step"]: step["outputs"].get("model") for step in shown["steps"]}
    return {
        step: {measure["name"]: measure["value"] for measure in model["measures"]}
        for step, model in models.items()
        if model
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stepwell", required=True, type=Path)
    parser.add_argument("--bike", type=Path, help="bike_sharing_hourly.csv (UCI Bike Sharing, CC BY 4.0)")
    parser.add_argument("--only", default="breast_cancer,wine,digits,diabetes,bike")
    parser.add_argument("--keep", type=Path, help="a folder that does not exist: the projects stay there")
    given = parser.parse_args()
    # Networks this small are slower on more.
    torch.set_num_threads(1)
    print(f"scikit-learn {sklearn.__version__}, PyTorch {torch.__version__}, numpy {numpy.__version__}\n")
    print("| data | learner | measure | Stepwell | scikit-learn / PyTorch | answers apart at most |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        for name in given.only.split(","):
            if name == "bike" and not given.bike:
                continue
            data = sets.bike(given.bike) if name == "bike" else sets.toy(name)
            found, shown = run(given.stepwell.resolve(), (given.keep or Path(temporary)) / name, data)
            if data.classes is None:
                compare_numbers(found, data)
            else:
                compare_classes(found, data, measured(shown))
            compare_networks(found, data)


if __name__ == "__main__":
    main()
