"""A step's source text -> what it takes to build it: role, class, plugin name, imports. It reads the text and never
runs it: a step written by a stranger runs in the sandbox only, also while it is built.
"""

import ast
import os
import re
import sys
from collections import namedtuple

Source = namedtuple("Source", "file name classes world_exports imports config random modules")
Source.__doc__ = """What `read` finds: file name, plugin name, `{role: class}`, interfaces to export and to import,
functions used of `config`, whether `random` is used, and the modules to import while the component is built."""

# Base class -> interface that it exports.
EXPORTS = {
    "RowWise": "fitted",
    "Transformer": "transformer",
    "Collector": "collector",
    "Validator": "validator",
    "Trainer": "trainer",
    "Predictor": "predictor",
    "Evaluator": "evaluator",
    "Sink": "sink",
}
# Name in the step's source -> the interface it needs. A component imports what its source names and no more: its
# imports are its request for capabilities, and decide whether its results may be cached.
NEEDS = {
    "log": "report",
    "metric": "report",
    "progress": "report",
    "print": "report",
    "save_checkpoint": "checkpoint",
    "load_checkpoint": "checkpoint",
    "open_file": "files",
    "list_files": "files",
    "create_file": "files",
    "fetch": "http",
    "secret": "secrets",
    "variable": "environment",
    "now": "clock",
    "random_bytes": "entropy",
    "query": "query",
    "query_columns": "query",
}
CONFIG = {"seed": "seed", "rng": "seed", "logical_time": "logical-time"}
TRAINING = set(
    "Variable Optimiser sgd adamw gradients binary_cross_entropy cross_entropy mean_squared_error mean_absolute_error huber "
    "quantile_loss constant step_decay exponential_decay cosine_decay *".split()
)
PACKAGES = {
    "config": "platform",
    "report": "platform",
    "checkpoint": "platform",
    "files": "platform",
    "http": "platform",
    "secrets": "platform",
    "environment": "platform",
    "clock": "platform",
    "entropy": "platform",
    "tables": "data",
    "query": "data",
    "tensors": "tensor",
    "training": "tensor",
}


class SourceError(Exception):
    """A step's file that cannot be built; the text names the file and the line."""


def read(path):
    """What it takes to build the step in this file."""
    file = os.path.basename(path)
    with open(path, "rb") as opened:
        text = opened.read()
    try:
        tree = ast.parse(text, file)
    except SyntaxError as error:
        raise SourceError(f"{file}, line {error.lineno}: expected Python, got: {error.msg}") from None
    names = _stepwell_names(tree)
    classes = _classes(file, tree, names)
    _refuse_clock(file, tree)
    modules = _modules(file, tree)
    imports, config = _imports(tree, names)
    random = "random" in modules
    if random:
        config.add("seed")
    if config:
        imports.add("config")
    return Source(
        file,
        plugin_name(file),
        classes,
        [EXPORTS[role] for role in classes],
        sorted(imports),
        sorted(config),
        random,
        modules,
    )


def plugin_name(file):
    """The plugin's name: the file's, in kebab-case."""
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", os.path.splitext(file)[0])
    name = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")
    if not 1 <= len(name) <= 64:
        raise SourceError(f"{file}: expected a file name of 1 to 64 letters, digits and `_`, got `{name}`")
    return name


def _stepwell_names(tree):
    """Local name -> name in `stepwell`; a local name for the package itself maps to the empty name."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stepwell":
            for alias in node.names:
                names[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "stepwell":
                    names[alias.asname or "stepwell"] = ""
    return names


def _named(node, names):
    """The name in `stepwell` that an expression stands for, or None."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id if "*" in names else None)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and names.get(node.value.id) == "":
        return node.attr
    return None


def _classes(file, tree, names):
    classes = {}
    for node in tree.body:
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            role = _named(base, names)
            if role in EXPORTS:
                if role in classes:
                    raise SourceError(
                        f"{file}, line {node.lineno}: expected one {role}, got `{classes[role]}` and `{node.name}`"
                    )
                classes[role] = node.name
    if not classes:
        raise SourceError(f"{file}: expected a class based on one of {', '.join(EXPORTS)} from `stepwell`, got none")
    if len(classes) > 1 and set(classes) != {"Trainer", "Predictor"} or set(classes) in ({"Trainer"}, {"Predictor"}):
        got = ", ".join(f"{role} `{name}`" for role, name in classes.items())
        raise SourceError(f"{file}: expected one role, or a Trainer and its Predictor; got {got}")
    return {role: classes[role] for role in EXPORTS if role in classes}


def _refuse_clock(file, tree):
    """`datetime.now()` and its like: compiled code that the sandbox ends without a word, so it is refused here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
            owner = getattr(node.value, "attr", getattr(node.value, "id", ""))
            if owner in ("datetime", "date"):
                raise SourceError(
                    f"{file}, line {node.lineno}: expected no clock, got `{owner}.{node.attr}`; "
                    "`logical_time()` is the run's scheduled instant"
                )


def _imports(tree, names):
    imports, config, mentioned = {"tables"}, set(), set(names.values())
    for node in ast.walk(tree):
        used = _named(node, names)
        if isinstance(node, ast.Name) and node.id == "print":
            imports.add(NEEDS["print"])
        if isinstance(node, ast.Attribute):
            mentioned.add(node.attr)
            if node.attr == "params":
                config.add("parameters")
        if used in NEEDS:
            imports.add(NEEDS[used])
        if used in CONFIG:
            config.add(CONFIG[used])
    if _imports_tensor(tree):
        imports.update({"tensors", "training"} if mentioned & TRAINING else {"tensors"})
    return imports, config


def _imports_tensor(tree):
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.ImportFrom)
            and node.module == "stepwell"
            and "tensor" in {alias.name for alias in node.names}
        ):
            return True
        if isinstance(node, ast.ImportFrom) and node.module == "stepwell.tensor":
            return True
        if isinstance(node, ast.Import) and "stepwell.tensor" in {alias.name for alias in node.names}:
            return True
    return False


def _modules(file, tree):
    """Modules that the source imports anywhere: inside functions, too, since at run time there is nowhere to import
    from."""
    modules = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules.update((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise SourceError(
                    f"{file}, line {node.lineno}: expected a step in one file, got an import relative to it"
                )
            modules[node.module] = node.lineno
    known = getattr(sys, "stdlib_module_names", None)  # Python 3.10; before, the build itself finds out.
    for module, line in modules.items():
        top = module.split(".")[0]
        if known and top != "stepwell" and top not in known:
            raise SourceError(
                f"{file}, line {line}: expected a module of the standard library, got `{top}`; a step is one file, "
                "and tensors and SQL of the host do the heavy work"
            )
    return sorted(modules)
