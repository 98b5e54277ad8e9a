"""A pytest plugin: takes the bridge from $FALCOPY_TEST_BRIDGE, not the installed one."""

import importlib.util
import os
import sys

import falcopy_sdk.runtime

_NAME = "falcopy_sdk.runtime._bridge"
_spec = importlib.util.spec_from_file_location(_NAME, os.environ["FALCOPY_TEST_BRIDGE"])
assert _spec is not None
assert _spec.loader is not None
_module = importlib.util.module_from_spec(_spec)
sys.modules[_NAME] = _module
_spec.loader.exec_module(_module)
falcopy_sdk.runtime._bridge = _module
