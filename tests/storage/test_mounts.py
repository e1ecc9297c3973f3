"""Which folders lie on this machine's own disks."""

import os

from shared.storage.mounts import Mounts

LINE = "{id} 1 {device} / {point} rw,relatime shared:1 - {kind} /dev/x rw\n"


def table(tmp_path, *rows):
    file = tmp_path / "mountinfo"
    file.write_text("".join(
        LINE.format(id=20 + i, device=device, point=point, kind=kind) for i, (point, kind, device) in enumerate(rows)
    ))
    devices = tmp_path / "devices"
    devices.mkdir(exist_ok=True)
    for name, leads_to in (("8:1", "pci/ata1/sda1"), ("8:17", "pci/usb2/2-1/sdb1")):
        (tmp_path / leads_to).mkdir(parents=True, exist_ok=True)
        if not (devices / name).exists():
            os.symlink(tmp_path / leads_to, devices / name)
    return Mounts(table=str(file), devices=str(devices))


def test_a_disk_of_this_machine_is_fixed_and_a_usb_disk_is_removable(tmp_path):
    mounts = table(tmp_path, ("/", "ext4", "8:1"), ("/media/stick", "vfat", "8:17"))
    assert mounts.kind("/music") == "fixed"
    assert mounts.kind("/media/stick/music") == "removable"
    assert mounts.kind("/media/sticky") == "fixed"


def test_network_fuse_and_unknown_file_systems_are_foreign(tmp_path):
    mounts = table(tmp_path, ("/", "ext4", "8:1"), ("/a", "nfs4", "0:40"), ("/b", "fuse.rclone", "0:41"),
                   ("/c", "new", "0:1"))
    assert [mounts.kind(folder) for folder in ("/a/x", "/b", "/c/y", "/d")] == ["foreign"] * 3 + ["fixed"]


def test_a_network_share_beneath_a_music_folder_makes_it_foreign(tmp_path):
    mounts = table(tmp_path, ("/", "ext4", "8:1"), ("/music/nas", "cifs", "0:40"))
    assert mounts.kind("/music") == "foreign"
    assert mounts.kind("/music/here") == "fixed"


def test_the_last_mount_on_a_point_counts_and_escaped_names_are_understood(tmp_path):
    mounts = table(tmp_path, ("/", "ext4", "8:1"), ("/my\\040music", "nfs", "0:4"), ("/my\\040music", "ext4", "8:1"))
    assert mounts.kind("/my music/a") == "fixed"


def test_without_a_mount_table_everything_is_foreign(tmp_path):
    assert Mounts(table=str(tmp_path / "none")).kind("/music") == "foreign"


def test_the_kernels_own_file_systems_are_told_wherever_they_are(tmp_path):
    mounts = table(tmp_path, ("/", "ext4", "8:1"), ("/proc", "proc", "0:5"), ("/srv/jail/proc", "proc", "0:5"),
                   ("/sys", "sysfs", "0:6"), ("/media/stick", "vfat", "8:17"))
    assert mounts.kernels() == ("/proc", "/srv/jail/proc", "/sys")
