"""Builds a step's file into a WebAssembly component: `python -m stepwell.build STEP.py -o OUT.wasm [--wit DIR]`.

Run by the interpreter of an environment that holds `componentize-py` of the version below. Everything is staged in a
temporary folder: the step, this package, a generated entry, and a world of exactly the interfaces that the step names.
It prints a line a stage, and on failure one line `error: ..` with exit status 1.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from . import source as sources

COMPONENTIZE = "0.25.1"
CONTRACT = "0.1.0"
PACKAGES = ("platform", "data", "tensor", "step")
# Modules of this package that a component has no use for.
HOST_ONLY = ("build.py", "source.py", "__pycache__")


class BuildError(Exception):
    """A build that failed; the text is for whoever wrote the step."""


def main(arguments=None):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m stepwell.build", description="Builds a step into a component.")
    parser.add_argument("step", metavar="STEP.py")
    parser.add_argument("-o", "--output", required=True, metavar="OUT.wasm")
    parser.add_argument(
        "--wit", default=_default_wit(), metavar="DIR", help="the contract: a folder of `platform@0.1.0`, .."
    )
    given = parser.parse_args(arguments)
    try:
        build(given.step, given.output, given.wit)
    except (BuildError, sources.SourceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def build(step, output, wit, say=lambda line: print(line, flush=True)):
    """Builds the component of `step` at `output`. `say` is told each stage."""
    started = time.monotonic()
    _require_componentize()
    folders = [_wit_folder(wit, package) for package in PACKAGES]
    source = sources.read(step)
    roles = " and ".join(f"`{name}` ({role})" for role, name in source.classes.items())
    say(f"read {source.file}: plugin `{source.name}`, {roles}")
    say(f"imports {', '.join(source.imports)}")
    with tempfile.TemporaryDirectory(prefix="stepwell-build-") as stage:
        _stage(stage, step, source, folders)
        say("building the component, which takes about 12 s")
        _componentize(stage, source)
        _move(os.path.join(stage, "out.wasm"), output)
    size, seconds = os.path.getsize(output) / 1e6, time.monotonic() - started
    say(f"built {os.path.basename(output)}: {size:.1f} MB in {seconds:.0f} s")


def world(source):
    """The world of exactly what the step exports and imports, as WIT."""
    lines = [f"    import stepwell:{sources.PACKAGES[name]}/{name}@{CONTRACT};" for name in source.imports]
    lines += [f"    export stepwell:step/{name}@{CONTRACT};" for name in ("description", *source.world_exports)]
    return "package stepwell:generated;\n\nworld plugin {\n" + "\n".join(lines) + "\n}\n"


def entry(source):
    """The module that `componentize-py` wraps, as Python."""
    imports = "\n".join(
        f"import {module}" for module in source.modules if module.split(".")[0] not in ("stepwell", "__future__")
    )
    exported = ["Description"] + [role for role in source.classes if role not in ("RowWise", "Predictor")]
    return (
        f"from stepwell import _entry\nfrom stepwell._entry import {', '.join(exported)}\n"
        f"import step_source\n{imports}\n"
        f"_entry.bind(step_source, {source.file!r}, {source.name!r}, {source.classes!r}, {source.random!r})\n"
    )


def trimmed(platform, kept):
    """The text of the package `platform` with only these functions in its interface `config`. A result depends on the
    seed or on the logical time only if the component can ask for them, and the cache takes the import for that."""
    opening = platform.index("interface config {")
    closing = platform.index("\n}", opening)
    function = re.compile(r"(?:\n    ///[^\n]*)*\n    @since[^\n]*\n    ([a-z-]+): func\([^\n]*\n?")
    body = function.sub(lambda found: found.group(0) if found.group(1) in kept else "", platform[opening:closing])
    return platform[:opening] + body + platform[closing:]


def _stage(stage, step, source, folders):
    app, contract = os.path.join(stage, "app"), os.path.join(stage, "wit")
    package = os.path.dirname(os.path.abspath(__file__))
    shutil.copytree(package, os.path.join(app, "stepwell"), ignore=shutil.ignore_patterns(*HOST_ONLY))
    shutil.copyfile(step, os.path.join(app, "step_source.py"))
    _write(os.path.join(app, "step_entry.py"), entry(source))
    # The classes of exported resources are looked up in a module named after their interface.
    if "RowWise" in source.classes:
        _write(os.path.join(app, "fitted.py"), "from stepwell._entry import Transform\n")
    if "Predictor" in source.classes:
        _write(os.path.join(app, "predictor.py"), "from stepwell._entry import Model\n")
    for package_name, folder in zip(PACKAGES, folders):
        shutil.copytree(folder, os.path.join(contract, package_name))
    platform = os.path.join(contract, "platform", "platform.wit")
    with open(platform, encoding="utf-8") as opened:
        text = opened.read()
    if source.config:
        _write(platform, trimmed(text, source.config))
    _write(os.path.join(contract, "generated", "plugin.wit"), world(source))


def _componentize(stage, source):
    folders = [os.path.join("wit", package) for package in (*PACKAGES, "generated")]
    command = [
        sys.executable,
        "-c",
        "import sys; sys.argv[0] = 'componentize-py'; from componentize_py import script; script()",
    ]
    command += [argument for folder in folders for argument in ("-d", folder)]
    command += [
        "-w",
        "stepwell:generated/plugin",
        "componentize",
        "step_entry",
        "-p",
        "app",
        "-o",
        "out.wasm",
        "--stub-wasi",
    ]
    # An environment of its own, so that nothing installed beside the tool becomes part of the component.
    os.makedirs(os.path.join(stage, "none", "lib", "site-packages"))
    environment = {**os.environ, "VIRTUAL_ENV": os.path.join(stage, "none"), "RUST_BACKTRACE": "0"}
    ran = subprocess.run(
        command, cwd=stage, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if ran.returncode:
        raise BuildError(failure(ran.stdout, source.file))


def failure(output, file):
    """One line of what `componentize-py` printed: the last error of the step's own code if it is that, else all of
    it."""
    lines = [line for line in output.strip().splitlines() if line.strip()]
    errors = [line.strip() for line in lines if re.match(r"\s*[A-Za-z_.]*(Error|Exception|Interrupt)\b: ?", line)]
    places = re.findall(r'step_source\.py", line (\d+)', output)
    if places and errors:
        return f"{file}, line {places[-1]}: expected the file to run while it is built, got {errors[-1]}"
    return "componentize-py: " + " | ".join(line.strip() for line in lines[:12])


def _require_componentize():
    try:
        found = importlib.metadata.version("componentize-py")
    except importlib.metadata.PackageNotFoundError:
        found = "none"
    if found != COMPONENTIZE:
        raise BuildError(f"expected componentize-py {COMPONENTIZE} in the environment of this interpreter, got {found}")


def _wit_folder(wit, package):
    folder = os.path.join(wit or "", f"{package}@{CONTRACT}")
    if not wit or not os.path.isdir(folder):
        raise BuildError(
            f"expected the contract's folder `{package}@{CONTRACT}` in `{wit}`, got none; name it with --wit"
        )
    return folder


def _default_wit():
    """The contract beside this package in the project's own tree."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "..", "wit")
    return os.path.normpath(folder) if os.path.isdir(folder) else None


def _write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as opened:
        opened.write(text)


def _move(built, output):
    """Puts the component in place whole: whoever reads `output` never sees half of it."""
    folder = os.path.dirname(os.path.abspath(output))
    os.makedirs(folder, exist_ok=True)
    partial = os.path.join(folder, f".{os.path.basename(output)}.partial")
    shutil.copyfile(built, partial)
    os.replace(partial, output)


if __name__ == "__main__":
    sys.exit(main())
