"""The two commands, on a machine that consists of recordings: what ./dev calls, in which order, and what it leaves."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
REQUIREMENTS = CHECKOUT / "requirements"
FONT = "usr/share/texlive/texmf-dist/fonts/opentype/public/fandol/FandolFang-Regular.otf"
PACKAGE_MANAGERS = ("apt-get", "sudo", "pip", "uv")

TOOLS = {
    "apt-get": """
        for word in "$@"; do last=$word; done
        case $1 in
            install) shift; printf '%s\\n' "$@" | grep -v '^-' >>"$MACHINE/installed" ;;
            download) [ ! -e "$MACHINE/offline" ] && : >texlive-lang-chinese_1_all.deb ;;
        esac""",
    "dpkg-query": """
        while read -r package; do echo "$package installed"; done <"$MACHINE/installed" """,
    "dpkg-deb": """
        tar -C "$MACHINE/package" -cf - ./usr""",
    "id": """
        cat "$MACHINE/user" """,
    "sudo": """
        [ -e "$MACHINE/sudoer" ] || exit 1
        [ "$1" != -n ] || shift
        exec "$@" """,
    "chown": "",
}
PYTHON = """
    case "$*" in
        "-m venv"*) mkdir -p "$4/bin"; cp "$0" "$4/bin/python"; cp "$MACHINE/console" "$4/bin/tracker" ;;
        "-m pip install"*)
            while [ "$1" != --target ]; do shift; done
            mkdir -p "$2/bin"; cp "$MACHINE/uv" "$2/bin/uv" ;;
        "-m pip config get global.extra-index-url") cat "$MACHINE/extra-index" 2>/dev/null ;;
        "-m pytest"*) echo "== 3 passed, 1 failed =="; exit 1 ;;
    esac"""
UV = """
    env | grep -E '^(UV_|PIP_|SSL_)' | sort >"$MACHINE/environment"
    [ ! -e "$MACHINE/offline" ] || exit 2"""


class Machine:
    """A checkout and a PATH whose every tool writes down that it was called."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.checkout = folder / "checkout"
        self.calls_file = folder / "calls"
        for part in ("dev", "pyproject.toml", "packages", "requirements", ".ci"):
            copy = shutil.copytree if (CHECKOUT / part).is_dir() else shutil.copy
            self.checkout.mkdir(parents=True, exist_ok=True)
            copy(CHECKOUT / part, self.checkout / part)
        for name, text in TOOLS.items():
            self.tool(f"bin/{name}", text)
        self.tool("python3", PYTHON)
        self.tool("uv", UV)
        self.tool("console", 'echo "tracker $*"')
        font = folder / "package" / FONT
        font.parent.mkdir(parents=True)
        font.write_bytes(b"OTTO")
        self.write("user", "0")
        self.write("installed", "python3\ntzdata\n")

    def tool(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        record = 'printf "%s %s\\n" "${0##*/}" "$*" >>"$MACHINE/calls"'
        path.write_text(f"#!/bin/sh\n{record}\n{text}\n", "utf-8")
        path.chmod(0o755)

    def write(self, name: str, text: str = "") -> None:
        (self.folder / name).write_text(text, "utf-8")

    def run(self, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ./dev; what was called before is forgotten."""
        self.calls_file.unlink(missing_ok=True)
        environment = {
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "MACHINE": str(self.folder),
            "PYTHON": str(self.folder / "python3"),
            "TMPDIR": str(self.folder),
            **variables,
        }
        arguments = [self.checkout / "dev", *command]
        return subprocess.run(
            arguments, env=environment, stdin=subprocess.DEVNULL, text=True, capture_output=True, check=False
        )

    def calls(self) -> list[str]:
        return self.calls_file.read_text("utf-8").splitlines() if self.calls_file.exists() else []

    def package_manager_calls(self) -> list[str]:
        return [call for call in self.calls() if call.startswith((*PACKAGE_MANAGERS, "python -m pip", "python3"))]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("command", ["demo", "test", "tracker", "lint"])
def test_a_second_run_calls_no_package_manager(machine, command):
    first = machine.run(command)
    assert machine.package_manager_calls() != []

    second = machine.run(command)

    assert machine.package_manager_calls() == []
    assert second.stdout == first.stdout
    assert second.returncode == first.returncode


def test_only_the_packages_that_are_missing_are_installed(machine):
    machine.run("demo")

    install = next(call for call in machine.calls() if call.startswith("apt-get install"))
    assert " libpango-1.0-0 " in install
    assert " fonts-noto-cjk " in install
    assert not re.search(r" (python3|tzdata|chromium|postgresql)( |$)", install)


def test_the_tests_add_a_browser_and_databases(machine):
    machine.run("demo")
    machine.run("test")

    install = next(call for call in machine.calls() if call.startswith("apt-get install"))
    assert {"chromium", "libatomic1", "poppler-utils", "postgresql", "qpdf", "redis-server"} <= set(install.split())
    assert "fonts-noto-cjk" not in install
    assert any("requirements/dev.txt" in call for call in machine.calls())


def test_the_demo_installs_nothing_that_only_the_tests_need(machine):
    machine.run("demo")

    assert [call for call in machine.calls() if "dev.txt" in call] == []
    assert any(call.startswith("uv") and "pip sync" in call and "runtime.txt" in call for call in machine.calls())


def test_the_demo_goes_on_working_after_the_tests_and_changes_nothing(machine):
    machine.run("demo")
    machine.run("test")

    again = machine.run("demo", "--port", "9000")

    assert machine.package_manager_calls() == []
    assert again.stdout == "tracker demo --port 9000\n"


def test_a_changed_lock_is_installed_again_and_a_changed_linter_setting_is_not(machine):
    machine.run("demo")
    project = machine.checkout / "pyproject.toml"
    project.write_text(project.read_text().replace("line-length = 120", "line-length = 100"))
    machine.run("demo")
    assert machine.package_manager_calls() == []

    with (machine.checkout / "requirements/runtime.txt").open("a") as file:
        file.write("# newer\n")
    machine.run("demo")

    assert any("pip sync" in call for call in machine.package_manager_calls())


def test_a_demo_after_a_changed_lock_keeps_the_tools_of_the_tests(machine):
    machine.run("test", "tests/domain")
    with (machine.checkout / "requirements/runtime.txt").open("a") as file:
        file.write("# newer\n")

    machine.run("demo")

    [sync] = [call for call in machine.package_manager_calls() if "pip sync" in call]
    assert sync.endswith("requirements/dev.txt")


def test_without_root_and_sudo_it_prints_the_one_line_to_run_and_exits_with_3(machine):
    machine.write("user", "1000")

    done = machine.run("demo")

    last = done.stderr.splitlines()[-1]
    assert done.returncode == 3
    assert last.startswith("apt-get update && apt-get install -y --no-install-recommends ca-certificates ")
    assert not any(call.startswith("apt-get") for call in machine.calls())


def test_who_may_use_sudo_needs_no_root(machine):
    machine.write("user", "1000")
    machine.write("sudoer")

    done = machine.run("demo")

    assert done.returncode == 0
    assert any(call.startswith("sudo sh -c apt-get update") for call in machine.calls())


def test_a_user_without_any_rights_works_where_everything_is_installed(machine):
    machine.run("test")
    machine.write("user", "1000")

    assert machine.run("demo").returncode == 0


def test_an_installation_that_failed_is_said_and_tried_again(machine):
    machine.write("offline")
    failed = machine.run("demo")
    assert failed.returncode == 3
    assert "could not be installed" in failed.stderr

    (machine.folder / "offline").unlink()

    assert machine.run("demo").returncode == 0


def test_a_font_that_cannot_be_fetched_stops_nobody(machine):
    machine.run("demo")
    font = machine.checkout / ".venv/share/fonts/FandolFang-Regular.otf"
    assert font.read_bytes() == b"OTTO"
    font.unlink()
    machine.write("offline")

    done = machine.run("demo")

    assert done.returncode == 0
    assert "To try again: ./dev fonts" in done.stderr
    machine.run("demo")
    assert machine.package_manager_calls() == []
    (machine.folder / "offline").unlink()
    machine.run("fonts")
    assert font.exists()


def test_nothing_is_left_in_the_folder_for_temporary_files(machine):
    before = set(machine.folder.iterdir())

    machine.run("demo")

    assert {path.name for path in set(machine.folder.iterdir()) - before} == {"calls", "environment"}


def test_the_last_word_is_pytests_own(machine):
    done = machine.run("test", "-k", "one two", "tests/x.py")

    assert done.stdout.splitlines()[-1] == "== 3 passed, 1 failed =="
    assert done.returncode == 1
    assert machine.calls()[-1] == "python -m pytest -k one two tests/x.py"


def test_lint_runs_every_linter_even_after_one_failed(machine):
    machine.run("lint")
    ran = machine.folder / "ran"
    for linter in ("ruff", "mypy", "djlint", "yamllint"):
        machine.tool(f"checkout/.venv/bin/{linter}", f'echo {linter} >>"$MACHINE/ran"; [ {linter} != ruff ]')

    failed = machine.run("lint")

    assert failed.returncode == 1
    assert ran.read_text().split() == ["ruff", "mypy", "djlint", "yamllint"]
    machine.tool("checkout/.venv/bin/ruff", "exit 0")
    assert machine.run("lint").returncode == 0


@pytest.mark.parametrize(("lint", "test", "code"), [(0, 0, 0), (1, 0, 1), (0, 1, 1), (3, 1, 1)])
def test_ci_fails_where_either_fails_and_always_runs_both(tmp_path, lint, test, code):
    shutil.copytree(CHECKOUT / ".ci", tmp_path / ".ci")
    dev = tmp_path / "dev"
    dev.write_text(f'#!/bin/sh\necho "$1" >>ran\n[ "$1" = test ] && exit {test}\nexit {lint}\n')
    dev.chmod(0o755)

    done = subprocess.run(["/bin/bash", tmp_path / ".ci/run"], cwd="/", check=False)

    assert done.returncode == code
    assert (tmp_path / "ran").read_text() == "lint\ntest\n"


def test_the_users_certificates_and_indexes_stay_as_they_are(machine):
    machine.run("demo", SSL_CERT_FILE="/own/ca.crt", UV_DEFAULT_INDEX="own-index", PIP_INDEX_URL="other")

    environment = (machine.folder / "environment").read_text().splitlines()
    assert "SSL_CERT_FILE=/own/ca.crt" in environment
    assert "PIP_CERT=/own/ca.crt" in environment
    assert "UV_DEFAULT_INDEX=own-index" in environment
    assert "UV_PYTHON_DOWNLOADS=never" in environment
    assert "UV_SYSTEM_CERTS=true" in environment


def test_what_pip_was_told_holds_for_uv_too(machine):
    machine.write("extra-index", "one\ntwo\n")

    machine.run("demo", PIP_CERT="/own/ca.crt", PIP_INDEX_URL="mirror")

    environment = (machine.folder / "environment").read_text().splitlines()
    assert "SSL_CERT_FILE=/own/ca.crt" in environment
    assert "UV_DEFAULT_INDEX=mirror" in environment
    assert "UV_INDEX=one two" in environment


@pytest.mark.parametrize("command", [[], ["dmeo"]])
def test_a_wrong_command_is_answered_with_the_usage_and_2(machine, command):
    done = machine.run(*command)

    assert done.returncode == 2
    assert "usage: ./dev" in done.stderr
    assert machine.calls() == []


def test_a_checkout_that_was_moved_gets_its_environment_anew(machine):
    machine.run("demo")
    moved = machine.folder / "elsewhere"
    machine.checkout.rename(moved)
    machine.checkout = moved

    machine.run("demo")

    assert any(call.startswith("python3 -m venv") for call in machine.calls())


def pins(name: str) -> set[tuple[str, str]]:
    """Return name and version of each locked package; one may have several, for several Pythons."""
    return set(re.findall(r"^([\w.-]+)==([\w.+!-]+)", (REQUIREMENTS / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["bootstrap.txt", "runtime.txt", "dev.txt"])
def test_every_locked_package_has_a_hash_and_no_download_address_is_kept(name):
    text = (REQUIREMENTS / name).read_text()
    blocks = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]

    assert len(blocks) == len(pins(name)) > 1
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text


def test_the_tests_run_with_the_very_versions_that_are_deployed():
    assert pins("runtime.txt") <= pins("dev.txt")


@pytest.mark.parametrize("name", ["bootstrap", "runtime", "dev"])
def test_everything_asked_for_is_locked(name):
    lines = (REQUIREMENTS / f"{name}.in").read_text().splitlines()
    asked = {re.split(r"[\[<>=~! ]", line)[0].lower() for line in lines if re.match(r"[A-Za-z]", line)}

    assert asked <= {re.sub(r"[-_.]+", "-", package).lower() for package, _ in pins(f"{name}.txt")}
