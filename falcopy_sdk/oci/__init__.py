"""OCI artifacts as falcoctl installs them: pack, push, pull, and the index.

packed = package_plugin([Path("dist/libacme.so")], Path("dist/oci/acme"))
with Layout.open(packed.layout) as layout, Registry("ghcr.io") as registry:
    push(layout, Reference.parse("ghcr.io/acme/plugins/plugin/acme"), registry)
"""

from falcopy_sdk.oci.artifact import About, Packed, package_plugin, package_rules
from falcopy_sdk.oci.config import (
    Config,
    Dependency,
    Requirement,
    parse_dependency,
    parse_requirement,
)
from falcopy_sdk.oci.credential import ClientCredentials, Credential
from falcopy_sdk.oci.descriptor import Descriptor, Platform
from falcopy_sdk.oci.index_file import IndexFile
from falcopy_sdk.oci.layout import Layout
from falcopy_sdk.oci.publish import add_to_index, check_index
from falcopy_sdk.oci.pull import Found, copy_to_layout, find, pull
from falcopy_sdk.oci.push import PushProgress, PushResult, artifact_of, push, tags_for
from falcopy_sdk.oci.reference import Reference
from falcopy_sdk.oci.registry import Registry, RetryPolicy
from falcopy_sdk.oci.snippets import reference_of, snippets, write_snippets

__all__ = [
    "About",
    "ClientCredentials",
    "Config",
    "Credential",
    "Dependency",
    "Descriptor",
    "Found",
    "IndexFile",
    "Layout",
    "Packed",
    "Platform",
    "PushProgress",
    "PushResult",
    "Reference",
    "Registry",
    "Requirement",
    "RetryPolicy",
    "add_to_index",
    "artifact_of",
    "check_index",
    "copy_to_layout",
    "find",
    "package_plugin",
    "package_rules",
    "parse_dependency",
    "parse_requirement",
    "pull",
    "push",
    "reference_of",
    "snippets",
    "tags_for",
    "write_snippets",
]
