"""The way from text to speech with an engine of tones, and both ways with the stand-in."""

import dataclasses
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch

from cloning import takes
from cloning.bark.engine import Generated, GenerationOptions
from cloning.checkpoints.model_choice import ModelChoice
from cloning.media.audio import Recording
from cloning.methods import conversion, transcript
from cloning.methods import subject as subjects
from cloning.methods.subject import Subject
from cloning.model_set import LoadedModels
from cloning.pipeline import Part, Speech, SpeechPipeline
from cloning.progress import ProgressReporter
from cloning.prompt import VoicePrompt
from cloning.sentences import SayOptions
from cloning.text.passages import PASSAGES
from cloning.watermark.checking import check
from errors import Cancelled, InvalidInput, Unavailable
from tests.cloning.tones import SPEC, ToneEngine, a_voice, pipeline
from tests.media.build import speech as recorded_speech
from tests.stand_in.synthetic_voice import synthetic_voice

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


@pytest.mark.parametrize(("semantic", "frames"), [(469, 704), (100, 1000), (768, 90), (30, 700)])
def test_the_parts_of_a_prompt_are_made_equally_long(semantic: int, frames: int) -> None:
    codes = np.arange(8 * frames).reshape(8, frames) % 1024
    prompt = subjects.prompt_of(np.arange(semantic), codes, SPEC)
    prompt.validate(SPEC.prompt)
    assert prompt.coarse_matches_fine
    assert prompt.semantic.size <= semantic
    assert prompt.fine.shape[1] == SPEC.frames(prompt.semantic.size) <= frames
    assert prompt.semantic.size == semantic or SPEC.frames(prompt.semantic.size + 1) > frames
    assert np.array_equal(prompt.fine, codes[:, : prompt.fine.shape[1]])


@pytest.mark.parametrize(("semantic", "frames"), [(0, 10), (0, 0), (100, 0)])
def test_almost_nothing_makes_no_prompt(semantic: int, frames: int) -> None:
    with pytest.raises(InvalidInput, match="too short"):
        subjects.prompt_of(np.arange(semantic), np.zeros((8, frames), np.int64), SPEC)


@pytest.fixture(scope="module")
def noise(stand_in: Path) -> Iterator[SpeechPipeline]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield SpeechPipeline(LoadedModels(ModelChoice(model=str(stand_in), device="cpu")))
    torch.set_num_threads(threads)


def test_a_model_clones_and_speaks(noise: SpeechPipeline) -> None:
    seen: list[str] = []
    clone = noise.clone(REFERENCE, "en", ProgressReporter(lambda stage, _: seen.append(stage)))
    clone.prompt.validate(noise.models.engine.spec.prompt)
    assert clone.prompt.seconds() == pytest.approx(clone.clip.seconds, abs=0.05)
    assert clone.quantizer == "quantizer.pth"
    assert clone.report.verdict
    assert list(dict.fromkeys(seen)) == [
        "reading the recording",
        "choosing the best seconds",
        "semantic tokens",
        "codec tokens",
    ]
    assert noise.reclone(clone.clip, "en", ProgressReporter()) == clone.prompt
    speech = noise.say("Hi.", clone.prompt, SayOptions(seed=1), ProgressReporter())
    assert np.isfinite(speech.samples).all()
    assert 0.1 < speech.seconds < 4
    assert 0.01 < np.abs(speech.samples).max() <= 1


def test_the_transcript_method_takes_the_clip_and_its_words(noise: SpeechPipeline) -> None:
    clip = Recording(np.random.default_rng(0).normal(0, 0.1, 24_000).astype(np.float32), 24_000)
    made = transcript.by_transcript(noise.models, Subject(clip, "en", "hello"), ProgressReporter())
    made.prompt.validate(noise.models.engine.spec.prompt)
    assert made.maker == "transcript"
    assert made.prompt.seconds() <= 1.0
    codes = noise.models.codec.encode(clip.samples)
    assert np.array_equal(made.prompt.fine, codes[:, : made.prompt.fine.shape[1]])
    with pytest.raises(InvalidInput, match="words"):
        transcript.by_transcript(noise.models, Subject(clip, "en"), ProgressReporter())


def test_a_long_transcript_is_said_in_pieces_until_the_clip_is_full(noise: SpeechPipeline) -> None:
    clip = Recording(np.random.default_rng(0).normal(0, 0.1, 24_000 * 12).astype(np.float32), 24_000)
    engine = noise.models.engine
    words = "This is quite a long sentence about nothing. " * 12
    with mock.patch.object(engine, "semantic", wraps=engine.semantic) as semantic:
        made = transcript.by_transcript(noise.models, Subject(clip, "en", words), ProgressReporter())
    assert semantic.call_count > 1
    limits = [call.args[2].max_semantic_tokens for call in semantic.call_args_list]
    assert limits[0] == engine.spec.semantic_tokens(12.0)
    assert limits == sorted(limits, reverse=True)
    assert made.prompt.semantic.size <= limits[0]
    assert " ".join(call.args[0] for call in semantic.call_args_list) in words


def test_the_conversion_method_speaks_and_converts(noise: SpeechPipeline) -> None:
    clip = Recording(synthetic_voice(3, 3.0, 110.0, 24_000), 24_000)
    subject = Subject(clip, "en", "Hello there.")
    made = conversion.by_conversion(noise.models, subject, ProgressReporter())
    made.prompt.validate(noise.models.engine.spec.prompt)
    assert made.maker == "world"
    assert conversion.by_conversion(noise.models, subject, ProgressReporter()).prompt == made.prompt
    other = conversion.by_conversion(noise.models, dataclasses.replace(subject, seed=1), ProgressReporter())
    assert other.prompt != made.prompt


def test_without_words_the_conversion_method_speaks_a_passage_in_one_voice(stand_in: Path) -> None:
    engine = ToneEngine()
    clip = Recording(synthetic_voice(3, 2.0, 110.0, 24_000), 24_000)
    made = conversion.by_conversion(pipeline(engine, stand_in).models, Subject(clip, "fr"), ProgressReporter())
    assert " ".join(text for text, _, _ in engine.asked) == PASSAGES["fr"]
    assert [history is None for _, history, _ in engine.asked] == [True, False]
    made.prompt.validate(SPEC.prompt)


def test_a_converter_that_is_missing_is_told_before_anything_is_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "TTS", None)
    engine = ToneEngine()
    clip = Recording(synthetic_voice(3, 2.0, 110.0, 24_000), 24_000)
    with pytest.raises(Unavailable, match="coqui-tts"):
        conversion.by_conversion(pipeline(engine).models, Subject(clip, "en", converter="freevc"), ProgressReporter())
    assert not engine.asked


def test_a_model_without_sound_cannot_be_converted() -> None:
    clip = Recording(synthetic_voice(3, 2.0, 110.0, 24_000), 24_000)
    with pytest.raises(Unavailable, match="no sound"):
        conversion.by_conversion(pipeline(ToneEngine(silent_takes=9)).models, Subject(clip, "en"), ProgressReporter())
