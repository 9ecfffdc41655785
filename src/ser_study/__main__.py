"""``python -m ser_study``: the same as the command ``ser-study``."""

from __future__ import annotations

import sys

from ser_study.cli import main

if __name__ == "__main__":
    sys.exit(main())
