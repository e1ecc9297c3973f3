"""Music folders never hold a caller longer than its deadline."""

import ctypes
import errno
import os
import tempfile
import threading
import time

import pytest

from shared.model.errors import NotFound, StorageOffline
from shared.storage.access import Access


class Mounted:
    """Stands for the mount table."""

    def __init__(self, kind):
        self._kind = kind

    def refresh(self):
        return 1

    def kind(self, _folder):
        return self._kind


@pytest.fixture(params=["fixed", "foreign"])
def access(request):
    one = Access(mounts=Mounted(request.param), probe_after_s=60)
    yield one
    one.stop()


@pytest.fixture
def music(tmp_path):
    folder = tmp_path / "music"
    (folder / "Artist" / "Album").mkdir(parents=True)
    (folder / "Artist" / "Album" / "1.flac").write_bytes(b"flac")
    return folder


@pytest.fixture
def stuck():
    """A deed that does not come back until it is let go."""
    gate = threading.Event()
    yield gate
    gate.set()


def hang(access, root, gate):
    with pytest.raises(StorageOffline):
        access.call(root, gate.wait, deadline_s=0.05)


def until(condition):
    for _ in range(2000):
        if condition():
            return True
        time.sleep(0.005)
    return False


def threads_of(root):
    return [one for one in threading.enumerate() if one.name.endswith(str(root))]


def test_a_call_gives_what_its_deed_gives_or_raises(access, music):
    assert access.call(str(music), lambda: 7) == 7
    with pytest.raises(KeyError):
        access.call(str(music), lambda: {}["x"])


def test_a_file_is_opened_unbuffered_and_looked_at(access, music):
    with access.open(str(music), "Artist/Album/1.flac") as file:
        assert file.read() == b"flac"
        assert not hasattr(file, "peek")
    assert access.stat(str(music), "Artist/Album/1.flac").st_size == 4
    with pytest.raises(FileNotFoundError):
        access.open(str(music), "Artist/Album/2.flac")
    with pytest.raises(FileNotFoundError):
        access.stat(str(music), "Artist/None/2.flac")


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "Artist/../../secret", "", ".", "a//b", "a/./b", "x\0y"])
def test_paths_that_leave_the_folder_are_refused(access, music, path):
    (music.parent / "secret").write_text("s")
    for deed in (access.open, access.stat):
        with pytest.raises(NotFound):
            deed(str(music), path)


def test_links_out_of_the_folder_are_followed_as_the_scan_does(access, music, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "2.flac").write_bytes(b"there")
    os.symlink(elsewhere, music / "linked")
    os.symlink(elsewhere / "2.flac", music / "3.flac")
    for path in ("linked/2.flac", "3.flac"):
        assert access.stat(str(music), path).st_size == 5
        with access.open(str(music), path) as file:
            assert file.read() == b"there"


def test_links_into_the_stations_own_folders_or_to_processes_are_refused(music, tmp_path):
    home = tmp_path / "home"
    (home / "demo").mkdir(parents=True)
    (home / "key").write_text("secret")
    (home / "demo" / "1.flac").write_text("tone")
    os.symlink(home / "key", music / "key.mp3")
    os.symlink("/proc/self/environ", music / "environ.mp3")
    os.symlink(home / "demo" / "1.flac", home / "demo" / "2.flac")
    access = Access(closed_folders=[home])
    for path in ("key.mp3", "environ.mp3"):
        with pytest.raises(NotFound):
            access.open(str(music), path)
    access.open(str(home / "demo"), "2.flac").close()   # a music folder inside the home is still a music folder
    access.stop()


def test_a_link_out_of_the_folder_must_lead_to_what_it_is_called(access, music, tmp_path):
    (tmp_path / "shadow").write_text("root:$6$secret")
    (tmp_path / "photo.jpg").write_bytes(b"private")
    (tmp_path / "2.FLAC").write_bytes(b"there")
    for name, target in (("1.flac", "shadow"), ("2.flac", "photo.jpg"), ("cover.png", "2.FLAC"), ("3.mp3", "2.FLAC"),
                         ("front.png", "photo.jpg")):
        os.symlink(tmp_path / target, music / name)
    (music / "object").write_bytes(b"flac")
    os.symlink(music / "object", music / "4.flac")      # inside, names do not matter
    for path in ("1.flac", "2.flac", "cover.png"):
        for deed in (access.open, access.stat):
            with pytest.raises(NotFound):
                deed(str(music), path)
    for path in ("3.mp3", "front.png", "4.flac"):
        assert access.stat(str(music), path, readable=True).st_size
        access.open(str(music), path).close()


