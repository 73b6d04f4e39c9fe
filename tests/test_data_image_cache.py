"""The image cache: the same pixels as decoding, never those of another file, and no way to break it."""

import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from small_data import noise, painted, table_of

from gapscope.data import image_cache
from gapscope.data.batches import batches
from gapscope.data.image_cache import ImageCache, read_letterboxed
from gapscope.data.samples import Samples
from gapscope.errors import InputError

SIZE = 64


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files that a test has just written count as old enough to be kept."""
    monkeypatch.setattr(image_cache, "SETTLED_SECONDS", -1.0)


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cache"


def kept(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def read_without_decoding(monkeypatch, cache: ImageCache, path: Path, **options):
    """What the cache gives when decoding is impossible."""

    def decode(path):
        raise AssertionError(f"{path} is decoded")

    with monkeypatch.context() as patch:
        patch.setattr(image_cache, "read_pixels", decode)
        return cache.letterboxed(path, SIZE, **options)


@pytest.mark.parametrize("size", [(100, 60), (60, 100), (64, 64), (7, 90), (300, 1), (20, 31)])
@pytest.mark.parametrize("fill", [0, 128])
def test_a_kept_square_is_the_decoded_one_to_the_last_bit(tmp_path, folder, monkeypatch, size, fill):
    path, cache = noise(tmp_path / "a.jpg", size=size), ImageCache(folder)
    expected = read_letterboxed(path, SIZE, fill)
    for found in (
        cache.letterboxed(path, SIZE, fill),
        read_without_decoding(monkeypatch, cache, path, fill=fill),
        read_without_decoding(monkeypatch, ImageCache(folder), path, fill=fill),
    ):
        assert torch.equal(found[0], expected[0]) and found[0].stride() == expected[0].stride()
        assert found[1] == expected[1] == size


def test_an_image_that_looks_like_its_bars_takes_no_room(tmp_path, folder, monkeypatch):
    path, cache = painted(tmp_path / "black.png", []), ImageCache(folder)
    cache.letterboxed(path, SIZE, 0)
    square, own_size = read_without_decoding(monkeypatch, cache, path, fill=0)
    assert (square.max(), own_size) == (0, (100, 60))
    assert kept(folder)[0].stat().st_size < 64


def test_bars_are_not_stored(tmp_path, folder):
    ImageCache(folder).letterboxed(noise(tmp_path / "a.png", size=(160, 90)), SIZE)
    assert 3 * 64 * 36 <= kept(folder)[0].stat().st_size <= 3 * 64 * 38 + 64


def test_another_size_or_fill_is_another_square(tmp_path, folder):
    path, cache = noise(tmp_path / "a.png"), ImageCache(folder)
    for size, fill in ((64, 128), (96, 128), (64, 7)):
        assert torch.equal(cache.letterboxed(path, size, fill)[0], read_letterboxed(path, size, fill)[0])
    assert len(kept(folder)) == 3


def test_a_replaced_image_is_decoded_again_even_with_its_old_size_and_time(tmp_path, folder):
    path, cache = noise(tmp_path / "a.png", seed=0).rename(tmp_path / "a.bin"), ImageCache(folder)
    stat = path.stat()
    old = cache.letterboxed(path, SIZE)[0]
    other = noise(tmp_path / "b.png", seed=1).read_bytes()
    length = max(len(other), stat.st_size)
    path.write_bytes(path.read_bytes().ljust(length, b"\0"))  # bytes after the end of a PNG are not looked at
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert torch.equal(cache.letterboxed(path, SIZE)[0], old)
    path.write_bytes(other.ljust(length, b"\0"))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (length, stat.st_mtime_ns)
    assert torch.equal(cache.letterboxed(path, SIZE)[0], read_letterboxed(tmp_path / "b.png", SIZE)[0])


def test_another_file_under_the_same_path_is_another_image(tmp_path, folder):
    first, second = (noise(tmp_path / name / "a.png", seed=seed) for seed, name in enumerate(("first", "second")))
    (tmp_path / "link").symlink_to("first")
    path, cache = tmp_path / "link/a.png", ImageCache(folder)
    assert torch.equal(cache.letterboxed(path, SIZE)[0], read_letterboxed(first, SIZE)[0])
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("second")
    assert torch.equal(cache.letterboxed(path, SIZE)[0], read_letterboxed(second, SIZE)[0])


def test_a_file_that_changed_just_now_is_not_kept(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(image_cache, "SETTLED_SECONDS", 60.0)
    ImageCache(folder).letterboxed(noise(tmp_path / "a.png"), SIZE)
    assert kept(folder) == []


def test_a_file_that_changes_while_it_is_decoded_is_not_kept(tmp_path, folder, monkeypatch):
    path = noise(tmp_path / "a.png", seed=0)
    real = image_cache.read_pixels

    def decode(path):
        pixels = real(path)
        noise(path, seed=1, size=(90, 60))
        return pixels

    monkeypatch.setattr(image_cache, "read_pixels", decode)
    ImageCache(folder).letterboxed(path, SIZE)
    assert kept(folder) == []


def test_another_version_of_the_code_finds_nothing(tmp_path, folder, monkeypatch):
    path, cache = noise(tmp_path / "a.png"), ImageCache(folder)
    cache.letterboxed(path, SIZE)
    monkeypatch.setattr(image_cache, "_makers", lambda: "another libjpeg")
    cache.letterboxed(path, SIZE)
    assert len(kept(folder)) == 2


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "zeros", "header", "longer", "folder"])
def test_a_damaged_file_is_made_again(tmp_path, folder, monkeypatch, damage):
    path, cache = noise(tmp_path / "a.png"), ImageCache(folder)
    expected = cache.letterboxed(path, SIZE)[0]
    (place,) = kept(folder)
    whole = bytearray(place.read_bytes())
    match damage:
        case "cut":
            place.write_bytes(whole[:-9])
        case "empty":
            place.write_bytes(b"")
        case "flipped":
            whole[100] ^= 1
            place.write_bytes(whole)
        case "zeros":
            place.write_bytes(bytes(len(whole)))
        case "header":
            whole[8:12] = b"\xff" * 4
            place.write_bytes(whole)
        case "longer":
            place.write_bytes(whole + b"\0")
        case "folder":
            place.unlink()
            (folder / place.parent.name).rmdir()
    assert torch.equal(cache.letterboxed(path, SIZE)[0], expected)
    assert torch.equal(read_without_decoding(monkeypatch, cache, path)[0], expected)


def test_a_folder_that_cannot_be_written_to_is_said_once_and_changes_no_image(tmp_path, folder):
    folder.write_text("a file is in its place")
    paths = [noise(tmp_path / f"{i}.png", seed=i) for i in range(3)]
    cache = ImageCache(folder)
    with pytest.warns(RuntimeWarning, match=r"image cache .*cache cannot be written to \(.*\).*Make room") as said:
        squares = [cache.letterboxed(path, SIZE)[0] for path in paths]
    assert len(said) == 1
    assert all(
        torch.equal(square, read_letterboxed(path, SIZE)[0]) for square, path in zip(squares, paths, strict=True)
    )


def test_a_full_disk_leaves_no_half_file_and_what_is_kept_is_still_read(tmp_path, folder, monkeypatch):
    first, second = (noise(tmp_path / f"{seed}.png", seed=seed) for seed in range(2))
    cache = ImageCache(folder)
    expected = cache.letterboxed(first, SIZE)[0]

    def full(folder: Path, place: Path, parts: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_cache, "_write", full)
    with pytest.warns(RuntimeWarning, match="No space left on device"):
        cache.letterboxed(second, SIZE)
    assert torch.equal(read_without_decoding(monkeypatch, cache, first)[0], expected)
    assert len(kept(folder)) == 1


def test_a_write_that_fails_midway_leaves_nothing(tmp_path, folder):
    class Full:
        def __buffer__(self, flags: int) -> memoryview:
            raise OSError(28, "No space left on device")

    with pytest.raises((OSError, TypeError)):
        image_cache._write(folder, folder / "ab" / "c.square", (b"header", Full()))
    assert kept(folder) == []


def test_many_writers_at_once_agree(tmp_path, folder):
    path = noise(tmp_path / "a.png", size=(640, 360))
    expected = read_letterboxed(path, SIZE)[0]
    with ThreadPoolExecutor(8) as pool:
        for square, _ in pool.map(lambda _: ImageCache(folder).letterboxed(path, SIZE), range(64)):
            assert torch.equal(square, expected)
    assert len(kept(folder)) == 1


def test_a_missing_image_is_missed_although_it_is_kept(tmp_path, folder):
    path, cache = noise(tmp_path / "a.png"), ImageCache(folder)
    cache.letterboxed(path, SIZE)
    path.unlink()
    with pytest.raises(InputError, match=r"a\.png is missing"):
        cache.letterboxed(path, SIZE)


def test_batches_are_the_same_with_any_cache(tmp_path, folder):
    boxes = [[("car", 10, 20, 40, 45)] * (i % 3) for i in range(7)]
    for i in range(7):
        noise(tmp_path / f"images/{i:03}.png", seed=i)
    table = table_of(boxes, root=tmp_path)
    served = []
    for cache in (False, True, ImageCache(folder), ImageCache(folder)):
        samples = Samples(table, size=SIZE, cache=cache)
        served.append([b for e in (0, 1) for b in batches(samples, 3, seed=1, epoch=e, shuffle=True, workers=2)])
    for one in served[1:]:
        for a, b in zip(one, served[0], strict=True):
            assert all(torch.equal(value, vars(b)[name]) for name, value in vars(a).items() if name != "views")
    assert len(kept(folder)) == 7


def test_an_image_that_changed_its_size_is_refused_from_the_cache_too(tmp_path, folder):
    noise(tmp_path / "images/000.png", size=(90, 60))
    samples = Samples(table_of([[]], root=tmp_path), size=SIZE, cache=ImageCache(folder))
    for _ in range(2):
        with pytest.raises(InputError, match=r"000\.png is 90 x 60 pixels but was 100 x 60"):
            samples[0]
    assert len(kept(folder)) == 1


def test_nothing_is_warned_of_when_all_is_well(tmp_path, folder):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        ImageCache(folder).letterboxed(noise(tmp_path / "a.png"), SIZE)
    assert said == []
