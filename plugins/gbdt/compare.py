"""Held-out quality of `gbdt`, LightGBM and scikit-learn's HistGradientBoosting, all with 100 trees of 31 leaves.

    pip install lightgbm==4.6.0 scikit-learn==1.9.1
    python compare.py STEPWELL [BIKE_SHARING_HOURLY.csv]

STEPWELL is the binary, its plugins beside it. Each set is split five times into 75 % to learn from and 25 % to be judged by.
Shown are means over the splits, and mean and standard deviation of the difference to LightGBM.
"""

import csv
import json
import pathlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

import lightgbm
import numpy as np
from sklearn import datasets, ensemble, metrics, model_selection

SPLITS = 5
COLLECTOR = """
[steps.{side}-{split}]
plugin = "csv"
params = {{ path = "data/{side}-{split}.csv", columns = {{ {columns} }} }}
grants = {{ files = ["data"] }}
"""
MODEL = """
[steps.model-{split}]
plugin = "gbdt"
inputs = {{ train = "train-{split}.table" }}
label = "label"
params = {{ objective = "{objective}", categorical = {categorical} }}

[steps.predicted-{split}]
builtin = "predict"
inputs = {{ rows = "test-{split}.table", model = "model-{split}.model" }}
"""


@dataclass
class Task:
    name: str
    objective: str
    rows: np.ndarray
    labels: np.ndarray
    names: list
    categorical: list = field(default_factory=list)

    def splits(self):
        """Rows and labels to learn from, rows and labels to be judged by."""
        for seed in range(SPLITS):
            stratify = None if self.objective == "squared" else self.labels
            options = {"test_size": 0.25, "random_state": seed, "stratify": stratify}
            learn, judge, labels, truth = model_selection.train_test_split(self.rows, self.labels, **options)
            yield learn, labels, judge, truth


def write(path, task, rows, labels):
    places = [task.names.index(name) for name in task.categorical]
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*task.names, "label"])
        for row, label in zip(rows.tolist(), labels.tolist()):
            cells = ["" if value != value else repr(value) for value in row]
            for place in places:
                cells[place] = int(row[place])
            writer.writerow([*cells, label])


def ours(binary, task):
    """One run with a model a split."""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "data").mkdir()
        (folder / "pipelines").mkdir()
        (folder / "stepwell.toml").write_text('name = "compared"\n')
        kind = {name: "int64" if name in task.categorical else "float64" for name in task.names}
        columns = ", ".join(f'{name} = "{kind[name]}"' for name in task.names)
        pipeline = ""
        for split, (learn, labels, judge, truth) in enumerate(task.splits()):
            for side, rows, answers in [("train", learn, labels), ("test", judge, truth)]:
                write(folder / f"data/{side}-{split}.csv", task, rows, answers)
                pipeline += COLLECTOR.format(side=side, split=split, columns=columns)
            categorical = json.dumps(task.categorical)
            pipeline += MODEL.format(split=split, objective=task.objective, categorical=categorical)
        (folder / "pipelines/main.toml").write_text(pipeline)
        command = [binary, "-C", folder]
        subprocess.run([*command, "run"], check=True, stdout=subprocess.DEVNULL)
        for split in range(SPLITS):
            asked = [*command, "runs", "rows", "1", f"predicted-{split}.table", "--limit", "10000", "--json"]
            said = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
            yield answers_of(task, json.loads(said)["rows"])


def answers_of(task, rows):
    """Numbers, or probabilities [rows, classes]."""
    if task.objective == "squared":
        return np.array([row["prediction"] for row in rows])
    if task.objective == "binary":
        positive = np.array([row["probability"] for row in rows])
        return np.stack([1 - positive, positive], axis=1)
    return np.array([[row[f"probability_{label}"] for label in sorted(set(task.labels.tolist()))] for row in rows])


def theirs(make, task, **fit):
    for learn, labels, judge, _ in task.splits():
        model = make().fit(learn, labels, **fit)
        yield model.predict(judge) if task.objective == "squared" else model.predict_proba(judge)


def lightgbm_answers(task):
    make = lightgbm.LGBMRegressor if task.objective == "squared" else lightgbm.LGBMClassifier
    places = [task.names.index(name) for name in task.categorical]
    return theirs(lambda: make(verbose=-1, n_jobs=1), task, categorical_feature=places or "auto")


def scikit_answers(task):
    numbers = task.objective == "squared"
    make = ensemble.HistGradientBoostingRegressor if numbers else ensemble.HistGradientBoostingClassifier
    places = [task.names.index(name) for name in task.categorical] or None
    return theirs(lambda: make(early_stopping=False, categorical_features=places), task)


def measures(task, answers):
    """Measure -> its value on each split."""
    pairs = [(truth, answer) for (_, _, _, truth), answer in zip(task.splits(), answers)]
    if task.objective == "squared":
        return {"RMSE": np.array([metrics.root_mean_squared_error(*pair) for pair in pairs])}
    return {
        "log loss": np.array([metrics.log_loss(*pair) for pair in pairs]),
        "accuracy": np.array([metrics.accuracy_score(truth, answer.argmax(axis=1)) for truth, answer in pairs]),
    }


def tasks(bikes):
    for name, objective in [("breast_cancer", "binary"), ("wine", "multiclass"), ("diabetes", "squared")]:
        rows, labels = getattr(datasets, f"load_{name}")(return_X_y=True)
        names = [f"x{i}" for i in range(rows.shape[1])]
        yield Task(name, objective, rows, labels, names)
        if objective == "binary":
            missing = np.random.default_rng(0).random(rows.shape) < 0.2
            yield Task(f"{name}, 20 % missing", objective, np.where(missing, np.nan, rows), labels, names)
    if bikes:
        names = "season yr mnth hr holiday weekday workingday weathersit temp atemp hum windspeed".split()
        with open(bikes, newline="") as file:
            read = list(csv.DictReader(file))
        rows = np.array([[float(row[name]) for name in names] for row in read])
        labels = np.array([float(row["cnt"]) for row in read])
        yield Task("bike sharing", "squared", rows, labels, names)
        yield Task("bike sharing, categories", "squared", rows, labels, names, ["season", "hr", "weekday", "weathersit"])


def main(binary, bikes=None):
    print("| set | measure | gbdt | LightGBM | scikit-learn | gbdt - LightGBM |\n|---|---|---|---|---|---|")
    for task in tasks(bikes):
        all_three = [ours(binary, task), lightgbm_answers(task), scikit_answers(task)]
        found = [measures(task, answers) for answers in all_three]
        for measure in found[0]:
            means = " | ".join(f"{each[measure].mean():.4g}" for each in found)
            difference = found[0][measure] - found[1][measure]
            spread = f"{difference.mean():+.2g} ± {difference.std(ddof=1):.2g}"
            print(f"| {task.name} | {measure} | {means} | {spread} |", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
