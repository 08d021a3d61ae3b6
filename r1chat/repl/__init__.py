"""The interactive loop (loop.py), its table of slash commands (table.py), and their functions by what they touch."""
