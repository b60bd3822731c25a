import json

from stepwell import InvalidInput, Predictor, Table, Trained, Trainer


class MeanTrainer(Trainer):
    """The baseline of every regression: answers with the mean of the label, whatever the features."""

    gives = {"prediction": "float64"}
    labelled = True

    def train(self, training):
        if training.label is None:
            raise InvalidInput("label", "expected one, got none")
        values = list(training.train[training.label])
        if not values or None in values:
            raise InvalidInput(training.label, f"expected a number in every row, got {len(values)} rows")
        mean = sum(values) / len(values)
        types = training.train.types
        return Trained(
            files={"model.json": json.dumps({"mean": mean}).encode()},
            inputs={name: types[name] for name in training.features},
            outputs=self.gives,
            measures={"mean": mean},
        )


class MeanPredictor(Predictor):
    """Loads what the trainer saved."""

    def load(self, files):
        self.mean = json.loads(files["model.json"])["mean"]

    def predict(self, rows):
        return Table({"prediction": [self.mean] * len(rows)}, {"prediction": "float64"})
