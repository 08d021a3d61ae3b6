"""The commands: parse, wire, print. No logic lives here."""
