"""Is the data what it should be? Defects of a corpus, each known from upstream or unexpected.

Issues
------
unreadable, silent, scale (far above full scale), clipped (``CLIPPED_SAMPLES`` or more at full scale),
duplicate (same sound, same label), conflict (same sound, different labels), stereo, odd rate (not the corpus's
commonest), short, long, copied (a file again under the same name), format (a clip again in a lossy format),
unused (audio that is no clip of the corpus), not read (other files), count (not the expected number), side file
(missing), labels (the loader could not read them), no speaker, and noted (a clip that upstream's users complained of).

*Known* issues are upstream's and make no failure: those named in ``INFO.known_defects`` or ``INFO.skips``,
the recording level of a published corpus, and a part that was not fetched at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from ser_study import corpora
from ser_study.config import Audio, Config
from ser_study.corpora import copies, leftovers, packed
from ser_study.corpora.files import has_audio, side_file
from ser_study.corpora.info import CorpusInfo
from ser_study.corpora.scan import SILENT_PEAK
from ser_study.parallel import n_workers
from ser_study.store import Store

CLIPPED_SAMPLES = 3  # at full scale; one or two are the peak of a normalised clip
MAX_PEAK = 4.0  # times full scale; lossy formats pass it by a little, whole numbers by thousands
ADVICE = {  # unexpected issue → what to do, where its detail does not say
    "silent": "record or fetch it again, or delete it",
    "scale": "divide the samples by 32768, or write 16-bit integers",
    "clipped": "record it again at a lower level, or delete it where you hear the distortion",
    "duplicate": "delete one of them",
    "conflict": "delete the wrong one",
    "stereo": "keep it where both channels hold one speaker, else write the right channel to a file of its own",
    "odd rate": "it is resampled; where its speed sounds wrong, mend the rate in its header",
    "short": "delete it where it holds no word",
    "long": "cut it into its utterances",
}
EXAMPLES = 3  # known defects of one kind that are listed
MAX_LISTED = 100  # unexpected ones; a clone without its large files has thousands of one kind
COLUMNS = ["issue", "clip_id", "detail", "known"]
COUNTED = (
    "unreadable",
    "silent",
    "clipped",
    "duplicate",
    "conflict",
    "stereo",
    "odd rate",
    "short",
    "long",
    "copied",
    "unused",
)


def validate(
    store: Store, config: Config, names: Sequence[str] | None = None
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Audit every corpus, or the named ones.

    Returns
    -------
    table : one row a corpus (see ``summary``)
    details : columns ``corpus`` and those of ``audit``
    exit_code : 0 when everything present is as expected, else 1; an absent corpus is no error

    Raises
    ------
    ValueError
        A name is unknown, or the number of jobs is negative.
    OSError
        What was measured cannot be kept: the disk is full or the folder not writable.
    """
    n_workers(config.run.jobs)  # a wrong number is reported even where nothing has to be measured
    audits = {name: _audit_of(name, store, config) for name in names or _recorded()}
    shared = pd.DataFrame(copies.between([scan for scan, _ in audits.values() if scan is not None]))
    for name, rows in shared.groupby("corpus") if len(shared) else ():
        scan, issues = audits[name]
        audits[name] = scan, pd.concat([issues, rows[COLUMNS]], ignore_index=True)
    parts = [issues.assign(corpus=name) for name, (_, issues) in audits.items()]
    if names is None:
        parts.append(_elsewhere(store, _recorded()).assign(corpus="elsewhere"))
    details = pd.concat(parts, ignore_index=True).astype({"known": "bool"})
    details = details[["corpus", *COLUMNS]]
    return summary(audits), details, int((~details["known"].astype(bool)).any())


def as_text(config: Config, store: Store, names: Sequence[str]) -> list[dict[str, str]]:
    """The table of ``validate`` as rows of text, without columns in which nothing was found.

    A corpus whose folder holds nothing that can be read, and so was not studied, is in it with that verdict.
    """
    others = [name for name in _recorded() if name not in names and corpora.state(name, store) == "absent"]
    table, _, _ = validate(store, config, [*names, *others])
    table = table[table["corpus"].isin(list(names)) | (table["verdict"] == "look")]
    always = ("corpus", "found", "expected", "analysed", "verdict")
    columns = [name for name in table.columns if name in always or (table[name].fillna(0) != 0).any()]
    text = table[columns].astype(object).where(table[columns].notna(), "any")
    return [{name: str(value) for name, value in row.items()} for row in text.to_dict(orient="records")]


