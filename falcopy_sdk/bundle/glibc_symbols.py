"""Symbols that glibc defines, for libraries that ask for them without a version.

A library that was linked without naming glibc's libdl or libpthread (they are part of libc since
glibc 2.34) has their functions without versions, and still gets them: every host has them loaded.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_glibc"]

_NAMES: Final = re.compile(
    r"dl(open|mopen|sym|vsym|close|error|addr1?|info|_iterate_phdr)|_?_?environ"
    r"|(pthread|sem|clock|timer|shm|mq|aio)_\w+|__\w+_chk|__(cxa_finalize|gmon_start__)"
    r"|__tls_get_addr|_ITM_(de)?registerTMCloneTable|_GLOBAL_OFFSET_TABLE_"
)


def is_glibc(name: str) -> bool:
    """Whether a symbol without a version comes from glibc on every host."""
    return _NAMES.fullmatch(name) is not None
