"""OCI artifacts as falcoctl installs them: pack, push, pull, and the index."""

from falcopy_sdk.oci.credential import ClientCredentials, Credential
from falcopy_sdk.oci.descriptor import Descriptor, Platform
from falcopy_sdk.oci.layout import Layout
from falcopy_sdk.oci.reference import Reference
from falcopy_sdk.oci.registry import Registry, RetryPolicy

__all__ = [
    "ClientCredentials",
    "Credential",
    "Descriptor",
    "Layout",
    "Platform",
    "Reference",
    "Registry",
    "RetryPolicy",
]
