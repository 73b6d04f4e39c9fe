"""A checkpoint is whole or refused, and the one before it is never lost."""

import pytest
import torch
from small_training import fit, training

from gapscope.detector.network import fingerprint
from gapscope.errors import InputError
from gapscope.training.checkpoint import (
    Reached,
    load_checkpoint,
    previous,
    remove_checkpoints,
    save_checkpoint,
)
from gapscope.training.metrics import EpochSums

pytestmark = pytest.mark.slow


def test_what_was_saved_comes_back(tmp_path):
    running = EpochSums(batches=3, steps=3, losses=[0.1 + 0.2, 1 / 3, 0.0, 1e-30], images=24, seconds=1.5, waited=0.25)
    at = Reached(epoch=2, step=9, running=running, best_epoch=1, best_map50=0.3, history=[{"epoch": 1, "x": None}])
    save_checkpoint(tmp_path / "c.pt", "k", at, {"best": {"w": torch.tensor([-0.0, 1.5])}})
    found, states = load_checkpoint(tmp_path / "c.pt", {"k"})
    assert found == at
    assert states["best"]["w"].tolist() == [0.0, 1.5] and states["best"]["w"].signbit()[0]


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path):
    save_checkpoint(tmp_path / "c.pt", "one", Reached(epoch=3), {})
    assert load_checkpoint(tmp_path / "c.pt", {"other"}) is None
    assert load_checkpoint(tmp_path / "none.pt", {"one"}) is None


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"no zip at all"])
def test_a_broken_checkpoint_is_named(tmp_path, content):
    (tmp_path / "checkpoint.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"checkpoint\.pt: is no checkpoint.*Delete it, and this training starts anew"):
        load_checkpoint(tmp_path / "checkpoint.pt", {"k"})


@pytest.mark.parametrize("where", [0.3, 0.5, 0.7])
def test_one_flipped_bit_is_noticed_and_the_one_before_takes_its_place(tmp_path, where):
    path = tmp_path / "checkpoint.pt"
    for epoch in (1, 2):
        save_checkpoint(path, "k", Reached(epoch=epoch), {"best": {"w": torch.arange(5000.0) + epoch}})
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"Delete it, and this training goes on from checkpoint\.previous\.pt"):
        load_checkpoint(path, {"k"})
    path.unlink()
    at, states = load_checkpoint(path, {"k"})
    assert at.epoch == 1 and states["best"]["w"][1] == 2


def test_a_kill_while_saving_leaves_a_checkpoint(tmp_path, monkeypatch):
    """Be it before, between or after the renames."""
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, "k", Reached(epoch=1), {})
    original = type(path).replace
    for allowed in (0, 1, 2):
        renames = []

        def until(self, target, renames=renames, allowed=allowed):
            if len(renames) >= allowed:
                raise KeyboardInterrupt
            renames.append(target)
            return original(self, target)

        monkeypatch.setattr(type(path), "replace", until)
        try:
            save_checkpoint(path, "k", Reached(epoch=2), {})
        except KeyboardInterrupt:
            assert allowed < 2
        monkeypatch.undo()
        found = load_checkpoint(path, {"k"})
        assert found is not None and found[0].epoch == (2 if allowed == 2 else 1)
    assert not list(tmp_path.glob(".*"))


def test_a_training_whose_checkpoint_broke_goes_on_from_the_one_before(tmp_path):
    whole = fit(tmp_path / "whole")
    fit(tmp_path / "broken", epochs=3)
    path = tmp_path / "broken/checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match="Delete it"):
        training(tmp_path / "broken")
    path.unlink()
    resumed = training(tmp_path / "broken", scores=(0.3,))
    assert resumed.at.epoch == 2
    assert fingerprint(resumed.run().network) == fingerprint(whole.network)


def test_finished_trainings_leave_none(tmp_path):
    path = tmp_path / "checkpoint.pt"
    for _ in range(2):
        save_checkpoint(path, "k", Reached(), {})
    assert path.exists() and previous(path).exists()
    remove_checkpoints(path)
    assert not list(tmp_path.iterdir())
