"""Take the pictures in docs/images from a real station: `python3 -m tests.web.pictures [folder]`.

The music is made up: invented names, drawn covers, short tones.
"""

from __future__ import annotations

import io
import math
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.builders import make_audio
from tests.fakes.musicbrainz import FakeMusicBrainz
from tests.media_server import MediaServer, audio
from tests.running import ROOT, RunningStation, start_station

ALBUMS = (
    ("Mara Linde", "Harbour Lights", 2019, "Folk"), ("Mara Linde", "Slow Ferry", 2023, "Folk"),
    ("The Quiet Engines", "Night Shift", 2016, "Electronic"), ("Ottavia Reyes", "Señales", 2021, "Latin"),
    ("Kōji Arata", "雨の庭", 2018, "Ambient"), ("Brass & Bone", "Second Line", 2012, "Jazz"),
    ("Halden", "Winterreise Revisited", 2020, "Classical"), ("Ines & the Foxes", "Small Hours", 2024, "Pop"),
    ("Copper Sky", "Long Division", 2009, "Rock"), ("Tülin Ay", "Pencere", 2022, "Pop"),
    ("North Arcade", "Signals From the Pier", 2015, "Electronic"), ("Jonah Wells", "Letters Home", 2011, "Folk"),
    ("Salt Choir", "Tidal", 2017, "Ambient"), ("Nadir Quartet", "Blue Geometry", 2014, "Jazz"),
    ("Ebba Storm", "Högsommar", 2025, "Pop"), ("The Paper Kings", "Fold", 2007, "Rock"),
)
TITLES = ("First Light", "Undertow", "Paper Boats", "What the River Said", "Glass Houses", "Ember", "Seven Rooms",
          "Homeward", "Lanterns", "The Long Way Round")


def cover(number: int) -> bytes:
    """A drawn cover: one of four simple compositions in a warm or cool palette."""
    from PIL import Image, ImageDraw, ImageFilter

    dice = random.Random(number * 7 + 3)
    hue = (0.62, 0.03, 0.55, 0.93, 0.08, 0.58, 0.72, 0.02, 0.5, 0.1, 0.64, 0.06, 0.57, 0.97, 0.12, 0.68)[number % 16]

    def tone(shift: float, light: float, strength: float = 0.36) -> tuple[int, int, int]:
        import colorsys

        red, green, blue = colorsys.hls_to_rgb((hue + shift) % 1, light, strength)
        return int(red * 255), int(green * 255), int(blue * 255)

    side = 800
    picture = Image.new("RGB", (side, side), tone(0, 0.22))
    draw = ImageDraw.Draw(picture)
    kind = number % 4
    if kind == 0:       # a sun over bands
        for band in range(8):
            draw.rectangle((0, band * 100, side, band * 100 + 100), fill=tone(0.02 * band, 0.18 + 0.05 * band))
        draw.ellipse((230, 160, 570, 500), fill=tone(0.47, 0.74, 0.6))
        draw.rectangle((0, 430, side, side), fill=tone(0.05, 0.26))
    elif kind == 1:     # hills
        for layer in range(6):
            points = [(x, 260 + layer * 95 + 60 * math.sin(x / (90 + 30 * layer) + layer * 2.1))
                      for x in range(0, side + 1, 8)]
            draw.polygon([*points, (side, side), (0, side)], fill=tone(0.03 * layer, 0.62 - 0.09 * layer))
    elif kind == 2:     # discs
        for _ in range(9):
            x, y, radius = dice.randint(0, side), dice.randint(0, side), dice.randint(60, 240)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius),
                         fill=tone(dice.choice((0.0, 0.08, 0.5)), dice.uniform(0.3, 0.7)))
    else:               # stripes
        for stripe in range(14):
            shift = 0.5 if stripe % 5 == 2 else 0.03 * stripe
            draw.polygon([(stripe * 90 - 300, side), (stripe * 90 - 240, side), (stripe * 90 + 160, 0),
                          (stripe * 90 + 100, 0)], fill=tone(shift, 0.35 + 0.03 * (stripe % 7)))
    picture = picture.filter(ImageFilter.GaussianBlur(0.8))
    kept = io.BytesIO()
    picture.save(kept, "JPEG", quality=90)
    return kept.getvalue()


def make_collection(folder: Path) -> Path:
    for number, (artist, title, year, genre) in enumerate(ALBUMS):
        dice = random.Random(number)
        picture = cover(number)
        names = dice.sample(TITLES, 8)
        for track, name in enumerate(names, start=1):
            lyrics = {"synced_lyrics": [(0, "The lamps along the water"), (2000, "are learning how to glow"),
                                        (5000, "and every boat goes quiet"), (8000, "with somewhere still to go")]}
            make_audio(folder / artist / title, f"{track:02} {name}.mp3", seconds=12, tone_hz=220 + 30 * track,
                       picture=picture, tags={"title": name, "artist": artist, "album": title, "album_artist": artist,
                                              "track_number": track, "date": str(year), "genre": [genre],
                                              **(lyrics if number == 0 else {})})
    return folder


