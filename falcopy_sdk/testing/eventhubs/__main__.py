"""``python -m falcopy_sdk.testing.eventhubs``."""

import sys

from .cli import main

sys.exit(main())
