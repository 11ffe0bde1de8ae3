"""Thin handlers: convert, generate, convert."""
