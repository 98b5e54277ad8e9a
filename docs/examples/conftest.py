"""Lets each example's tests import its one file, as after ``pip install -e``."""

import sys
from pathlib import Path

sys.path[:0] = [str(project.parent) for project in Path(__file__).parent.glob("*/pyproject.toml")]
