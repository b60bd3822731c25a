"""The glue inside a component: the contract's exports -> the class that a step's file defines. `build` generates the
module that calls `bind`; nothing else imports this, and natively nothing can.

Each export takes what the host gave, calls the step, and turns whatever it raises into the contract's error.
"""

import _strptime  # noqa: F401  `datetime.strptime` imports it when first called, when there is nowhere to import from.
import functools
import importlib
import json
import sys

from . import _crossing, _doors, _returned, _wit, host, rowwise
from .columns import parse
from .errors import InvalidInput, Permanent, ShapeMismatch, StepError
from .roles import ROLES, Finding, Measure, Model as SinkModel, Page, Receipt, Trained, Training, learns
from .table import Table, lift, lower, lower_pieces

_plugin = {}
_SAMPLE_MAX = 20


def bind(source, file, name, classes, random):
    """Takes a step's module in: its file's name, the plugin's name, `{role: class name}`, and whether it uses
    `random`."""
    steps = {role: getattr(source, defined) for role, defined in classes.items()}
    for role, step in steps.items():
        if not (isinstance(step, type) and issubclass(step, ROLES[role])):
            raise TypeError(f"expected `{classes[role]}` to be a {role} after the file ran, got {step!r}")
    _plugin.update(source=source.__file__, file=file, name=name, steps=steps, random=random, settled=False)
    for export in ("description", *(_INTERFACES[role] for role in steps)):
        _plugin[export] = _wit.exports(export)


_INTERFACES = {
    "RowWise": "fitted",
    "Transformer": "transformer",
    "Collector": "collector",
    "Validator": "validator",
    "Trainer": "trainer",
    "Predictor": "predictor",
    "Evaluator": "evaluator",
    "Sink": "sink",
}


def _step(role):
    if _plugin["random"]:
        # The generator's state is part of the component's image: unseeded, every run would continue from the build.
        importlib.import_module("random").seed(host.seed())
    return _plugin["steps"][role]()


def _settle():
    """Once, in the first call: until then, in the build, there are files to import from and a place for errors."""
    if not _plugin["settled"]:
        _plugin["settled"] = True
        sys.stdout, sys.stderr = host.LogStream("info"), host.LogStream("warn")
        _doors.close()


def _exported(function):
    @functools.wraps(function)
    def guarded(*arguments):
        _settle()
        try:
            return _crossing.result(function(*arguments))
        except _wit.Err:
            raise
        except BaseException as error:  # Also `sys.exit`: a step returns or fails, it does not leave.
            raise _told(error) from None

    return guarded


def _told(error):
    """The contract's case for what was raised. What that cannot hold, such as a text for a number, is a mistake of the
    step's like any other, and told with the line that raised it: nothing may leave here that is no case."""
    if not isinstance(error, StepError):
        return _wit.error(Permanent(_described(error)))
    try:
        return _wit.error(_placed(error) if error.of_host else error)
    except Exception as unfit:
        return _wit.error(Permanent(_described(unfit, error)))


def _described(error, raised=None):
    """`ZeroDivisionError: division by zero (roundness.py, line 12)`; the line is of what was `raised`, or of itself."""
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:  # Its `__str__` is the step's own code.
        text = "it has no text"
    return _with_line(f"{name}: {text}" if text else name, raised or error)


def _placed(error):
    """The same of the host, with the line that asked for it: where people read, not in what programs compare."""
    if isinstance(error, InvalidInput):
        return InvalidInput(error.name, _with_line(error.reason, error))
    if isinstance(error, ShapeMismatch):
        return ShapeMismatch(error.operation, error.expected, _with_line(error.got, error))
    return Permanent(_with_line(str(error), error)) if isinstance(error, Permanent) else error


def _with_line(text, error):
    """With the deepest line that is the user's own, at the end of the text's first line."""
    line, frame = None, error.__traceback__
    while frame:
        if frame.tb_frame.f_code.co_filename == _plugin["source"]:
            line = frame.tb_lineno
        frame = frame.tb_next
    first, newline, rest = text.partition("\n")
    return f"{first} ({_plugin['file']}, line {line}){newline}{rest}" if line else text


def _files(saved):
    return [_wit.types.SavedFile(name, content) for name, content in saved.items()]


def _contents(files):
    return {file.name: file.content for file in files}


def _fields(columns):
    return [_wit.field(name, parse(name, text)) for name, text in columns.items()]


