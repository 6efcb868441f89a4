"""The checker as one file that needs nothing but Python: its modules, joined."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

# Each stands behind those that it needs.
MODULES = (
    "text",
    "packet_check/parser",
    "packet_check/reader",
    "packet_check/content",
    "packet_check/result",
    "packet_check/manifest",
    "packet_check/volume",
    "packet_check/files",
    "packet_check/order",
    "packet_check/qr",
    "packet_check/stamps",
    "packet_check/pages",
    "packet_check/sign_offs",
    "packet_check/log",
    "packet_check/safety",
    "packet_check/check",
)

HEAD = '''\
#!/usr/bin/env python3
"""Checks an audit packet (督查卷): python3 -I verify_packet.py [--json] FILE.pdf [FILE.pdf ...]

It needs Python 3.9 or later, and nothing else: no packages, no network, no account, no server. It only reads the files
that are named. What it checks is written in `docs/packet.md` of the program that made the packet. It looks at the place
of an electronic signature, and not at whether it is valid: `pdfsig` and `tracker packet verify` do that.
"""

from __future__ import annotations

'''
TAIL = """

if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer characters than the result has
    sys.exit(main())
"""
RULE = "# " + "-" * 118

Imports = dict[str, set[str]]  # the names that are taken from each module; none where it is imported whole


def verifier_source() -> bytes:
    """The checker as one Python file; the same bytes for the same sources."""
    imports: Imports = {}
    bodies = [_body(Path(__file__).parent.parent / f"{module}.py", imports) for module in MODULES]
    return (HEAD + "".join(_import_lines(imports)) + "".join(bodies) + TAIL).encode("utf-8")


def _body(path: Path, imports: Imports) -> str:
    """A module without its imports, its docstring as a comment; what it takes from Python is added to `imports`."""
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    taken = [statement for statement in tree.body if isinstance(statement, ast.Import | ast.ImportFrom)]
    for statement in taken:
        _add(statement, imports)
    heading = [f"# {line}".rstrip() for line in (ast.get_docstring(tree) or "").splitlines()]
    code = source.splitlines()[taken[-1].end_lineno or 0 :]
    return "\n\n" + "\n".join([RULE, f"# {path.stem}", "#", *heading, RULE, *code]) + "\n"


def _add(statement: ast.Import | ast.ImportFrom, imports: Imports) -> None:
    if isinstance(statement, ast.Import):
        imports.update({alias.name: set() for alias in statement.names})
    elif statement.module != "__future__" and not (statement.module or "").startswith("tracker."):
        imports.setdefault(statement.module or "", set()).update(alias.name for alias in statement.names)


def _import_lines(imports: Imports) -> Iterator[str]:
    for module, names in sorted(imports.items(), key=lambda entry: (bool(entry[1]), entry[0])):
        yield f"from {module} import {', '.join(sorted(names))}\n" if names else f"import {module}\n"
