"""The program: `__main__.py FOLDER RUN [--detach]`.

FOLDER holds `spec.json` and receives `lock`, `state.json`, `output/`, `input` and `control`. RUN must be the spec's:
a runner that comes late does nothing. With `--detach` the program returns once the runner goes on by itself.
"""

import os
import sys

if __package__ in {None, ""}:  # run as a file, isolated: the agent's folder is not on the path
    _PARENTS = 4
    _folder = os.path.abspath(__file__)
    for _ in range(_PARENTS):
        _folder = os.path.dirname(_folder)
    sys.path.insert(0, _folder)

from homeportd.processes.runner.run import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