def test_a_file_of_the_station_is_not_music_under_a_second_name(music, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "library.db").write_text("secret")
    os.link(home / "library.db", music / "1.flac")
    (music / "2.flac").write_text("music")
    os.link(music / "2.flac", music / "3.flac")
    for kind in ("fixed", "foreign"):
        access = Access(mounts=Mounted(kind), closed_folders=[home])
        for deed in (access.open, access.stat):
            with pytest.raises(NotFound):
                deed(str(music), "1.flac")
        access.open(str(music), "3.flac").close()
        access.stop()


def test_a_folder_that_becomes_a_link_while_a_file_in_it_is_opened_shows_nothing_else(music, tmp_path, monkeypatch):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "1.flac").write_text("secret")
    access = Access(mounts=Mounted("fixed"), closed_folders=[outside])
    album, really, swapped = music / "Artist" / "Album", os.open, []

    def swap_first(path, *rest, **named):
        if str(path).endswith("1.flac") and not swapped:
            swapped.append(album.rename(music / "aside"))
            os.symlink(outside, album)
        return really(path, *rest, **named)

    monkeypatch.setattr("shared.storage.access.os.open", swap_first)
    with pytest.raises(NotFound):
        access.open(str(music), "Artist/Album/1.flac")
    assert swapped
    access.stop()


def test_a_fifo_a_folder_and_a_device_are_not_opened_and_hold_nobody(access, music):
    os.mkfifo(music / "pipe.mp3")
    os.symlink(music / "pipe.mp3", music / "to-pipe.mp3")
    for path in ("pipe.mp3", "to-pipe.mp3", "Artist"):
        with pytest.raises(NotFound):
            access.open(str(music), path)


def test_while_a_folder_hangs_calls_fail_at_once_and_no_thread_piles_up(access, music, stuck):
    root, other = str(music), str(music.parent)
    hang(access, root, stuck)
    before = len(threads_of(root))
    calls = []
    for _ in range(200):
        for deed in (
            lambda: access.call(root, lambda: calls.append(1)),
            lambda: access.open(root, "Artist/Album/1.flac"),
            lambda: access.stat(root, "Artist/Album/1.flac"),
        ):
            with pytest.raises(StorageOffline):
                deed()
    assert not calls
    assert len(threads_of(root)) <= before
    assert access.state(root) == "hanging" and access.states()[root] == "hanging"
    assert access.call(other, lambda: "well") == "well"     # the neighbour is not touched


def test_when_the_stuck_call_returns_the_folder_is_online_and_listeners_hear_both(access, music, stuck):
    root, heard = str(music), []
    end = access.on_change(lambda *change: heard.append(change))
    hang(access, root, stuck)
    stuck.set()
    assert until(lambda: access.states()[root] == "online")
    assert access.call(root, lambda: 1) == 1
    assert until(lambda: heard == [(root, "hanging"), (root, "online")])
    end()


def test_a_folder_whose_stuck_call_never_returns_is_asked_again(music, stuck):
    access = Access(mounts=Mounted("foreign"), probe_after_s=0.05)
    hang(access, str(music), stuck)
    assert until(lambda: access.states()[str(music)] == "online")
    assert access.stat(str(music), "Artist/Album/1.flac").st_size == 4
    access.stop()


def test_calls_that_only_wait_behind_long_ones_within_their_time_do_not_make_a_folder_hang(access, music):
    gate, root = threading.Event(), str(music)
    long = [threading.Thread(target=access.call, args=(root, gate.wait), kwargs={"deadline_s": 60}) for _ in range(4)]
    for one in long:
        one.start()
    assert until(lambda: len(threads_of(root)) == 4)
    with pytest.raises(StorageOffline):
        access.call(root, lambda: 1, deadline_s=0.05)
    assert access.states()[root] == "online"
    gate.set()
    for one in long:
        one.join()
    assert access.call(root, lambda: 1) == 1


