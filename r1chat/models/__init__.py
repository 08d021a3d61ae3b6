"""Model files: naming, finding, reading. Knows no engine and no terminal."""
