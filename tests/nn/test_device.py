"""Devices by name, and the memory limits of made-up control groups."""

import os

import pytest
import torch

from fanin.nn import device
from fanin.nn.device import available_devices, cgroup_limits, find_device, memory_of

CPU = torch.device("cpu")


@pytest.fixture
def limits(tmp_path):
    """The limits that a process with these lines of /proc/self/cgroup and these files finds."""

    def read(membership: str, files: dict[str, str]) -> list[int]:
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n")
        (tmp_path / "membership").write_text(membership)
        return list(cgroup_limits(tmp_path / "membership", tmp_path / "cgroup"))

    return read


def test_v2_reads_its_own_group_and_those_above(limits):
    files = {"memory.max": "900", "job/memory.max": "500", "job/step/memory.max": "700"}
    assert limits("0::/job/step\n", files) == [700, 500, 900]


def test_v2_without_a_limit_anywhere(limits):
    assert limits("0::/job/step\n", {"job/memory.max": "max", "job/step/memory.max": "max"}) == []


def test_v1_reads_the_memory_hierarchy_alone(limits):
    membership = "5:cpu,cpuacct:/elsewhere\n4:memory:/docker/abc\n0::/\n"
    files = {
        "memory/memory.limit_in_bytes": str(2**63 - 4096),
        "memory/docker/abc/memory.limit_in_bytes": "300",
        "cpu,cpuacct/elsewhere/memory.limit_in_bytes": "1",
    }
    assert limits(membership, files) == [300, 2**63 - 4096]


@pytest.mark.parametrize(
    ("membership", "file"),
    [
        ("0::/host/path/of/the/container\n", "memory.max"),
        ("4:memory:/host/path/of/the/container\n", "memory/memory.limit_in_bytes"),
    ],
)
def test_a_container_that_sees_the_paths_of_its_host(limits, membership, file):
    """Its own group is mounted as the root."""
    assert limits(membership, {file: "400"}) == [400]


def test_both_versions_at_once_and_controllers_that_share_a_hierarchy(limits):
    membership = "3:name=systemd:/a:b\n2:memory,hugetlb:/a:b\n0::/a:b\n"
    files = {"memory/a:b/memory.limit_in_bytes": "20", "a:b/memory.max": "10"}
    assert limits(membership, files) == [20, 10]


def test_where_there_are_no_control_groups(tmp_path):
    assert list(cgroup_limits(tmp_path / "nothing", tmp_path)) == []


def test_the_memory_is_the_least_of_all_limits_and_the_physical(monkeypatch):
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limits, expected in (
        ([], physical),
        ([2**63 - 4096], physical),
        ([physical - 1, physical // 2, physical // 3], physical // 3),
    ):
        monkeypatch.setattr(device, "cgroup_limits", lambda limits=limits: iter(limits))
        assert memory_of(CPU) == expected


def test_devices_by_name():
    assert available_devices()[-1] == "cpu"
    assert find_device("cpu") == CPU
    assert find_device("auto").type == available_devices()[0]
    with pytest.raises(ValueError, match=r"^tpu: this machine has none; use auto or .*cpu$"):
        find_device("tpu")
