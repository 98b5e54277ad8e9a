"""Symbols that glibc defines, for libraries that ask for them without a version.

A library that was linked without naming glibc's libdl or libpthread (they are part of libc since
glibc 2.34) has their functions without versions, and still gets them: every host has them loaded.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_glibc", "is_libcs", "is_libm"]

_NAMES: Final = re.compile(
    r"dl(open|mopen|sym|vsym|close|error|addr1?|info|_iterate_phdr)|_?_?environ"
    r"|(pthread|sem|clock|timer|shm|mq|aio)_\w+|__\w+_chk|__(cxa_finalize|gmon_start__)"
    r"|__tls_get_addr|_ITM_(de)?registerTMCloneTable|_GLOBAL_OFFSET_TABLE_"
    # Newer ones, which Rust's and C++'s runtimes do without on an older glibc.
    r"|__cxa_thread_atexit_impl|__libc_single_threaded|__pthread_(get_minstack|key_create)"
    r"|copy_file_range|getentropy|getrandom|gettid|gnu_get_libc_version|p(read|write)v2"
    r"|pidfd_(getpid|spawnp)|posix_spawn_file_actions_add\w+|secure_getenv|statx"
)

#: The functions of ISO C's <math.h> (C11, 7.12), each for double, float and long double.
_MATH: Final = re.compile(
    r"(a?(cos|sin|tan)h?|atan2|exp2?|expm1|log(10|1p|2|b)?|ilogb|frexp|ldexp|modf|scalbl?n"
    r"|cbrt|sqrt|fabs|hypot|pow|erfc?|[lt]gamma|ceil|floor|trunc|fmod|fdim|fmax|fmin|fma"
    r"|(ll?)?r(int|ound)|round|nearbyint|remainder|remquo|copysign|nan|next(after|toward))[fl]?"
)


def is_glibc(name: str) -> bool:
    """Whether a symbol without a version comes from glibc on every host."""
    return _NAMES.fullmatch(name) is not None


def is_libm(name: str) -> bool:
    """Whether a symbol without a version comes from libm, where a library that is needed loads it.

    A library that was linked without naming libm has these so: ``_decimal`` of CPython 3.13 takes
    ``ceil`` and ``log10`` from the libm that libpython names.
    """
    return _MATH.fullmatch(name) is not None


def is_libcs(name: str) -> bool:
    """Whether a symbol without a version can be glibc's, of any of its libraries."""
    return is_glibc(name) or is_libm(name)
