"""The JSON Schema of checklists, by which editors complete and check while somebody writes."""

from __future__ import annotations

import json

from tracker.domain.checklist import Checklist


def editor_schema() -> str:
    """The schema as text, ready for a file. Whatever passes `check` is valid by it; `check` asks for more."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **Checklist.model_json_schema(by_alias=True)}
    return json.dumps(schema, ensure_ascii=False, indent=2) + "\n"
