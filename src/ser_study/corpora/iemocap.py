"""IEMOCAP: Interactive Emotional Dyadic Motion Capture database.

Ten actors (five women, five men) in five sessions of two act scripted scenes (``script01_1`` …) and
improvise on given situations (``impro01`` …): 10,039 utterances at 16 kHz. At least three people judged each
utterance; the label is what most of them chose. Where they did not agree (``xxx``) the emotion is empty.
The labels *are* votes, so there is no independent human reference.

An utterance is ``Ses01F_impro04_M003``: session and the partner who wore the markers, dialogue, and who speaks
(F or M) with a running number. ``Session?/dialog/EmoEvaluation/*.txt`` holds its label and, on lines ``C-E2:``,
each judge's choices; lines ``C-F1:`` or ``C-M1:`` are the actors' own view and do not count as votes.

The same scripts come back in every session, so ``statement`` is the dialogue: scripted utterances of one
scene belong together. Speaker-independent folds leave a session out. The licence is personal: an
utterance without its audio is simply not there.

Busso C, Bulut M, Lee C-C, Kazemzadeh A, Mower E, Kim S, Chang JN, Lee S, Narayanan SS (2008). IEMOCAP: interactive
emotional dyadic motion capture database. Language Resources and Evaluation 42(4): 335-359.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

from ser_study.corpora.files import audio_files, refuse_pointer, walk
from ser_study.corpora.info import CorpusInfo, canonical_emotion

STEM = re.compile(r"Ses(?P<session>\d\d)[FM]_(?P<script>(?:impro|script)\d+(?:_\d+)?[a-z]?)_(?P<who>[FM])\d+")
_HEADER = re.compile(r"^\[[\d.]+ - [\d.]+\]\s+(?P<utterance>Ses\w+)\s+(?P<label>\w+)\s+\[")
_JUDGE = re.compile(r"^C-E\d+:\s*(?P<choices>[^(]*)")
NO_AGREEMENT = "xxx"

INFO = CorpusInfo(
    name="iemocap",
    title="IEMOCAP, Interactive Emotional Dyadic Motion Capture",
    description=(
        "Ten actors in five two-person sessions, scripted and improvised. American English, 16 kHz. The label is the "
        "choice of most judges; utterances without agreement have none."
    ),
    licence="personal licence from the University of Southern California, for research",
    citation=(
        "Busso C, Bulut M, Lee C-C, Kazemzadeh A, Mower E, Kim S, Chang JN, Lee S, Narayanan SS (2008). IEMOCAP: "
        "interactive emotional dyadic motion capture database. Language Resources and Evaluation 42(4): 335-359."
    ),
    source="the IEMOCAP page of the SAIL group, University of Southern California",
    how_to_get="Ask for the licence on the IEMOCAP page, then put Session1 to Session5 into iemocap/.",
    expected={"utterances": 10_039},
    skips={r"Ses\d\d[FM]_(impro|script)\d+(_\d+)?[a-z]?": "is a whole dialogue; its utterances are used"},
    human="None: the labels are the judges' own votes.",
    example="Ses01F_impro04_M003.wav, labelled in dialog/EmoEvaluation",
    names_published=False,
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row an utterance that has both a label line and audio.

    Raises
    ------
    FileNotFoundError
        There is audio and no ``EmoEvaluation`` file that could label it.
    """
    audio = [(path, STEM.fullmatch(path.stem)) for path in audio_files(root)]
    labels = _labels(root)
    if any(match for _, match in audio) and not labels:
        raise FileNotFoundError(
            "iemocap/ holds audio and no Session?/dialog/EmoEvaluation/*.txt; copy these folders from the release."
        )
    return [_row(path, match, *labels[path.stem]) for path, match in audio if match and path.stem in labels]


def _row(path: Path, name: re.Match, label: str, votes: Counter) -> dict[str, Any]:
    session, who = name["session"], name["who"]
    scene = name["script"].rstrip("abcdefghijklmnopqrstuvwxyz")  # script01_1b repeats the text of script01_1
    judged = {}
    if votes:
        judged = {
            "human_votes": json.dumps(votes, sort_keys=True),
            "human_agreement": max(votes.values()) / sum(votes.values()),
        }
    return {
        "clip_id": f"iemocap/{path.stem}",
        "path": path,
        "emotion": None if label == NO_AGREEMENT else canonical_emotion(label) or "other",
        "speaker": f"iemocap/Ses{session}{who}",
        "statement": f"iemocap/{scene}",
        "gender": {"F": "female", "M": "male"}[who],
        "session": str(int(session)),
        "script": name["script"],
        "channel": "speech",
        "language": "en",
        **judged,
    }


def _labels(root: Path) -> dict[str, tuple[str, Counter]]:
    """Utterance → its label and the judges' votes; a judge who chose two emotions votes for both."""
    labels: dict[str, tuple[str, Counter]] = {}
    for path in walk(root):
        if path.parent.name != "EmoEvaluation" or path.suffix != ".txt":
            continue
        refuse_pointer(path)
        votes: Counter = Counter()
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            if header := _HEADER.match(line):
                votes = Counter()
                labels[header["utterance"]] = (header["label"].lower(), votes)
            elif judge := _JUDGE.match(line):
                words = [word.strip() for word in judge["choices"].split(";")]
                votes.update(canonical_emotion(word) or "other" for word in words if word)
    return labels
