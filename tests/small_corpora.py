"""Every loader's corpus as a small tree of its documented form, from made-up voices."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import hostile_inputs as hostile

RATE = 16_000  # Hz
SECONDS = 0.3
EMOTIONS = ("angry", "happy", "neutral", "sad")

# what a speaker says: emotion → clips; a corpus writes them in its own way
Plan = Mapping[str, int]
PLAN: Plan = dict.fromkeys(EMOTIONS, 3)


def clip(path: Path, speaker: int, emotion: str, take: int) -> Path:
    """A voice of the speaker's own pitch and the emotion's own level, no two alike."""
    word = sorted(_LEVELS).index(emotion) if emotion in _LEVELS else len(_LEVELS)
    samples = hostile.voice(
        SECONDS + 0.02 * take + 0.03 * word,
        level=_LEVELS.get(emotion, 0.2),
        seed=zlib.crc32(f"{path.name} {speaker} {emotion} {take}".encode()),  # no sound in two corpora
        pitch=100 + 15 * speaker + 10 * word,
    )
    return hostile.write(path, samples, rate=RATE)


_LEVELS = {"angry": 0.5, "happy": 0.4, "neutral": 0.3, "sad": 0.15, "fearful": 0.35, "disgust": 0.25}


def ravdess(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """Audio_Speech_Actors_01-24/Actor_01/03-01-05-01-01-01-01.wav."""
    codes = {"neutral": "01", "happy": "03", "sad": "04", "angry": "05", "fearful": "06", "disgust": "07"}
    for actor in range(1, n_speakers + 1):
        for emotion, n in plan.items():
            for take in range(n):
                stem = f"03-01-{codes[emotion]}-01-{take % 2 + 1:02d}-{take // 2 % 2 + 1:02d}-{actor:02d}"
                folder = root / "Audio_Speech_Actors_01-24" / f"Actor_{actor:02d}"
                clip(folder / f"{stem}.wav", actor, emotion, take)


def tess(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """OAF_angry/OAF_back_angry.wav."""
    words = {"fearful": "fear"}
    for number, actress in enumerate(("OAF", "YAF")[:n_speakers]):
        for emotion, n in plan.items():
            for take in range(n):
                word, label = ("back", "bar", "base", "bath")[take], words.get(emotion, emotion)
                clip(root / f"{actress}_{label}" / f"{actress}_{word}_{label}.wav", number, emotion, take)


def savee(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """AudioData/DC/a01.wav."""
    codes = {"angry": "a", "happy": "h", "neutral": "n", "sad": "sa", "fearful": "f", "disgust": "d"}
    for number, name in enumerate(("DC", "JE", "JK", "KL")[:n_speakers]):
        for emotion, n in plan.items():
            for take in range(n):
                clip(root / "AudioData" / name / f"{codes[emotion]}{take + 1:02d}.wav", number, emotion, take)


def crema_d(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """AudioWAV/1001_IEO_ANG_HI.wav beside the actors' table and the votes."""
    codes = {"angry": "ANG", "happy": "HAP", "neutral": "NEU", "sad": "SAD", "fearful": "FEA", "disgust": "DIS"}
    actors = ['"ActorID","Age","Sex","Race","Ethnicity"']
    votes = ['"","A","D","F","H","N","S","fileName","agreement"']
    for number in range(n_speakers):
        actors.append(f'{1001 + number},{30 + number},"{("Male", "Female")[number % 2]}","Unknown","Unknown"')
        for emotion, n in plan.items():
            for take in range(n):
                stem = f"{1001 + number}_{('IEO', 'TIE', 'IOM', 'IWW')[take]}_{codes[emotion]}_XX"
                clip(root / "AudioWAV" / f"{stem}.wav", number, emotion, take)
                votes.append(f'"{100_000 + len(votes)}",1,0,0,2,3,1,"{stem}",0.4')
    (root / "processedResults").mkdir()
    (root / "VideoDemographics.csv").write_text("\n".join(actors) + "\n", encoding="utf-8")
    (root / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(votes) + "\n", encoding="utf-8")


