"""The built-in corpus: a synthetic voice whose truth is known, because it is set here.

**What it holds.** By default 8 speakers (4 women, 4 men) × 6 emotions × 4 sentences × 10 clips a
(speaker, emotion) pair = 480 clips of about 1 s, mono, 16 kHz, PCM_16. Every sentence is spoken once
with normal and once with strong intensity; on every second sentence (the first, third, …) the strong
clip has more takes (2 in all). Neutral has as many clips as the others, all of normal intensity,
distinguished by take. The sentences are syllables of no language. Nobody was recorded.

**How it is made.** A clip is spoken by ``audio.voice`` with eight *cues*. In cue units::

    cue = habit + emotion_strength · gain(intensity) · (emotion + speaker's way + sentence's way) + take

- *emotion*: the row of ``EMOTION_CUES``, the same for everybody: all that an unseen speaker shares.
- *speaker's way*: drawn per speaker × emotion × cue, scaled by ``speaker_confound``. A random split can
  learn it; for a new speaker it is noise. *Habit* is the speaker's own level of each cue, scaled alike.
- *sentence's way*: drawn per sentence × emotion × cue, scaled by ``sentence_confound``.
- *take*: drawn per clip, scaled by ``noise``; two takes share nothing else than what is named above.

So the truth of the ladder is set. Random splits gain from the speaker's and the sentence's way. With
``speaker_confound`` 0 random and speaker-independent folds are worth the same: speakers then differ in
sex and in the colour of their vowels, neither of which is a cue. With ``emotion_strength`` 0 the label
says nothing to anybody, and random folds of so evenly balanced a design then fall *below* chance: a
class that is held out is rarer in training, speaker by speaker and sentence by sentence.

**File names** say everything: ``f01-angry-strong-s2-t1.wav`` is speaker 01, a woman, second sentence,
first take. Each random draw has a stream of its own, named after what it is for: more speakers,
sentences or takes leave the other clips as they were, byte for byte.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.io import wavfile

from ser_study import config, store
from ser_study.audio import voice
from ser_study.corpora.files import audio_files
from ser_study.corpora.info import CorpusInfo
from ser_study.schema import Signal

SETTINGS_FILE = "settings.json"

INFO = CorpusInfo(
    name="synthetic",
    title="Built-in synthetic corpus",
    description=(
        "A synthetic voice acts six emotions on syllables of no language. Nobody was recorded, and the truth is known: "
        "which cues carry emotion, and how far speakers and sentences have a way of their own."
    ),
    licence="that of this project",
    citation="None: the generator is part of this project.",
    source="made on the spot by ser_study",
    how_to_get="Nothing to do: it is made when it is needed, in seconds.",
    language="",
    optional_files=(SETTINGS_FILE,),
)

VERSION = 1  # raise when the same settings give other samples
PHRASES = (  # each holds all five vowels once
    "ma-DU-si-ko-ne",
    "te-LA-fo-NI-gu",
    "ZO-mi-ba-te-LU",
    "nu-PE-la-SI-do",
    "li-go-TA-fe-MU",
    "de-KO-nu-sa-BI",
    "SA-ne-pi-lu-GO",
    "fu-TI-mo-DE-ka",
)


@dataclass(frozen=True)
class Cue:
    """One thing a voice can do: its value at 0 units, and how far one unit goes."""

    unit: str
    usual: float
    step: float
    is_ratio: bool = False  # a unit multiplies by 2**step instead of adding step

    def value(self, units: float) -> float:
        """Physical value at so many cue units."""
        return self.usual * 2 ** (self.step * units) if self.is_ratio else self.usual + self.step * units


CUES = {
    "pitch": Cue("semitones above the speaker's own", 0.0, 3.0),
    "pitch_range": Cue("semitones", 5.0, 0.6, is_ratio=True),
    "level": Cue("dBFS", -30.0, 4.5),
    "tempo": Cue("times the usual", 1.0, 0.16, is_ratio=True),
    "breath": Cue("dB against the pulses", -24.0, 6.0),
    "tilt": Cue("dB an octave", 0.0, 2.2),
    "pause": Cue("s", 0.06, 0.5, is_ratio=True),
    "formants": Cue("times the speaker's own", 1.0, 0.03, is_ratio=True),
}
NULL_CUES = ("pause", "formants")  # they vary from take to take and say nothing
EMOTION_CUES = {  # cue units at strong intensity; directions as listeners know them, sizes our own
    #            pitch  range  level  tempo breath  tilt
    "angry": (+0.6, +0.8, +1.3, +0.5, -0.7, +1.3),
    "disgust": (-0.8, -0.4, +0.3, -1.0, +0.1, +0.6),
    "fearful": (+1.3, -0.8, -0.3, +1.0, +0.9, -0.2),
    "happy": (+1.0, +1.3, +0.6, +0.2, -0.2, +0.2),
    "neutral": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    "sad": (-0.6, -1.0, -1.2, -0.8, +0.9, -1.1),
}
STEM = re.compile(
    rf"(?P<sex>[fm])(?P<speaker>\d+)-(?P<emotion>{'|'.join(EMOTION_CUES)})"
    r"-(?P<intensity>normal|strong)-s(?P<statement>\d+)-t(?P<take>\d+)"
)
GAIN = {"normal": 0.8, "strong": 1.0}
SPEAKER_WAY, SPEAKER_HABIT, SENTENCE_WAY, TAKE = 0.9, 0.12, 0.4, 0.2  # sd in cue units, at settings of 1
TRACT, VOWEL_COLOUR = 0.03, 0.03  # half-width of the draws, relative, of what tells speakers apart by ear


@dataclass(frozen=True)
class Clip:
    """What one clip is; its file name holds all of it."""

    speaker: int  # from 1; odd numbers are women
    emotion: str
    intensity: str
    statement: int  # from 1
    take: int  # from 1

    @property
    def stem(self) -> str:
        """File name without suffix."""
        who = f"{'fm'[self.speaker % 2 == 0]}{self.speaker:02d}"
        return f"{who}-{self.emotion}-{self.intensity}-s{self.statement}-t{self.take}"


def layout(synthetic: config.Synthetic) -> list[Clip]:
    """Every clip of the corpus; each emotion has equally many.

    Raises
    ------
    ValueError
        A number of speakers, statements or takes that the corpus cannot have.
    """
    limits = {"n_speakers": 999, "n_statements": len(PHRASES), "n_repetitions": 9}
    for name, most in limits.items():
        value = getattr(synthetic, name)
        if not 1 <= value <= most:
            raise ValueError(f"Setting 'synthetic.{name}' must lie between 1 and {most}; found {value}.")
    clips = []
    for speaker in range(1, synthetic.n_speakers + 1):
        for emotion in EMOTION_CUES:
            for statement in range(1, synthetic.n_statements + 1):
                strong = synthetic.n_repetitions if statement % 2 else 1
                slots = [("normal", 1)] + [("strong", take) for take in range(1, strong + 1)]
                if emotion == "neutral":
                    slots = [("normal", take) for take in range(1, strong + 2)]
                clips += [Clip(speaker, emotion, intensity, statement, take) for intensity, take in slots]
    return clips


def truth(synthetic: config.Synthetic) -> pd.DataFrame:
    """What each emotion does to each cue for everybody, at strong intensity, away from neutral.

    Returns
    -------
    DataFrame, one row an emotion, one column a cue of ``CUES``. Ratios (tempo, pitch range, …) are given
    in octaves (log2), everything else in the cue's own unit. A column of zeros is a cue that says nothing.
    At normal intensity the effect is ``GAIN["normal"]`` times that.
    """
    steps = synthetic.emotion_strength * np.array([cue.step for cue in CUES.values()])
    return pd.DataFrame([_emotion_units(emotion) * steps for emotion in EMOTION_CUES], list(EMOTION_CUES), list(CUES))


def clip_cues(clip: Clip, synthetic: config.Synthetic) -> dict[str, float]:
    """The physical value of each cue as planted in one clip: the truth that features should find."""
    seed, carries = synthetic.seed, np.array([name not in NULL_CUES for name in CUES])
    habit = SPEAKER_HABIT * _normals(seed, "habit", clip.speaker)
    speakers_way = SPEAKER_WAY * _normals(seed, "speaker's way", clip.speaker, clip.emotion)
    sentences_way = SENTENCE_WAY * _normals(seed, "sentence's way", clip.statement, clip.emotion)
    ways = synthetic.speaker_confound * speakers_way + synthetic.sentence_confound * sentences_way
    units = synthetic.emotion_strength * GAIN[clip.intensity] * (_emotion_units(clip.emotion) + ways * carries)
    units += synthetic.speaker_confound * habit + synthetic.noise * TAKE * _normals(seed, "take", clip.stem)
    units = np.clip(units, -4, 4)  # beyond that no throat goes
    return {name: cue.value(float(unit)) for (name, cue), unit in zip(CUES.items(), units, strict=True)}


def synthesise(clip: Clip, synthetic: config.Synthetic) -> Signal:
    """Speak one clip; the same clip and settings give the same samples, whatever else the corpus holds.

    Returns
    -------
    float32 array, shape (s,), at ``synthetic.sample_rate``.
    """
    cues = clip_cues(clip, synthetic)
    own = _speaker_voice(clip.speaker, synthetic.seed)
    own = replace(own, formant_scale=own.formant_scale * cues.pop("formants"))
    random = _stream(synthetic.seed, "sound", clip.stem)
    phrase = PHRASES[clip.statement - 1]
    style = voice.Style(**cues)
    return voice.speak(phrase, voice=own, style=style, sample_rate=synthetic.sample_rate, random=random)


def generate(root: Path, synthetic: config.Synthetic) -> Path:
    """Write the corpus below ``root``, unless it is there already.

    Parameters
    ----------
    root : folder that may hold several such corpora, each under the fingerprint of its settings

    Returns
    -------
    The corpus's own folder. It appears under its name only when all of its clips are written.

    Raises
    ------
    ValueError
        Impossible settings.
    OSError
        The disk is full or the folder not writable.
    """
    clips = layout(synthetic)
    about = {"version": VERSION, "settings": config.as_dict(synthetic)}
    folder = root / config.fingerprint(about)[:16]
    with store.locked(folder):
        if _is_complete(folder, clips):
            return folder
        making = root / f".{folder.name}.part"
        for stale in (making, folder):
            if stale.exists():
                shutil.rmtree(stale)
        making.mkdir()
        for clip in clips:
            _write(making / f"{clip.stem}.wav", synthesise(clip, synthetic), synthetic.sample_rate)
        store.write_json(making / SETTINGS_FILE, about)
        os.replace(making, folder)
    return folder


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a clip, from the file names alone."""
    matches = ((path, STEM.fullmatch(path.stem)) for path in audio_files(root))
    return [_row(path, match) for path, match in matches if match]


