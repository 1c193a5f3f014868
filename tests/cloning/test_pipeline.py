"""The way from text to speech with an engine of tones, and both ways with the stand-in."""

import dataclasses
import threading
from pathlib import Path

import numpy as np
import pytest

from cloning import takes
from cloning.bark.engine import Generated, GenerationOptions
from cloning.media.audio import Recording, Samples
from cloning.pipeline import Part, Speech
from cloning.progress import ProgressReporter
from cloning.prompt import Tokens, VoicePrompt
from cloning.sentences import SayOptions
from cloning.watermark.checking import check
from errors import Cancelled, InvalidInput, Unavailable
from tests.cloning.tones import SPEC, ToneEngine, a_voice, pipeline
from tests.media.build import speech as recorded_speech

REFERENCE = Path(__file__).resolve().parents[2] / "simulator" / "media" / "reference.flac"
LONG = "This is the first sentence of the story. Here is a second one that goes on a little, and then it ends!"


def say(engine: ToneEngine, text: str, voice: VoicePrompt | None = None, **options: object) -> Speech:
    return pipeline(engine).say(text, voice, SayOptions(**options), ProgressReporter())  # type: ignore[arg-type]  # of several types


def test_every_sentence_is_spoken_from_the_same_voice_with_another_seed() -> None:
    engine, voice = ToneEngine(), a_voice()
    speech = say(engine, LONG, voice, seed=5)
    assert [text for text, _, _ in engine.asked] == [LONG[:40], LONG[41:]]
    assert all(history is voice for _, history, _ in engine.asked)
    assert len({options.seed for _, _, options in engine.asked}) == 2
    assert (speech.sentences, speech.seed, speech.sample_rate) == (2, 5, 24_000)
    speech.prompt.validate(SPEC.prompt)
    assert speech.prompt.semantic.size == 2 * len(LONG[:40]) + 2 * len(LONG[41:])


def test_without_a_voice_the_first_sentence_gives_it() -> None:
    engine = ToneEngine()
    say(engine, LONG, seed=1)
    (_, first, _), (_, second, _) = engine.asked
    assert first is None
    assert second is not None
    assert second.semantic.size == 2 * 40


