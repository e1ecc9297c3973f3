from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from shared.library import walk as walking
from shared.library.walk import Folder, Walk, found_file, picture_rank
from shared.model.filepath import to_path


def put(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def paths(root: Path, **options: object) -> list[str]:
    return [path for folder in Walk(str(root), **options) for path, _ in folder.files]  # type: ignore[arg-type]


def test_every_media_file_is_met_once_with_its_size_and_time(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3", "A/b.FLAC", "A/B/c.Opus", "A/B/d.m4a", "A/notes.txt", "A/B/e.mp3.part")
    os.utime(tmp_path / "a.mp3", ns=(1, 1_234_567_890_123_456_789))
    met = {path: looked for folder in Walk(str(tmp_path)) for path, looked in folder.files}
    assert sorted(met) == ["A/B/c.Opus", "A/B/d.m4a", "A/b.FLAC", "a.mp3"]
    word = found_file("a.mp3", met["a.mp3"])
    real = os.stat(tmp_path / "a.mp3")
    assert (word.size_bytes, word.mtime_ns) == (1, 1_234_567_890_123_456_789)
    assert (word.device, word.inode) == (str(real.st_dev), str(real.st_ino))


def test_hidden_names_and_what_systems_leave_behind_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path, ".soundsible/trash/x/a.mp3", ".b.mp3", "A/._c.mp3", "@eaDir/d.mp3", "#recycle/e.mp3", "f.mp3")
    assert paths(tmp_path) == ["f.mp3"]


def test_folders_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    put(tmp_path, "b/1.mp3", "a/2.mp3", "c/3.mp3", "a/z/4.mp3")
    assert [folder.path for folder in Walk(str(tmp_path))] == ["", "a", "a/z", "b", "c"]


def test_a_folder_named_like_a_song_is_a_folder(tmp_path: Path) -> None:
    put(tmp_path, "Live.mp3/one.mp3", "cover.jpg/two.mp3", "words.lrc/three.mp3")
    assert sorted(paths(tmp_path)) == ["Live.mp3/one.mp3", "cover.jpg/two.mp3", "words.lrc/three.mp3"]


def test_only_regular_files_are_media(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp3")
    os.symlink("/dev/zero", tmp_path / "zero.mp3")
    os.symlink("nowhere", tmp_path / "broken.mp3")
    os.symlink("loop.mp3", tmp_path / "loop.mp3")
    assert paths(tmp_path) == []


def test_links_to_files_and_folders_are_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    put(outside, "o.mp3", "deep/p.mp3")
    root = tmp_path / "root"
    put(root, "r.mp3")
    os.symlink(outside, root / "linked")
    os.symlink(outside / "o.mp3", root / "single.mp3")
    assert sorted(paths(root)) == ["linked/deep/p.mp3", "linked/o.mp3", "r.mp3", "single.mp3"]


def test_loops_are_cut_and_a_file_is_known_by_its_real_path(tmp_path: Path) -> None:
    put(tmp_path, "z/real/a.mp3")
    os.symlink(tmp_path, tmp_path / "z" / "real" / "up")
    os.symlink(tmp_path / "z" / "real", tmp_path / "a-link")
    os.symlink("../z", tmp_path / "z" / "self")
    assert paths(tmp_path) == ["z/real/a.mp3"]


def test_a_link_into_another_music_folder_is_not_followed(tmp_path: Path) -> None:
    put(tmp_path / "one", "a.mp3")
    put(tmp_path / "two", "sub/b.mp3")
    put(tmp_path / "two-more", "c.mp3")
    os.symlink(tmp_path / "two" / "sub", tmp_path / "one" / "sub")
    os.symlink(tmp_path / "two-more", tmp_path / "one" / "more")
    assert sorted(paths(tmp_path / "one", others=(str(tmp_path / "two"),))) == ["a.mp3", "more/c.mp3"]


def test_names_that_are_not_text_come_back_as_they_were(tmp_path: Path) -> None:
    raw = b"Caf\xe9 \xff.mp3"
    (tmp_path / "Mot\u00f6rhead").mkdir()
    os.close(os.open(os.path.join(os.fsencode(tmp_path), "Mot\u00f6rhead".encode(), raw), os.O_CREAT | os.O_WRONLY))
    [path] = paths(tmp_path)
    path.encode()
    assert os.fsencode(to_path(path)) == "Mot\u00f6rhead/".encode() + raw


@pytest.mark.parametrize(("names", "best"), [
    (["folder.jpg", "cover.png", "front.jpg"], "cover.png"),
    (["Cover.JPEG", "cover.webp"], "Cover.JPEG"),
    (["AlbumArt_{GUID}_Large.jpg", "Folder.jpg"], "Folder.jpg"),
    (["AlbumArtSmall.jpg"], "AlbumArtSmall.jpg"),
    (["band.jpg", "cover.gif", "cover.txt"], None),
])
def test_the_best_picture_of_a_folder_is_noticed(tmp_path: Path, names: list[str], best: str | None) -> None:
    put(tmp_path, *(f"A/{name}" for name in names))
    [folder] = [folder for folder in Walk(str(tmp_path)) if folder.path == "A"]
    if best is None:
        assert folder.picture is None
    else:
        assert folder.picture is not None
        assert (folder.picture.folder, folder.picture.path) == ("A", f"A/{best}")
        assert folder.picture.mtime_ns == (tmp_path / "A" / best).stat().st_mtime_ns


def test_a_better_picture_ranks_first() -> None:
    assert picture_rank("cover.jpg") < picture_rank("cover.png") < picture_rank("folder.jpg")  # type: ignore[operator]
    assert picture_rank("discover.jpg") is None


def test_lyrics_beside_a_file_are_noticed(tmp_path: Path) -> None:
    put(tmp_path, "A/song.mp3", "A/song.LRC", "A/other.lrc")
    [folder] = [folder for folder in Walk(str(tmp_path)) if folder.path == "A"]
    assert set(folder.lyrics) == {"A/song", "A/other"}
    assert folder.lyrics["A/song"] == f"1-{(tmp_path / 'A/song.LRC').stat().st_mtime_ns}"


def test_a_root_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        list(Walk(str(tmp_path / "gone")))
    put(tmp_path, "file")
    with pytest.raises(NotADirectoryError):
        list(Walk(str(tmp_path / "file")))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_a_folder_that_cannot_be_listed_is_named_and_the_walk_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int,
) -> None:
    put(tmp_path, "a/1.mp3", "b/2.mp3", "b/c/3.mp3", "d/4.mp3")
    real = os.open

    def opening(path: str, *rest: int) -> int:
        if str(path).endswith("/b"):
            raise OSError(code, os.strerror(code), path)
        return real(path, *rest)

    monkeypatch.setattr(walking.os, "open", opening)
    walk = Walk(str(tmp_path))
    assert [path for folder in walk for path, _ in folder.files] == ["a/1.mp3", "d/4.mp3"]
    assert list(walk.unreadable) == ["b"]
    assert walk.unreadable["b"].errno == code


def test_a_folder_that_vanishes_during_the_walk_is_gone_not_unreadable(tmp_path: Path) -> None:
    put(tmp_path, "a/1.mp3", "b/2.mp3")
    walk = Walk(str(tmp_path))
    met = []
    for folder in walk:
        met += [path for path, _ in folder.files]
        if folder.path == "":
            (tmp_path / "b" / "2.mp3").unlink()
            (tmp_path / "b").rmdir()
    assert met == ["a/1.mp3"]
    assert not walk.unreadable
    assert walk.done


def test_a_stuck_folder_is_given_up_and_the_rest_is_walked_in_another_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tmp_path, "a/1.mp3", "stale/2.mp3", "z/3.mp3")
    stuck, release = threading.Event(), threading.Event()
    real = os.open

    def opening(path: str, *rest: int) -> int:
        if str(path).endswith("/stale"):
            stuck.set()
            release.wait(30)
        return real(path, *rest)

    monkeypatch.setattr(walking.os, "open", opening)
    walk = Walk(str(tmp_path))
    met: list[Folder] = []
    first = threading.Thread(target=lambda: met.extend(walk))
    first.start()
    assert stuck.wait(10)
    assert walk.beat() == walk.beat() != None  # noqa: E711
    assert walk.skip_stuck() == "stale"
    assert walk.skip_stuck() is None
    met.extend(walk)
    release.set()
    first.join(10)
    assert [path for folder in met for path, _ in folder.files] == ["a/1.mp3", "z/3.mp3"]
    assert isinstance(walk.unreadable["stale"], TimeoutError)
    assert walk.beat() is None
    assert walk.done


