"""Scores, their uncertainty, and the tables made of them; everything from predictions and clips alone."""
