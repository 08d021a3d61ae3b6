"""Slash commands that set the session up: the model, the settings, the system prompt."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from r1chat.core.sanitize import clean
from r1chat.core.sizes import size_text
from r1chat.errors import NotFoundError
from r1chat.launch import DEMO, at_hand
from r1chat.models import catalog, library
from r1chat.models.local import LocalModel
from r1chat.settings.layers import DEFAULT, known
from r1chat.settings.table import SETTINGS, Setting, When
from r1chat.terminal.tables import Column, one_line, table

if TYPE_CHECKING:
    from r1chat.repl.loop import Repl


def model(repl: "Repl", argument: str) -> None:
    """Go on with another model, or tell which there are."""
    if not argument:
        now, sizes = repl.launched.target.name, {each.name: size_text(each.n_bytes) for each in _local(repl)}
        there = {now: "", DEMO: "bundled", **sizes}
        rows = [[f"{'>' if name == now else ' '} {name}", size] for name, size in there.items()]
        _print(repl, [Column(shrinks=True), Column(right=True)], rows)
        repl.say("/model NAME goes on with another one. More: r1chat models")
        return
    try:
        target = at_hand(argument, repl.paths)
    except NotFoundError as error:
        hint = error.hint.replace("Get it", "Get it in another terminal", 1)
        raise NotFoundError(error.message, hint=hint) from error

    def switch() -> None:
        repl.switch(target, argument)
        name, n_ctx = clean(repl.launched.target.name), repl.launched.plan.n_ctx
        kept = " The conversation goes on." if repl.chat.path else ""
        repl.say(*filter(None, [clean(target.notice)]), f"{name} is loaded, with a context of {n_ctx:,} tokens.{kept}")

    repl.say(f"Loading {clean(target.name)}; Ctrl-C goes back to {clean(repl.launched.target.name)}.")
    repl.background(switch, "switch")


def model_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete the models that are on this machine."""
    names = (DEMO, *(each.name for each in _local(repl)))
    return (name for name in names if name.startswith(word))


def set_(repl: "Repl", argument: str) -> None:
    """Change a setting for this session, or show it."""
    name, _, word = argument.replace("=", " ", 1).partition(" ")
    word = word.strip()
    if not word:
        show(repl, name)
        return
    setting = known(name)
    before = repl.now().text(setting.name)
    repl.change(name, word)
    now = one_line(repl.settings.text(setting.name))
    origin = "" if repl.settings.origin(setting.name) == "/set" else f", from {repl.settings.origin(setting.name)}"
    later = f" It holds when a model is loaded: /model {repl.model}" if setting.when is When.LOAD else ""
    repl.say(f"{setting.name} is {now}{origin} (it was {one_line(before)}).{later}")


def set_words(repl: "Repl", argument: str) -> Iterable[str]:
    """Complete the names of settings, then the words for a value."""
    name, blank, word = argument.partition(" ")
    if not blank:
        return (each.name for each in SETTINGS.values() if each.name.startswith(name) and each.when is not When.START)
    setting = SETTINGS.get(name)
    words = () if setting is None else (*setting.kind.words, *_names(repl, setting), DEFAULT)
    return (each for each in words if each.startswith(word))


def show(repl: "Repl", argument: str) -> None:
    """Tell settings, their values, and where these come from."""
    settings, mark = repl.now(), repl.screen.glyph("…", "...")
    shown = [known(argument).name] if argument else list(SETTINGS)
    rows = [[name, settings.text(name), settings.origin(name)] for name in shown]
    columns = [Column("SETTING"), Column("VALUE", shrinks=True, at_end=True), Column("FROM", shrinks=True, at_end=True)]
    repl.terminal.print("\n".join(table(columns, rows, columns_wide=repl.screen.columns, mark=mark)))
    if argument:
        repl.say(SETTINGS[shown[0]].help)
    else:
        repl.say(f"/set NAME VALUE changes one for this session; for ever: {clean(str(repl.paths.settings))}")


def show_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete the names of settings."""
    return (name for name in SETTINGS if name.startswith(word))


def system(repl: "Repl", argument: str) -> None:
    """Set the system prompt; "off" leaves it out."""
    if argument:
        repl.change("system", "" if argument.casefold() == "off" else argument)
    text = one_line(repl.settings["system"])
    repl.say(f"The system prompt is: {text}" if text else "There is no system prompt; DeepSeek recommends none for R1.")


def math(repl: "Repl", argument: str) -> None:
    """Add DeepSeek's directive for mathematics to every question, or no longer."""
    repl.change("math", argument or ("off" if repl.settings["math"] else "on"))
    added = "is added" if repl.settings["math"] else "is not added"
    repl.say(f"DeepSeek's directive for mathematics {added} to your questions.")


def switch_words(repl: "Repl", word: str) -> Iterable[str]:
    """Complete on and off."""
    return (each for each in ("on", "off") if each.startswith(word))


def _print(repl: "Repl", columns: list[Column], rows: list[list[str]]) -> None:
    repl.terminal.print("\n".join(table(columns, rows, columns_wide=repl.screen.columns)))


def _names(repl: "Repl", setting: Setting) -> Iterable[str]:
    return repl.settings.config.profiles if setting.name == "profile" else ()


def _local(repl: "Repl") -> list[LocalModel]:
    models = catalog.load(catalog.default_path(), repl.paths.catalogue)
    return [each for each in library.open_library(os.environ, catalog=models).models() if each.complete]
