"""Data sets -> rows to learn from, to stop by and to be judged by, the same for Stepwell and for its rivals."""

import csv
from dataclasses import dataclass, field

import numpy
import sklearn.datasets
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler


@dataclass
class Part:
    """Some of a data set's rows. `categories` has the texts of each categorical feature."""

    numbers: numpy.ndarray
    label: numpy.ndarray
    categories: dict = field(default_factory=dict)


@dataclass
class Data:
    """A data set whose numbers have mean 0 and variance 1 on the rows to learn from."""

    name: str
    features: list
    parts: dict
    classes: list = None

    def write(self, folder):
        """A CSV file a part; the floats read back to the same bits."""
        for name, part in self.parts.items():
            with open(folder / f"{self.name}_{name}.csv", "w", newline="") as opened:
                writer = csv.writer(opened, lineterminator="\n")
                writer.writerow(self.features + list(part.categories) + ["label"])
                label = part.label if self.classes is None else [self.classes[place] for place in part.label]
                columns = [[repr(float(value)) for value in column] for column in part.numbers.T]
                label = [value if isinstance(value, str) else repr(float(value)) for value in label]
                writer.writerows(zip(*columns, *part.categories.values(), label))


def scaled(name, numbers, label, categories=None, classes=None):
    """60 % to learn from, 15 % to stop by, 25 % to be judged by, of each class alike."""
    categories = categories or {}
    rows = numpy.arange(len(label))
    alike = label if classes else None
    known, test = train_test_split(rows, test_size=0.25, random_state=7, stratify=alike)
    train, validation = train_test_split(
        known, test_size=0.2, random_state=7, stratify=None if alike is None else alike[known]
    )
    scaler = StandardScaler().fit(numbers[train])
    chosen = {"train": train, "validation": validation, "test": test}
    parts = {
        part: Part(
            scaler.transform(numbers[places]),
            label[places],
            {feature: [texts[place] for place in places] for feature, texts in categories.items()},
        )
        for part, places in chosen.items()
    }
    return Data(name, [f"x{column}" for column in range(numbers.shape[1])], parts, classes)


def toy(name):
    """One of the sets that come with scikit-learn."""
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    if not hasattr(bunch, "target_names"):
        return scaled(name, bunch.data, bunch.target.astype(float))
    return scaled(name, bunch.data, bunch.target, classes=[f"c{place}" for place in range(len(bunch.target_names))])


# Categorical in what they mean, though the file has numbers.
BIKE_CATEGORIES = ["season", "mnth", "hr", "weekday", "weathersit"]
BIKE_NUMBERS = ["yr", "holiday", "workingday", "temp", "atemp", "hum", "windspeed"]


def bike(path):
    """UCI Bike Sharing, hourly: how many bicycles were hired."""
    with open(path, newline="") as opened:
        rows = list(csv.DictReader(opened))
    numbers = numpy.array([[float(row[name]) for name in BIKE_NUMBERS] for row in rows])
    label = numpy.array([float(row["cnt"]) for row in rows])
    return scaled("bike", numbers, label, {name: [f"k{row[name]}" for row in rows] for name in BIKE_CATEGORIES})
