"""Pure values and functions: messages, events, prompts, parsing. Standard library only; no clock, env, file or socket."""
