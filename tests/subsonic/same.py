"""Whether the XML of an answer says what its JSON says. Knows nothing of how either was made."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element, fromstring

NAMESPACE = "{http://subsonic.org/restapi}"
# Whose texts are elements of their own (ArtistInfoBase and AlbumInfo of the protocol's schema).
WITH_ELEMENTS = ("/artistInfo", "/artistInfo2", "/albumInfo")


def content_of(xml: bytes) -> Element:
    root = fromstring(xml)
    assert root.tag == NAMESPACE + "subsonic-response", root.tag
    return root


def differences(element: Element, content: dict[str, Any], path: str = "") -> list[str]:
    """What the element says otherwise than the JSON object, in words; empty when they agree."""
    found: list[str] = []
    children: dict[str, list[Element]] = {}
    for child in element:
        assert child.tag.startswith(NAMESPACE), f"{path}: {child.tag} is in no namespace of the protocol"
        children.setdefault(child.tag.removeprefix(NAMESPACE), []).append(child)
    text = element.text or ""
    attributes = dict(element.attrib)
    for name, value in content.items():
        here = f"{path}/{name}"
        element_each = path.partition("[")[0] in WITH_ELEMENTS
        if isinstance(value, (list, dict)) or element_each:
            told = children.pop(name, [])
            wanted = value if isinstance(value, list) else [value]
            if len(told) != len(wanted):
                found.append(f"{here}: {len(told)} elements for {len(wanted)}")
                continue
            for number, (one, other) in enumerate(zip(told, wanted, strict=True)):
                if isinstance(other, dict):
                    found += differences(one, other, f"{here}[{number}]")
                elif (one.text or "") != written(other):
                    found.append(f"{here}[{number}]: {one.text!r} for {other!r}")
        elif name == "value" and "value" not in attributes:
            if text != written(value):
                found.append(f"{here}: text {text!r} for {value!r}")
            text = ""
        elif attributes.pop(name, None) != written(value):
            found.append(f"{here}: {element.get(name)!r} for {value!r}")
    if attributes or children or text.strip():
        found.append(f"{path}: XML alone has {sorted(attributes)} {sorted(children)} {text.strip()!r}")
    return found


def written(value: Any) -> str:
    """A JSON scalar as XML has it, without what XML cannot say."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return "".join(one for one in str(value) if one in "\t\n\r" or (
        one >= " " and not 0xD800 <= ord(one) < 0xE000 and one not in "\ufffe\uffff"))
