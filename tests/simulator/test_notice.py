"""The word about noise: only for the bundled model, and only while its card says that it is untrained."""

from pathlib import Path

from simulator.notice import CARD, NOTICE, noise_notice

CARD_OF_NOISE = "---\nlicense: mit\ntags:\n- bark\n- random-weights\n---\n# A model\n"


def test_the_card_of_an_untrained_model(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(CARD_OF_NOISE, "utf-8")
    assert noise_notice("bundled", card) == NOTICE


def test_the_card_of_a_trained_model(tmp_path: Path) -> None:
    card = tmp_path / "README.md"
    card.write_text(CARD_OF_NOISE.replace("- random-weights\n", "") + "It once had random-weights.\n", "utf-8")
    assert noise_notice("bundled", card) is None


def test_another_model_is_not_the_bundled_one() -> None:
    assert noise_notice("suno/bark-small") is None


def test_the_card_in_the_repository_has_tags() -> None:
    assert CARD.read_text("utf-8").startswith("---\n")
