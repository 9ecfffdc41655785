"""ser_study: a reproducible study of speech emotion recognition; `ser_study.study.Study` is the way in."""

__version__ = "0.1.0"
