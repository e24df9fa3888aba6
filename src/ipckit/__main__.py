"""`python -m ipckit` is the command line."""

import sys

from ipckit.cli import main

sys.exit(main())
