"""Pure values and functions: messages, events, prompts, parsing. Standard library only; no clock, file or socket."""