def _row(path: Path, name: re.Match) -> dict[str, Any]:
    return {
        "clip_id": f"{INFO.name}/{path.stem}",
        "path": path,
        "emotion": name["emotion"],
        "intensity": name["intensity"],
        "speaker": f"{INFO.name}/{name['speaker']}",
        "statement": f"{INFO.name}/{name['statement']}",
        "gender": "female" if name["sex"] == "f" else "male",
        "channel": "speech",
        "repetition": name["take"],
    }


def _is_complete(folder: Path, clips: list[Clip]) -> bool:
    names = [SETTINGS_FILE, *(f"{clip.stem}.wav" for clip in clips)]
    return folder.is_dir() and set(names) <= set(os.listdir(folder))


def _write(path: Path, signal: Signal, sample_rate: int) -> None:
    with store.replacing(path) as temporary:  # for its advice when the disk is full
        wavfile.write(temporary, sample_rate, np.rint(signal * 32767).astype("<i2"))


def _emotion_units(emotion: str) -> np.ndarray:
    """Cue units of an emotion at strong intensity, shape (cues,); 0 for the cues that say nothing."""
    return np.array([*EMOTION_CUES[emotion], *[0.0] * len(NULL_CUES)])


def _speaker_voice(speaker: int, seed: int) -> voice.Voice:
    """Voice of a speaker: sex decides pitch and length of the vocal tract, the person the colour of the vowels."""
    f0, formant_scale = (200.0, 1.17) if speaker % 2 else (115.0, 1.0)
    own = _stream(seed, "voice", speaker).uniform(-1, 1, 4)
    tune = tuple(1 + VOWEL_COLOUR * own[1:])
    return voice.Voice(f0, formant_scale * (1 + TRACT * own[0]), tune)


def _normals(seed: int, *purpose: str | int) -> np.ndarray:
    """One standard normal draw a cue, shape (cues,)."""
    return _stream(seed, *purpose).standard_normal(len(CUES))


def _stream(seed: int, *purpose: str | int) -> np.random.Generator:
    """A random stream of its own for each purpose, so that no clip depends on which others exist."""
    digest = hashlib.sha256("/".join(map(str, purpose)).encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(digest[:16], "<u4")])
