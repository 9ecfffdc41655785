"""ser_study: a reproducible study of speech emotion recognition; `ser_study.study.Study` is the way in."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow describes the processor otherwise, in red

__version__ = "0.1.0"
