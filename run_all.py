"""Run the whole study and write its report; ``python run_all.py --help`` lists the options."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NEEDED = (3, 11)


def main() -> int:
    """Hand over to the package; works from a checkout that is not installed, too."""
    if sys.version_info < NEEDED:
        needed, here = ".".join(map(str, NEEDED)), ".".join(map(str, sys.version_info[:2]))
        print(f"run_all.py needs Python {needed} or newer; this is {here}.", file=sys.stderr)
        return 2
    project = Path(__file__).resolve().parent
    sys.path.insert(0, str(project / "src"))
    os.environ["SER_STUDY_PROJECT"] = str(project)  # whatever folder this was started from
    try:
        from ser_study import cli

        return cli.run_all(sys.argv[1:])
    except ModuleNotFoundError as missing:
        print(
            f"The package {missing.name!r} is missing. Install what the study needs with:\n"
            f"  {Path(sys.executable).name} -m pip install -r requirements.txt",
            file=sys.stderr,
        )
        return 2


if __name__ == "__main__":
    sys.exit(main())