def test_the_same_seed_makes_the_same_speech() -> None:
    first, again, other = (say(ToneEngine(), LONG, a_voice(), seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.samples, again.samples)
    assert first.prompt == again.prompt
    assert not np.array_equal(first.samples[:1000], other.samples[:1000])


def test_a_random_seed_is_told_and_repeats() -> None:
    speech = say(ToneEngine(), "Hello there, my friend.", a_voice())
    again = say(ToneEngine(), "Hello there, my friend.", a_voice(), seed=speech.seed)
    assert np.array_equal(speech.samples, again.samples)


def test_numbers_are_spoken_in_words_unless_they_are_wanted_as_written() -> None:
    engine = ToneEngine()
    say(engine, "It was -5 degrees on May 3.", a_voice())
    say(engine, "It was -5 degrees on May 3.", a_voice(), normalise=False)
    assert [text for text, _, _ in engine.asked] == [
        "It was minus five degrees on May third.",
        "It was -5 degrees on May 3.",
    ]


def test_a_text_of_which_a_tokenizer_knows_no_letter_is_refused() -> None:
    class Unlettered(ToneEngine):
        def count_text_tokens(self, text: str) -> int:
            return 0

    with pytest.raises(InvalidInput, match="cannot read any letter"):
        say(Unlettered(), "Привет.", a_voice(), language="ru")


def test_what_a_model_does_not_read_is_left_out_and_named() -> None:
    engine = ToneEngine()
    engine.spec = dataclasses.replace(SPEC, languages=("en",))
    speech = say(engine, "Good evening, добрый вечер to all of you.", a_voice())
    assert speech.left_out == ("добрый вечер",)
    assert "добрый" not in engine.asked[0][0]
    with pytest.raises(InvalidInput, match="reads English, and cannot speak German"):
        say(engine, "Guten Abend.", a_voice(), language="de")
    with pytest.raises(InvalidInput, match="reads English only"):
        say(engine, "Добрый вечер.", a_voice())


def test_length_is_limited_by_the_text() -> None:
    engine = ToneEngine()
    say(engine, "Hi there.", a_voice())
    say(engine, "A much longer sentence than the one before it was, surely.", a_voice())
    short, long = (options.max_semantic_tokens for _, _, options in engine.asked)
    assert short is not None
    assert long is not None
    assert 2 * SPEC.semantic_rate < short < long <= 768


def test_options_reach_the_engine() -> None:
    engine = ToneEngine()
    say(engine, "Hallo, wie geht es dir?", a_voice(), language="de", temperature=0.0)
    assert engine.asked[0][2].temperature == 0.0
    for options in ({"language": "xx"}, {"temperature": 3.0}, {"seed": -1}):
        with pytest.raises(InvalidInput):
            SayOptions(**options)


def test_a_silent_take_is_repeated_once() -> None:
    engine = ToneEngine(silent_takes=1)
    assert say(engine, "Hello there, my friend.", a_voice(), seed=3).seconds > 0.5
    first, second = (options.seed for _, _, options in engine.asked)
    assert first != second
    with pytest.raises(Unavailable, match="no sound"):
        say(ToneEngine(silent_takes=2), "Hello there, my friend.", a_voice(), seed=3)


@pytest.mark.parametrize("text", ["", "  \n ", "\u200b"])
def test_nothing_to_say_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no text"):
        say(ToneEngine(), text, a_voice())


def test_progress_tells_of_all_sentences_together() -> None:
    seen: list[tuple[str, float]] = []
    reporter = ProgressReporter(lambda stage, fraction: seen.append((stage, fraction)))
    pipeline(ToneEngine()).say(LONG, a_voice(), SayOptions(), reporter)
    assert seen == [("humming", 0.25), ("humming", 0.5)]
    seen.clear()
    pipeline(ToneEngine()).say(f"{LONG} {LONG}", None, SayOptions(), reporter)
    assert [stage for stage, _ in seen] == ["sentence 1 of 4: humming", *["sentences 2 to 4: humming"] * 3]


def test_work_done_at_once_is_as_far_as_its_last_part() -> None:
    seen: list[tuple[str, float]] = []
    first, second = ProgressReporter(lambda stage, fraction: seen.append((stage, fraction))).together(2)
    reports = ((first, "a", 0.5), (second, "a", 0.5), (first, "b", 0.0), (first, "b", 0.8), (second, "b", 0.0))
    for reporter, stage, fraction in (*reports, (first, "c", 1.0)):
        reporter.report(stage, fraction)
    assert seen == [("a", 0.25), ("a", 0.5), ("a", 0.75), ("a", 0.75), ("b", 0.4), ("b", 0.5)]


def test_cancelling_reaches_the_second_sentence() -> None:
    cancelled, engine = threading.Event(), ToneEngine()
    reporter = ProgressReporter(lambda stage, _: cancelled.set(), cancelled)
    with pytest.raises(Cancelled):
        pipeline(engine).say(LONG, a_voice(), SayOptions(), reporter)
    assert len(engine.asked) == 2


def test_parts_are_heard_in_order_and_are_what_the_whole_is_made_of() -> None:
    parts: list[Part] = []
    engine = ToneEngine(silent_takes=1)  # the first sentence comes last, the second waits for it
    speech = pipeline(engine).say(LONG, a_voice(), SayOptions(seed=4), ProgressReporter(), parts.append)
    assert [(part.number, part.of, part.sample_rate) for part in parts] == [(0, 2, 24_000), (1, 2, 24_000)]
    first, second = (part.samples for part in parts)
    assert np.array_equal(speech.samples[: first.size], first)
    assert np.array_equal(speech.samples[-second.size :], second)
    assert speech.samples.size > first.size + second.size


class Talking(ToneEngine):
    """Says the seconds of a recording, whatever the text."""

    def generate(
        self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
    ) -> Generated:
        hummed = super().generate(text, history, options, reporter)
        return Generated(hummed.prompt, recorded_speech("guest", 24_000)[: 5 * 24_000])


@pytest.mark.parametrize(("watermark", "verdict"), [(True, "marked"), (False, "unmarked")])
def test_every_part_and_the_whole_carry_the_mark_alike(watermark: bool, verdict: str) -> None:
    parts: list[Part] = []
    box = pipeline(Talking(), watermark=watermark)
    whole = box.say(LONG, a_voice(), SayOptions(seed=4), ProgressReporter(), parts.append)
    sounds = [*(part.samples for part in parts), whole.samples]
    assert [check([Recording(samples, 24_000)]).verdict for samples in sounds] == [verdict] * 3
    assert np.array_equal(whole.samples[: parts[0].samples.size], parts[0].samples)
    assert np.array_equal(whole.samples[-parts[1].samples.size :], parts[1].samples)
    assert np.abs(whole.samples).max() < 1


def test_tokens_are_the_same_with_and_without_the_mark() -> None:
    plain, marked = (
        pipeline(ToneEngine(), watermark=watermark).say(LONG, a_voice(), SayOptions(seed=4), ProgressReporter())
        for watermark in (False, True)
    )
    assert plain.prompt == marked.prompt
    assert plain.samples.size == marked.samples.size


def test_whoever_hears_may_stop_it() -> None:
    def stop(_: Part) -> None:
        raise Cancelled("Enough.")

    engine = ToneEngine()
    with pytest.raises(Cancelled):
        pipeline(engine).say(LONG, a_voice(), SayOptions(), ProgressReporter(), stop)
    assert len(engine.asked) == 1


def test_of_several_takes_the_one_of_the_right_length_is_kept() -> None:
    class Rambling(ToneEngine):
        """Says everything four times as long as it should, but for the third take of each sentence."""

        def generate(
            self, text: str, history: VoicePrompt | None, options: GenerationOptions, reporter: ProgressReporter
        ) -> Generated:
            said = text * (2 if len(self.asked) % 4 == 2 else 8)
            return super().generate(said, history, dataclasses.replace(options, max_semantic_tokens=None), reporter)

    def made(takes: int, seed: int) -> Speech:
        return pipeline(Rambling()).say(LONG, a_voice(), SayOptions(seed=seed, takes=takes), ProgressReporter())

    best, rambling = made(4, 1), made(1, 1)
    assert best.seconds < rambling.seconds / 2
    assert np.array_equal(best.samples, made(4, 1).samples)
    assert best.sentences == 2


def test_a_single_take_is_drawn_as_ever_and_measured_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takes, "cost", None)
    one = say(ToneEngine(), LONG, a_voice(), seed=7)
    assert np.array_equal(one.samples, say(ToneEngine(), LONG, a_voice(), seed=7, takes=1).samples)
    for number in (0, 5):
        with pytest.raises(InvalidInput, match="1 to 4 takes"):
            SayOptions(takes=number)


