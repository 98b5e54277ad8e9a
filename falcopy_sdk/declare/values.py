"""What methods of a plugin return to the host: metrics and open parameters."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Metric", "OpenParam"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One value of ``@metrics`` (plugin_types.h, ss_plugin_metric).

    Attributes:
        value: An ``int`` is given to the host as a 64-bit integer, a ``float`` as a double.
        monotonic: True for a counter that only grows; False for a value that goes up and down.
            A bare number returned by ``@metrics`` means False.
    """

    value: int | float
    monotonic: bool = False


@dataclass(frozen=True, slots=True)
class OpenParam:
    """One suggestion of ``@open_params`` (plugin_api.h, plugin_list_open_params).

    Attributes:
        value: What to pass as open parameters; not empty.
        desc: What it stands for.
        separator: What joins several such values into one.
    """

    value: str
    desc: str = ""
    separator: str = ""

    def __post_init__(self) -> None:
        if not self.value:
            raise ValueError("OpenParam value is empty; hosts refuse such a list")