def _columns(where, made):
    return _returned.one(dict, where, made, "a dict of columns, `{name: type}`,")


def _table(where, made):
    return _returned.one(Table, where, made)


def _port(name, columns):
    return _wit.types.Port(name, _fields(columns))


class Description:
    """The interface `description`."""

    @_exported
    def describe(self, inputs):
        role = next(iter(_plugin["steps"]))
        step = _plugin["steps"][role]()
        wired = {port.name: {field.name: _wit.kind(field) for field in port.columns} for port in inputs}
        takes, gives = _ports(role, step, wired)
        summary = (type(step).__doc__ or "").strip().splitlines()
        required = [name for name, schema in step.parameters.items() if "default" not in schema]
        parameters = {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": step.parameters,
            "required": required,
            "additionalProperties": False,
        }
        description = _plugin["description"]
        outputs = [description.Output(name, _fields(columns), relation) for name, columns, relation in gives]
        return description.Descriptor(
            _plugin["name"],
            step.version,
            summary[0] if summary else "",
            json.dumps(parameters),
            [_port(name, columns) for name, columns in takes.items()],
            outputs,
            role == "RowWise" and learns(step),
        )


def _ports(role, step, wired):
    try:
        return _PORTS[role](step, wired)
    except Exception:
        # A person who asks what the plugin is sets no parameters, and the step's columns may depend on one.
        if wired:
            raise
        return {}, []


def _other():
    return _plugin["description"].RowRelation_Other()


def _subset(port):
    return _plugin["description"].RowRelation_Subset(port)


def _rowwise_ports(step, wired):
    """Each input gives an output of its name; but what stands on `fit` is only learnt from."""
    takes = {name: step.reads for name in wired} or {"rows": step.reads}
    same = _plugin["description"].RowRelation_Same
    gives = [(name, rowwise.columns_out(step, columns), same(name)) for name, columns in wired.items() if name != "fit"]
    return takes, gives


def _declared(step, wired):
    if not callable(step.gives):
        return step.gives
    return step.gives({port: {name: str(kind) for name, kind in columns.items()} for port, columns in wired.items()})


def _transformer_ports(step, wired):
    takes = {name: {} for name in wired} if step.takes is None else step.takes
    if callable(step.gives) and not wired:
        return takes, []
    gives = _declared(step, wired)
    relations = {name: _subset(port) for name, port in step.subset_of.items()}
    return takes, [(name, columns, relations.get(name) or _other()) for name, columns in gives.items()]


def _validator_ports(step, wired):
    takes = {"table": step.reads, **{name: {} for name in wired if name == "reference"}}
    return takes, [("table", columns, _subset(name)) for name, columns in wired.items() if name == "table"]


def _trainer_ports(step, wired):
    """What the predictor will give stands on `predictions`; it names no other output, for the model is the host's."""
    takes = {"train": {}, **{name: {} for name in wired if name == "validation"}}
    if step.labelled:
        takes["label"] = {}
    if step.warm_starts:
        takes["initial"] = {}
    gives = _declared(step, wired) if wired or not callable(step.gives) else {}
    return takes, [("predictions", gives, _plugin["description"].RowRelation_Same("train"))]


def _evaluator_ports(step, wired):
    takes = {"candidate": step.reads, **{name: step.reads for name in wired if name == "baseline"}}
    return takes, [("measures", {}, _other())]


_PORTS = {
    "RowWise": _rowwise_ports,
    "Transformer": _transformer_ports,
    "Collector": lambda step, wired: ({}, [("table", step.gives, _other())]),
    "Validator": _validator_ports,
    "Trainer": _trainer_ports,
    "Evaluator": _evaluator_ports,
    "Sink": lambda step, wired: (step.takes, []),
}


class Transform:
    """The resource of the interface `fitted`."""

    def __init__(self, step):
        self._step = step

    @classmethod
    @_exported
    def fit(cls, rows):
        return Transform(rowwise.fitted(lambda: _step("RowWise"), lift(rows)))

    @classmethod
    @_exported
    def restore(cls, files):
        return Transform(rowwise.restored(lambda: _step("RowWise"), _contents(files)))

    @_exported
    def save(self):
        return _files(rowwise.saved(self._step))

    @_exported
    def apply(self, rows):
        table = lift(rows)
        return lower_pieces(table, rowwise.pieces(self._step, table))


