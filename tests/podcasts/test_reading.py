from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from shared.model.errors import UnreadableFile
from shared.podcasts import reading
from shared.podcasts.cleaning import line, link, paragraphs
from tests.podcasts.feeds_made import item, rss

URL = "http://feeds.example/show"


def test_a_feed_is_read_with_all_that_is_kept_of_it() -> None:
    told = reading.feed(rss([item(2, "http://x.example/2.mp3", extra=(
        "<itunes:season>3</itunes:season><itunes:episode>7</itunes:episode><itunes:explicit>yes</itunes:explicit>"
        '<itunes:image href="/two.jpg"/>')), item(1, "/1.mp3")],
        extra='<link>http://show.example/</link><itunes:image href="http://x.example/p.jpg"/>'), URL)
    assert (told.title, told.author, told.description, told.link, told.language, told.image_url) == (
        "The Show", "Those Who Speak", "What it is about", "http://show.example/", "en", "http://x.example/p.jpg")
    two, one = told.episodes
    assert (two.guid, two.title, two.url, two.description) == ("guid-2", "Episode 2", "http://x.example/2.mp3",
                                                               "About 2")
    assert (two.duration_ms, two.size_bytes, two.mime_type, two.published_at) == (2000, 1000, "audio/mpeg",
                                                                                  1_700_172_800)
    assert (two.season, two.number, two.explicit, two.image_url) == (3, 7, True, "http://feeds.example/two.jpg")
    assert one.url == "http://feeds.example/1.mp3" and not one.explicit


def test_an_atom_feed_is_a_feed_and_what_has_nothing_to_hear_is_left_out() -> None:
    told = reading.feed(b"""<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Atoms</title>
        <entry><id>urn:a</id><title>A</title><updated>2024-01-02T03:04:05Z</updated>
        <link rel="enclosure" type="audio/ogg" href="http://x.example/a.ogg" length="5"/></entry>
        <entry><id>urn:b</id><title>B</title><updated>2024-01-02T03:04:05Z</updated></entry></feed>""", URL)
    assert [(one.guid, one.mime_type, one.size_bytes) for one in told.episodes] == [("urn:a", "audio/ogg", 5)]


def test_markup_in_texts_becomes_text_and_runs_nowhere() -> None:
    evil = "<script>alert(1)</script><b>Bold</b> &amp; <img src=x onerror=alert(1)>quiet\u202e"
    told = reading.feed(rss([item(1, "http://x.example/1.mp3", title=evil)], title="<i>Show</i>&lt;b&gt;!"), URL)
    assert told.title == "Show !"
    assert told.episodes[0].title == "Bold & quiet"


def test_a_billion_laughs_are_none() -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = (f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "ha">{entities}]>'
            "<rss version='2.0'><channel><title>&l9;</title>" + item(1, "http://x.example/1.mp3").replace(
                "itunes:duration", "duration") + "</channel></rss>").encode()
    told = reading.feed(bomb, URL)
    assert len(told.title) < 100
    assert [one.title for one in told.episodes] == ["Episode 1"]


@pytest.mark.parametrize("where", ["file:///etc/hostname", "http://127.0.0.1:9/x"])
def test_entities_from_elsewhere_are_not_fetched(where: str) -> None:
    with open("/etc/hostname", encoding="utf-8") as file:
        name = file.read().strip()
    told = reading.feed(f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "{where}">]><rss version="2.0">'
                        f"<channel><title>a&x;b</title></channel></rss>".encode(), URL)
    assert name not in told.title


def test_of_very_many_entries_the_first_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_ITEMS", 30)
    many = rss([item(number, f"http://x.example/{number}.mp3") for number in range(3000, 0, -1)])
    told = reading.feed(many, URL)
    assert told.cut
    assert [one.guid for one in told.episodes] == [f"guid-{number}" for number in range(3000, 2970, -1)]
    assert told.title == "The Show"
    monkeypatch.setattr(reading, "MOST_ITEMS", 3000)
    assert not reading.feed(rss([item(1, "http://x.example/1.mp3")]), URL).cut


@pytest.mark.parametrize("encoding", ["utf-8", "iso-8859-1", "utf-16", "cp1252"])
def test_a_feed_in_another_encoding_is_read(encoding: str) -> None:
    told = reading.feed(rss([item(1, "http://x.example/1.mp3", title="Für Élise")], encoding=encoding), URL)
    assert told.episodes[0].title == "Für Élise"


def test_a_feed_that_lies_about_its_encoding_is_read_somehow() -> None:
    wrong = rss([item(1, "http://x.example/1.mp3", title="Für Élise")]).replace(b"utf-8", b"utf-16", 1)
    latin = rss([item(1, "http://x.example/1.mp3", title="Für Élise")], encoding="iso-8859-1").replace(
        b"iso-8859-1", b"utf-8", 1)
    for content in (wrong, latin):
        assert [one.url for one in reading.feed(content, URL).episodes] == ["http://x.example/1.mp3"]


