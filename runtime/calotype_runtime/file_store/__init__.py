"""Answers by URL: what is kept, where it lies, until when, and who may open it."""
