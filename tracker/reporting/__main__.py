"""The child process that lays one document out: `python -m tracker.reporting FOLDER`; `worker` starts it."""

from __future__ import annotations

import gc
import json
import resource
import sys
from pathlib import Path

from tracker.reporting.compose import Composition
from tracker.reporting.progress import RenderingFailed
from tracker.reporting.typeset import typeset


def main(folder: Path) -> int:
    """Lay out FOLDER/job.json into FOLDER/out.pdf; print lines "percent pages". Return 0, or 1 and say why."""
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    _limit(**job["limits"])
    # The collector would walk a growing tree again and again: without it a long report takes a third less time.
    gc.disable()
    try:
        pdf = typeset(Composition(job["html"], job["css"]), config_file=Path(job["config_file"]), progress=_report)
    except RenderingFailed as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    (folder / "out.pdf").write_bytes(pdf)
    return 0


def _limit(*, memory: int, cpu: int, wall: int) -> None:
    """Bound this process; the wall clock is the parent's to watch."""
    del wall
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _report(percent: int, pages: int) -> None:
    sys.stdout.write(f"{percent} {pages}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
