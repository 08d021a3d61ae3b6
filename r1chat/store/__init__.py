"""Sessions in one SQLite file: written as they happen (recorder.py), read, searched, renamed and removed.

Knows no chat, no engine and no terminal; conversations come and go as values of core.transcript.
"""
