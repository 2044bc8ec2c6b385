import os

import pytest

from phipd_sim2real import files
from phipd_sim2real.files import atomic_path, sha256_file, sha256_of_kept, write_json


def write_half(path):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path):
    path = tmp_path / "table.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError):
        write_half(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_threads_may_write_one_file(tmp_path):
    path = tmp_path / "table.txt"
    with atomic_path(path) as first, atomic_path(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_equal_values_give_equal_bytes(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [1.5, None]})
    write_json(tmp_path / "b.json", {"a": [1.5, None], "b": 1})
    assert sha256_file(tmp_path / "a.json") == sha256_file(tmp_path / "b.json")


def test_a_kept_file_is_hashed_once_until_it_changes(tmp_path, monkeypatch):
    path, hashed = tmp_path / "weights", []
    monkeypatch.setattr(files, "sha256_file", lambda given: hashed.append(given.read_text()) or sha256_file(given))
    path.write_text("one")
    assert [sha256_of_kept(path) for _ in range(3)] == [sha256_file(path)] * 3
    times = (path.stat().st_atime_ns, path.stat().st_mtime_ns)
    path.write_text("two")  # of the same size, and made to look as old
    os.utime(path, ns=times)
    assert sha256_of_kept(path) == sha256_file(path)
    with atomic_path(path) as temporary:
        temporary.write_text("six")
        os.utime(temporary, ns=times)
    assert sha256_of_kept(path) == sha256_file(path)
    assert hashed == ["one", "two", "six"]


def test_nan_is_refused(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", float("nan"))
    assert not list(tmp_path.iterdir())
