"""`jaxvision completion`: completes commands, flags and config names in a shell.

eval "$(jaxvision completion bash)"    in ~/.bashrc
eval "$(jaxvision completion zsh)"     in ~/.zshrc
jaxvision completion fish | source     in ~/.config/fish/config.fish
"""

import argparse

from jaxvision.cli.config_names import config_names

_BASH = """
_jaxvision() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
  # "=" breaks words in bash: the value of --config=NAME comes after it.
  if [[ $COMP_CWORD -eq 1 ]]; then words="{commands}"
  elif [[ ( $command == train || $command == cross-validate ) \\
      && ( ${{COMP_WORDS[COMP_CWORD-1]}} == "--config" \\
      || ( ${{COMP_WORDS[COMP_CWORD-1]}} == "=" \\
      && ${{COMP_WORDS[COMP_CWORD-2]}} == "--config" ) ) ]]; then words="{configs}"
  elif [[ $current == "=" && ${{COMP_WORDS[COMP_CWORD-1]}} == "--config" ]]; then
    current=""; words="{configs}"
  elif [[ $current == -* ]]; then
    case $command in
{cases}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _jaxvision jaxvision
"""
_ZSH = "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "completion",
        help="print what makes a shell complete commands and flags",
        description='Prints a script for a shell, as in: eval "$(jaxvision completion bash)"',
    )
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Prints the script; returns the exit code."""
    found = flags()
    print({"bash": _bash, "zsh": lambda f: _ZSH + _bash(f), "fish": _fish}[options.shell](found))
    return 0


def flags() -> dict[str, dict[str, str]]:
    """Returns, for each command, its flags with their help."""
    # Imported here: the parser of all commands has this one, too.
    from jaxvision.cli.main import parser

    found = {}
    for action in parser()._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                found[name] = {
                    flag: (each.help or "").split(";")[0].split(",")[0]
                    for each in command._actions
                    for flag in each.option_strings
                    if flag.startswith("--")
                }
    found["train"] = {
        "--config": "config file or name",
        "--workdir": "folder of the run",
        "--replay": "make this step again and find what is NaN",
        "--traceback": "show where an error came from",
        "--help": "show this help and the config",
    }
    found["cross-validate"] = {"--folds": "number of parts", **found["train"]}
    del found["cross-validate"]["--replay"]
    return found


def _bash(flags: dict[str, dict[str, str]]) -> str:
    cases = "\n".join(f'      {name}) words="{" ".join(f)}" ;;' for name, f in flags.items())
    return _BASH.format(
        commands=" ".join(flags), configs=" ".join(config_names()), cases=cases
    ).strip()


def _fish(flags: dict[str, dict[str, str]]) -> str:
    lines = [
        f"complete -c jaxvision -n __fish_use_subcommand -f -a '{' '.join(flags)}'",
        "complete -c jaxvision -n '__fish_seen_subcommand_from train' -l config -x "
        f"-a '{' '.join(config_names())}'",
    ]
    for name, of_command in flags.items():
        for flag, text in of_command.items():
            if (name, flag) != ("train", "--config"):
                text = text.replace("'", "\\'").replace("%(default)s", "").strip()
                lines.append(
                    f"complete -c jaxvision -n '__fish_seen_subcommand_from {name}' "
                    f"-l {flag[2:]} -d '{text}'"
                )
    return "\n".join(lines)
