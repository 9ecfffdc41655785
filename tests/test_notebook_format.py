"""nbformat comes without the grammar that takes two seconds, and takes it from nobody."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = """
import sys
from ser_study.report.notebook_format import nbformat
import papermill, nbconvert
assert "jsonschema" in sys.modules
nbformat.validate(nbformat.v4.new_notebook())
"""


def run(code: str) -> None:
    """Run code in a process of its own, which must end well."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_notebooks_are_read_without_the_grammar_of_addresses():
    run(IMPORTS + "assert not {'lark', 'rfc3987_syntax'} & set(sys.modules)\nimport rfc3987_syntax")


def test_a_grammar_that_is_there_already_stays():
    run("import rfc3987_syntax as before" + IMPORTS + "assert sys.modules['rfc3987_syntax'] is before")
