"""Key files as cosign writes them, and what is said of those it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa

from falcopy_sdk.exceptions import SigningKeyError, StorageError
from falcopy_sdk.provenance import PrivateKey, load_private, load_public
from falcopy_sdk.provenance.keys import write_key_pair

#: Made by cosign generate-key-pair (v2.6), with the password "correct horse".
COSIGN_KEY = """\
-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----
eyJrZGYiOnsibmFtZSI6InNjcnlwdCIsInBhcmFtcyI6eyJOIjo2NTUzNiwiciI6
OCwicCI6MX0sInNhbHQiOiJwSTBoeXdMeExkWks0Y3U3d0dUSGx3c1o2MWtJL3pO
Zmx1OXNyM1lYcHJRPSJ9LCJjaXBoZXIiOnsibmFtZSI6Im5hY2wvc2VjcmV0Ym94
Iiwibm9uY2UiOiJMMlB5OW5lVlQ3UnpuMFRMbmh2NzczTkhuaEprUlRoWSJ9LCJj
aXBoZXJ0ZXh0IjoiZytCR2RFREZuMzJQSTFFb1lLRGhqUDFQRGl1S2psc2ZYSWhO
SE9hS0kwVG9BZDZDWjk1MTc4VnZUL3haVUFqOGVKRWRGKzVESG1wcDIrWnNaYUpI
emVQaDhkeW41eVhhRzV6aUQwVXhXUGlzQjA2Y0xGa2VPVVRpVHpPQkl1TThxaklJ
TmprWWQ4L25YM3d2bVhwYktJSjlnVFJKNG02WDhiWm1JTXl0YzZiYmd6cWx3V3dT
blBUSzZ1SGZVL2FuRzlvTDQ0WlRyc3Nza0E9PSJ9
-----END ENCRYPTED SIGSTORE PRIVATE KEY-----
"""
COSIGN_PUB = """\
-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6mOKN+2wO2+AWgIsh1LGble9M7H1
stqKkFsMmpA17ohwnctS8X0G9Y6THo6ZO0ZI6Cdy+0SPv4visIh/wbliww==
-----END PUBLIC KEY-----
"""


def _never() -> bytes:
    raise AssertionError("this key needs no password")


def _pem(key: object, password: bytes | None = None) -> bytes:
    encryption = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    pkcs8 = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, pkcs8, encryption)


def test_a_key_pair_of_cosign(tmp_path: Path) -> None:
    (tmp_path / "cosign.key").write_text(COSIGN_KEY)
    (tmp_path / "cosign.pub").write_text(COSIGN_PUB)
    private = load_private(tmp_path / "cosign.key", lambda: b"correct horse")
    public = load_public(tmp_path / "cosign.pub")
    assert private.public.fingerprint == public.fingerprint
    assert public.verifies(private.sign(b"data"), b"data")
    assert not public.verifies(private.sign(b"data"), b"other data")


def test_a_key_pair_of_our_own_has_the_same_form(key_files: tuple[Path, Path]) -> None:
    private, public = key_files
    lines = private.read_text().splitlines()
    assert lines[0] == COSIGN_KEY.splitlines()[0]
    assert lines[-1] == COSIGN_KEY.splitlines()[-1]
    assert private.stat().st_mode & 0o777 == 0o600
    assert load_public(public).fingerprint


def test_a_key_is_never_overwritten(key_files: tuple[Path, Path]) -> None:
    with pytest.raises(StorageError, match="a key is never overwritten"):
        write_key_pair(*key_files, b"")


@pytest.mark.parametrize(
    "made",
    [
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "P-384", "Ed25519", "RSA"],
)
@pytest.mark.parametrize("password", [None, b"secret"])
def test_keys_in_pkcs8(made: object, password: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(_pem(made, password))
    key = load_private(path, lambda: password if password else _never())
    assert key.public.verifies(key.sign(b"x"), b"x")
    assert not key.public.verifies(b"nonsense", b"x")
    assert key.sign(b"x") == key.sign(b"x")


def test_another_password(key_files: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SigningKeyError, match="the password does not open the key"):
        load_private(key_files[0], lambda: b"wrong")
    path = tmp_path / "key.pem"
    path.write_bytes(_pem(ec.generate_private_key(ec.SECP256R1()), b"right"))
    with pytest.raises(SigningKeyError, match="the password is another, or the file is damaged"):
        load_private(path, lambda: b"wrong")


def test_files_that_are_no_key(tmp_path: Path, key_files: tuple[Path, Path]) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(SigningKeyError, match="cannot be read"):
        load_private(path, _never)
    path.write_text("hello")
    with pytest.raises(SigningKeyError, match="not a private key that cosign writes"):
        load_private(path, _never)
    with pytest.raises(SigningKeyError, match="not a public key in PEM"):
        load_public(path)
    with pytest.raises(SigningKeyError, match="a private key, where the public one is wanted"):
        load_public(key_files[0])
    label = "ENCRYPTED SIGSTORE PRIVATE KEY-----"
    path.write_text(f"-----BEGIN {label}\ne30=\n-----END {label}\n")
    with pytest.raises(SigningKeyError, match="a damaged key file"):
        load_private(path, lambda: b"")


def test_a_kind_of_key_that_cosign_does_not_use(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(_pem(dsa.generate_private_key(2048)))
    with pytest.raises(SigningKeyError, match="use ECDSA, Ed25519 or RSA"):
        load_private(path, _never)


def test_signatures_do_not_depend_on_the_day(key: PrivateKey) -> None:
    assert key.sign(b"data") == key.sign(b"data")