def test_a_file_that_cannot_be_looked_at_is_doubtful(tmp_path: Path) -> None:
    put(tmp_path, "a.mp3")
    entry_error = PermissionError(errno.EACCES, "no")

    class Entry:
        name = "b.mp3"

        def stat(self) -> os.stat_result:
            raise entry_error

    class Listing(list):  # type: ignore[type-arg]
        def __enter__(self) -> Listing:
            return self

        def __exit__(self, *_: object) -> None:
            return None

    real = os.scandir
    try:
        walking.os.scandir = lambda where: Listing([*real(where), Entry()])  # type: ignore[assignment]
        [folder] = Walk(str(tmp_path))
    finally:
        walking.os.scandir = real
    assert folder.doubtful == ["b.mp3"]
    assert [path for path, _ in folder.files] == ["a.mp3"]


# ---- what others may have put there ---------------------------------------------------------------------------------


def test_links_to_what_is_called_otherwise_are_no_music_no_lyrics_and_no_pictures(tmp_path: Path) -> None:
    music = tmp_path / "music"
    put(music, "a.flac", "object")
    put(tmp_path, "shadow", "b.flac", "words.lrc", "photo.jpg")
    for name, target in (("secret.flac", "shadow"), ("a.lrc", "shadow"), ("cover.jpg", "shadow"), ("b.flac", "b.flac"),
                         ("b.lrc", "words.lrc"), ("folder.jpg", "photo.jpg"), ("picture.flac", "photo.jpg")):
        (music / name).symlink_to(tmp_path / target)
    (music / "inside.flac").symlink_to(music / "object")
    [folder] = Walk(str(music))
    assert sorted(path for path, _ in folder.files) == ["a.flac", "b.flac", "inside.flac"]
    assert list(folder.lyrics) == ["b"]
    assert folder.picture is not None and folder.picture.path == "folder.jpg"


