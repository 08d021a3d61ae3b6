"""The engine room: conversation in, events out. Knows no catalogue, no folders of its own and no terminal."""
