"""Plugin project to ``lib<name>.so``: loader, private CPython and all packages in one file."""

from falcopy_sdk.bundle.builder import BuildResult, build

__all__ = ["BuildResult", "build"]
