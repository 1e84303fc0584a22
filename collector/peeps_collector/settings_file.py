# SPDX-License-Identifier: Apache-2.0
"""`--config file.toml`: the settings of the environment under the same names, without `PEEPS_` and in lower case.

A variable that is set in the environment is stronger than the file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import Any, cast

_PREFIX = "PEEPS_"


class SettingsFileError(ValueError):
    """The file cannot be used; the message says where."""


def settings_of(path: str, known: Collection[str]) -> dict[str, str]:
    """The settings as variables of the environment. `known`: names of all there are. Raises SettingsFileError."""
    try:
        with Path(path).open("rb") as file:
            found = tomllib.load(file)
    except OSError as error:
        raise SettingsFileError(f"{path} cannot be read: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeError) as error:
        raise SettingsFileError(f"{path} is not TOML: {error}") from None
    settings: dict[str, str] = {}
    for key, value in found.items():
        name = _PREFIX + key.upper()
        if name not in known or key != key.lower():
            options = ", ".join(sorted(one.removeprefix(_PREFIX).lower() for one in known))
            raise SettingsFileError(f"{path}: {key} is no setting; there are {options}")
        settings[name] = _text(path, key, value)
    return settings


def _text(path: str, key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (str, int, float)):
        return str(value)
    if isinstance(value, list) and all(isinstance(one, str) for one in cast("list[Any]", value)):
        return ",".join(cast("list[str]", value))
    raise SettingsFileError(f"{path}: {key} must be a text, a number, true or false, or a list of texts")
