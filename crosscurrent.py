"""Start Crosscurrent: the one top-level name that we install.

The packages (``schemas``, ``streams``, ...) bear everyday names, which must not lie bare in anybody's
site-packages. A wheel keeps them in the private folder ``_crosscurrent``; this launcher puts that
folder, or the checkout it lies in, first on the search path of its own process. So module names are the
same in a checkout, a container and a wheel, and a foreign package of one of these names does no harm.
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CODE = HERE / "_crosscurrent" if (HERE / "_crosscurrent").is_dir() else HERE
"""The folder that holds our packages: the private one of a wheel, else the checkout."""


def main() -> None:
    """Run the verb that the command line names, and leave with its exit status."""
    sys.path.insert(0, str(CODE))
    from runner.cli import main as run

    sys.exit(run(console="console.app"))


if __name__ == "__main__":
    main()
