"""The conventions as tests: who may import whom, who commits, and which words stand in the data only."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracker.config import CHECKOUT
from tracker.domain.checklist_source import load_checklist

TRACKER = CHECKOUT / "tracker"
TEMPLATES = CHECKOUT / "templates"
SOURCES = sorted(TRACKER.rglob("*.py"))
PAGES = sorted(path for path in TEMPLATES.rglob("*") if path.suffix in {".html", ".css", ".txt"})

ALLOWED = {
    "domain": {"domain"},
    "models": {"domain", "models"},
    "policy": {"domain", "models"},
    "queries": {"domain", "models", "policy", "queries"},
    "services": {"domain", "models", "policy", "queries", "services", "storage"},
    "storage": {"domain", "storage"},
    "reporting": {"domain", "reporting"},
    "tasks": {"domain", "models", "policy", "queries", "services", "storage", "reporting", "tasks", "db", "config"},
}
EVERYTHING = {"app", "config", "db", "domain", "models", "policy", "queries", "reporting", "services", "storage"} | {
    "logs",
    "tasks",
    "web",
    "cli",
}
ALLOWED["web"] = EVERYTHING - {"cli"}
ALLOWED["cli"] = EVERYTHING - {"web"}
ALLOWED["app"] = EVERYTHING - {"cli"}  # wiring
ALLOWED["logs"] = set()
ALLOWED["config"] = {"config", "domain"}
ALLOWED["db"] = {"models", "domain"}
ALLOWED[""] = {"app"}  # the package itself

NO_FRAMEWORK = {
    "domain": {"flask", "sqlalchemy", "wtforms", "weasyprint"},
    "models": {"flask", "wtforms"},
    "policy": {"flask", "wtforms"},
    "queries": {"flask", "wtforms"},
    "services": {"flask", "wtforms"},
    "storage": {"flask", "sqlalchemy", "wtforms"},
    "reporting": {"flask", "sqlalchemy", "wtforms"},
}
LONGEST_FUNCTION = 60  # lines, docstring and signature included
LONGEST_FILE = 600


def layer_of(path: Path) -> str:
    """The folder or file of `tracker/` that a module belongs to; empty for the package itself."""
    first = path.relative_to(TRACKER).parts[0]
    return "" if first == "__init__.py" else first.removesuffix(".py")


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def imports_in(node: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of every module that is imported anywhere in the node."""
    for found in ast.walk(node):
        if isinstance(found, ast.Import):
            yield from ((found.lineno, alias.name) for alias in found.names)
        elif isinstance(found, ast.ImportFrom):
            if found.module == "tracker":
                yield from ((found.lineno, f"tracker.{alias.name}") for alias in found.names)
            else:
                yield found.lineno, "." * found.level + (found.module or "")


def name_of(path: Path, line: int | None = None) -> str:
    return f"{path.relative_to(CHECKOUT)}" + (f":{line}" if line else "")


@pytest.mark.parametrize("layer", sorted({layer_of(path) for path in SOURCES}))
def test_a_layer_imports_only_what_the_table_allows(layer):
    wrong = [
        f"{name_of(path, line)} imports {module}"
        for path in SOURCES
        if layer_of(path) == layer
        for line, module in imports_in(tree_of(path))
        if module.startswith("tracker.") and module.split(".")[1] not in ALLOWED[layer]
    ]
    assert wrong == []


@pytest.mark.parametrize("layer", sorted(NO_FRAMEWORK))
def test_the_rules_know_no_framework(layer):
    wrong = [
        f"{name_of(path, line)} imports {module}"
        for path in SOURCES
        if layer_of(path) == layer
        for line, module in imports_in(tree_of(path))
        if any(module.split(".")[0].startswith(framework) for framework in NO_FRAMEWORK[layer])
    ]
    assert wrong == []


def test_imports_are_absolute_and_stand_at_the_top():
    hidden = [
        f"{name_of(path, line)} imports {module}"
        for path in SOURCES
        for function in ast.walk(tree_of(path))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for line, module in imports_in(function)
    ]
    relative = [
        f"{name_of(path, line)} imports {module}"
        for path in SOURCES
        for line, module in imports_in(tree_of(path))
        if module.startswith(".")
    ]
    assert hidden + relative == []


def calls(path: Path, *names: str) -> list[str]:
    """Where a function or method of one of these names is called."""
    return [
        name_of(path, node.lineno)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")) in names
    ]


def test_only_one_place_commits():
    wrong = [place for path in SOURCES for place in calls(path, "commit") if path != TRACKER / "db.py"]
    assert wrong == []


def test_nobody_but_the_store_knows_where_bytes_lie():
    """They may be on another machine: callers open them, or have them staged."""
    at_home = TRACKER / "storage" / "blobs.py"
    assert [place for path in SOURCES for place in calls(path, "path") if path != at_home] == []


def test_pages_and_commands_send_no_sql_of_their_own():
    """Signing in reads accounts where Flask-Security asks for them; loading by key is the one helper of all views."""
    at_home = {TRACKER / "web" / "access.py", TRACKER / "web" / "security.py"}
    sent = ("select", "text", "insert", "update", "delete")
    wrong = []
    for path in SOURCES:
        if layer_of(path) in {"web", "cli"} and path not in at_home and "tracker/cli/demo" not in path.as_posix():
            used = {alias.name for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)
                    and (node.module or "").startswith("sqlalchemy") for alias in node.names}  # fmt: skip
            wrong += [place for name in sent if name in used for place in calls(path, name)]
    assert wrong == []


