"""The errors that stand in front of a component's stubs. In a process of its own: they cannot be taken back."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from stepwell import list_files

PACKAGE = Path(__file__).resolve().parent.parent
SCRIPT = """
import sys; sys.path.insert(0, sys.argv[1])
import json, os, random, time
from stepwell import _doors
_doors.close()
for name, call in [("open", lambda: open("x")), ("time", time.time), ("urandom", lambda: os.urandom(1)),
                   ("import", lambda: __import__("colorsys"))]:
    try:
        call()
    except (PermissionError, ImportError) as error:
        print(name, type(error).__name__, error)
print(random.Random(7).random(), json.dumps([1]))
"""


class Doors(unittest.TestCase):
    def test_what_a_step_has_not_says_so(self):
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(PACKAGE)], stdout=subprocess.PIPE, text=True, check=True
        )
        lines = ran.stdout.splitlines()
        self.assertEqual(
            [line.split()[:2] for line in lines[:4]],
            [
                ["open", "PermissionError"],
                ["time", "PermissionError"],
                ["urandom", "PermissionError"],
                ["import", "ModuleNotFoundError"],
            ],
        )
        self.assertIn("`open_file`", lines[0])
        self.assertEqual(lines[4], "0.32383276483316237 [1]")

    def test_a_folder_is_listed_without_links_folders_and_what_is_hidden(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ["b", "a", ".hidden"]:
                (Path(folder) / name).touch()
            (Path(folder) / "deep").mkdir()
            (Path(folder) / "link").symlink_to("a")
            self.assertEqual(list_files(folder), ["a", "b"])
