"""What the log shows, and what it never shows."""

from __future__ import annotations

import logging

import pytest

from shared.logs import FORMAT, Redacting, redact


def _line(message: str, *arguments: object, error: bool = False) -> str:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        import sys

        trace = sys.exc_info() if error else None
    record = logging.LogRecord("shared.test", logging.INFO, __file__, 1, message, arguments, trace)
    return Redacting(FORMAT).format(record)


@pytest.mark.parametrize("text", [
    "GET /x?token=abcdef123", "Authorization: Bearer abcdef123", '{"password": "abcdef123"}', "api_key=abcdef123",
    "http://192.0.2.1:5005/#/setup/abcdef123", "https://s3.example/k?X-Amz-Signature=abcdef123&x=1",
    "secret: abcdef123", "app_password='abcdef123'",
    "GET /rest/ping?u=ann&p=enc:abcdef123&c=x", "/rest/ping?apiKey=abcdef123", "?u=ann&p=a,b;c)'abcdef123&v=1",
    "https://ws.audioscrobbler.com/2.0/?method=track.scrobble&sk=abcdef123",
    "Invalid HTTP request line: 'p=abcdef123&u=ann'", 'Bad request syntax ("t=abcdef123&u=ann")',
    "http://192.0.2.1:5005/connect#server=x&username=ann&password=abcdef123",
])
def test_secrets_are_not_shown(text: str) -> None:
    assert "abcdef123" not in redact(text) and "***" in redact(text)


def test_plain_words_stay() -> None:
    assert redact("scan of /music done: 12 tokens of jazz") == "scan of /music done: 12 tokens of jazz"


def test_a_file_name_can_neither_forge_a_line_nor_command_the_terminal() -> None:
    line = _line("no cover from %s", "a\n2026-11-21 00:00:00 INFO forged\x1b]0;title\x07\x9b31m\u202e.flac")
    assert "\n" not in line and "\x1b" not in line and "\x07" not in line and "\x9b" not in line
    assert "\u202e" not in line and "a\\n2026" in line


def test_names_in_any_script_are_shown_as_they_are() -> None:
    assert _line("%s", "雨の庭 – Señales.flac").endswith("雨の庭 – Señales.flac")


def test_a_traceback_keeps_its_lines() -> None:
    assert _line("it failed", error=True).count("\n") > 2
