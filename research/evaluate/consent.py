"""`python -m research evaluate-consent PEOPLE`: measure how often spoken consent is wrong about voices and words.

PEOPLE has a folder of short recordings for each person, such as Debian's prompts for telephone exchanges and the
letters of a game for children:

    apt-get download asterisk-core-sounds-{en,fr,it,ru}-g722 asterisk-prompt-{es-co,fr-armelle,it-menardi-wav} \\
      asterisk-core-sounds-en klettres-data
    for package in *.deb; do dpkg -x "$package" prompts; done
    mkdir people; cp -r prompts/usr/share/asterisk/sounds/* people
    for folder in prompts/usr/share/klettres/*/; do
      mkdir people/klettres-$(basename $folder); cp $folder/*/*.ogg people/klettres-$(basename $folder); done
    zcat prompts/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz > people/en_US_f_Allison/texts.txt
    python -m research evaluate-consent people

Voices: for each person, clips and answers are joined from different recordings. The threshold was chosen on every other
person; the table has the results of the rest. Words: a file `texts.txt` in a person's folder has a line `NAME: TEXT`
for each recording, and each recording is compared with its own words and with those of the other recordings. Sentences
of consent in synthetic voices are compared in the same way.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from cloning.consent.answer import LEAST_LIKENESS, LEAST_STATEMENT, LEAST_WORDS, MOST_HEARD
from cloning.consent.recogniser import Whisper
from cloning.consent.sentences import WORDS, found_in_order, new_sentence, parts, tokens
from cloning.consent.speaker import Embedding, SpeakerEncoder, similarity
from cloning.media.audio import Recording
from cloning.media.voice_activity import analyse
from errors import InvalidInput
from research.evaluate.heldout import ARCHIVE, HeldOutVoices, KokoroVoices, held_out_speakers
from research.evaluate.mark import interval
from research.evaluate.plan import ProgressPrinter
from research.evaluate.recordings import prompts_of, read_prompt
from research.evaluate.treatments import TREATMENTS
from research.metrics.pitch import log_f0
from research.metrics.statistics import estimate, share
from training.shards import recording_of

_CLIP_SECONDS, _ANSWER_SECONDS = 10.0, 5.0
_EACH = 4
"""The number of clips of each person, and of answers."""
_SENTENCE_SECONDS = 1.5
"""Seconds of speech from which a recording counts as a sentence, not as a letter, a digit or a word."""
_FILES = 60
"""The maximum number of recordings of a person that are read."""
_ENOUGH = 30
"""A person with at least this many recorded sentences is represented by them alone, others by all recordings."""
_LIKE = 0.2
"""Voices are of like pitch if their log F0 differs by less than this: three and a half semitones."""
_CODED = ("Ogg Opus, 24 kbit/s", "telephone band, 8 kHz")
_TREATED = (*_CODED, "white noise at 20 dB")
_TEXTS = "texts.txt"
_LEAST_TEXT, _MOST_TEXT = 7, 16
"""The minimum and maximum number of words of a text used as a sentence; its last WORDS count as the random ones."""
_SYNTHETIC = 60


@dataclass(frozen=True)
class MeasuredVoice:
    """The embeddings of a person's clips and answers. `answers`: by treatment, "" for none.

    `speaks`: whether the recordings are of sentences. `pitch`: log F0, see `research.metrics.pitch`.
    """

    person: str
    speaks: bool
    clips: tuple[Embedding, ...]
    answers: dict[str, tuple[Embedding, ...]]
    pitch: float | None


@dataclass(frozen=True)
class _Spoken:
    recording: Recording
    speech_seconds: float


@dataclass(frozen=True)
class VoiceComparison:
    """A clip and an answer: the clip's owner, the answer's speaker, and the similarity of both."""

    owner: str
    speaker: str
    likeness: float


def evaluate_consent_command(
    people: Annotated[Path, typer.Argument(help="A folder with a folder of recordings for each person.")],
    kokoro_voices: KokoroVoices = ARCHIVE,
) -> None:
    """Count the wrong voices and words that spoken consent accepts, and the right ones that it refuses."""
    held_out = HeldOutVoices(kokoro_voices)
    voices = list(measured(people))
    print(voice_table(voices))
    recogniser = Whisper()
    rows = [row for name, said in known(people).items() for row in word_rows(f"recordings of {name}", said, recogniser)]
    rows += word_rows("sentences of consent in synthetic voices", list(synthetic(held_out, _SYNTHETIC)), recogniser)
    print(_table(("words", "number", "taken for the sentence", "95 %"), rows))


def measured(people: Path) -> Iterator[MeasuredVoice]:
    """Yield the voices of a folder. Persons with too little speech are left out, and their names printed.

    Raises InvalidInput for fewer than four persons.
    """
    found = prompts_of(people)
    if len(found) < 4:
        raise InvalidInput(f"{people} has recordings of {len(found)} persons. Give at least four.")
    encoder = SpeakerEncoder()
    progress = ProgressPrinter("voices", len(found))
    for person, files in found.items():
        try:
            yield voice_of(person, files[:_FILES], encoder)
        except InvalidInput as error:
            print(f"{person} is left out: {error.message}")
        progress.step()


def voice_of(person: str, files: Sequence[Path], encoder: SpeakerEncoder) -> MeasuredVoice:
    """Return a person's voice. Clips and answers share no recording. Raises InvalidInput for too little speech."""
    recordings = [
        _Spoken(recording, analyse(recording).speech_seconds) for recording in map(_readable, files) if recording
    ]
    sentences = [each for each in recordings if each.speech_seconds >= _SENTENCE_SECONDS]
    speaks = len(sentences) >= _ENOUGH
    chosen = sentences if speaks else recordings
    random = np.random.default_rng(0)
    order = random.permutation(len(chosen))
    first, other = ([chosen[place] for place in order[start::2]] for start in (0, 1))
    clips = [_joined(first, _CLIP_SECONDS, random) for _ in range(_EACH)]
    answers = [_joined(other, _ANSWER_SECONDS, random) for _ in range(_EACH)]
    treated = {"": answers, **{name: list(map(TREATMENTS[name], answers)) for name in _TREATED}}
    return MeasuredVoice(
        person,
        speaks,
        tuple(map(encoder.embed, clips)),
        {name: tuple(map(encoder.embed, some)) for name, some in treated.items()},
        log_f0(clips[0].samples, clips[0].sample_rate),
    )


