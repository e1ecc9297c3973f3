"""The OpenAPI document of OpenSubsonic, where it lies beside the project, put together from its many files.

It is not part of the project: tests that compare with it say so where it is absent.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("OPENSUBSONIC_SPECIFICATION") or
              ROOT.parent / "shared" / "spec" / "opensubsonic" / "openapi")
ABSENT = "the OpenAPI document of OpenSubsonic is not beside this project (OPENSUBSONIC_SPECIFICATION names its folder)"


def is_there() -> bool:
    return (FOLDER / "openapi.json").is_file()


@cache
def document() -> dict[str, Any]:
    """One document: schemas of other files stand in components, all else is where it is used."""
    schemas: dict[str, Any] = {}

    def key_of(file: Path) -> str:
        return "_".join(file.relative_to(FOLDER.resolve()).with_suffix("").parts)

    def brought(thing: Any, at: Path) -> Any:
        if isinstance(thing, list):
            return [brought(one, at) for one in thing]
        if not isinstance(thing, dict):
            return thing
        reference = thing.get("$ref")
        if isinstance(reference, str) and not reference.startswith("#"):
            file = (at.parent / reference).resolve()
            content = json.loads(file.read_text("utf-8"))
            if is_schema(file, content):
                key = key_of(file)
                if key not in schemas:
                    schemas[key] = {}       # it may lead to itself
                    schemas[key] = brought(content, file)
                return {"$ref": f"#/components/schemas/{key}"}
            return brought(content, file)
        return {name: brought(one, at) for name, one in thing.items()}

    def is_schema(file: Path, content: dict[str, Any]) -> bool:
        """No path item, and no answer with a content of its own."""
        return not {"get", "post", "content", "responses"} & content.keys() and "responses" not in file.parts

    whole = FOLDER.resolve() / "openapi.json"
    made: dict[str, Any] = brought(json.loads(whole.read_text("utf-8")), whole)
    made["components"].setdefault("schemas", {}).update(schemas)
    return made


def names() -> list[str]:
    """Of every call, without /rest/."""
    return sorted(path.removeprefix("/rest/") for path in document()["paths"])


def operation(name: str, method: str = "get") -> dict[str, Any] | None:
    found = document()["paths"].get(f"/rest/{name}", {}).get(method)
    return None if found is None else dict(found)


def schema_of(name: str, method: str = "get") -> dict[str, Any] | None:
    """Of the JSON that a call answers with; None: it is no JSON."""
    for which in (method, "get", "post"):
        found = operation(name, which)
        if found is not None:
            content = found["responses"]["200"].get("content", {})
            schema = content.get("application/json", {}).get("schema")
            return None if schema is None else {**schema, "components": document()["components"]}
    return None
