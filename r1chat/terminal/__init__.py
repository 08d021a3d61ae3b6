"""The only room that knows rich and prompt_toolkit. Knows no engine and no chat."""
