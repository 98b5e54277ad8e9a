"""What runs inside a host: the Python half of a plugin state.

The C half is the extension module ``_bridge``. A host's call enters there and reaches
:class:`~falcopy_sdk.runtime.instance.Instance` only if it needs the author's code.
"""
