# SPDX-License-Identifier: Apache-2.0
"""`peeps completion`: the script with which a shell completes commands and options."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..config import Config

NAME = "completion"
HELP = "the script for your shell's completion: peeps completion bash >> ~/.bashrc"

_SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=_SHELLS)


def run(options: argparse.Namespace, config: Config) -> int:
    del config
    parsers: dict[str, argparse.ArgumentParser] = options.parsers
    print(script(options.shell, {name: _options(parser) for name, parser in parsers.items()}))
    return 0


def _options(parser: argparse.ArgumentParser) -> list[str]:
    usage = parser.format_usage().replace("[", " ").replace("]", " ")
    return sorted({word for word in usage.split() if word.startswith("--")} | {"--help"})


def script(shell: str, commands: dict[str, list[str]]) -> str:
    """`commands`: the options of each."""
    names = " ".join(commands)
    if shell == "fish":
        lines = [f"complete -c peeps -f -n __fish_use_subcommand -a '{names}'"]
        for name, options in commands.items():
            begin = f"complete -c peeps -n '__fish_seen_subcommand_from {name}' -l"
            lines += [f"{begin} {option.removeprefix('--')}" for option in options]
        return "\n".join(lines)
    cases = "\n".join(f"    {name}) words='{' '.join(options)}' ;;" for name, options in commands.items())
    body = f"""_peeps() {{
  local words
  case "${{COMP_WORDS[1]}}" in
{cases}
    *) words='{names}' ;;
  esac
  [ "$COMP_CWORD" = 1 ] && words='{names}'
  COMPREPLY=($(compgen -W "$words" -- "${{COMP_WORDS[COMP_CWORD]}}"))
}}
complete -o default -F _peeps peeps"""
    return body if shell == "bash" else f"autoload -U +X bashcompinit && bashcompinit\n{body}"
