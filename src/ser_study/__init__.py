"""ser_study: a reproducible study of speech emotion recognition."""

__version__ = "0.1.0"