def voice_table(voices: Sequence[MeasuredVoice], threshold: float = LEAST_LIKENESS) -> str:
    """Return equal error rates, and a table of the shares of answers accepted at the threshold.

    The table covers the persons at even places; the threshold was chosen on the others.
    """
    chosen_on, held_out = voices[1::2], voices[::2]
    lines = []
    for group, some in (("the persons on whom the threshold was chosen", chosen_on), ("the others", held_out)):
        right = [trial.likeness for name in ("", *_CODED) for trial in same(some, name)]
        rate, at = equal_error(right, [trial.likeness for trial in different(some)])
        lines.append(f"{group}, {len(some)}: equal error rate {rate:.1%} at a likeness of {at:.2f}")
    speaking = [voice for voice in held_out if voice.speaks]
    rows = [_row("same person, sentences", same(speaking), threshold)]
    rows += [_row(f"same person, sentences, {name}", same(speaking, name), threshold) for name in _TREATED]
    rows += [
        _row("same person, single letters", same([voice for voice in held_out if not voice.speaks]), threshold),
        _row("another person", different(held_out), threshold),
        _row("another person of like pitch", different(held_out, alike=True), threshold),
        _row("another person, sentences on both sides", different(speaking), threshold),
    ]
    head = ("clip and answer", "number", f"accepted (from {threshold:g})", "95 %", "lowest to highest likeness")
    return "\n".join([*lines, "", _table(head, [row for row in rows if row is not None])])


def same(voices: Sequence[MeasuredVoice], treatment: str = "") -> list[VoiceComparison]:
    """Return the comparisons of each answer with each clip of the same person."""
    return [
        VoiceComparison(voice.person, voice.person, similarity(clip, answer))
        for voice in voices
        for clip in voice.clips
        for answer in voice.answers[treatment]
    ]


def different(voices: Sequence[MeasuredVoice], *, alike: bool = False) -> list[VoiceComparison]:
    """Return the comparisons of each answer with each clip of another person; `alike`: of like pitch only."""
    return [
        VoiceComparison(one.person, other.person, similarity(clip, answer))
        for one in voices
        for other in voices
        if one is not other and not (alike and not _are_alike(one, other))
        for clip in one.clips
        for answer in other.answers[""]
    ]


def equal_error(right: Sequence[float], wrong: Sequence[float]) -> tuple[float, float]:
    """Return the equal error rate of the likenesses of right and of wrong voices, and its threshold."""
    ones, others = np.asarray(right), np.asarray(wrong)
    best = min(np.linspace(0.0, 1.0, 501), key=lambda at: abs((ones < at).mean() - (others >= at).mean()))
    return float(((ones < best).mean() + (others >= best).mean()) / 2), float(best)