def test_at_most_four_threads_work_for_a_folder(access, music):
    root, most, lock = str(music), [], threading.Lock()

    def deed():
        with lock:
            most.append(len(threads_of(root)))
        time.sleep(0.001)

    callers = [threading.Thread(target=lambda: [access.call(root, deed) for _ in range(10)]) for _ in range(12)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert len(most) == 120 and max(most) <= 4


def test_idle_threads_end(music):
    access = Access(idle_s=0.02)
    access.call(str(music), lambda: 1)
    assert until(lambda: not threads_of(music))
    assert access.call(str(music), lambda: 2) == 2
    access.stop()
    assert until(lambda: not threads_of(music))


def test_a_file_that_opens_after_its_caller_left_is_closed_again(music, monkeypatch):
    gate, opened, really = threading.Event(), [], os.open

    def slow(path, *rest):
        descriptor = really(path, *rest)
        if str(path).endswith("1.flac"):
            opened.append(descriptor)
            gate.wait()
        return descriptor

    access = Access(mounts=Mounted("foreign"))
    monkeypatch.setattr("shared.storage.access.os.open", slow)
    with pytest.raises(StorageOffline):
        access.open(str(music), "Artist/Album/1.flac", deadline_s=0.05)
    gate.set()
    assert until(lambda: access.states()[str(music)] == "online")

    def closed():
        try:
            return "1.flac" not in os.readlink(f"/proc/self/fd/{opened[0]}")
        except FileNotFoundError:
            return True

    assert until(closed)
    access.stop()


def test_a_stall_on_a_local_disk_sends_the_others_through_threads(music, monkeypatch):
    gate, root, really = threading.Event(), str(music), os.lstat
    access = Access(mounts=Mounted("fixed"))
    access.stat(root, "Artist/Album/1.flac")
    entered = threading.Event()

    def stalls(path, *rest, **named):
        if threading.current_thread() is first:
            entered.set()
            gate.wait()
        return really(path, *rest, **named)

    monkeypatch.setattr("shared.storage.access.os.lstat", stalls)
    first = threading.Thread(target=access.stat, args=(root, "Artist/Album/1.flac"))
    first.start()
    entered.wait()
    time.sleep(0.06)
    through_threads = []
    monkeypatch.setattr(access, "call", lambda *_, **__: through_threads.append(1) or os.stat(music))
    access.stat(root, "Artist/Album/1.flac", deadline_s=0.05)
    assert through_threads == [1]
    gate.set()
    first.join()
    access.stat(root, "Artist/Album/1.flac", deadline_s=0.05)
    assert through_threads == [1]
    access.stop()


def test_states_tell_empty_absent_and_online_apart(access, music, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / ".soundsible").mkdir()     # the station's own trash is no music
    assert access.probe(str(music)) == "online"
    assert access.probe(str(empty)) == "empty"
    assert access.probe(str(tmp_path / "none")) == "absent"


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_what_a_lost_device_says_is_storage_offline(access, music, monkeypatch, number):
    def lost(*_, **__):
        raise OSError(number, "gone")

    access.state(str(music))
    for name in ("lstat", "stat", "open", "statvfs"):
        monkeypatch.setattr(f"shared.storage.access.os.{name}", lost)
    with pytest.raises(StorageOffline):
        access.open(str(music), "1.flac")
    with pytest.raises(StorageOffline):
        access.stat(str(music), "1.flac")
    assert access.states()[str(music)] == "offline"


def test_a_call_that_is_stuck_in_the_kernel_is_left_behind(access, music):
    os.mkfifo(music / "pipe")
    root = str(music)
    with pytest.raises(StorageOffline):
        access.call(root, lambda: open(music / "pipe", "rb").close(), deadline_s=0.05)
    with pytest.raises(StorageOffline):
        access.open(root, "Artist/Album/1.flac")
    open(music / "pipe", "wb").close()      # now its other end is there
    assert until(lambda: access.states()[root] == "online")
    access.open(root, "Artist/Album/1.flac").close()


@pytest.fixture
def silent_mount():
    """A mounted file system whose server never says a word: (folder, deed that lets it die)."""
    folder = tempfile.mkdtemp()
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        server = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        os.rmdir(folder)
        pytest.skip(f"FUSE is not to be had here: {error}")
    options = f"fd={server},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()}"
    if libc.mount(b"silent", folder.encode(), b"fuse", 0, options.encode()) != 0:
        os.close(server)
        os.rmdir(folder)
        pytest.skip(f"mounting is not allowed here: {os.strerror(ctypes.get_errno())}")
    alive = [server]

    def die():
        while alive:
            os.close(alive.pop())

    try:
        yield folder, die
    finally:
        die()
        libc.umount2(folder.encode(), 2)
        os.rmdir(folder)


def test_a_real_stale_mount_holds_nobody_and_dies_and_comes_back(silent_mount):
    root, die = silent_mount
    access = Access(probe_after_s=60)
    with pytest.raises(StorageOffline):
        access.stat(root, "1.flac", deadline_s=0.2)
    assert access.states()[root] == "hanging"
    for _ in range(50):
        with pytest.raises(StorageOffline):
            access.open(root, "1.flac")
    assert len(threads_of(root)) <= 2
    die()
    assert until(lambda: access.states()[root] == "offline")
    with pytest.raises(StorageOffline, match="not connected"):
        access.stat(root, "1.flac")
    access.stop()