class Transformer:
    """The interface `transformer`."""

    @_exported
    def run(self, inputs):
        made = _step("Transformer").run({named.name: lift(named.table) for named in inputs})
        tables = _returned.one(dict, "of tables from `run`", made)
        checked = {name: _table(f"on the port `{name}` from `run`", table) for name, table in tables.items()}
        return [_wit.types.NamedTable(name, lower(table)) for name, table in checked.items()]


class Collector:
    """The interface `collector`."""

    @_exported
    def discover(self):
        return _fields(_columns("from `discover`", _step("Collector").discover()))

    @_exported
    def read(self, cursor):
        step = _step("Collector")
        page = Page(*_returned.one(tuple, "from `read`", step.read(cursor), "a `Page`"))
        declared = {name: parse(name, text) for name, text in step.gives.items()}
        table = lower(_table("in the `Page` from `read`", page.table)._typed(declared))
        cursor = _returned.content("as `next_cursor` of the `Page` from `read`", page.next_cursor)
        return _plugin["collector"].Page(table, cursor, bool(page.more), bool(page.restarted))


class Validator:
    """The interface `validator`."""

    @_exported
    def check(self, rows, reference):
        step = _step("Validator")
        found = step.check(rowwise.readable(step, lift(rows)), reference and lift(reference))
        return [self._finding(finding) for finding in _returned.several(Finding, "check", found)]

    @staticmethod
    def _finding(finding):
        validator = _plugin["validator"]
        return validator.Finding(
            finding.check,
            finding.column,
            validator.Severity[finding.severity.upper()],
            bool(finding.passed),
            str(finding.observed),
            str(finding.expected),
            list(finding.sample)[:_SAMPLE_MAX],
        )


class Trainer:
    """The interface `trainer`."""

    @_exported
    def train(self, training):
        initial = training.initial
        made = _step("Trainer").train(
            Training(
                lift(training.train),
                training.validation and lift(training.validation),
                training.features,
                training.label,
                training.weight,
                None if initial is None else _contents(initial),
            )
        )
        return self._trained(_returned.one(Trained, "from `train`", made))

    @staticmethod
    def _trained(made):
        trainer = _plugin["trainer"]
        files = _files(_returned.files("train", made.files))
        of_trained = "of the `Trained` from `train`"
        inputs = _fields(_columns(f"as `inputs` {of_trained}", made.inputs))
        outputs = _fields(_columns(f"as `outputs` {of_trained}", made.outputs))
        given = _returned.one(dict, f"as `measures` {of_trained}", made.measures)
        measures = [trainer.Measure(name, float(value)) for name, value in given.items()]
        return trainer.Trained(files, inputs, outputs, measures)


class Model:
    """The resource of the interface `predictor`."""

    def __init__(self, step):
        self._step = step

    @classmethod
    @_exported
    def load(cls, files):
        step = _step("Predictor")
        step.load(_contents(files))
        return Model(step)

    @_exported
    def predict(self, rows):
        return lower(_table("from `predict`", self._step.predict(lift(rows))))


class Evaluator:
    """The interface `evaluator`."""

    @_exported
    def evaluate(self, candidate, baseline, slices):
        step = _step("Evaluator")
        rows = rowwise.readable(step, lift(candidate))
        measures = step.evaluate(rows, baseline and lift(baseline), slices)
        return [self._measure(measure) for measure in _returned.several(Measure, "evaluate", measures)]

    @staticmethod
    def _measure(measure):
        evaluator = _plugin["evaluator"]
        intervals = [pair and evaluator.Interval(*pair) for pair in (measure.interval, measure.difference_interval)]
        return evaluator.Measure(
            measure.name, measure.slice, float(measure.value), intervals[0], measure.baseline_value, intervals[1]
        )


class Sink:
    """The interface `sink`."""

    @_exported
    def deliver(self, key, delivery):
        made = _step("Sink").deliver(key, self._delivered(delivery))
        receipt = Receipt(*_returned.one(tuple, "from `deliver`", made, "a `Receipt`"))
        return _plugin["sink"].Receipt(str(receipt.location), bool(receipt.repeated))

    @staticmethod
    def _delivered(delivery):
        sink = _plugin["sink"]
        if isinstance(delivery, sink.Delivery_Table):
            return lift(delivery.value)
        if isinstance(delivery, sink.Delivery_Report):
            return json.loads(delivery.value)
        return SinkModel(_contents(delivery.value.files), json.loads(delivery.value.about))
