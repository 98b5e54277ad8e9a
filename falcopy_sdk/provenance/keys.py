"""Key pairs that sign artifacts, in the files that cosign makes and reads.

``cosign generate-key-pair`` writes ``cosign.key``, a PKCS #8 key encrypted with NaCl's secretbox
under a key that scrypt derives from a password (sigstore, pkg/cosign/keys.go and
go-securesystemslib, encrypted), and ``cosign.pub``. Plain and encrypted PKCS #8 in PEM are taken
as well, as ``openssl genpkey`` writes them. Signatures are those of sigstore's default: SHA-256.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from falcopy_sdk.exceptions import SigningKeyError, StorageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["PrivateKey", "PublicKey", "generate_key_pair", "load_private", "load_public"]

_ENCRYPTED: Final = re.compile(
    rb"-----BEGIN ENCRYPTED (?P<kind>SIGSTORE|COSIGN) PRIVATE KEY-----(?P<body>.*?)"
    rb"-----END ENCRYPTED (?P=kind) PRIVATE KEY-----",
    re.DOTALL,
)
_PKCS8: Final = re.compile(rb"-----BEGIN (?P<encrypted>ENCRYPTED |)PRIVATE KEY-----")
#: What go-securesystemslib derives keys with (encrypted.Standard).
_SCRYPT: Final = {"N": 65536, "r": 8, "p": 1}
#: Scrypt takes 128 * N * r bytes; a file cannot ask for more than this.
_SCRYPT_MEMORY: Final = 512 * 1024 * 1024
_SALT, _NONCE = 32, SecretBox.NONCE_SIZE


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Checks signatures."""

    key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether this key's private half signed these bytes."""
        try:
            if isinstance(self.key, ec.EllipticCurvePublicKey):
                self.key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
            elif isinstance(self.key, rsa.RSAPublicKey):
                self.key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            else:
                self.key.verify(signature, data)
        except InvalidSignature:
            return False
        return True

    @property
    def pem(self) -> bytes:
        """The contents of ``cosign.pub``."""
        return self.key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key (SubjectPublicKeyInfo), in hex."""
        der = self.key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(der).hexdigest()


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """Makes signatures; the same bytes get the same signature (RFC 6979 for ECDSA)."""

    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

    def sign(self, data: bytes) -> bytes:
        """The signature of these bytes."""
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(data)

    @property
    def public(self) -> PublicKey:
        """The half to hand out."""
        return PublicKey(self.key.public_key())


def generate_key_pair(password: bytes) -> tuple[bytes, bytes]:
    """Makes the contents of ``cosign.key``, encrypted with the password, and of ``cosign.pub``."""
    key = ec.generate_private_key(ec.SECP256R1())
    plain = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    box = SecretBox(_derived(password, salt, **_SCRYPT))
    document = {
        "kdf": {"name": "scrypt", "params": _SCRYPT, "salt": _text(salt)},
        "cipher": {"name": "nacl/secretbox", "nonce": _text(nonce)},
        "ciphertext": _text(box.encrypt(plain, nonce).ciphertext),
    }
    body = base64.encodebytes(json.dumps(document).encode()).replace(b"\n", b"")
    lines = [body[start : start + 64] for start in range(0, len(body), 64)]
    label = b"ENCRYPTED SIGSTORE PRIVATE KEY-----"
    pem = b"\n".join([b"-----BEGIN " + label, *lines, b"-----END " + label, b""])
    return pem, PublicKey(key.public_key()).pem


def load_public(path: Path) -> PublicKey:
    """Reads a public key in PEM.

    Raises:
        SigningKeyError: the file is none, or of a kind that cosign does not use.
    """
    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise SigningKeyError(
            f"{path}: a private key, where the public one is wanted (cosign.pub). "
            f"Make it with: cosign public-key --key {path.name}"
        )
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(
            f"{path}: not a public key in PEM ({error}). Name the file that "
            "cosign generate-key-pair wrote as cosign.pub."
        ) from error
    if isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey):
        return PublicKey(key)
    raise SigningKeyError(f"{path}: a key for {type(key).__name__}; use ECDSA, Ed25519 or RSA")


def load_private(path: Path, password: Callable[[], bytes]) -> PrivateKey:
    """Reads a private key.

    Args:
        path: ``cosign.key``, or PKCS #8 in PEM.
        password: Called when the key is encrypted.

    Raises:
        SigningKeyError: the file is no such key, or the password is another.
    """
    data = _read(path)
    try:
        if sealed := _ENCRYPTED.search(data):
            der = _opened(path, sealed["body"], password())
            key = serialization.load_der_private_key(der, None)
        elif pkcs8 := _PKCS8.search(data):
            secret = password() if pkcs8["encrypted"] else None
            key = serialization.load_pem_private_key(data, secret)
        else:
            raise SigningKeyError(
                f"{path}: not a private key that cosign writes, nor PKCS #8 in PEM. Make one with "
                "cosign generate-key-pair, or: openssl genpkey -algorithm EC -pkeyopt "
                "ec_paramgen_curve:P-256"
            )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise SigningKeyError(
            f"{path}: the key cannot be opened: the password is another, or the file is damaged"
        ) from error
    if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey):
        return PrivateKey(key)
    raise SigningKeyError(f"{path}: a key for {type(key).__name__}; use ECDSA, Ed25519 or RSA")


def write_key_pair(private: Path, public: Path, password: bytes) -> None:
    """Makes both files; neither may be there.

    Raises:
        StorageError: one is there, or cannot be written.
    """
    key, pem = generate_key_pair(password)
    for path, data, mode in ((private, key, 0o600), (public, pem, 0o644)):
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
                file.write(data)
        except OSError as error:
            raise StorageError(
                f"{path}: cannot be written ({error.strerror}); a key is never overwritten. Move "
                "it away, or name another file."
            ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SigningKeyError(f"{path}: the key cannot be read ({error.strerror})") from error


def _opened(path: Path, body: bytes, password: bytes) -> bytes:
    try:
        document = json.loads(base64.b64decode(body))
        kdf, cipher = document["kdf"], document["cipher"]
        if kdf["name"] != "scrypt" or cipher["name"] != "nacl/secretbox":
            raise SigningKeyError(
                f"{path}: encrypted with {kdf['name']} and {cipher['name']}, which cosign does not"
            )
        salt, nonce, sealed = (
            base64.b64decode(text)
            for text in (kdf["salt"], cipher["nonce"], document["ciphertext"])
        )
        parameters = {name: int(kdf["params"][name]) for name in _SCRYPT}
        return SecretBox(_derived(password, salt, **parameters)).decrypt(sealed, nonce)
    except (KeyError, TypeError, binascii.Error) as error:
        raise SigningKeyError(f"{path}: a damaged key file; restore it from a copy") from error
    except CryptoError as error:
        raise SigningKeyError(
            f"{path}: the password does not open the key. Set COSIGN_PASSWORD to the right one."
        ) from error


def _derived(password: bytes, salt: bytes, **parameters: int) -> bytes:
    n, r, p = (parameters[name] for name in ("N", "r", "p"))
    return hashlib.scrypt(
        password, salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_MEMORY, dklen=SecretBox.KEY_SIZE
    )


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