def known(people: Path) -> dict[str, list[tuple[str, Recording]]]:
    """Return the usable recordings of each person with a `texts.txt`, each with its text as a sentence of consent."""
    found: dict[str, list[tuple[str, Recording]]] = {}
    for path in sorted(people.glob(f"*/{_TEXTS}")):
        texts = dict(line.split(":", 1) for line in path.read_text("utf-8").splitlines() if ":" in line)
        for file in prompts_of(people)[path.parent.name]:
            words = tokens(texts.get(file.stem, ""))
            recording = _readable(file)
            if recording is not None and _LEAST_TEXT <= len(words) <= _MOST_TEXT:
                sentence = f"{' '.join(words[:-WORDS])}: {', '.join(words[-WORDS:])}."
                found.setdefault(path.parent.name, []).append((sentence, recording))
    return found


def synthetic(held_out: HeldOutVoices, number: int) -> Iterator[tuple[str, Recording]]:
    """Yield `number` sentences of consent, each with a recording of it; the held-out synthetic voices take turns."""
    speakers = held_out_speakers()
    made = 0
    while made < number:
        sentence = new_sentence()
        clip = held_out.clip(speakers[made % len(speakers)], sentence.replace(":", ","))
        if clip is not None:
            made += 1
            yield sentence, recording_of(clip)


def word_rows(name: str, said: Sequence[tuple[str, Recording]], recogniser: Whisper) -> list[tuple[str, ...]]:
    """Return the table rows of recordings compared with their own sentences, and with all other sentences."""
    progress = ProgressPrinter(name, len(said))
    heard = []
    for _, recording in said:
        heard.append(tokens(recogniser(recording)))
        progress.step()
    right = [has_words(sentence, words) for (sentence, _), words in zip(said, heard, strict=True)]
    wrong = [
        has_words(sentence, words)
        for place, words in enumerate(heard)
        for other, (sentence, _) in enumerate(said)
        if other != place and sentence != said[place][0]
    ]
    return [
        (f"{name}: the sentence itself", *_exact(right)),
        (f"{name}: another sentence", *_exact(wrong)),
    ]


def has_words(sentence: str, heard: list[str]) -> bool:
    """Return whether the recognised words count as the sentence by the rules of `SpokenAnswer.has_words`."""
    statement, drawn = parts(sentence)
    return (
        found_in_order(drawn, heard) >= LEAST_WORDS
        and found_in_order(statement, heard) >= LEAST_STATEMENT * len(statement)
        and len(heard) <= MOST_HEARD * (len(statement) + len(drawn))
    )


def _readable(path: Path) -> Recording | None:
    """Return a recording that is undamaged, not silent and not too long, else None."""
    try:
        recording = read_prompt(path)
    except InvalidInput:
        return None
    is_silent = not recording.samples.size or float(np.abs(recording.samples).max()) < 0.01
    return None if is_silent or recording.seconds > _CLIP_SECONDS else recording


def _joined(spoken: Sequence[_Spoken], seconds: float, random: np.random.Generator) -> Recording:
    """Join recordings in a random order to a length of speech. Raises InvalidInput if there are too few."""
    pieces, length = [], 0.0
    for place in random.permutation(len(spoken)):
        pieces.append(spoken[place].recording.samples)
        length += spoken[place].speech_seconds
        if length >= seconds:
            return Recording(np.concatenate(pieces), spoken[place].recording.sample_rate)
    raise InvalidInput(f"There are {length:.1f} s of speech; {seconds:.0f} s are needed. Add recordings.")


def _are_alike(one: MeasuredVoice, other: MeasuredVoice) -> bool:
    return one.pitch is not None and other.pitch is not None and abs(one.pitch - other.pitch) < _LIKE


def _row(name: str, trials: Sequence[VoiceComparison], threshold: float) -> tuple[str, ...] | None:
    """Return a row with an interval over persons, since one person's trials are similar; None without trials."""
    found = estimate(
        trials, lambda some: share([trial.likeness >= threshold for trial in some]), lambda trial: trial.owner
    )
    if found is None:
        return None
    low, high = found.low, found.high
    if found.value in (0.0, 1.0):  # the bootstrap draws only values that occurred
        persons = len({trial.owner for trial in trials})
        low, high = interval(round(found.value * persons), persons)
    likeness = [trial.likeness for trial in trials]
    return (
        name,
        str(len(trials)),
        f"{found.value:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{min(likeness):.2f} to {max(likeness):.2f}",
    )


def _exact(truths: Sequence[bool]) -> tuple[str, ...]:
    low, high = interval(sum(truths), len(truths))
    return str(len(truths)), f"{sum(truths)} ({sum(truths) / len(truths):.1%})", f"{low:.1%} to {high:.1%}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
