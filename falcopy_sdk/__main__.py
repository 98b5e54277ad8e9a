"""``python -m falcopy_sdk`` is ``falcopy``."""

from falcopy_sdk.cli import main

main(prog_name="falcopy")