def lines(details: pd.DataFrame) -> Iterator[str]:
    """The details of ``validate`` as lines to print: the unexpected issues, a few known ones of each kind."""
    for (known, corpus, issue), rows in details.groupby(["known", "corpus", "issue"], sort=True):
        listed = rows.head(EXAMPLES if known else MAX_LISTED)
        advice = f"; {ADVICE[issue]}" if issue in ADVICE and not known else ""
        for clip, detail in zip(listed["clip_id"], listed["detail"]):
            yield f"{'known' if known else 'UNEXPECTED':<11}{corpus:<10}{issue:<14}{clip}  {detail}{advice}".rstrip()
        if len(rows) > len(listed):
            yield f"{'known' if known else 'UNEXPECTED':<11}{corpus:<10}{issue:<14}… and {len(rows) - len(listed)} more"


def audit(scan: pd.DataFrame, info: CorpusInfo, *, root: Path | None, base: Path, audio: Audio) -> pd.DataFrame:
    """Issues of one corpus.

    Parameters
    ----------
    scan : table from ``corpora.scanned``
    info : its facts
    root : folder of the corpus, for side files and unused audio; None where the clips come from a pack
    base : folder that the paths of the scan are below
    audio : settings; clips shorter than ``min_length`` or longer than ``max_length`` (s) are issues

    Returns
    -------
    DataFrame with ``issue``, ``clip_id`` (empty when it concerns the corpus), ``detail``, ``known`` (bool).
    """
    issues = [*_clip_issues(scan, audio), *_sound_issues(scan), *_corpus_issues(scan, info, root)]
    table = pd.DataFrame([(*row, False) for row in issues], columns=COLUMNS)
    table["known"] = [_is_known(issue, clip, info) for issue, clip in zip(table["issue"], table["clip_id"])]
    used = {base / path for path in scan["path"]}
    rest = [] if root is None else leftovers.lines(used, info, root=root, base=base)
    unused = pd.DataFrame(rest, columns=COLUMNS)
    noted = pd.DataFrame(_noted(scan, table, info), columns=COLUMNS)
    parts = [part for part in (table, unused, noted) if len(part)]
    whole = pd.concat(parts, ignore_index=True) if parts else table
    return whole.astype({"issue": "str", "clip_id": "str", "detail": "str", "known": "bool"})


def summary(audits: dict[str, tuple[pd.DataFrame | None, pd.DataFrame]]) -> pd.DataFrame:
    """One row a corpus: found, expected, analysed, the count of each issue, how many are unexpected, and a verdict.

    Parameters
    ----------
    audits : corpus → (its scan, or None when it is absent or could not be read; its issues)
    """
    rows = []
    for name, (scan, issues) in audits.items():
        expected = corpora.module(name).INFO.expected
        unexpected = int((~issues["known"].astype(bool)).sum())
        n_analysed = 0 if scan is None else int(corpora.drop_reasons(copies.first_files(scan))["reason"].isna().sum())
        absent = scan is None and not unexpected
        rows.append(
            {
                "corpus": name,
                "found": 0 if scan is None else scan["clip_id"].nunique(),
                "expected": sum(expected.values()) if expected else None,
                "analysed": n_analysed,
                **{issue: int((issues["issue"] == issue).sum()) for issue in COUNTED},
                "unexpected": unexpected,
                "verdict": "absent" if absent else "as expected" if not unexpected else "look",
            }
        )
    return pd.DataFrame(rows).astype({"expected": "Int64"})


def _audit_of(name: str, store: Store, config: Config) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """Scan and issues of a corpus; labels that cannot be read are an issue, not an end."""
    info = corpora.module(name).INFO
    is_made, root = hasattr(corpora.module(name), "generate"), None
    try:
        root = corpora.folder_of(name, config=config, store=store)
        if (pack := corpora.pack_of(name, store)) is not None:
            scan = packed.clips(pack)
            return scan, audit(scan, info, root=None, base=store.raw, audio=config.audio)
        if not is_made and not has_audio(root):
            rest = leftovers.lines((), info, root=root, base=store.raw) if root.is_dir() else []
            return None, pd.DataFrame(rest, columns=COLUMNS).astype({"known": "bool"})
        table = corpora.labelled(name, root, store=store)
    except (ValueError, OSError) as error:
        words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        can_walk = root is not None and root.is_dir() and not isinstance(error, PermissionError)
        rest = leftovers.unread(info, root=root, base=store.raw) if can_walk else []
        return None, pd.DataFrame([("labels", "", words, False), *rest], columns=COLUMNS)
    scan = corpora.measured(table, config=config, store=store)
    return scan, audit(scan, info, root=root, base=corpora.root_of(name, store), audio=config.audio)


def _recorded() -> list[str]:
    """Corpora that consist of recordings."""
    return [name for name in corpora.names() if not hasattr(corpora.module(name), "generate")]