def test_only_silent_sentences_are_repeated() -> None:
    engine = ToneEngine(silent_takes=1)
    assert say(engine, LONG, a_voice(), seed=3).sentences == 2
    assert [text for text, _, _ in engine.asked] == [LONG[:40], LONG[41:], LONG[:40]]


class BrightCodec:
    """A codec whose fine tokens add treble: noise with them, and the same noise an octave duller without."""

    def __init__(self) -> None:
        self.decoded: list[int] = []

    def decode(self, codes: Tokens) -> Samples:
        self.decoded.append(codes.shape[0])
        noise = np.random.default_rng(1).normal(0, 0.1, codes.shape[1] * 320).astype(np.float32)
        return noise if codes.shape[0] == SPEC.fine_books else np.convolve(noise, [0.5, 0.5], "same").astype(np.float32)


def treble(speech: Speech) -> float:
    """The share of the power that is above half of the highest frequency."""
    power = np.square(np.abs(np.fft.rfft(speech.samples)))
    return float(power[power.size // 2 :].sum() / power.sum())


def test_speech_is_corrected_by_its_voice_if_the_checkpoint_says_so() -> None:
    engine, voice = ToneEngine(), a_voice()
    plain = say(engine, "Hello there, my friend.", voice, seed=1)
    engine.spec = dataclasses.replace(SPEC, envelope_correction=1.0)
    with_codec = pipeline(engine)
    codec = BrightCodec()
    with_codec.models.codec = codec  # type: ignore[assignment]  # what speaking uses of it

    def again(voice: VoicePrompt | None) -> Speech:
        return with_codec.say("Hello there, my friend.", voice, SayOptions(seed=1), ProgressReporter())

    assert treble(again(voice)) > 1.2 * treble(plain)
    assert again(voice).samples.size == plain.samples.size
    assert codec.decoded == [2, 8]  # at the first use of a voice
    assert treble(again(None)) == pytest.approx(treble(plain), rel=0.05)
    again(VoicePrompt(voice.semantic, voice.coarse, voice.fine + 1))
    assert codec.decoded == [2, 8, 2, 8]


def test_a_voice_too_short_to_be_measured_speaks_uncorrected() -> None:
    engine = ToneEngine()
    engine.spec = dataclasses.replace(SPEC, envelope_correction=1.0)
    short = VoicePrompt(np.arange(30), np.zeros((2, 45), np.int64), np.zeros((8, 45), np.int64))
    assert treble(say(engine, "Hello.", short, seed=1)) == treble(say(ToneEngine(), "Hello.", short, seed=1))
