"""nbformat, imported without the two seconds that a grammar of web addresses takes.

jsonschema compiles that grammar in every process that imports it, if it finds ``rfc3987_syntax``, which JupyterLab
installs. Notebooks hold no such addresses.
"""

from __future__ import annotations

import sys

_GRAMMAR = "rfc3987_syntax"
_before = {_GRAMMAR: sys.modules[_GRAMMAR]} if _GRAMMAR in sys.modules else {}
sys.modules[_GRAMMAR] = None  # type: ignore[assignment] # to the import system: not installed
try:
    import nbformat
finally:
    del sys.modules[_GRAMMAR]
    sys.modules.update(_before)

__all__ = ["nbformat"]
