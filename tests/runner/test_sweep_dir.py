"""What a sweep and its jobs tell each other through the sweep's folder."""

from fanin.runner import sweep_dir


def test_a_folder_is_marked_only_if_it_holds_that_very_sweep(tmp_path):
    places = [tmp_path / name for name in ("mine", "other", "empty", "now")]
    for place in places:
        place.mkdir()
    mine, other, empty, now = places
    sweep_dir.begin(mine, "a" * 32)
    sweep_dir.begin(other, "b" * 32)
    for folder in (mine, other, empty, tmp_path / "none", tmp_path / ("x" * 300)):
        sweep_dir.supersede(folder, now, "a" * 32)
    assert sweep_dir.is_superseded(mine)
    assert not sweep_dir.is_superseded(other)
    assert [*empty.iterdir()] == []


def test_the_same_folder_by_another_name_is_no_other_sweep(tmp_path):
    mine, link = tmp_path / "mine", tmp_path / "link"
    mine.mkdir()
    link.symlink_to(mine)
    sweep_dir.begin(mine, "a" * 32)
    for name in (link, tmp_path / "mine" / ".." / "mine"):
        sweep_dir.supersede(name, mine, "a" * 32)
        sweep_dir.supersede(mine, name, "a" * 32)
    assert not sweep_dir.is_superseded(mine)
