"""The hosts of Debian sid, unmodified, each as a user would call it.

sysdig and falcodump drive a source; sysdig and strato also read captures. All of them load the
plugin with libsinsp's own loader. What they take is told by ``sysdig --help``, ``strato --help``
and the manual pages stratoshark(1) and falcodump(1).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .chroot import FILES, Chroot, Finished, copy_alone

#: Where Stratoshark looks for Falco plugins, under the home folder.
PLUGIN_FOLDER = ".local/lib/stratoshark/plugins/falco"

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence


#: Where Stratoshark looks for Falco plugins, under the home folder.
STRATOSHARK_PLUGINS = ".local/lib/stratoshark/plugins/falco"


@dataclass(frozen=True)
class Plugin:
    """A plugin library that was copied, alone, to where a host in the chroot sees it."""

    name: str
    #: The file's folder and name under the test's folder.
    relative: str

    @classmethod
    def install(cls, library: Path, name: str, files: Path, folder: str = "plugins") -> Plugin:
        """Copies ``library`` into ``files/folder``."""
        return cls(name, str(copy_alone(library, files / folder).relative_to(files)))

    @property
    def path(self) -> str:
        """The path inside the chroot."""
        return f"{FILES}/{self.relative}"


@dataclass(frozen=True)
class Sysdig:
    """``sysdig``: live from a plugin's source, or from a capture."""

    chroot: Chroot
    #: The test's folder, seen as ``/mnt`` inside.
    files: Path
    writable: bool = True
    env: dict[str, str] | None = None

    def start(
        self,
        plugins: Sequence[tuple[Plugin, str]],
        params: str | None,
        fields: Sequence[str],
        *more: str,
    ) -> subprocess.Popen[str]:
        """Starts a capture.

        Args:
            plugins: each with its init configuration; the first is the source.
            params: open parameters of the source; None: no source (``more`` has ``-r``).
            fields: what to print of each event, ``ka.uri.param[limit]``; none: no JSON.
            more: further arguments.
        """
        return self.chroot.start(
            self._command(plugins, params, fields, more),
            self.files,
            writable=self.writable,
            env=self.env,
        )

    def run(
        self,
        plugins: Sequence[tuple[Plugin, str]],
        params: str | None,
        fields: Sequence[str],
        *more: str,
    ) -> Finished:
        """Runs a capture to its end; arguments as in :meth:`start`."""
        return self.chroot.run(
            self._command(plugins, params, fields, more),
            self.files,
            writable=self.writable,
            env=self.env,
        )

    @staticmethod
    def _command(
        plugins: Sequence[tuple[Plugin, str]],
        params: str | None,
        fields: Sequence[str],
        more: Sequence[str],
    ) -> list[str]:
        command = ["sysdig", "--unbuffered"]
        for plugin, config in plugins:
            command += ["-H", f"{plugin.path}:{config}" if config else plugin.path]
        if params is not None:
            name = plugins[0][0].name
            command += ["-I", f"{name}:{params}" if params else name]
        if fields:
            # The star: print an event even when a field has no value.
            command += ["-j", "-p", "*" + " ".join(f"%{field}" for field in fields)]
        return [*command, *more]


def printed(output: str) -> list[dict[str, Any]]:
    """The events that ``sysdig -j`` has printed, among log lines of whatever kind."""
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


@dataclass(frozen=True)
class Strato:
    """``strato``: Stratoshark's reader of captures.

    It loads the plugins of its plugin folder with an empty configuration, hands over events that
    it has rebuilt from the file (no source name, no time), and asks for all the fields of an event
    in one call, without arguments. It knows no list fields.
    """

    chroot: Chroot
    files: Path

    def read(self, plugins: Sequence[Plugin], capture: str, fields: Sequence[str]) -> Finished:
        """Dissects a capture in the test's folder."""
        folder = self.files / STRATOSHARK_PLUGINS
        if not folder.exists():
            for number, plugin in enumerate(plugins):
                # A folder for each plugin is not searched: the names must differ.
                target = folder / f"{number}-{Path(plugin.relative).name}"
                folder.mkdir(parents=True, exist_ok=True)
                target.write_bytes((self.files / plugin.relative).read_bytes())
        command = ["strato", "-r", f"{FILES}/{capture}", "-T", "json"]
        for field in fields:
            command += ["-e", field]
        # Every entry of the plugin folder is taken for a plugin: nothing is unpacked there.
        return self.chroot.run(command, self.files, env={"FALCOPY_CACHE_DIR": "/tmp"})


def dissected(output: str) -> list[dict[str, str]]:
    """The events that ``strato -T json`` has printed: field to value, absent where it has none."""
    return [
        {name: values[0] for name, values in event["_source"]["layers"].items()}
        for event in json.loads(output)
    ]


def messages(finished: Finished) -> str:
    """What a host has said that is not an event, without its own time stamps."""
    lines = [*finished.stderr.splitlines(), *finished.stdout.splitlines()]
    return "\n".join(
        re.sub(r"^\d\d-\d\d \d\d:\d\d:\d\d\.\d+ ", "", line)
        for line in lines
        if not line.startswith("{")
    )
