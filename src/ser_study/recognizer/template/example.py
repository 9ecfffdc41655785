"""The emotion in a recording: python example.py clip.wav. Needs onnxruntime and numpy, and card.json beside it.

The recording is a WAV of 16 kHz, mono, 16 bit. Another one is mixed to mono (mean of the channels) and resampled first.
"""

import json
import sys
import wave
from pathlib import Path

import numpy as np
import onnxruntime

card = json.loads(Path(__file__).with_name("card.json").read_text("utf-8"))
with wave.open(sys.argv[1]) as file:
    if file.getparams()[:3] != (1, 2, 16_000) or file.getnframes() > 120 * 16_000:
        sys.exit("Give a WAV of 16 kHz, mono, 16 bit, of at most two minutes.")
    x = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32_768
frames = np.lib.stride_tricks.sliding_window_view(np.pad(x, 1024), 2048)[::512]  # for the level, in dB
level = 10 * np.log10(np.maximum(np.einsum("ts,ts->t", frames, frames) / np.float32(2048), np.float32(1e-10)))
loud = np.flatnonzero(level - level.max() > -40)  # the quiet ends are cut off, and no more than 60 s are kept
x = x[loud[0] * 512 : (loud[-1] + 1) * 512]
x = x[max(0, len(x) - 960_000) // 2 :][:960_000]
spare = max(0, 1_600 - len(x))  # zeros around a clip of less than 0.1 s
x = np.pad(x, (spare // 2, spare - spare // 2))
if np.ptp(x) == 0:
    sys.exit("The recording is silent; there is nothing to hear.")
p = onnxruntime.InferenceSession(Path(__file__).with_name(card["export"]["graph"])).run(None, {"samples": x})[0]
sure = card["threshold"] is not None and p.max() >= card["threshold"]
print(card["classes"][p.argmax()] if sure else "unsure", p.round(3))
