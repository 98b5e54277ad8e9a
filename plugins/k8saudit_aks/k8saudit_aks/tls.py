"""Which certificate authorities to trust.

A bundle brings its own OpenSSL, whose compiled-in folder need not exist on the host.
"""

from __future__ import annotations

import functools
import os
import ssl

__all__ = ["authorities", "context"]

#: Debian and Alpine, Fedora and RHEL, openSUSE (crypto/x509/root_linux.go of Go lists the same).
_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
)


def authorities() -> str:
    """Path of the PEM file of authorities to trust when the configuration names none.

    ``SSL_CERT_FILE`` when set, else the system's own bundle, which holds a company's private
    authorities too, else the one of the ``certifi`` package inside the plugin.
    """
    chosen = os.environ.get("SSL_CERT_FILE")
    if chosen:
        return chosen
    for path in _BUNDLES:
        if os.path.isfile(path):
            return path
    import certifi

    return certifi.where()


def context(ca_file: str = "") -> ssl.SSLContext:
    """One TLS client context for all connections, until the file of authorities changes.

    Built once, since the client otherwise builds one a connection attempt, which costs most of a
    core while a server refuses connections.

    Args:
        ca_file: PEM file of the authorities to trust; empty: :func:`authorities`.

    Raises:
        OSError: the file cannot be read, or (:class:`ssl.SSLError`) holds no certificate.
    """
    path = ca_file or authorities()
    found = os.stat(path)
    return _context(path, (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns))


@functools.lru_cache(maxsize=4)
def _context(path: str, _identity: tuple[int, ...]) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=path)
