"""What the preparations of the signal do, in words made from their settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ser_study.audio.signal import ROLLING, TREATMENTS
from ser_study.chapters.ablations.signals import REFERENCE
from ser_study.config import Audio
from ser_study.wording import listed, word

DOES: Mapping[tuple[str, ...], str] = {  # treatments that share a text → what they do
    ("as recorded",): "no silent end cut",
    ("trim 30 dB", "trim 40 dB", "trim 60 dB"): "silent ends cut so far below the loudest frame",
    ("rms strip",): "ends cut up to the first frame with an RMS of {cut_level:g}",
    ("rolling-sum cut",): f"ends cut up to the first {ROLLING} samples whose sum is beyond ±{{cut_level:g}}",
    ("pad centre", "pad start", "pad end"): (
        "made {length:g} s long, by zeros on both sides of a shorter clip, before it or after it; of a longer one the "
        "centre"
    ),
    ("first second",): "the first {length:g} s, zeros on both sides of a shorter clip",
    ("noise reduction",): "steady noise gated off before silence is cut",
    ("peak",): "scaled to a largest amplitude of 1",
    ("min-max",): "scaled to run from −1 to 1",
    ("z-score",): "scaled to mean 0 and standard deviation 1",
    ("22.05 kHz", "44.1 kHz"): "that sampling rate, frames as long as before",
}


def described(treatments: Iterable[str], audio: Audio) -> str:
    """What the study's own preparation and some treatments do.

    Parameters
    ----------
    treatments : keys of ``TREATMENTS``, and the reference
    audio : the study's own settings
    """
    here = set(treatments) - {REFERENCE}
    cut = f"silent ends cut {audio.trim_top_db:g} dB below the loudest frame" if audio.trim else DOES["as recorded",]
    parts = []
    for names, does in DOES.items():
        if known := [name for name in names if name in here]:
            parts.append(f"*{listed(map(word, known))}*: {does.format(**TREATMENTS[known[0]])}")
    own = f"The *{REFERENCE}*: {cut}, {audio.sample_rate / 1000:g} kHz."
    return f"{own} The others: {'; '.join(parts)}." if parts else own
