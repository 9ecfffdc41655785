"""nbformat comes without the grammar that takes two seconds, and takes it from nobody."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import sys
from ser_study.report.notebook_format import nbformat
import papermill, nbconvert
assert "jsonschema" in sys.modules and "lark" not in sys.modules and "rfc3987_syntax" not in sys.modules
nbformat.validate(nbformat.v4.new_notebook())
import rfc3987_syntax
"""


def test_notebooks_are_read_without_the_grammar_of_addresses():
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_grammar_that_is_there_already_stays():
    first = "import rfc3987_syntax as before, sys\n" + IMPORTS.replace(' and "lark" not in sys.modules', "").replace(
        ' and "rfc3987_syntax" not in sys.modules', ""
    )
    done = subprocess.run(
        [sys.executable, "-c", first + "assert sys.modules['rfc3987_syntax'] is before"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