@pytest.mark.parametrize("content", [b"", b"no feed", b"<html><body>hello</body></html>", b"\x00\xff\xfe" * 50,
                                     b"{}", b"<rss", b"<!DOCTYPE rss [" + b"[" * 10_000])
def test_what_is_no_feed_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFile):
        reading.feed(content, URL)


@given(some.binary(max_size=300))
def test_any_bytes_are_a_feed_or_are_refused(content: bytes) -> None:
    for begin in (b"", b"<rss version='2.0'><channel><item>", b"<?xml version='1.0'?><!DOCTYPE x ["):
        try:
            told = reading.feed(begin + content, URL)
        except UnreadableFile:
            continue
        assert all(one.url.startswith("http") for one in told.episodes)


@given(some.text(max_size=200))
def test_whatever_is_written_becomes_plain_and_is_bounded(text: str) -> None:
    for told in (line(text, 50), paragraphs(text, 50)):
        assert len(told) <= 50
        assert not any((sign < " " and sign != "\n") or "\u202a" <= sign <= "\u202e" for sign in told)
    found = link(text)
    assert found == "" or found.startswith(("http://", "https://"))


def test_links_that_are_not_of_the_web_are_none() -> None:
    assert link("javascript:alert(1)") == link("file:///etc/passwd") == link("http://a b/") == link("") == ""
    assert link("http://user:secret@host/") == "" and link("//host/a", "https://x/") == "https://host/a"


def test_lengths_are_read_as_feeds_write_them() -> None:
    given = ("1:02:03", "62:03", "3723", "3723.5", "00:00", "", None, "x", "1:2:3:4")
    assert [reading.duration_ms(one) for one in given] == [
        3_723_000, 3_723_000, 3_723_000, 3_723_500, None, None, None, None, None]


def test_a_page_names_its_feed() -> None:
    page = b"""<html><head><link rel="alternate" type="application/rss+xml" href="/feed?a=1&amp;b=2"></head>"""
    assert reading.named_by(page, "http://x.example/page") == "http://x.example/feed?a=1&b=2"
    assert reading.named_by(b"<link rel=stylesheet href=/x>", URL) == ""
    assert reading.named_by(b'<link type="application/rss+xml" href="file:///etc/passwd">', URL) == ""


def test_opml_is_read_wherever_its_feeds_stand() -> None:
    told = reading.opml("""<?xml version="1.0" encoding="iso-8859-1"?><opml version="1.0"><head/><body>
        <outline text="Folder"><outline text="Für A" xmlUrl="http://a.example/"/><outline><outline TEXT="b"
        xmlURL=" http://b.example/ "/></outline></outline><outline text="nothing"/></body></opml>""")
    assert told == [{"url": "http://a.example/", "title": "Für A"}, {"url": "http://b.example/", "title": "b"}]


@pytest.mark.parametrize("text", [
    "", "no", "<html></html>", "<opml><body>",
    '<!DOCTYPE opml [<!ENTITY a "b">]><opml><body><outline xmlUrl="http://x/&a;"/></body></opml>',
    '<!DOCTYPE opml SYSTEM "http://127.0.0.1:9/x"><opml/>',
])
def test_opml_that_is_none_or_means_no_good_is_refused(text: str) -> None:
    with pytest.raises(UnreadableFile):
        reading.opml(text)


def test_opml_within_opml_without_end_ends() -> None:
    deep = "<outline>" * 5000 + '<outline xmlUrl="http://x/"/>' + "</outline>" * 5000
    assert reading.opml(f"<opml><body>{deep}</body></opml>") == []


@pytest.mark.parametrize("bomb", ["<a>", "<item>", "<a b='c'>", "<item><title>x</title>", "<x:y>"])
def test_what_stands_in_itself_without_end_is_not_read(bomb: str) -> None:
    """It took a worker a gigabyte and two minutes."""
    with pytest.raises(UnreadableFile) as refused:
        reading.feed(rss([item(1, "http://x.example/1.mp3"), bomb * 100_000]), URL)
    assert refused.value.reason == "damaged"


def test_what_looks_deep_in_texts_and_is_not_is_read() -> None:
    texts = [item(number, "http://x.example/1.mp3", extra=f"<x><![CDATA[{'<p>' * 50}]]><br/><!--{'<li>' * 9}--></x>")
             for number in range(100)]
    assert len(reading.feed(rss(texts), URL).episodes) == 100
    assert not reading._too_deep(b"<![CDATA[" * 300_000 + b"<a>" * 3_000)
    assert not reading._too_deep(b"<a " * 300_000)
