"""Runs the demonstration: ``python plugins/k8saudit_aks/demo``, or ``make demo``."""

from __future__ import annotations

import sys

try:
    # Within, because the imports take a while too: Ctrl-C shall not show where they were.
    from demonstration import run

    sys.exit(run())
except KeyboardInterrupt:
    sys.exit(130)
