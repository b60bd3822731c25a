"""What scikit-learn's logistic regression reaches on the same split: the figure that Stepwell's own must agree with.

    python reference.py TRAIN.csv TEST.csv     two files that each have a column `sample`
    python reference.py SPLIT.csv              one file with the columns `sample` and `part` (`train` or `test`)
    python reference.py --seed 7               scikit-learn's own stratified split, 75 to 25

The features are standardized with the mean and the standard deviation of the training rows alone; then
LogisticRegression with C = 1 and its default L2 penalty. Needs scikit-learn.
"""

import argparse
import csv
import sys
from pathlib import Path

import numpy
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

DATA = Path(__file__).with_name("data") / "tumour.csv"


def rows(path):
    """A CSV file's rows as dicts."""
    with open(path, newline="") as opened:
        return list(csv.DictReader(opened))


def split(files, seed, samples, target):
    """Sample numbers of the training rows and of the test rows."""
    if len(files) == 2:
        return tuple([int(row["sample"]) for row in rows(path)] for path in files)
    if len(files) == 1:
        found = rows(files[0])
        return tuple([int(row["sample"]) for row in found if row["part"] == part] for part in ("train", "test"))
    return train_test_split(samples, test_size=0.25, stratify=target, random_state=seed)


def measures(train, test, target_train, target_test):
    """The test rows' figures by name."""
    model = LogisticRegression(C=1.0, max_iter=10_000).fit(train, target_train)
    malignant = model.predict_proba(test)[:, 1]
    return {
        "roc_auc": roc_auc_score(target_test, malignant),
        "accuracy": accuracy_score(target_test, malignant >= 0.5),
        "log_loss": log_loss(target_test, malignant),
        "brier": brier_score_loss(target_test, malignant),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", metavar="FILE.csv")
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    if len(given.files) > 2:
        parser.error(f"expected at most two files, got {len(given.files)}")
    data = rows(DATA)
    features = [name for name in data[0] if name not in ("sample", "diagnosis")]
    values = numpy.array([[float(row[name]) for name in features] for row in data])
    target = numpy.array([row["diagnosis"] == "malignant" for row in data], dtype=int)
    train, test = (
        numpy.array(part) - 1 for part in split(given.files, given.seed, numpy.arange(1, len(data) + 1), target)
    )
    scaler = StandardScaler().fit(values[train])
    scaled_train, scaled_test = scaler.transform(values[train]), scaler.transform(values[test])
    concavity, radius = features.index("worst_concavity"), features.index("worst_radius")

    def derived(scaled):
        return numpy.column_stack([scaled, scaled[:, concavity] * scaled[:, radius]])

    print(f"python {sys.version.split()[0]}, scikit-learn {sklearn.__version__}, numpy {numpy.__version__}")
    print(f"{len(train)} training rows, {len(test)} test rows")
    for name, make in (("30 features", lambda scaled: scaled), ("and concavity_by_size", derived)):
        found = measures(make(scaled_train), make(scaled_test), target[train], target[test])
        print(f"{name}: " + ", ".join(f"{measure} {value:.6f}" for measure, value in found.items()))


if __name__ == "__main__":
    main()
