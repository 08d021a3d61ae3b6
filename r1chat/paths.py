"""Where r1chat keeps its own files: R1CHAT_HOME if it is set, else the platform's folders. Creates nothing."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Paths:
    """The folders: `config` for what the user writes, `state` for what r1chat remembers."""

    config: Path
    state: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.config / "config.toml"

    @property
    def catalogue(self) -> Path:
        """The user's own models, which add to those that r1chat knows."""
        return self.config / "models.toml"

    @property
    def self_check(self) -> Path:
        """The verdicts on the native library."""
        return self.state / "selfcheck.json"

    @property
    def dry_runs(self) -> Path:
        """What the engine's library said of the buffers that plans take."""
        return self.state / "dryruns.json"

    @property
    def told_gpus(self) -> Path:
        """The names of the GPUs whose user was told that they are not used."""
        return self.state / "told-gpus"

    @property
    def last_model(self) -> Path:
        """The name of the model that was used last."""
        return self.state / "last-model"

    @property
    def sessions(self) -> Path:
        """The database of the sessions."""
        return self.state / "sessions.db"

    @property
    def history(self) -> Path:
        """The REPL's input history."""
        return self.state / "history"


def find(environ: Mapping[str, str] = os.environ) -> Paths:
    """Decide the folders from the environment."""
    home = environ.get("R1CHAT_HOME")
    if home:
        folder = Path(home).expanduser()
        return Paths(config=folder, state=folder)
    import platformdirs

    return Paths(
        config=platformdirs.user_config_path("r1chat", appauthor=False),
        state=platformdirs.user_state_path("r1chat", appauthor=False),
    )
