"""[train]: the preset, what a loss decides, and what is refused."""

import pytest

from gapscope.config import PAPER, Train
from gapscope.errors import InputError
from gapscope.experiment_file import parse_config

FILE = """
name = "x"
[data]
classes = ["car"]
[domains.a]
role = "real"
root = "a"
[arms.a]
domains = ["a"]
[probe]
domain = "a"
[train]
"""


def train(text: str) -> Train:
    return parse_config(FILE + text).train


def test_the_paper_preset_is_the_papers_training():
    preset = train('preset = "paper"')
    assert (preset.optimizer, preset.learning_rate, preset.batch_size) == ("adam", 1e-4, 8)
    assert (preset.epochs, preset.patience, preset.ema, preset.schedule) == (100, 10, 0.0, "constant")
    assert (preset.loss, preset.always_best, preset.bn, preset.augment.mosaic) == ("giou", False, "track", 1.0)


def test_the_dated_preset_is_one_version_of_the_code():
    """6 to 12 April 2020: objectness taught as GIoU, neither zoom nor shift; the rest is the paper's."""
    paper, dated = train('preset = "paper"'), train('preset = "paper-2020-04"')
    assert (dated.giou_ratio, dated.augment.scale, dated.augment.translate) == (1.0, 0.0, 0.0)
    changed = {key for key in type(dated).model_fields if getattr(dated, key) != getattr(paper, key)}
    assert changed == {"preset", "giou_ratio", "augment"}
    assert train('preset = "paper-2020-04"\ngiou_ratio = 0.5').giou_ratio == 0.5


def test_the_recommended_preset_lets_the_rate_fall_to_its_end():
    preset = train('preset = "recommended"')
    assert (preset.optimizer, preset.learning_rate, preset.schedule, preset.ema) == ("adamw", 1e-3, "cosine", 0.99)
    assert preset.patience == preset.epochs == 20
    longer = train('preset = "recommended"\nepochs = 90')
    assert longer.patience == longer.epochs == 90 and train('preset = "recommended"\npatience = 3').patience == 3
    with pytest.raises(InputError, match="epochs = 'many': input should be a valid integer") as told:
        train('preset = "recommended"\nepochs = "many"')
    assert "patience" not in str(told.value)
    assert (
        preset.augment == train("").augment and not parse_config(f'{FILE}preset = "recommended"').evaluate.multi_label
    )
    assert train('preset = "recommended"\nepochs = 5\naugment.flip = 0.0').augment.flip == 0.0


def test_the_recommended_patience_is_as_long_as_an_arms_own_epochs():
    arm = '\n[arms.longer]\ndomains = ["a"]\nepochs = 60\n'
    for given, patience in (("", 60), ("patience = 5", 5)):
        found = parse_config(f'{FILE}preset = "recommended"\n{given}{arm}').train_of("longer")
        assert (found.epochs, found.patience) == (60, patience)


@pytest.mark.parametrize("preset", ["paper", "paper-2020-04"])
def test_the_papers_code_let_a_box_speak_for_several_classes(preset):
    assert not parse_config(FILE).evaluate.multi_label
    assert parse_config(f'{FILE}preset = "{preset}"').evaluate.multi_label
    assert not parse_config(f'{FILE}preset = "{preset}"\n[evaluate]\nmulti_label = false').evaluate.multi_label
    first = parse_config(f'{FILE}preset = "{preset}"')
    assert type(first).model_validate(first.model_dump(mode="json")) == first


def test_what_is_given_wins_over_the_preset_key_by_key():
    given = train('preset = "paper"\nalways_best = true\naugment = { flip = 0.0 }')
    assert given.always_best and given.augment.flip == 0.0
    assert given.augment.hsv == PAPER["augment"]["hsv"] and given.bn == "track"


def test_a_loss_brings_its_own_gains():
    assert (train("").box_gain, train("").objectness_gain, train("").class_gain) == (3.54, 64.3, 37.4)
    darknet = train('loss = "darknet"\nclass_gain = 2.0')
    assert (darknet.box_gain, darknet.objectness_gain, darknet.class_gain) == (1.0, 1.0, 2.0)


@pytest.mark.parametrize("text", ['preset = "paper"', 'loss = "darknet"', "devices = 2", 'devices = "auto"'])
def test_what_was_resolved_means_the_same_when_read_again(text):
    first = train(text)
    assert Train.model_validate(first.model_dump(mode="json")) == first


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("devices = 0", r"\[train\]: devices = 0: input should be a number above 0 or 'auto'"),
        ('devices = "two"', r"\[train\]: devices = 'two': input should be a number above 0 or 'auto'"),
        ('device = "gpu"', r"\[train\]: device = 'gpu': input should be 'auto', 'cpu', 'cuda' or 'mps'"),
        ('loss = "focal"', r"\[train\]: loss = 'focal': input should be 'giou' or 'darknet'"),
        ('bn = "eval"', r"\[train\]: bn = 'eval': input should be 'frozen' or 'track'"),
        ("precision = 32", r"\[train\]: precision = 32: input should be '32' or 'bf16'"),
        ("checkpoint_minutes = 0", r"\[train\]: checkpoint_minutes = 0: input should be greater than 0"),
        ('loggers = ["csv"]', r"input should be 'tensorboard', 'wandb' or 'mlflow'"),
        (
            'preset = "papers"',
            r"\[train\]: preset = 'papers': input should be 'paper', 'paper-2020-04' or 'recommended'",
        ),
        ("acumulate = 2", r"\[train\]: unknown key 'acumulate'\. Did you mean 'accumulate'\?"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected(text, message):
    with pytest.raises(InputError, match=message):
        train(text)
