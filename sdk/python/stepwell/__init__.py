"""Stepwell for Python: a step is one class in one file.

    from stepwell import RowWise

    class Roundness(RowWise):
        \"\"\"Adds how round a nucleus is.\"\"\"
        reads = {"area": "float64", "perimeter": "float64"}
        adds = {"roundness": "float64"}

        def apply(self, rows):
            return rows.with_columns(roundness=[12.566 * a / (p * p) for a, p in zip(rows["area"], rows["perimeter"])])

The same file runs natively in a unit test and, built by `python -m stepwell.build`, as a WebAssembly component. Only
the standard library is used, and no module of it that needs an operating system.
"""

from .errors import BudgetExceeded, Cancelled, Denied, InvalidInput, Permanent, ShapeMismatch, StepError, Transient
from .host import (
    create_file,
    fetch,
    load_checkpoint,
    log,
    logical_time,
    metric,
    now,
    list_files,
    open_file,
    pretend,
    progress,
    random_bytes,
    rng,
    save_checkpoint,
    secret,
    seed,
    variable,
)
from .roles import (
    Collector,
    Evaluator,
    Finding,
    Measure,
    Model,
    Page,
    Predictor,
    Receipt,
    RowWise,
    Sink,
    Trained,
    Trainer,
    Training,
    Transformer,
    Validator,
)
from .rowwise import apply
from .sql import query, query_columns
from .table import Table

__version__ = "0.1.0"
__all__ = [
    "RowWise",
    "Transformer",
    "Collector",
    "Validator",
    "Trainer",
    "Predictor",
    "Evaluator",
    "Sink",
    "Table",
    "Page",
    "Finding",
    "Training",
    "Trained",
    "Measure",
    "Model",
    "Receipt",
    "log",
    "metric",
    "progress",
    "seed",
    "rng",
    "logical_time",
    "save_checkpoint",
    "load_checkpoint",
    "open_file",
    "list_files",
    "create_file",
    "fetch",
    "secret",
    "variable",
    "now",
    "random_bytes",
    "query",
    "query_columns",
    "StepError",
    "InvalidInput",
    "ShapeMismatch",
    "BudgetExceeded",
    "Denied",
    "Cancelled",
    "Transient",
    "Permanent",
    "apply",
    "pretend",
]