def listen_a_little(station: RunningStation) -> None:
    """Plays, favourites and a playlist, so that home has something to tell."""
    _, page = station.call("GET", "/api/library/tracks?limit=500")
    ids = [one["id"] for one in page["items"]]
    dice = random.Random(4)
    for track in dice.sample(ids, 40):
        station.call("POST", "/api/library/plays", {"track_id": track, "played_ms": 12000})
    for track in dice.sample(ids, 12):
        station.call("PUT", f"/api/library/favourites/{track}")
    for name in ("Sunday morning", "On the road"):
        station.call("POST", "/api/library/playlists", {"name": name, "track_ids": dice.sample(ids, 14)})


COMING = (("Ebba Storm", "Nattbad", 7, 60_000), ("Halden", "Der Lindenbaum", 6, 26_000),
          ("Salt Choir", "Ninth Wave", 12, 90_000), ("Jonah Wells", "Ink", 11, 40_000),
          ("Copper Sky", "Remainder", 8, 30_000), ("Ottavia Reyes", "Faro", 3, 30_000),
          ("Tülin Ay", "Rüzgâr", 9, 30_000))


def ask_for_some(station: RunningStation, media: MediaServer) -> None:
    """Downloads in every state: two that have arrived, one that is no music, four that come, and some that wait."""
    def ask(artist: str, title: str, number: int, name: str) -> None:
        picture = media.add(f"cover{number}.jpg", cover(number), mime="image/jpeg")
        album = next(one[1] for one in ALBUMS if one[0] == artist)
        station.call("POST", "/api/downloads", {"track": {
            "title": title, "artist": artist, "album": album, "cover_url": picture, "source": "deezer",
            "fetch_url": media.url(name)}})

    def song(artist: str, title: str, number: int, seconds: float) -> bytes:
        return audio(".mp3", seconds=seconds, picture=cover(number), tags={
            "title": title, "artist": artist, "album": title, "album_artist": artist})

    for artist, title, number in (("Mara Linde", "Kelp", 0), ("Nadir Quartet", "Tangent", 13)):
        media.add(f"{number}.mp3", song(artist, title, number, 12))
        ask(artist, title, number, f"{number}.mp3")
    media.add("gone.mp3", b"<!doctype html><title>Gone</title>", mime="text/html")
    ask("The Paper Kings", "Crease", 15, "gone.mp3")
    settled(station, 3)
    for artist, title, number, speed in COMING:
        media.add(f"{number}.mp3", song(artist, title, number, 180), slow=speed)
        ask(artist, title, number, f"{number}.mp3")


def settled(station: RunningStation, count: int) -> None:
    for _ in range(300):
        if station.call("GET", "/api/downloads?status=over&limit=1")[1]["total"] >= count:
            return
        time.sleep(0.1)


def take(station: RunningStation, target: Path) -> None:
    from playwright.sync_api import sync_playwright

    _, albums = station.call("GET", "/api/library/albums?limit=50")
    by_title: dict[str, Any] = {one["title"]: one for one in albums["items"]}
    harbour = by_title["Harbour Lights"]["id"]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=[
            "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--autoplay-policy=no-user-gesture-required"])
        for name, size, scheme in (("desktop", (1440, 900), "dark"), ("phone", (390, 844), "dark"),
                                   ("phone-light", (390, 844), "light"), ("desktop-light", (1440, 900), "light")):
            context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,
                                          device_scale_factor=2 if name.startswith("phone") else 1)
            page = context.new_page()
            page.goto(station.url)
            page.get_by_label("Name").fill(station.owner_name)
            page.get_by_label("Password").fill(station.owner_password)
            page.keyboard.press("Enter")
            page.wait_for_selector("text=Recently added")
            page.wait_for_timeout(2500)
            if name == "phone":
                page.screenshot(path=target / "phone-home.png")
            page.goto(f"{station.url}/#/album/{harbour}")
            page.get_by_role("button", name="Play", exact=True).first.click()
            page.wait_for_timeout(2500)
            if name == "desktop-light":
                page.screenshot(path=target / "desktop-album.png")
            if name == "phone-light":
                page.screenshot(path=target / "phone-album.png")
            if name == "phone":
                page.locator("sb-dock").click(position={"x": 120, "y": 20})
                page.wait_for_timeout(1200)
                page.screenshot(path=target / "phone-playing.png")
            if name == "desktop":
                page.goto(f"{station.url}/#/")
                page.wait_for_timeout(2000)
                page.screenshot(path=target / "desktop.png")
                page.goto(f"{station.url}/#/downloads?show=waiting")
                page.wait_for_timeout(4000)
                page.screenshot(path=target / "desktop-downloads.png")
            context.close()
        browser.close()


def main() -> int:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "images"
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as base, MediaServer() as media, FakeMusicBrainz() as musicbrainz:
        station = start_station(Path(base) / "home", [make_collection(Path(base) / "music")], environ={
            "SOUNDSIBLE_ALLOW_PRIVATE_HOSTS": media.allow, "SOUNDSIBLE_DOWNLOAD_PROVIDERS": "direct",
            **{f"SOUNDSIBLE_{one}_URL": musicbrainz.url for one in ("MUSICBRAINZ", "COVERART", "LRCLIB", "DEEZER")}})
        try:
            station.wait_for_scan()
            listen_a_little(station)
            ask_for_some(station, media)
            take(station, target)
        finally:
            station.stop()
    from PIL import Image

    for path in target.glob("*.png"):       # pictures of a page need few colours
        with Image.open(path) as picture:
            small = picture.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
        small.save(path, optimize=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
