"""The folder that a bench works in: fonts prepared once, an own demo key, invented files, a cache for each run."""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tracker.cli.bench.measure import Run, run
from tracker.config import CHECKOUT
from tracker.domain.packet_parts import PacketValues, ReportPart
from tracker.reporting.demo_keys import make_demo_authority
from tracker.reporting.fonts import FontSet, load_fonts, prepare_fonts

KEY, PASSPHRASE = "demo-signing.p12", "demo-signing-passphrase.txt"


@dataclass(frozen=True, slots=True)
class Bench:
    """A data folder with the fonts that everything is printed in."""

    root: Path
    fonts: FontSet

    @classmethod
    def at(cls, root: Path) -> Bench:
        """Make the folder ready: fonts and a demo key, where they are not yet."""
        root.mkdir(parents=True, exist_ok=True)
        fonts = load_fonts(root / "fonts")
        if not fonts.is_prepared:
            fonts = prepare_fonts(root / "fonts")
        if not (root / KEY).exists():
            make_demo_authority(root, now=datetime.now(UTC))
        return cls(root, fonts)

    def make(self, name: str, values: PacketValues, *, cold: bool, signed: bool = False) -> Run:
        """Make the packet of the values in a process of its own; `cold` empties the cache before."""
        if cold:
            shutil.rmtree(self.root / "sections", ignore_errors=True)
        (self.root / f"{name}.pickle").write_bytes(pickle.dumps(values))
        words = ["signed"] if signed else []
        paths = (self.root / f"{name}.pickle", self.root, self.packet(name))
        return self.python("tracker.cli.bench.ours", *map(str, paths), *words)

    def reports(self, reports: Sequence[ReportPart]) -> Run:
        """Lay out one report after the other in one warm worker; it tells the seconds of each."""
        shutil.rmtree(self.root / "sections", ignore_errors=True)
        (self.root / "reports.pickle").write_bytes(pickle.dumps(list(reports)))
        return self.python("tracker.cli.bench.warm", str(self.root / "reports.pickle"), str(self.root))

    def packet(self, name: str) -> Path:
        """Where the packet of that name is written."""
        return self.root / f"{name}.pdf"

    def python(self, module: str, *arguments: str) -> Run:
        """Run a module of ours in a process of its own."""
        return run([sys.executable, "-m", module, *arguments], environment=self.environment, folder=CHECKOUT)

    def script(self, name: str, *arguments: str) -> Run:
        """Run a file of this folder that needs nothing of ours, in a process of its own."""
        command: list[str | Path] = [sys.executable, "-P", Path(__file__).with_name(name), *arguments]
        return run(command, environment=self.environment, folder=self.root)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every program that is measured: its fonts are the prepared ones."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
        return {**kept, "HOME": str(self.root), "FONTCONFIG_FILE": str(self.fonts.config_file)}
