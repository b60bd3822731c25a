"""Says in Python what the sandbox would say by a trap. A component has no clock, files or entropy: its calls to them
are stubs that end it without a word. `close` puts an error in front of the ones that a step is likely to meet."""

import builtins
import io
import os
import sys
import time

_REASONS = {
    time: (
        "a step has no clock; `logical_time()` is the run's scheduled instant",
        "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time process_time_ns sleep",
    ),
    os: (
        "a step has no file system and no entropy; `open_file` and `list_files` see what is granted, `rng()` gives random numbers",
        "open stat lstat listdir scandir mkdir remove rename rmdir unlink utime urandom",
    ),
    io: ("a step opens files with `open_file`, beneath the folders that `grants.files` names", "open"),
    builtins: ("a step opens files with `open_file`, beneath the folders that `grants.files` names", "open"),
}


def close():
    """Replaces those functions by ones that raise `PermissionError`, and the search for modules by one that
    explains."""
    for module, (reason, names) in _REASONS.items():
        for name in names.split():
            if hasattr(module, name):
                setattr(module, name, _refusal(reason))
    # What is compiled in or frozen needs no file system and may still be imported.
    sys.meta_path[:] = [finder for finder in sys.meta_path if "PathFinder" not in repr(finder)] + [_NothingToFind]


def _refusal(reason):
    def refuse(*_arguments, **_named):
        raise PermissionError(reason)

    return refuse


class _NothingToFind:
    @staticmethod
    def find_spec(name, path=None, target=None):
        """Never finds; says why."""
        raise ModuleNotFoundError(
            f"expected `import {name}` as a statement in the step's file: imports happen while it is built", name=name
        )
