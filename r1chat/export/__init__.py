"""Sessions as Markdown, JSON and one self-contained page of HTML. Knows no store, no screen and no network."""
