"""The base class of every role. A step's file defines one class on one of them (a learner two: a `Trainer` and a
`Predictor`).

Common to all: the first line of the docstring is the plugin's summary; `version` its version; `parameters` the
properties of its parameters as JSON Schema, of which `self.params()` gives the values. Columns are written `{"name":
"type"}`, with the types of `columns.NAMES`; `float64?` says that there may be nulls. A file in a saved state is bytes
under a short name.
"""

import json
from collections import namedtuple

from . import host
from .errors import Permanent

STATE_FILE = "state.json"


class Step:
    """What all roles share. Not for direct use."""

    version = "0.1.0"
    parameters = {}

    def params(self):
        """The step's parameters by name: what the pipeline sets, else the schema's default; without either, absent."""
        defaults = {name: schema["default"] for name, schema in self.parameters.items() if "default" in schema}
        return {**defaults, **host.parameters()}


class RowWise(Step):
    """Makes row i of the output of row i of the input, so that it can stand on the path of a request.

    `reads` are the columns it needs; one without `?` is refused when it holds a null. `adds` are the columns it makes,
    `drops` those it takes away. All three may be properties, for steps whose columns depend on parameters. A step that
    defines `fit(self, rows)` learns from the training rows first and keeps what it learnt in `self.state`, which must
    be JSON; one that keeps more overrides `save` and `restore`.
    """

    reads = {}
    adds = {}
    drops = ()
    state = None

    def apply(self, rows):
        """The rows with what this step adds. Large tables come in pieces, a request comes as a few rows."""
        raise NotImplementedError

    def save(self):
        """What was learnt, as files: `{name: bytes}`."""
        _survives(self.state, "state")
        return {STATE_FILE: json.dumps(self.state).encode()}

    def restore(self, files):
        """Takes back what `save` gave."""
        self.state = json.loads(files[STATE_FILE])


class Transformer(Step):
    """Tables to tables, without state: split, join, aggregate.

    `takes` is `{port: {column: type}}`, the columns it needs; None takes any ports. `gives` is the same for what it
    returns, or a method `gives(self, inputs)` that works it out from the columns on the inputs. `subset_of` is
    `{output: input}` for outputs that are some rows of an input, unchanged.
    """

    takes = None
    gives = {}
    subset_of = {}

    def run(self, inputs):
        """Tables by port to tables by port."""
        raise NotImplementedError


Page = namedtuple("Page", "table next_cursor more restarted", defaults=(b"", False, False))
Page.__doc__ = """A piece of what a collector read: the table, where the next begins (bytes), whether to ask again now,
and whether the source changed before the cursor, so that this is the first page again."""


class Collector(Step):
    """Brings rows in from outside, a page at a time. `gives` names the columns, or `discover` asks the source for
    them."""

    gives = {}

    def discover(self):
        """The columns there are at the source."""
        return self.gives

    def read(self, cursor):
        """The `Page` that begins at a cursor; None asks for the first. Each page has the same columns."""
        raise NotImplementedError


Finding = namedtuple("Finding", "check passed observed expected column severity sample", defaults=(None, "error", ()))
Finding.__doc__ = """What a validator found. An `error` that did not pass stops the run, a `warning` is shown; `sample`
holds the positions of offending rows, of which the first 20 count."""


class Validator(Step):
    """Judges rows. `reads` are the columns it needs; the rows themselves pass on unchanged."""

    reads = {}

    def check(self, rows, reference):
        """A list of `Finding`. `reference` is a table to compare with, or None."""
        raise NotImplementedError


Training = namedtuple("Training", "train validation features label weight initial")
Training.__doc__ = """What to learn from: two tables (the second may be None), the names of the columns to learn from,
of the label and of the row weights (each may be None), and the files of a model to start from, or None."""

Trained = namedtuple("Trained", "files inputs outputs measures", defaults=({},))
Trained.__doc__ = """A model: its files, the columns that its predictor reads and gives, and what training measured, by
name."""


class Trainer(Step):
    """Learns a model from rows. Its file defines the `Predictor` that reads it, too. `gives` are the columns that the
    predictor answers with, or a method that is given the columns of the ports `train`, `features` and `label` (dicts of
    name to type) and returns them. `warm_starts` says that `train` goes on from `training.initial`, where a pipeline wires
    it: one that does not is refused there. `labelled` says that it learns a column: a pipeline that names no `label` is
    refused."""

    gives = {}
    labelled = False
    warm_starts = False

    def train(self, training):
        """A `Trained` from a `Training`."""
        raise NotImplementedError


class Predictor(Step):
    """Answers with a trained model; row i of the answer is made of row i alone."""

    def load(self, files):
        """Takes what the trainer saved."""
        raise NotImplementedError

    def predict(self, rows):
        """A table of the columns that the trainer named as its outputs, a row a row."""
        raise NotImplementedError


Measure = namedtuple("Measure", "name value slice interval baseline_value difference_interval", defaults=(None,) * 4)
Measure.__doc__ = """A figure. `slice` is `column=value`, or None for all rows; intervals are `(low, high)`."""


class Evaluator(Step):
    """Measures how good predictions are. `reads` are the columns it needs."""

    reads = {}

    def evaluate(self, candidate, baseline, slices):
        """A list of `Measure`. `baseline` is a table of another model's predictions of the same rows, or None."""
        raise NotImplementedError


Model = namedtuple("Model", "files about")
Model.__doc__ = """A trained model: its files (`{name: bytes}`), and its signature, measures and plugin as a dict."""

Receipt = namedtuple("Receipt", "location repeated", defaults=(False,))
Receipt.__doc__ = """Where a delivery lies now, for people, and whether an earlier attempt had already brought it there."""


class Sink(Step):
    """Brings something out. `takes` are the ports it can take, each with the columns it needs there: `table`, `report`,
    `model`; a pipeline wires one of them."""

    takes = {"table": {}}

    def deliver(self, key, delivery):
        """A `Receipt`. `delivery` is a table, a report (a list of dicts: measures or findings) or a `Model`. An attempt
        that was cut off is followed by another with the same key, text of `a-z 0-9 . _ - /`: deliver once for each."""
        raise NotImplementedError


ROLES = {
    role.__name__: role
    for role in (RowWise, Transformer, Collector, Validator, Trainer, Predictor, Evaluator, Sink)
}


def learns(step):
    """Whether a row-wise step learns from rows before it is applied."""
    return hasattr(step, "fit")


def _survives(value, path):
    """Raises unless JSON gives the value back as it was: what serves must be what was trained."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise Permanent(f"expected text as a key in `{path}`, got {type(key).__name__} {key!r:.60}")
            _survives(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            _survives(inner, f"{path}[{index}]")
    elif value is not None and type(value) not in (bool, int, float, str):
        raise Permanent(
            f"expected JSON in `{path}` (text, numbers, lists, dicts with text keys), got {type(value).__name__}; "
            "or define `save` and `restore`"
        )
