"""What the host offers a step beside its tables: parameters, seed, log, progress, checkpoints, granted files.

Natively, where there is no host, each does the least that lets a test run: `pretend` sets what the first three return.
"""

import contextlib
import io
import json
import os
import random as _random
import sys

from . import _wit

_pretended = {"params": {}, "seed": 0, "logical_time": 0, "checkpoint": None}
_READ_BYTES_MAX = 4 << 20


@contextlib.contextmanager
def pretend(params=None, seed=0, logical_time=0):
    """Inside the `with`, a step that runs natively sees these parameters, this seed and this logical time."""
    before = dict(_pretended)
    _pretended.update(params=params or {}, seed=seed, logical_time=logical_time, checkpoint=None)
    try:
        yield
    finally:
        _pretended.update(before)


def parameters():
    """What the pipeline set for this step, without defaults; a step calls its own `self.params()`."""
    return json.loads(_wit.need("config").parameters()) if _wit.inside else dict(_pretended["params"])


def seed():
    """The seed of everything random in this step: the same over re-runs."""
    return _wit.need("config").seed() if _wit.inside else _pretended["seed"]


def rng():
    """A generator of random numbers that starts from the step's seed."""
    return _random.Random(seed())


def logical_time():
    """The run's logical time in microseconds since 1970 in UTC: the scheduled instant, not the clock, which a step has
    not."""
    return _wit.need("config").logical_time() if _wit.inside else _pretended["logical_time"]


def log(message, level="info"):
    """Adds a line to the step's log. `level` is debug, info, warn or error."""
    if _wit.inside:
        report = _wit.need("report")
        _wit.call(report.log, report.Level[level.upper()], str(message))
    else:
        print(f"{level}: {message}", file=sys.stderr)


def progress(done, total=None):
    """Says how much is done, in the step's own unit."""
    if _wit.inside:
        _wit.call(_wit.need("report").progress, done, total)


def metric(name, value, index=0):
    """Records a point of a series, such as the loss at an epoch."""
    if _wit.inside:
        _wit.call(_wit.need("report").metric, name, float(value), index)


def save_checkpoint(state):
    """Saves bytes that an interrupted attempt goes on from; they replace what was saved before. At most 64 MiB."""
    if _wit.inside:
        _wit.call(_wit.need("checkpoint").save, bytes(state))
    else:
        _pretended["checkpoint"] = bytes(state)


def load_checkpoint():
    """What an interrupted attempt of this step saved last; None on a first attempt."""
    return _wit.need("checkpoint").load() if _wit.inside else _pretended["checkpoint"]


def open_file(path):
    """Opens a granted file for reading bytes, as `open(path, "rb")` does; `io.TextIOWrapper` makes text of it. The
    path is relative to the project's folder and must lie beneath a folder that `grants.files` names."""
    if not _wit.inside:
        return open(path, "rb")
    return io.BufferedReader(_File(_wit.call(_wit.need("files").open, path)), _READ_BYTES_MAX)


def list_files(folder):
    """The names of the regular files in a granted folder, sorted; hidden ones (`.name`) and links are none."""
    if _wit.inside:
        return list(_wit.call(_wit.need("files").list_files, folder))
    with os.scandir(folder) as entries:
        regular = [entry.name for entry in entries if entry.is_file(follow_symlinks=False)]
    return sorted(name for name in regular if not name.startswith("."))


@contextlib.contextmanager
def create_file(path):
    """Writes a granted file: `with create_file("out/rows.csv") as out: out.write(b"..")`. Nobody sees it before the block
    ends well, and then whole; a block that raises leaves nothing. The folder must be granted with `write = true`."""
    if not _wit.inside:
        written = io.BytesIO()
        yield written
        with open(path, "wb") as out:
            out.write(written.getvalue())
        return
    files = _wit.need("files")
    handle = _wit.call(files.create, path)
    out = io.BufferedWriter(_NewFile(handle), _READ_BYTES_MAX)
    try:
        yield out
        out.flush()
    except BaseException:
        handle.__exit__(None, None, None)
        raise
    _wit.call(files.NewFile.finish, handle)


class Response:
    """The answer to a request. One that says no, such as 404, is an answer."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        #: Names in lower case.
        self.headers = dict(headers)

    def text(self):
        return self.body.decode()

    def json(self):
        return json.loads(self.body)


def fetch(url, method="GET", headers=None, body=b"", timeout=0):
    """Has the server make a request that `grants.http` covers, and waits for the whole answer: at most `timeout` and 60
    seconds, 32 MiB. Raises `Denied` where no grant covers it, `Transient` where nobody answers in time."""
    http = _wit.need("http")
    headers = [(str(name), str(value)) for name, value in (headers or {}).items()]
    request = http.Request(method, url, headers, bytes(body), int(timeout * 1000))
    answer = _wit.call(http.fetch, request)
    return Response(answer.status, answer.headers, answer.body)


def secret(name):
    """A text that stands for the secret in headers and bodies of requests. Its value never reaches the step: the server
    puts it in, where the grant that covers the request names it under `secrets`."""
    return _wit.call(_wit.need("secrets").placeholder, name)


def variable(name):
    """A value that whoever runs the server set for steps (`grants.environment`), or None. Not for secrets."""
    return _wit.call(_wit.need("environment").variable, name)


def now():
    """The real time in microseconds since 1970 in UTC (`grants.clock`). A step that reads it cannot be replayed;
    `logical_time()` can."""
    return _wit.call(_wit.need("clock").now)


def random_bytes(length):
    """Real randomness, at most 4096 bytes (`grants.randomness`). A step that draws it cannot be replayed; `rng()` can."""
    return _wit.call(_wit.need("entropy").bytes, length)


class _NewFile(io.RawIOBase):
    def __init__(self, handle):
        super().__init__()
        self._handle = handle

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data[:_READ_BYTES_MAX])
        _wit.call(self._handle.write, data)
        return len(data)


class _File(io.RawIOBase):
    def __init__(self, handle):
        super().__init__()
        self._handle, self._offset = handle, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = _wit.call(self._handle.read, self._offset, min(len(buffer), _READ_BYTES_MAX))
        buffer[: len(data)] = data
        self._offset += len(data)
        return len(data)


class LogStream(io.TextIOBase):
    """Where `print` goes inside a component, which has no standard output: each line becomes a line of the step's
    log."""

    def __init__(self, level):
        super().__init__()
        self._level, self._rest = level, ""

    def writable(self):
        return True

    def write(self, text):
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if _wit.report:
                log(line, self._level)
        return len(text)
