"""Which wheels fit a platform, in the words of uv, pip and packaging; and its lock markers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from packaging import tags
from packaging.markers import default_environment

from falcopy_sdk.bundle import elf

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from falcopy_sdk.bundle.interpreter import Interpreter

__all__ = ["fitting", "for_pip", "for_uv", "marker_environment", "wheel_tags"]

#: The manylinux versions that uv's ``--python-platform`` knows, minor numbers of glibc 2.
_UV: Final = (17, 28, *range(31, 41))
_OLDEST: Final = 17


def for_uv(python: Interpreter, glibc: str) -> list[str]:
    """Arguments for ``uv pip install`` and ``uv pip compile``: wheels no newer than this glibc."""
    newest = elf.parse_glibc(glibc)[1]
    minor = max((each for each in _UV if each <= newest), default=_OLDEST)
    platform = f"{python.machine}-manylinux_2_{minor}"
    return ["--python-platform", platform, "--python-version", "{}.{}".format(*python.minor)]


def for_pip(python: Interpreter, glibc: str) -> list[str]:
    """Arguments for ``pip install``; pip wants every platform named that will do."""
    arguments = ["--python-version", "{}.{}".format(*python.minor), "--implementation", "cp"]
    for abi in ("cp{}{}".format(*python.minor), "abi3", "none"):
        arguments += ["--abi", abi]
    for platform in _platforms(python.machine, glibc):
        arguments += ["--platform", platform]
    return arguments


def marker_environment(python: Interpreter) -> dict[str, str | AbstractSet[str]]:
    """What the markers of a lock mean there (PyPA "Dependency specifiers").

    Nothing of the building machine's kernel is in it: two machines build the same.
    """
    return {
        **cast("dict[str, str]", default_environment()),
        "os_name": "posix",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": python.machine,
        "platform_release": "",
        "platform_version": "",
        "python_version": "{}.{}".format(*python.minor),
        "python_full_version": python.version,
        "implementation_version": python.version,
    }


def wheel_tags(python: Interpreter, glibc: str) -> list[tags.Tag]:
    """The tags of wheels that fit, the best first."""
    platforms = _platforms(python.machine, glibc)
    interpreter = "cp{}{}".format(*python.minor)
    return [
        *tags.cpython_tags(python.minor, platforms=platforms),
        *tags.compatible_tags(python.minor, interpreter, platforms),
    ]


def fitting(platform: tuple[Interpreter, str] | None) -> tuple[str, ...]:
    """All tags of wheels that fit, the best first: what an installer's choice depends on.

    Args:
        platform: an interpreter, and the newest glibc that wheels may ask for; None: what fits the
            running one, here. Its machine, its libc and the libc's version are in the tags.
    """
    found = tags.sys_tags() if platform is None else wheel_tags(*platform)
    return tuple(map(str, found))


def _platforms(machine: str, glibc: str) -> list[str]:
    newest = elf.parse_glibc(glibc)[1]
    versions = [f"manylinux_2_{minor}_{machine}" for minor in range(newest, _OLDEST - 1, -1)]
    return [*versions, f"manylinux2014_{machine}", f"linux_{machine}"]
