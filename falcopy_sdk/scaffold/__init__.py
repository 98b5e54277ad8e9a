"""Projects from templates: ``falcopy new`` and ``falcopy new --update``."""

from falcopy_sdk.scaffold.names import Names
from falcopy_sdk.scaffold.project import Change, create, update
from falcopy_sdk.scaffold.templates import Template, find_template, templates

__all__ = ["Change", "Names", "Template", "create", "find_template", "templates", "update"]
