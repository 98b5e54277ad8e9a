"""What one Python module imports, read from its syntax tree.

Nothing is executed. Code that cannot run in a bundle does not count: what is under
``if TYPE_CHECKING``, ``if __name__ == "__main__"``, another operating system's or an older Python's
branch.
"""

from __future__ import annotations

import ast
import dataclasses
import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson

from falcopy_sdk.bundle import cache

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["Imports", "Scans", "scan"]

#: Functions whose first argument is the name of a module: importlib, pkgutil, ``__import__``, and
#: the readers of a package's data files.
_BY_NAME: Final = frozenset(
    {"__import__", "files", "find_spec", "get_data", "import_module", "open_binary", "open_text"}
    | {"read_binary", "resolve_name"}
)
#: Readers of data files, too; with one argument they are most often something else.
_BY_NAME_AND_FILE: Final = frozenset({"path", "read_text"})
_WALKERS: Final = frozenset({"iter_modules", "walk_packages"})
_CODECS: Final = frozenset(
    {"TextIOWrapper", "decode", "encode", "getdecoder", "getencoder", "getincrementaldecoder"}
    | {"getreader", "getwriter", "iterdecode", "lookup", "open"}
)
_GROUPS: Final = frozenset({"entry_points", "iter_entry_points", "load_setuptools_entrypoints"})
_DOTTED: Final = re.compile(r"\.*[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
#: What a package calls itself, in ``__package__ + ".data"``.
_OWN_NAMES: Final = frozenset({"__name__", "__package__"})
_DOTTED_START: Final = re.compile(r"\.*[A-Za-z_]\w*\.(\w+\.)*\w*")

_COMPARE: Final[dict[type[ast.cmpop], Callable[[Any, Any], object]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


@dataclass(slots=True)
class Imports:
    """What a module imports, as written.

    Attributes:
        modules: ``from ..a import b, c`` is ``(2, "a", ["b", "c"])``, ``import a.b`` is
            ``(0, "a.b", [])``.
        required: first names of what it cannot be imported without: absolute imports outside of
            functions and of a ``try`` whose ``except`` gets over it.
        named: names of modules in calls like ``import_module("a.b")``; relative ones with dots.
        computed: it imports a module whose name it computes.
        walks: it lists the modules of its package.
        exported: strings in ``__all__``: a star import of a package imports those.
        strings: strings that may name a module; without ``computed`` only those with a dot, which
            another module of the package may import by computed names.
        starts: what strings that may name a module begin with, as far as it is written:
            ``f"a.b_{x}"`` is ``a.b_``; only of a module with ``computed``.
        codecs: names of text encodings.
        groups: names of groups of entry points.
    """

    modules: list[tuple[int, str, list[str]]] = dataclasses.field(default_factory=list)
    required: list[str] = dataclasses.field(default_factory=list)
    named: list[str] = dataclasses.field(default_factory=list)
    computed: bool = False
    walks: bool = False
    exported: list[str] = dataclasses.field(default_factory=list)
    strings: list[str] = dataclasses.field(default_factory=list)
    starts: list[str] = dataclasses.field(default_factory=list)
    codecs: list[str] = dataclasses.field(default_factory=list)
    groups: list[str] = dataclasses.field(default_factory=list)


def scan(source: bytes, python: tuple[int, int]) -> Imports:
    """Reads a module's source; the answer is kept in the build cache.

    Args:
        source: of the module; one that is no valid Python imports nothing.
        python: the version that will run it, ``(3, 11)``.
    """
    store = cache.store("imports")
    key = cache.digest(cache.own_code("imports"), python, source)
    if (stored := store.get(key)) is not None:
        return Imports(**orjson.loads(stored))
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        # A template, or another Python's code: compiling it tells, if the plugin cannot do without.
        return Imports()
    visitor = _Visitor(python)
    visitor.visit(tree)
    found = visitor.found
    if not found.computed:
        found.strings = [text for text in found.strings if "." in text]
        found.starts = []
    store.put(key, orjson.dumps(found))
    return found


class Scans:
    """What has been read of the sources of one bundle; each is read once.

    Args:
        python: the version that will run them, ``(3, 11)``.
    """

    def __init__(self, python: tuple[int, int]) -> None:
        self._python = python
        self._found: dict[Path, Imports] = {}

    def of(self, source: Path) -> Imports:
        """As :func:`scan`."""
        if source not in self._found:
            self._found[source] = scan(source.read_bytes(), self._python)
        return self._found[source]

    def ahead(self, folder: Path, enough: Callable[[], bool]) -> None:
        """Reads sources below a folder for later, as long as there is time."""
        for source in folder.rglob("*.py"):
            if enough():
                return
            self.of(source)


class _Visitor(ast.NodeVisitor):
    def __init__(self, python: tuple[int, int]) -> None:
        self.found = Imports()
        #: Depth of functions and of ``try``: what is inside may never run, or may fail.
        self._optional = 0
        self._known: dict[str, Any] = {
            "sys.platform": "linux",
            "os.name": "posix",
            "platform.system()": "Linux",
            "sys.version_info[0]": python[0],
            # Newer than what is written if the first two numbers are equal.
            "sys.version_info": (*python, 0),
        }

    def visit_Import(self, node: ast.Import) -> None:
        self.found.modules += [(0, alias.name, []) for alias in node.names]
        self._require(*(alias.name for alias in node.names))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        names = [alias.name for alias in node.names]
        self.found.modules.append((node.level, node.module or "", names))
        if not node.level:
            self._require(node.module or "")

    def _require(self, *names: str) -> None:
        if not self._optional:
            firsts = {name.partition(".")[0] for name in names}
            self.found.required += sorted(firsts - set(self.found.required))

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_with_optional_body(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_with_optional_body(node)

    def visit_Try(self, node: ast.Try | ast.TryStar) -> None:
        # What is only told in other words is not got over.
        if any(not isinstance(handler.body[-1], ast.Raise) for handler in node.handlers):
            self._visit_with_optional_body(node)
        else:
            self.generic_visit(node)

    def visit_TryStar(self, node: ast.TryStar) -> None:
        self.visit_Try(node)

    def visit_With(self, node: ast.With) -> None:
        calls = [i.context_expr for i in node.items if isinstance(i.context_expr, ast.Call)]
        if any(_name(call.func) == "suppress" for call in calls):
            self._visit_with_optional_body(node)
        else:
            self.generic_visit(node)

    def _visit_with_optional_body(
        self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Try | ast.TryStar | ast.With
    ) -> None:
        for name, value in ast.iter_fields(node):
            self._optional += name == "body"
            for each in value if isinstance(value, list) else [value]:
                if isinstance(each, ast.AST):
                    self.visit(each)
            self._optional -= name == "body"

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            # "package.module:attribute", too, names a module.
            name, _, attribute = node.value.partition(":")
            if _DOTTED.fullmatch(name) and (attribute or "x").isidentifier():
                self.found.strings.append(name)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._start(node.values[0] if node.values else node)
        if len(node.values) == 2 and isinstance(node.values[0], ast.FormattedValue):
            self._below(node.values[0].value, node.values[1])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self._start(node.left, end="%" if isinstance(node.op, ast.Mod) else "")
        if isinstance(node.op, ast.Add):
            self._below(node.left, node.right)
        self.generic_visit(node)

    def _start(self, node: ast.AST, end: str = "") -> None:
        """Note a string whose end is computed; what is written of it ends where ``end`` is."""
        text = _text(node) or ""
        start = text.partition(end)[0] if end else text
        if _DOTTED_START.fullmatch(start):
            self.found.starts.append(start)

    def _below(self, package: ast.AST, rest: ast.AST) -> None:
        """Note a name that a module makes of its own and of what is written."""
        text = _text(rest) or ""
        own = isinstance(package, ast.Name) and package.id in _OWN_NAMES
        if own and text.startswith(".") and _DOTTED.fullmatch(text):
            self.found.named.append(text)

    def visit_Assign(self, node: ast.Assign) -> None:
        if any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            self.found.exported += [t for c in ast.walk(node.value) if (t := _text(c)) is not None]
        self.generic_visit(node)

    def visit_If(self, node: ast.If) -> None:
        truth = self._truth(node.test)
        self.visit(node.test)
        for branch, runs in ((node.body, truth is not False), (node.orelse, truth is not True)):
            for statement in branch if runs else ():
                self.visit(statement)

    def visit_Call(self, node: ast.Call) -> None:
        function = node.func
        name = _name(function)
        texts = [text for arg in node.args if (text := _text(arg)) is not None]
        keywords = {k.arg: text for k in node.keywords if (text := _text(k.value)) is not None}
        by_name = name in _BY_NAME or (name in _BY_NAME_AND_FILE and len(node.args) > 1)
        if by_name and node.args and _text(node.args[0]) is not None:
            self.found.named.append(texts[0])
        elif name in {"__import__", "import_module"}:
            self.found.computed = True
        elif name in _WALKERS:
            self.found.walks = True
        elif name in _GROUPS:
            self.found.groups += [*texts, *keywords.values()]
        if name in _CODECS:
            self.found.codecs += texts
        if name == "format" and isinstance(function, ast.Attribute):
            self._start(function.value, end="{")
        if "encoding" in keywords:
            self.found.codecs.append(keywords["encoding"])
        self.generic_visit(node)

    def _truth(self, test: ast.expr) -> bool | None:
        """What a condition is in every bundle; None: that depends."""
        if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
            inner = self._truth(test.operand)
            return None if inner is None else not inner
        if isinstance(test, ast.BoolOp):
            parts = [self._truth(value) for value in test.values]
            decisive = isinstance(test.op, ast.Or)
            if decisive in parts:
                return decisive
            return None if None in parts else not decisive
        if isinstance(test, ast.Compare) and len(test.ops) == 1:
            return self._comparison(test)
        return False if ast.unparse(test).rpartition(".")[2] == "TYPE_CHECKING" else None

    def _comparison(self, test: ast.Compare) -> bool | None:
        kind = type(test.ops[0])
        compare = _COMPARE.get(kind)
        left = ast.unparse(test.left)
        try:
            right = ast.literal_eval(test.comparators[0])
        except ValueError:
            return None
        if left == "__name__":
            # Nothing in a bundle is run as a program.
            return False if right == "__main__" and kind is ast.Eq else None
        known = self._known.get(left)
        if compare is None or known is None or not isinstance(right, type(known)):
            return None
        if isinstance(known, tuple) and (
            kind in {ast.Eq, ast.NotEq} or (len(right) > 2 and right[:2] == known[:2])
        ):
            return None
        return bool(compare(known, right))


def _name(function: ast.expr) -> str:
    return str(getattr(function, "attr", None) or getattr(function, "id", ""))


def _text(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
