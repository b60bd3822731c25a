from stepwell import Evaluator, Measure


class MeanAbsoluteError(Evaluator):
    """Measures predictions of numbers: the mean absolute error, over all rows and over each slice."""

    parameters = {
        "label": {"type": "string", "description": "Column of the true number."},
        "prediction": {"type": "string", "default": "prediction", "description": "Column of the predicted number."},
    }

    @property
    def reads(self):
        return {self.params()["label"]: "float64", self.params()["prediction"]: "float64"}

    def evaluate(self, candidate, baseline, slices):
        errors, old = self.errors(candidate), baseline and self.errors(baseline)
        measures = [measure(None, range(len(errors)), errors, old)]
        for column in slices:
            rows_of = {}
            for row, value in enumerate(candidate[column]):
                rows_of.setdefault("null" if value is None else value, []).append(row)
            measures += [measure(f"{column}={value}", rows, errors, old) for value, rows in rows_of.items()]
        return measures

    def errors(self, table):
        """How far each row is off."""
        labels, predictions = table[self.params()["label"]], table[self.params()["prediction"]]
        return [abs(label - prediction) for label, prediction in zip(labels, predictions)]


def measure(name, rows, errors, old):
    """The mean over some rows; with a baseline, the same for it."""
    mean = lambda errors: sum(errors[row] for row in rows) / max(len(rows), 1)  # noqa: E731
    return Measure("mean_absolute_error", mean(errors), slice=name, baseline_value=old and mean(old))