def iemocap(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """Session1/sentences/wav/…/Ses01F_impro01_F000.wav and the judges' labels; some utterances without agreement."""
    codes = {"angry": "ang", "happy": "hap", "neutral": "neu", "sad": "sad", "fearful": "fea", "disgust": "dis"}
    for number in range(n_speakers):
        session, who = number // 2 + 1, "FM"[number % 2]
        labels = {"xxx": 2, "exc": 2, "oth": 1, "dis": int(number == 0)}
        labels |= {codes[emotion]: n for emotion, n in plan.items()}
        for script in ("impro01", "script01_1"):
            dialogue, lines = f"Ses{session:02d}F_{script}", ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"]
            folder = root / f"Session{session}"
            for label, n in labels.items():
                for take in range(n):
                    name = f"{dialogue}_{who}{len(lines):03d}"
                    word = next((emotion for emotion, code in codes.items() if code == label), label)
                    clip(folder / "sentences/wav" / dialogue / f"{name}.wav", number, word, take + 4 * (script > "j"))
                    lines += [f"[1.0 - 2.0]\t{name}\t{label}\t[2.5, 2.5, 2.5]\nC-E1:\tAnger;\t()\nC-E2:\tNeutral;\t()"]
            target = folder / "dialog" / "EmoEvaluation" / f"{dialogue}.txt"
            target.parent.mkdir(parents=True, exist_ok=True)
            before = target.read_text(encoding="utf-8") if target.is_file() else ""
            target.write_text(before + "\n".join(lines) + "\n", encoding="utf-8")


def emodb(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """wav/03a01Fa.wav beside erkennung.txt."""
    codes = {"angry": "W", "happy": "F", "neutral": "N", "sad": "T", "fearful": "A", "disgust": "E"}
    lines = ["Nr.\tSatz\terkannt\tnatuerlich"]
    for number, name in enumerate(("03", "08", "09", "10", "11", "12")[:n_speakers]):
        for emotion, n in plan.items():
            for take in range(n):
                stem = f"{name}{('a01', 'a02', 'a04', 'a05')[take]}{codes[emotion]}a"
                clip(root / "wav" / f"{stem}.wav", number, emotion, take)
                lines.append(f"{len(lines)}\t{stem}.wav\t{90 - take},00\t75,00")
    (root / "erkennung.txt").write_text("\n".join(lines) + "\n", encoding="latin-1")


def jl(root: Path, n_speakers: int, plan: Plan = PLAN) -> None:
    """Raw JL corpus/JL(wav+txt)/male1_angry_1a_1.wav."""
    for number, name in enumerate(("female1", "female2", "male1", "male2")[:n_speakers]):
        for emotion, n in plan.items():
            for take in range(n):
                folder = root / "Raw JL corpus (unchecked and unannotated)" / "JL(wav+txt)"
                clip(folder / f"{name}_{emotion}_{take // 2 + 1}a_{take % 2 + 1}.wav", number, emotion, take)


def own(root: Path, n_speakers: int, plan: Plan | Sequence[Plan] = PLAN, *, n_unnamed: int = 0) -> None:
    """Files described in clips.csv; some without a speaker, and with none named one folder an emotion.

    Several plans are taken in turn, one a speaker.
    """
    plans = [plan] if isinstance(plan, Mapping) else plan
    lines = ["path,emotion,speaker"]
    for number in range(n_speakers + n_unnamed):
        for emotion, n in plans[number % len(plans)].items():
            for take in range(n):
                path = f"{emotion}/{number}_{take}.wav"
                clip(root / path, 40 + number, emotion, take)
                lines.append(f"{path},{emotion},{f'person {number}' if number < n_speakers else ''}")
    if n_speakers:
        (root / "clips.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


MAKERS: Mapping[str, Callable] = {
    maker.__name__: maker for maker in (ravdess, tess, savee, crema_d, iemocap, emodb, jl, own)
}
