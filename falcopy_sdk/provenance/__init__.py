"""Where a plugin comes from, signed: bills of materials, provenance, signatures, and their checks.

The forms are those of cosign, so that falcoctl and cosign verify what is made here.
"""

from falcopy_sdk.provenance.checks import Check, Report
from falcopy_sdk.provenance.keys import PrivateKey, PublicKey, load_private, load_public
from falcopy_sdk.provenance.origin import Commit, commit_of
from falcopy_sdk.provenance.signing import Signed, predicate_of, sign_artifact, sign_file
from falcopy_sdk.provenance.verify_artifact import verify_artifact
from falcopy_sdk.provenance.verify_file import verify_file

__all__ = [
    "Check",
    "Commit",
    "PrivateKey",
    "PublicKey",
    "Report",
    "Signed",
    "commit_of",
    "load_private",
    "load_public",
    "predicate_of",
    "sign_artifact",
    "sign_file",
    "verify_artifact",
    "verify_file",
]
