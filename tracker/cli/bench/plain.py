"""WeasyPrint in one pass, in a process of its own: `python plain.py HTML PDF naive|archival`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from weasyprint import HTML


def main(source: str, target: str, way: str) -> None:
    """Print the file; `naive` is with default settings, `archival` as the PDF/A that a packet is."""
    html = HTML(string=Path(source).read_text("utf-8"))
    document = html.render(**({} if way == "naive" else {"pdf_variant": "pdf/a-3a"}))
    document.write_pdf(target, **({} if way == "naive" else {"pdf_variant": "pdf/a-3a"}))
    sys.stdout.write(json.dumps({"pages": len(document.pages), "size": Path(target).stat().st_size}) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
