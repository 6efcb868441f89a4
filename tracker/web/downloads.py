"""Files on their way out: open ones, wherever their bytes were, in whole or in the parts that a browser asks for."""

from __future__ import annotations

import os
from io import BufferedReader

from flask import request, send_file
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wrappers import Response


def send_open(content: BufferedReader, *, media_type: str, name: str, digest: str) -> Response:
    """Send an open file to be kept under a name; it is closed when it was sent. `digest` is that of its bytes."""
    size = os.fstat(content.fileno()).st_size
    answer = send_file(
        content, mimetype=media_type, as_attachment=True, download_name=name, conditional=False, etag=digest
    )
    answer.content_length = size
    try:
        return answer.make_conditional(request, accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable:
        content.close()
        raise
