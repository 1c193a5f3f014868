"""The decoder learns from codes as the fine model predicts them, and the first books and the sound stay the clip's."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from errors import NotFound
from research.bundled import codec_training, finetuning
from research.bundled.clip_buffer import ClipBuffer
from research.bundled.codec import new_decoder, unit_variance
from research.bundled.codec_training import DecoderJob
from research.bundled.codes import Codes, write_codes
from research.bundled.finetuning import FinetuneJob, Predictor, load_fine
from research.bundled.gpt import new_fine
from research.bundled.layout import BOOKS, COARSE_BOOKS, CODEBOOK_SIZE, Size
from research.bundled.spectra import HOP
from research.bundled.teacher import MARGIN
from tests.research.bundled import material
from training.loop import Schedule, train
from training.run_state import write_weights
from training.shards import Clip, ClipShards

CPU = torch.device("cpu")
SIZE = Size(layers=2, heads=2, width=16)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Crops of a third of a second, and few of them."""
    monkeypatch.setattr(codec_training, "_VALID_CROPS", 4)
    monkeypatch.setattr(DecoderJob, "_FRAMES", 16)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A corpus with drawn codes, and an untrained fine model."""
    material.write_corpus(tmp_path / "corpus", ["one", "two"])
    write_codes(tmp_path / "corpus", tmp_path / "codec", lambda clip: drawn(clip.key))
    write_codes(tmp_path / "corpus", tmp_path / "prompts", lambda clip: drawn(f"prompt {clip.key}"))
    torch.manual_seed(0)
    write_weights(tmp_path / "fine.safetensors", new_fine(SIZE))
    return tmp_path


def drawn(name: str, frames: int = 60) -> NDArray[np.uint16]:
    random = np.random.default_rng(sum(map(ord, name)))
    return random.integers(0, CODEBOOK_SIZE, (BOOKS, frames)).astype(np.uint16)


def predictor(work: Path, codes: Codes | None = None) -> Predictor:
    fine = load_fine(work / "fine.safetensors", SIZE)
    shards = ClipShards(work / "corpus")
    return Predictor(fine, Codes(work / "codec") if codes is None else codes, Codes(work / "prompts"), shards)


def clips(work: Path) -> Mapping[str, Clip]:
    shards = ClipShards(work / "corpus")
    return {key: shards[place] for place, key in enumerate(shards.keys)}


def test_the_fine_books_are_predicted_and_the_first_ones_kept(work: Path) -> None:
    clip, known = clips(work)["two-1"], Codes(work / "codec")["two-1"]

    codes = predictor(work)(clip)

    assert codes.shape == known.shape
    assert codes.dtype == np.uint16
    assert np.array_equal(codes[:COARSE_BOOKS], known[:COARSE_BOOKS])
    assert (codes[COARSE_BOOKS:] != known[COARSE_BOOKS:]).mean() > 0.9
    assert np.array_equal(codes, predictor(work)(clip))


def test_the_voice_is_another_clip_of_the_speaker(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finetuning, "_WITH_VOICE", 1.0)
    clip, before = clips(work)["two-1"], predictor(work)(clips(work)["two-1"])

    for key, changes in {"two-0": True, "two-1": False, "one-0": False}.items():
        prompts = Codes(work / "prompts")
        prompts._codes[key] = drawn("another voice")
        changed = Predictor(
            load_fine(work / "fine.safetensors", SIZE), Codes(work / "codec"), prompts, ClipShards(work / "corpus")
        )(clip)
        assert np.array_equal(changed, before) != changes


def test_a_clip_without_codes_is_named(work: Path) -> None:
    with pytest.raises(NotFound, match="two-1"):
        predictor(work, Codes(work))(clips(work)["two-1"])


def coded_buffer(frames: int = 400) -> ClipBuffer:
    """The sound of `material.buffer`, with the teacher's codes but for the last books."""
    plain = material.buffer(frames)
    codes = material.teacher().encode(plain.at(torch.tensor([0]), frames)[0])[0]
    codes[4:] = torch.randint(0, CODEBOOK_SIZE, codes[4:].shape, generator=torch.Generator().manual_seed(0))
    return ClipBuffer(plain.samples, codes.to(torch.int16))


def job(batch: int = 4) -> FinetuneJob:
    torch.manual_seed(0)
    buffer, coded = material.buffer(), coded_buffer()
    made = FinetuneJob(new_decoder(), material.teacher(), buffer, buffer, coded, coded, batch)
    unit_variance(made.module, made.example(), level=0.1)
    return made


def test_half_of_a_batch_has_predicted_codes() -> None:
    seen: list[torch.Tensor] = []
    made = job(batch=5)
    made.module.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    random = np.random.default_rng(3)

    decoded, target = made.restored(random)

    assert decoded.shape == target.shape == (5, 16 * HOP)
    same = np.random.default_rng(3)
    made._examples(same)
    samples, codes = coded_buffer().crops(same, 2, made._crop)
    expected = material.teacher().quantizer.decode(codes[:, :, MARGIN:-MARGIN]).transpose(1, 2)
    torch.testing.assert_close(seen[0][3:], expected)
    torch.testing.assert_close(target[3:], samples[:, MARGIN * HOP : -MARGIN * HOP])


def test_it_learns(tmp_path: Path) -> None:
    made = job()
    with torch.no_grad():
        before = made.validate()
    schedule = Schedule(steps=20, warmup=10, learning_rate=5e-4, weight_decay=0.0, validate_every=20, save_every=20)

    train(made, schedule, tmp_path, device=CPU)

    with torch.no_grad():
        after = made.validate()
    assert after["predicted"] < 0.95 * before["predicted"]
    assert after["loss"] < 0.95 * before["loss"]
    assert after["loss"] == pytest.approx((0.75 * after["books_8"] + 0.25 * after["books_2"] + after["predicted"]) / 2)
