"""Publishes what was built: packages, tags, signatures, index; then reads it back."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from assets import collect
from building import FALCOPY, LIBRARY, run


class Signer(Protocol):
    """Signs references, and tells falcoctl's index how to verify them."""

    def sign(self, reference: str, source: Path) -> None:
        """Signs a digest and what is known of it, built from a folder."""

    def verify(self, reference: str) -> None:
        """Ends the release when something does not fit."""

    def index_options(self) -> list[str]:
        """For ``falcopy index add``."""


@dataclass(frozen=True)
class Keys:
    """A key pair."""

    private: Path
    public: Path

    def sign(self, reference: str, source: Path) -> None:
        """Signature, provenance and bills of materials, by falcopy."""
        run(*FALCOPY, "sign", reference, "--key", self.private, *_source(source))

    def verify(self, reference: str) -> None:
        """All of them."""
        print(run(*FALCOPY, "verify", reference, "--key", self.public), end="")

    def index_options(self) -> list[str]:
        """Falcoctl reads the key from a file of that name."""
        return ["--key", str(self.public), "--ignore-tlog"]


@dataclass(frozen=True)
class Keyless:
    """The identity of a workflow, by cosign and Sigstore (docs.sigstore.dev, "Signing")."""

    identity: str
    issuer: str = "https://token.actions.githubusercontent.com"

    @classmethod
    def of_workflow(cls) -> Keyless:
        """The workflow that runs this."""
        try:
            return cls(f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_WORKFLOW_REF']}")
        except KeyError as error:
            raise SystemExit("release: no key was given, and this is no workflow") from error

    def sign(self, reference: str, source: Path) -> None:
        """The same documents as falcopy signs, signed by cosign."""
        with tempfile.TemporaryDirectory() as scratch:
            predicate = Path(scratch) / "provenance.json"
            run(*FALCOPY, "sign", reference, "--predicate", predicate, *_source(source))
            kind = ["--type", "slsaprovenance1", "--predicate", predicate]
            run("cosign", "attest", "--yes", *kind, reference)
        run("cosign", "sign", "--yes", reference)

    def verify(self, reference: str) -> None:
        """The signature by cosign, the contents by falcopy."""
        who = ["--certificate-identity", self.identity, "--certificate-oidc-issuer", self.issuer]
        run("cosign", "verify", *who, reference)
        run("cosign", "verify-attestation", "--type", "slsaprovenance1", *who, reference)
        print(run(*FALCOPY, "verify", reference), end="")

    def index_options(self) -> list[str]:
        """Falcoctl asks Sigstore for this identity."""
        return ["--identity", self.identity, "--issuer", self.issuer]


def publish(
    root: Path, built: Path, target: str, index: Path, signer: Signer, previous: Path | None
) -> None:
    """Does all steps; each can be repeated.

    Args:
        root: Of the repository.
        built: With ``<machine>/libk8saudit-aks.so`` for each machine.
        target: Registry and path.
        index: falcoctl's index.yaml, made or updated.
        signer: Of the artifacts.
        previous: Folder with the index of the last release and its record; None: as it is there.
    """
    if previous is not None:
        take_over(previous, index)
    libraries = sorted(built.glob(f"*/{LIBRARY}"))
    if not libraries:
        raise SystemExit(f"release: there is no {LIBRARY} below {built}; run: release build")
    project = root / "plugins" / "k8saudit_aks"
    rules = sorted((project / "rules").glob("*.yaml"))
    with tempfile.TemporaryDirectory(prefix="falcopy-packages-") as scratch:
        options = ["--project", project, "--to", target, "--output", scratch, "--json"]
        packed = json.loads(run(*FALCOPY, "package", *libraries, *rules, *options))
        references = []
        for artifact in packed["artifacts"]:
            repository = artifact["reference"].rpartition(":")[0]
            pushed = run(*FALCOPY, "push", artifact["layout"], repository).split()[-1]
            if not pushed.endswith(artifact["digest"]):
                raise SystemExit(f"release: {pushed} is not {artifact['digest']}, as packed")
            references.append((f"{repository}:{artifact['config']['version']}", pushed))
        snippets = built / "snippets"
        shutil.rmtree(snippets, ignore_errors=True)
        shutil.copytree(Path(scratch) / "snippets", snippets)
    for _, digest in references:
        signer.sign(digest, project)
    for tag, _ in references:
        signer.verify(tag)
        run(*FALCOPY, "index", "add", index, tag, *signer.index_options())
    run(*FALCOPY, "index", "check", index, "--online")
    collect(root, built, index)


def take_over(previous: Path, index: Path) -> None:
    """Goes on with the index of the last release, so that no version comes back changed.

    Args:
        previous: Folder with index.yaml and index.lock.json; empty: this is the first release.
        index: The file to go on in.
    """
    names = {"index.yaml": index, "index.lock.json": index.with_name(f"{index.stem}.lock.json")}
    there = [name for name in names if (previous / name).is_file()]
    if there and len(there) < len(names):
        raise SystemExit(
            f"release: {previous} has {there[0]} alone; the record of digests (index.lock.json) "
            "belongs to it: get both from the last release"
        )
    for name in there:
        names[name].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(previous / name, names[name])


def _source(folder: Path) -> list[str]:
    """The commit goes into the provenance where the sources are those of a commit."""
    state = subprocess.run(
        ["git", "-C", str(folder), "status", "--porcelain", "--", "."],
        capture_output=True,
        text=True,
        check=False,
    )
    clean = state.returncode == 0 and not state.stdout.strip()
    if not clean:
        print("note: the sources are not those of a commit; the provenance has their hash only")
    return ["--source", str(folder)] if clean else []
