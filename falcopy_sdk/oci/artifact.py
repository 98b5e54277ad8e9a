"""Plugins and rules files to OCI artifacts, in the form that falcoctl's own push gives them."""

from __future__ import annotations

import datetime
import os
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import semver
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from falcopy_sdk.exceptions import PackageError
from falcopy_sdk.oci import rules as _rules
from falcopy_sdk.oci.config import (
    Config,
    Dependency,
    Requirement,
    check_name,
    check_version,
    merged,
)
from falcopy_sdk.oci.descriptor import INDEX, MANIFEST, Descriptor, Platform
from falcopy_sdk.oci.elf import machine_name
from falcopy_sdk.oci.facts import PluginFile, read_plugins
from falcopy_sdk.oci.layer import pack_layer
from falcopy_sdk.oci.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from falcopy_sdk.oci.layer import Member

__all__ = [
    "API_REQUIREMENT",
    "TITLE",
    "About",
    "Packed",
    "config_type",
    "created_time",
    "layer_type",
    "package_plugin",
    "package_rules",
]

#: falcoctl, pkg/oci/constants.go.
_TYPE: Final = "application/vnd.cncf.falco.{kind}.{part}"
API_REQUIREMENT: Final = "plugin_api_version"
TITLE: Final = "org.opencontainers.image.title"
_ANNOTATION: Final = "org.opencontainers.image."


def config_type(kind: str) -> str:
    """The media type of the config of a ``plugin`` or ``rulesfile``."""
    return _TYPE.format(kind=kind, part="config.v1+json")


def layer_type(kind: str) -> str:
    """The media type of the layer of a ``plugin`` or ``rulesfile``."""
    return _TYPE.format(kind=kind, part="layer.v1+tar.gz")


@dataclass(frozen=True, slots=True)
class About:
    """What people and indexes are told about an artifact; any of it may be empty.

    Attributes:
        description: One line.
        license: SPDX expression.
        source: URL of the sources (GHCR links the package to that repository).
        home: URL of the documentation or home page.
        authors: ``"Name <mail>"`` each.
        keywords: For ``falcoctl artifact search``.
    """

    description: str = ""
    license: str = ""
    source: str = ""
    home: str = ""
    authors: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()

    def annotations(self, version: str) -> dict[str, str]:
        """The pre-defined annotation keys of the image-spec."""
        values = {
            "authors": ", ".join(self.authors),
            "description": self.description,
            "licenses": self.license,
            "source": self.source,
            "url": self.home,
            "version": version,
        }
        return {f"{_ANNOTATION}{name}": value for name, value in values.items() if value}


@dataclass(frozen=True, slots=True)
class Packed:
    """An artifact in a layout.

    Attributes:
        kind: ``"plugin"`` or ``"rulesfile"``.
        config: Name, version and needs.
        layout: The layout's folder.
        root: What a tag is to point to.
        platforms: Of a plugin.
        files: Names in the layer.
        about: As given.
        notes: What the user should know, whole sentences.
    """

    kind: str
    config: Config
    layout: Path
    root: Descriptor
    platforms: tuple[Platform, ...]
    files: tuple[str, ...]
    about: About
    notes: tuple[str, ...] = field(default=())


def created_time(given: int | None = None) -> tuple[int, str]:
    """When an artifact is said to be made, and who says so.

    Given, else ``SOURCE_DATE_EPOCH`` (reproducible-builds.org), else 1970: the same input gives
    the same digest, and falcoctl's followers pull again only what has changed.

    Raises:
        PackageError: ``SOURCE_DATE_EPOCH`` is no number of seconds.
    """
    if given is not None:
        return given, "as given"
    text = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not text:
        return 0, "the default, since SOURCE_DATE_EPOCH is not set"
    if not text.isdecimal() or int(text) >= 8**11:  # what a tar header can hold
        raise PackageError(f"SOURCE_DATE_EPOCH is {text!r}, not seconds since 1970")
    return int(text), "SOURCE_DATE_EPOCH"


