"""Every setting's value and where it comes from: defaults < config.toml < its section of the model < its profile <
environment < a resumed session < options < /set. Changes nothing outside of itself.

Knows no model: by which names the sections may speak of one is told by `for_model`.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from r1chat.errors import UsageError
from r1chat.settings.config import Config, Given, Layer, read
from r1chat.settings.table import SETTINGS, Setting, When, find, nearest

DEFAULT = "default"
KEPT = "the session"


@dataclass(frozen=True)
class Settings:
    """All settings at one moment. `names` are the model's, from those of all its forms to those of just this one."""

    config: Config = field(default_factory=Config)
    environment: Layer = field(default_factory=dict)
    kept: Layer = field(default_factory=dict)
    options: Layer = field(default_factory=dict)
    session: Layer = field(default_factory=dict)
    names: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        found = self.given.get(name)
        return SETTINGS[name].default if found is None else found.value

    def origin(self, name: str) -> str:
        """Tell where a value comes from."""
        found = self.given.get(name)
        return DEFAULT if found is None else found.origin

    def text(self, name: str) -> str:
        """Write a value for a person."""
        return SETTINGS[name].text(self[name])

    @cached_property
    def given(self) -> Layer:
        """What was given, the layers put over each other."""
        merged: dict[str, Given] = {}
        for layer in self._layers():
            for name, given in layer.items():
                before = merged.get(name)
                if before and SETTINGS[name].adds:
                    given = Given((*given.value, *before.value), f"{given.origin}, {before.origin}")
                merged[name] = given
        return merged

    def _layers(self) -> Iterable[Layer]:
        yield self.config.top
        yield from self._of_model()
        yield self._profile()
        yield self.environment
        yield self.kept
        yield self.options
        yield self.session

    def _of_model(self) -> Iterable[Layer]:
        """The sections that speak of the model, the one that means just this form of it last."""
        ranks = {_folded(name): rank for rank, name in enumerate(self.names)}
        sections = [
            (ranks[key], layer) for name, layer in self.config.models.items() if (key := _folded(name)) in ranks
        ]
        return [layer for _, layer in sorted(sections, key=lambda pair: pair[0])]

    def _profile(self) -> Layer:
        for layer in (self.session, self.options, self.environment, self.config.top):
            if given := layer.get("profile"):
                return _profile(self.config, given)
        return {}

    def for_model(self, names: Iterable[str]) -> "Settings":
        """Let the sections of another model hold."""
        return replace(self, names=tuple(names))

    def switch(self, model: str, names: Iterable[str]) -> "Settings":
        """Let another model hold for this session; `model` is the user's word for it."""
        session = {**self.session, "model": Given(model, "/model")}
        return replace(self, session=session, names=tuple(names))

    def keep(self, values: Mapping[str, object]) -> "Settings":
        """Let what a resumed session was asked with hold, below the options."""
        return replace(self, kept={name: Given(value, KEPT) for name, value in values.items()})

    def change(self, name: str, word: str) -> "Settings":
        """Set a value for this session; the word "default" takes that back. Raises UsageError."""
        setting = known(name)
        if setting.when is When.START:
            way = "/model changes the model." if setting.name == "model" else f"Leave, and use {_how(setting)}."
            raise UsageError(f"{setting.name} can't be changed in a session.", hint=way)
        session = {key: given for key, given in self.session.items() if key != setting.name}
        if word.casefold() != DEFAULT:
            session[setting.name] = Given(setting.read(word, ""), "/set")
        changed = replace(self, session=session)
        _ = changed.given  # a profile that is not there is told now
        return changed


VARIABLES = ("R1CHAT_HOME", "R1CHAT_DEBUG", *(setting.environment for setting in SETTINGS.values()))


def strangers(environ: Mapping[str, str]) -> list[str]:
    """Name the variables that begin like ours and mean nothing to r1chat."""
    return sorted(name for name in environ if name.startswith("R1CHAT_") and name not in VARIABLES)


def load(
    environ: Mapping[str, str] = os.environ, file: Path | None = None, options: Mapping[str, object] | None = None
) -> Settings:
    """Read the settings file, the environment (R1CHAT_TEMP, …; empty counts as unset) and options by their names.

    Raises UsageError for a value that can't be used, with the place where it stands.
    """
    variables = {each.name: (each.environment, environ.get(each.environment)) for each in SETTINGS.values()}
    given = {name: (where, word) for name, (where, word) in variables.items() if word}
    flags = {name: (_flag(SETTINGS[name], value), value) for name, value in (options or {}).items()}
    settings = Settings(read(file), _layer(given), options=_layer(flags))
    _ = settings.given  # a profile that is not there is told now
    return settings


def known(name: str) -> Setting:
    """Find a setting. Raises UsageError with the nearest name."""
    if found := find(name):
        return found
    near = nearest(name)
    raise UsageError(f"There is no setting {name!r}.", hint=f"Did you mean {near}?" if near else "/show lists them.")


def _layer(given: Mapping[str, tuple[str, object]]) -> Layer:
    return {name: Given(SETTINGS[name].read(raw, where), where) for name, (where, raw) in given.items()}


def _flag(setting: Setting, value: object) -> str:
    """Write the option as it was given: --latex or --no-latex. The model is no option."""
    return setting.flag.replace("--", "--no-", 1) if value is False else setting.flag or "argument"


def _how(setting: Setting) -> str:
    return setting.flag or setting.environment


def _profile(config: Config, given: Given) -> Layer:
    name = str(given.value)
    if (found := config.profiles.get(name)) is not None:
        return found
    near = nearest(name, config.profiles)
    others = f"Did you mean {near}?" if near else f"There are {', '.join(config.profiles)}." if config.profiles else ""
    hint = others or f"Write one into {config.file}: [profiles.{name}] and its settings below."
    raise UsageError(f"{given.origin}: there is no profile {name!r}.", hint=hint)


def _folded(name: str) -> str:
    return name.strip().casefold().replace("_", "-").replace(":", "-")