def test_no_template_marks_anything_safe():
    unsafe = re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\(")
    wrong = [name_of(path) for path in (*PAGES, *SOURCES) if unsafe.search(path.read_text("utf-8"))]
    assert wrong == []


def test_no_template_carries_a_script_or_a_style_of_its_own():
    handlers = r"\son(?:click|change|input|submit|load|key\w+|mouse\w+)="
    elsewhere = r"https?://(?!www\.w3\.org/)"
    inline = re.compile(rf"<script(?![^>]*\bsrc=)|<style|\sstyle=|{handlers}|{elsewhere}", re.IGNORECASE)
    pages = [path for path in PAGES if "reports" not in path.parts and path.suffix == ".html"]
    assert [name_of(path) for path in pages if inline.search(path.read_text("utf-8"))] == []


def words_of_the_lists() -> set[str]:
    """Names that stand in checklists and so must not stand in the program: of levels, posts, dimensions and items."""
    words = set()
    for path in sorted((CHECKOUT / "checklists").glob("*.yaml")):
        shown = load_checklist(path.read_bytes())
        words |= {level.name for level in shown.levels} | {post.name for post in shown.posts}
        words |= {dimension.name for dimension in shown.dimensions} | {item.title for item in shown.items}
        words.add(shown.root_name)
        words |= {shown.title}
    return words | {"三级四岗", "工委"}


def test_no_word_of_a_checklist_stands_in_the_program():
    words = re.compile("|".join(map(re.escape, sorted(words_of_the_lists(), key=len, reverse=True))))
    invented = {TRACKER / "cli" / "demo", TRACKER / "cli" / "bench"}
    wrong = [
        f"{name_of(path, number)}: {found[0]}"
        for path in (*SOURCES, *PAGES)
        if invented.isdisjoint(path.parents)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if (found := words.search(line))
    ]
    assert wrong == []


def test_every_module_says_what_it_is():
    assert [name_of(path) for path in SOURCES if not ast.get_docstring(tree_of(path))] == []


def test_functions_and_files_stay_small():
    long = [
        f"{name_of(path, node.lineno)} {node.name}: {length} lines"
        for path in SOURCES
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef) and (length := (node.end_lineno or 0) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    files = [
        f"{name_of(path)}: {length} lines"
        for path in SOURCES
        if (length := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    ]
    assert long + files == []


def test_no_module_imports_itself_in_a_ring():
    """No ring among the modules of the program: each can be read, and tested, from the bottom up."""
    known = {".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
    edges = {module: set(_needed(module, known)) for module in known}
    assert _ring(edges) == []


def _needed(module: str, known: set[str]) -> Iterator[str]:
    path = CHECKOUT / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in tree_of(path).body:
        if isinstance(node, ast.ImportFrom) and node.module in known:
            inner = {f"{node.module}.{alias.name}" for alias in node.names} & known
            yield from (inner or {node.module}) - {module}


def _ring(edges: dict[str, set[str]]) -> list[str]:
    """A chain of modules that leads back to its beginning, or nothing."""
    done: set[str] = set()

    def follow(module: str, trail: list[str]) -> list[str]:
        if module in trail:
            return [*trail[trail.index(module) :], module]
        if module in done:
            return []
        for needed in sorted(edges[module]):
            if ring := follow(needed, [*trail, module]):
                return ring
        done.add(module)
        return []

    return next((ring for module in sorted(edges) if (ring := follow(module, []))), [])


def test_hints_reach_the_desk_and_nothing_that_is_printed_or_counted():
    """A hint is for the inspector alone: no report, score, paper or packet can come by one, whatever it imports."""
    known = {".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
    edges = {module: set(_needed(module, known)) for module in known}
    hints = {module for module in known if module.endswith(".hints")}
    traits = {"tracker.services.file_traits", "tracker.tasks.traits"}  # they cut a hash into parts, for the look-up
    direct = {module for module in known - hints if edges[module] & hints}
    assert direct == {"tracker.services.file_traits", "tracker.web.desk"}
    words = re.compile(r"report|score|paper|packet|circular|board|document|ledger|spreadsheet")
    shown = ("tracker.web", "tracker.cli")
    printed = {module for module in known if words.search(module) and not module.startswith(shown)}
    assert len(printed) > 40
    for module in sorted(printed):
        assert not _reached(edges, module) & (hints | traits), module


def test_what_asks_for_nobodys_leave_is_there_for_measurements_only():
    """Made-up people act by the hundred thousand, with no rule that asks who may; no page and no other command may."""
    known = {".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__") for path in SOURCES}
    for_measurements = {f"tracker.services.{name}" for name in ("bulk_roster", "bulk_year")}
    for_measurements |= {f"tracker.queries.{name}" for name in ("bench", "seed")}
    users = {module for module in known if set(_needed(module, known)) & for_measurements} - for_measurements
    assert users
    assert [module for module in sorted(users) if not module.startswith("tracker.cli.bench.")] == []


def _reached(edges: dict[str, set[str]], module: str) -> set[str]:
    """Everything that a module imports, and what that imports in turn."""
    found, waiting = set(), [module]
    while waiting:
        for needed in edges[waiting.pop()] - found:
            found.add(needed)
            waiting.append(needed)
    return found


def test_the_macro_of_hints_is_for_pages_of_the_desk():
    used = {path.parent.name for path in PAGES if "desk/_hints.html" in path.read_text("utf-8")}
    assert used <= {"desk"}


def test_the_table_covers_every_folder():
    assert {layer_of(path) for path in SOURCES} <= ALLOWED.keys()
