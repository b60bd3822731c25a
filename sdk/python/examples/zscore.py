from math import isfinite, sqrt
from sys import float_info

from stepwell import InvalidInput, RowWise


class ZScore(RowWise):
    """Scales columns to mean 0 and deviation 1, as learnt from the training rows. Nulls are left out of learning and stay
    null. The same step stands in the examples of every SDK, and saves the same state."""

    parameters = {
        "columns": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "uniqueItems": True,
            "description": "Columns to scale.",
        }
    }

    @property
    def reads(self):
        return {name: "float64?" for name in self.params()["columns"]}

    def fit(self, rows):
        self.state = {name: learnt(name, rows[name]) for name in self.reads}

    def apply(self, rows):
        made = {name: scaled(rows[name], **scale) for name, scale in self.state.items()}
        return rows.with_columns(made, types={name: rows.types[name] for name in made})


def learnt(name, column):
    values = [value for value in column if value is not None]
    count = max(len(values), 1)
    mean = total(values) / count
    variance = total((value - mean) * (value - mean) for value in values) / count
    # scikit-learn's bound: a variance that rounding alone can make is none.
    slack = count * mean * float_info.epsilon
    scale = 1.0 if variance <= count * float_info.epsilon * variance + slack * slack else sqrt(variance)
    if not (isfinite(mean) and isfinite(variance)):
        raise InvalidInput(name, "expected numbers of a finite mean and deviation to learn from")
    return {"mean": mean, "scale": scale}


def total(values):
    """One after the other. Python's own `sum` carries what rounding loses, so its bits are no other language's."""
    added = 0.0
    for value in values:
        added += value
    return added


def scaled(column, mean, scale):
    return [None if value is None else (value - mean) / scale for value in column]