def package_plugin(
    libraries: Sequence[Path],
    layout: Path,
    *,
    about: About | None = None,
    dependencies: Sequence[Dependency] = (),
    requirements: Sequence[Requirement] = (),
    glibc: str | None = None,
    created: int | None = None,
    artifact_type: bool = False,
) -> Packed:
    """Make a layout with a plugin for one or more platforms.

    Args:
        libraries: Its builds, one a platform.
        layout: A folder; a layout that is there is replaced.
        about: For annotations and indexes.
        dependencies: What else it needs.
        requirements: Beside ``plugin_api_version``, which is the plugin's own word; another one
            of that name is refused.
        glibc: The oldest glibc that it shall work with, ``"2.31"``; None: only told.
        created: Seconds since 1970; see :func:`created_time`.
        artifact_type: Also put ``artifactType`` into the index, as falcoctl's own push does.
            skopeo drops it when it copies, and with it the digest.

    Raises:
        PackageError: see the message; nothing is written then.
        StorageError: the layout cannot be written.
    """
    if not libraries:
        raise PackageError("no plugin to package: name its lib<name>.so")
    files, notes = read_plugins(libraries)
    first = files[0]
    check_name(first.name)
    check_version(first.version, "version")
    notes += _told(files, glibc)
    about = _checked(about or About())
    about = replace(about, description=about.description or first.description)
    needs = {r.name: r for r in requirements}
    own = Requirement(API_REQUIREMENT, first.api_version)
    if (given := needs.setdefault(API_REQUIREMENT, own)) != own:
        raise PackageError(
            f"{given} is asked for, and the plugin itself asks its host for {first.api_version}; "
            f"drop {API_REQUIREMENT}, which is found by itself"
        )
    config = Config(first.name, first.version, merged(dependencies), tuple(needs.values()))
    seconds, why = created_time(created)
    notes.append(_time_note(seconds, why))
    member = f"lib{config.name}.so"
    made = Layout.create(layout)
    entries = []
    for file in files:
        machine = machine_name(file.elf.platform)
        title = f"{config.name}-{config.version}-linux-{machine}.tar.gz"
        members = {member: (file.path, 0o755)}
        document = _manifest(made, "plugin", config, title, members, about, seconds)
        stored = made.add_manifest(document, listed=False)
        entries.append(
            Descriptor(
                MANIFEST,
                stored.digest,
                stored.size,
                document["annotations"],
                file.elf.platform,
                config_type("plugin") if artifact_type else None,
            )
        )
    index = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [entry.to_json() for entry in entries],
        "annotations": dict(sorted(about.annotations(config.version).items())),
    }
    root = made.add_manifest(index, tag=config.version)
    platforms = tuple(file.elf.platform for file in files)
    return Packed("plugin", config, layout, root, platforms, (member,), about, tuple(notes))


