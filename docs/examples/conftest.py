"""What stands in for an author's machine, where the examples are tested as part of falcopy."""

import os
import sys
from pathlib import Path

# Each example's tests import its one file, as after ``pip install -e``.
sys.path[:0] = [str(project.parent) for project in Path(__file__).parent.glob("*/pyproject.toml")]

# The Azurite that falcopy's own tests use counts as installed.
if folder := os.environ.get("FALCOPY_AZURITE"):
    os.environ["PATH"] += f"{os.pathsep}{folder}/node_modules/.bin"
