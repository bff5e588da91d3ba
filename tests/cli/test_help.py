"""The help of the commands: groups by purpose, types that a person reads, examples that are commands."""

import re
import shlex

import pytest
import typer
from typer.testing import CliRunner

from relax.cli import app
from relax.cli.help import COMMANDS, EXAMPLES, GROUPS, OTHER

GROUP = typer.main.get_command(app)


def help_of(name: str) -> str:
    result = CliRunner().invoke(app, [name, "--help"], prog_name="relax")
    assert result.exit_code == 0
    return result.output


@pytest.mark.parametrize("name", sorted(GROUP.commands))
def test_every_option_stands_in_exactly_one_group(name):
    text = help_of(name)
    for parameter in GROUP.commands[name].params:
        if parameter.param_type_name == "option":
            assert len(re.findall(rf"^  (?:-\w, )?{re.escape(parameter.opts[0])}(?![\w-])", text, re.MULTILINE)) == 1
    headings = [line[:-1] for line in text.splitlines() if re.fullmatch(r"[A-Z][a-z ]+:", line)]
    order = [heading for heading in headings if heading in (*GROUPS, OTHER)]
    assert order == [group for group in (*GROUPS, OTHER) if group in order]
    assert not re.search(r"<|list\[|INTEGER|PATH\b", text)


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() & GROUP.commands.keys()))
def test_examples_stand_at_the_end_and_are_commands_of_this_version(name):
    text = help_of(name)
    tail = text[text.index("\nExamples:\n") :].splitlines()[2:]
    assert [line.strip() for line in tail] == list(EXAMPLES[name])
    command = GROUP.commands[name]
    for example in EXAMPLES[name]:
        program, asked, *arguments = shlex.split(example)
        assert (program, asked) == ("relax", name)
        command.make_context(name, arguments)  # raises on an unknown option


def test_the_most_used_options_come_first_and_are_few():
    text = help_of("explain")
    section = text[text.index("Most used:") : text.index("What to explain:")]
    shown = re.findall(r"^  (--[a-z-]+)", section, re.MULTILINE)
    assert shown == ["--text", "--encoder", "--method", "--masks", "--against", "--out"]


def test_the_program_lists_each_command_once_with_its_whole_sentence():
    result = CliRunner().invoke(app, ["--help"], prog_name="relax", terminal_width=200)
    listed = re.findall(r"^  ([a-z]+)  +\S", result.output.split("Examples:")[0], re.MULTILINE)
    assert sorted(listed) == sorted(GROUP.commands)
    assert "..." not in result.output.replace("[ARGS]...", "")
    for heading in COMMANDS:
        assert f"\n{heading}:\n" in result.output


def test_usage_names_arguments_without_braces():
    assert help_of("insight").startswith("Usage: relax insight [OPTIONS] STORE [OTHER]\n")
    assert "--out FILE" in help_of("train")
    assert "--kind NAME" in help_of("evaluate")