def package_rules(
    files: Sequence[Path],
    layout: Path,
    *,
    name: str | None = None,
    version: str | None = None,
    plugin: Config | None = None,
    about: About | None = None,
    dependencies: Sequence[Dependency] = (),
    requirements: Sequence[Requirement] = (),
    created: int | None = None,
) -> Packed:
    """Make a layout with rules files.

    Args:
        files: Rules files; they come to lie side by side.
        layout: A folder; a layout that is there is replaced.
        name: Default: that of the plugin, or of the only one that the rules require, and
            ``-rules``.
        version: Default: that of the plugin.
        plugin: What is packed with them; the rules must fit it.
        about: For annotations and indexes.
        dependencies: Beside the rules' own ``required_plugin_versions``.
        requirements: Beside the rules' own ``required_engine_version``.
        created: Seconds since 1970; see :func:`created_time`.

    Raises:
        PackageError: see the message; nothing is written then.
        StorageError: the layout cannot be written.
    """
    needs = _rules.read_rules(files)
    if plugin is not None:
        _rules.check_against_plugin(needs, plugin.name, plugin.version)
    given = {r.name: r for r in requirements}
    if needs.engine_version is not None:
        given.setdefault(
            _rules.ENGINE_REQUIREMENT, Requirement(_rules.ENGINE_REQUIREMENT, needs.engine_version)
        )
        engine = given[_rules.ENGINE_REQUIREMENT].version
        if semver.Version.parse(engine) < semver.Version.parse(needs.engine_version):
            raise PackageError(
                f"{_rules.ENGINE_REQUIREMENT}:{engine} is asked for, and the rules have "
                f"required_engine_version {needs.engine_version}: a Falco between the two would "
                "get rules that it refuses; drop the lower one"
            )
    needed = merged([*needs.dependencies, *dependencies])
    config = Config(
        check_name(name or _rules_name(plugin, needed)),
        version or (plugin.version if plugin else ""),
        needed,
        tuple(given.values()),
    )
    if not config.version:
        raise PackageError("rules have no version of their own: give one with --rules-version")
    check_version(config.version)
    if not needed and not given:
        raise PackageError(
            f"{files[0]}: says neither required_plugin_versions nor required_engine_version, so "
            "falcoctl could install rules that the Falco there refuses; add them"
        )
    members: dict[str, Member] = {}
    for file in files:
        if file.name in members:
            raise PackageError(
                f"{members[file.name][0]} and {file}: two rules files with one name; they come to "
                "lie in one folder"
            )
        members[file.name] = (file, 0o644)
    about = _checked(about or About())
    seconds, why = created_time(created)
    notes = [_time_note(seconds, why)]
    if _rules.ENGINE_REQUIREMENT not in given:
        notes.append(
            f"{config.name} has no required_engine_version: falcoctl follow gives it to any Falco"
        )
    made = Layout.create(layout)
    title = f"{config.name}-{config.version}.tar.gz"
    document = _manifest(made, "rulesfile", config, title, members, about, seconds)
    root = made.add_manifest(document, tag=config.version)
    names = tuple(sorted(members))
    return Packed("rulesfile", config, layout, root, (), names, about, tuple(notes))


def _manifest(
    layout: Layout,
    kind: str,
    config: Config,
    title: str,
    members: Mapping[str, Member],
    about: About,
    seconds: int,
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="falcopy-package-") as scratch:
        packed = Path(scratch, title)
        pack_layer(members, packed, seconds)
        layer = layout.add_blob(packed, layer_type(kind), annotations={TITLE: title})
    # No annotations here: ECR refuses them.
    described = layout.add_blob(config.encode(), config_type(kind))
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    annotations = {
        **about.annotations(config.version),
        f"{_ANNOTATION}created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": described.to_json(),
        "layers": [layer.to_json()],
        "annotations": dict(sorted(annotations.items())),
    }


def _glibc(text: str) -> tuple[int, int]:
    major, dot, minor = text.partition(".")
    if not (dot and major.isdecimal() and minor.isdecimal()):
        raise PackageError(f'glibc "{text}": expected a version such as 2.31')
    return int(major), int(minor)


def _told(files: Sequence[PluginFile], glibc: str | None) -> list[str]:
    notes = []
    for file in files:
        floor = "{}.{}".format(*file.glibc)
        if glibc is not None and file.glibc > _glibc(glibc):
            raise PackageError(
                f"{file.path}: needs glibc {floor}, newer than the {glibc} asked for: build it on "
                "an older system"
            )
        notes.append(f"{file.elf.platform} needs glibc {floor} or newer")
        expected = f"lib{file.name}.so"
        if file.path.name != expected:
            notes.append(f"{file.path.name} is packed as {expected}, where Falco looks for it")
        if file.elf.foreign:
            notes.append(
                f"{file.path.name} needs {', '.join(file.elf.foreign)}, which the machine with "
                "Falco must have; link statically, or say so in its documentation"
            )
    return notes


def _checked(about: About) -> About:
    if not about.license:
        return about
    try:
        return replace(about, license=str(canonicalize_license_expression(about.license)))
    except InvalidLicenseExpression as error:
        raise PackageError(
            f'license "{about.license}" is no SPDX expression ({error}); write Apache-2.0, MIT or '
            "the like"
        ) from error


def _time_note(seconds: int, why: str) -> str:
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return f"created {moment:%Y-%m-%dT%H:%M:%SZ} ({why})"


def _rules_name(plugin: Config | None, dependencies: Sequence[Dependency]) -> str:
    if plugin is not None:
        return f"{plugin.name}-rules"
    if len(dependencies) == 1:
        return f"{dependencies[0].name}-rules"
    raise PackageError("rules have no name of their own: give one with --rules-name")
