"""`python -m homeportd.cli`: the command line without its script, as the daemon starts itself."""

import sys

from homeportd.cli import main

sys.exit(main())