def _elsewhere(store: Store, known: Sequence[str]) -> pd.DataFrame:
    """Issues of what lies outside the corpora; where two folders mean one corpus, that corpus says so."""
    try:
        return pd.DataFrame(leftovers.elsewhere(store.raw, known), columns=COLUMNS)
    except ValueError:
        return pd.DataFrame(columns=COLUMNS)


def _clip_issues(scan: pd.DataFrame, audio: Audio) -> Iterator[tuple[str, str, str]]:
    rate = scan["sample_rate"].mode()
    for clip in scan.itertuples():
        if pd.notna(clip.error):
            yield "unreadable", clip.clip_id, f"{clip.path}: {clip.error}"
            continue
        if clip.silent:
            why = "; its channels cancel each other out, or it is a constant" if clip.peak >= SILENT_PEAK else ""
            yield "silent", clip.clip_id, f"peak {clip.peak:.6f} of full scale{why}"
        if clip.peak > MAX_PEAK:
            yield "scale", clip.clip_id, f"peak {clip.peak:.0f} where full scale is 1: floats written as whole numbers"
        elif clip.n_full_scale >= CLIPPED_SAMPLES:
            yield (
                "clipped",
                clip.clip_id,
                f"{clip.n_full_scale:.0f} samples at full scale ({clip.full_scale_share:.2%})",
            )
        if clip.n_channels > 1:
            yield "stereo", clip.clip_id, f"{clip.n_channels:.0f} channels; their mean is used"
        if clip.sample_rate != rate.iloc[0]:
            yield "odd rate", clip.clip_id, f"{clip.sample_rate:.0f} Hz; most have {rate.iloc[0]:.0f} Hz"
        if clip.duration < audio.min_length:
            yield "short", clip.clip_id, f"{clip.duration:.3f} s, less than {audio.min_length:g} s; padded with zeros"
        if clip.duration > audio.max_length:
            yield "long", clip.clip_id, f"{clip.duration:.1f} s, more than {audio.max_length:g} s; the middle is used"


def _sound_issues(scan: pd.DataFrame) -> Iterator[tuple[str, str, str]]:
    """Duplicates and conflicts between clips, copies of files."""
    left_out = copies.others(scan)
    for file in left_out[left_out["fate"].isin(["copied", "clash"])].itertuples():
        is_same = file.fate == "copied"
        words = (
            "the same sound, the first is used; delete the other"
            if is_same
            else "different sounds; rename or delete one"
        )
        yield "copied" if is_same else "labels", file.clip_id, f"{file.used} and {file.path}: {words}"
    if len(lossy := left_out[left_out["fate"] == "another format"]):
        yield (
            "format",
            "",
            f"{len(lossy)} files hold a clip again in a lossy format, first {lossy['path'].iloc[0]}; left out",
        )
    first = copies.first_files(scan)
    reasons = corpora.drop_reasons(first)
    for index in reasons.index[reasons["reason"].isin(["duplicate", "conflict"])]:
        yield reasons["reason"][index], first["clip_id"][index], reasons["detail"][index]


def _corpus_issues(scan: pd.DataFrame, info: CorpusInfo, root: Path | None) -> Iterator[tuple[str, str, str]]:
    for name in info.side_files if root is not None else ():
        if side_file(root, name) is None:
            yield "side file", "", f"{info.name}/{name} is missing; {info.how_to_get}"
    clips = copies.first_files(scan)
    for part, expected in info.expected.items():
        n = int((clips[info.part] == part).sum()) if info.part else len(clips)
        if n == 0:
            yield "part absent", "", f"none of the {expected} clips of {part} is here"
        elif n != expected:
            yield (
                "count",
                "",
                f"{n} of {expected} clips of {info.name} ({part}); fetch the missing ones or remove the others",
            )
    if (n := int(clips["speaker"].isna().sum())) > 0:
        yield (
            "no speaker",
            "",
            f"{n} of {len(clips)} clips name no speaker: no speaker-independent protocol is possible",
        )


def _noted(scan: pd.DataFrame, issues: pd.DataFrame, info: CorpusInfo) -> list[tuple[str, str, str, bool]]:
    """Known defects that the audit itself cannot see."""
    seen = set(issues["clip_id"])
    here = set(scan["clip_id"])
    return [("noted", clip, words, True) for clip, words in info.known_defects.items() if clip in here - seen]


def _is_known(issue: str, clip_id: str, info: CorpusInfo) -> bool:
    if issue in ("part absent", "no speaker", "format") or (issue == "clipped" and info.expected):
        return True
    return issue in info.known_defects.get(clip_id, "")