def test_lyrics_that_are_no_regular_file_are_none(tmp_path: Path) -> None:
    put(tmp_path, "a.flac")
    os.mkfifo(tmp_path / "a.lrc")
    [folder] = Walk(str(tmp_path))
    assert not folder.lyrics


@pytest.mark.parametrize("target", ["/proc/self", "/proc/self/cwd", "/sys", "/dev"])
def test_no_link_leads_into_the_kernels_file_systems_or_round_about_into_closed_folders(
    tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    music = tmp_path / "music"
    put(music, "a.flac")
    put(tmp_path / "home", "own.flac")
    monkeypatch.chdir(tmp_path / "home")
    (music / "link").symlink_to(target)
    assert [folder.path for folder in Walk(str(music), closed=[tmp_path / "home"])] == [""]


def test_the_kernels_file_systems_are_known_wherever_they_are_mounted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tmp_path / "music", "chroot/proc/1.flac", "chroot/home/2.flac")
    put(tmp_path / "elsewhere", "proc/3.flac")
    (tmp_path / "music" / "link").symlink_to(tmp_path / "elsewhere" / "proc")
    kernels = (str(tmp_path / "music" / "chroot" / "proc"), str(tmp_path / "elsewhere" / "proc"))
    monkeypatch.setattr("shared.library.walk.Mounts.kernels", lambda _: kernels)
    assert paths(tmp_path / "music") == ["chroot/home/2.flac"]


def test_the_stations_own_folders_are_no_music_but_its_demo_is(tmp_path: Path) -> None:
    data = tmp_path / "home" / "data"
    put(data, "demo/1.flac", "own.flac")
    (data / "demo" / "2.flac").symlink_to(data / "own.flac")
    (data / "demo" / "3.flac").symlink_to(data / "demo" / "1.flac")
    put(tmp_path, "4.flac")
    (tmp_path / "way").symlink_to(tmp_path / "home")
    assert paths(tmp_path, closed=[data]) == ["4.flac"]
    assert paths(data / "demo", closed=[data]) == ["1.flac", "3.flac"]


def test_copies_that_a_killed_edit_left_are_removed_once_they_are_an_hour_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy, mine, linked = f".soundsible-{'0a' * 8}.flac", ".soundsible-mine.flac", f".soundsible-{'0b' * 8}.mp3"
    put(tmp_path, f"A/{copy}", f"A/{mine}", "A/a.flac", "b.flac")
    (tmp_path / "A" / linked).symlink_to(tmp_path / "b.flac")
    os.utime(tmp_path / "A" / copy, (0, 0))
    [folder] = [folder for folder in Walk(str(tmp_path)) if folder.path == "A"]
    assert sorted(folder.leftovers) == [f"A/{copy}", f"A/{linked}"]
    walking.remove_leftovers(str(tmp_path), folder.leftovers)
    assert (tmp_path / "A" / copy).exists()     # it may carry the time of its original
    now = time.time()
    monkeypatch.setattr(walking.time, "time", lambda: now + 3700)
    walking.remove_leftovers(str(tmp_path), folder.leftovers)
    assert sorted(os.listdir(tmp_path / "A")) == sorted([linked, mine, "a.flac"])


def test_nothing_is_removed_behind_links(tmp_path: Path) -> None:
    put(tmp_path, f"outside/.soundsible-{'0a' * 8}.flac", "music/a.flac")
    (tmp_path / "music" / "link").symlink_to(tmp_path / "outside")
    assert not any(folder.leftovers for folder in Walk(str(tmp_path / "music")))
