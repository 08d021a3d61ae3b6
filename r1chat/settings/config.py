"""config.toml: settings at its top, and sections of them for models and profiles, each with its file and line.

The whole file is read and checked at once, so that a mistake is told before anything is begun, in any section.
Knows no environment and no catalogue.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from r1chat.errors import UsageError
from r1chat.settings.lines import Key, line_of, lines_of
from r1chat.settings.table import SETTINGS, find, nearest

SECTIONS: Final = ("models", "profiles")
_SECTIONS: Final = dict.fromkeys(SECTIONS)
_AT = re.compile(r" \(at line (\d+), column \d+\)$")


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gave, and where: "config.toml:12", "R1CHAT_TEMP", "--temp", "/set"."""

    value: Any
    origin: str


Layer = Mapping[str, Given]


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says. `models` and `profiles` are its sections by the names that stand in their headers."""

    file: Path | None = None
    top: Layer = field(default_factory=dict)
    models: Mapping[str, Layer] = field(default_factory=dict)
    profiles: Mapping[str, Layer] = field(default_factory=dict)


def read(file: Path | None) -> Config:
    """Read the file; one that is not there says nothing. Raises UsageError that names the file and the line."""
    if file is None:
        return Config()
    try:
        text = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return Config(file)
    except OSError as error:
        message = f"The settings {file} can't be read: {error.strerror or error}."
        raise UsageError(message, hint="Mend the file's rights, or move it away.") from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise UsageError(f"{file}:{line}: this is not UTF-8.", hint="Save the file as UTF-8.") from error
    try:
        return _Reader(file, tomllib.loads(text), lines_of(text)).config()
    except tomllib.TOMLDecodeError as error:
        what = _AT.sub("", str(error))
        found = _AT.search(str(error))
        line = int(found[1]) if found else text.count("\n") + 1
        hint = f'Mend line {line}. Texts need quotes (model = "7b"), and so do names with a colon: [models."7b:Q8_0"].'
        raise UsageError(f"{file}:{line}: {what[:1].lower()}{what[1:]}.", hint=hint) from error
    except ValueError as error:  # Python reads no whole number of more than 4,300 digits
        raise UsageError(f"{file} has a number that is too long.", hint="Mend the file.") from error
    except RecursionError as error:
        raise UsageError(f"The brackets of {file} are nested too deeply.", hint="Mend the file.") from error


class _Reader:
    """One file, taken apart."""

    def __init__(self, file: Path, tables: Mapping[str, Any], lines: Mapping[Key, int]) -> None:
        self._file = file
        self._tables = tables
        self._lines = lines

    def config(self) -> Config:
        top = {key: value for key, value in self._tables.items() if key not in SECTIONS}
        models, profiles = (self._sections(kind) for kind in SECTIONS)
        return Config(self._file, self._layer(top, ()), models, profiles)

    def _sections(self, kind: str) -> Mapping[str, Layer]:
        sections = self._tables.get(kind, {})
        example = "7b" if kind == "models" else "math"
        if not isinstance(sections, dict):
            raise UsageError(
                f"{self._place((kind,))}: {kind} is no setting.", hint=f"Write a table [{kind}.{example}]."
            )
        for name, section in sections.items():
            if not isinstance(section, dict):
                message = f"{self._place((kind, name))}: {name} in {kind} is no table of settings."
                raise UsageError(message, hint=f"Write a table [{kind}.{example}], and the settings below it.")
        return {name: self._layer(section, (kind, name)) for name, section in sections.items()}

    def _layer(self, table: Mapping[str, Any], section: Key) -> Layer:
        layer: dict[str, Given] = {}
        for key, raw in table.items():
            place = self._place((*section, key))
            setting = find(key)
            if setting is None or (isinstance(raw, dict) and nearest(key, _SECTIONS)):
                raise self._unknown(key, raw, place)
            if section and (setting.top or (setting.name == "model" and section[0] == "models")):
                hint = f"Move the line above the first section: {key} can't be set for {' '.join(_singular(section))}."
                raise UsageError(f"{place}: {key} can't stand in a section.", hint=hint)
            if setting.name in layer:
                raise UsageError(f"{place}: {setting.name} is there twice.", hint="Take one of the lines out.")
            line = line_of(self._lines, (*section, key))
            what = f" (profile {section[1]})" if section and section[0] == "profiles" else ""
            layer[setting.name] = Given(setting.read(raw, place), f"{self._file.name}:{line}{what}")
        return layer

    def _unknown(self, key: str, raw: object, place: str) -> UsageError:
        """Say that a key is none, and what it may have been meant to be."""
        what, known = ("section", _SECTIONS) if isinstance(raw, dict) else ("setting", SETTINGS)
        near = nearest(key, known)
        hint = f"Did you mean {near}?" if near else "Take it out; `r1chat config` lists what there is."
        return UsageError(f"{place}: there is no {what} {key!r}.", hint=hint)

    def _place(self, key: Key) -> str:
        return f"{self._file}:{line_of(self._lines, key)}"


def _singular(section: Key) -> tuple[str, ...]:
    return section[0].removesuffix("s"), section[1]
