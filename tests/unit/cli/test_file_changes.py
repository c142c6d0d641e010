"""Changes of Python files, and what was typed as words for another process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import anyio.lowlevel
import pytest
import typer
from typer.testing import CliRunner

from lion_broker.cli.file_changes import folders_of, snapshot, watch
from lion_broker.cli.own_command import typed_words
from lion_broker.testing import await_until

runner = CliRunner()


def test_python_files_are_looked_at(tmp_path: Path) -> None:
    """Those of the app, and not those of environments, caches and hidden folders."""
    for name in ("app.py", "deep/er/part.py", ".venv/lib/one.py", "__pycache__/two.py", "node_modules/x.py", "a.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert {Path(name).name for name in snapshot([tmp_path])} == {"app.py", "part.py"}


def test_the_folders_of_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current one, and that of a package which lies elsewhere; a module that there is not is no error."""
    monkeypatch.chdir(tmp_path)
    here, package = folders_of("lion_broker.demo.research:registry")
    assert (here, package.name) == (tmp_path, "lion_broker")
    assert folders_of("no_such_module:registry") == folders_of("") == [tmp_path]
    assert folders_of("json:registry")[1].name == "json"
    module = folders_of("typing:registry")[1]
    assert list(snapshot([module])) == [str(module)]


@pytest.mark.anyio
async def test_a_change_is_told(tmp_path: Path) -> None:
    """A new file, a changed one, and one that goes."""
    told: list[str] = []
    app, new = tmp_path / "app.py", tmp_path / "a_new.py"
    app.write_text("one = 1")
    async with anyio.create_task_group() as group:
        group.start_soon(watch, [tmp_path], told.append)
        # The first look may come after a change, so changes are made until one is told.
        size = 0
        while not told:
            size += 1
            app.write_text("#" * size)
            await anyio.lowlevel.checkpoint()
        for change in (lambda: new.write_text(""), new.unlink):
            told.clear()
            change()
            await await_until(lambda: str(new) in told)
        group.cancel_scope.cancel()


def test_what_was_typed_is_said_again() -> None:
    """Options as they were given, lists and switches; defaults and those that are left out are not."""
    app = typer.Typer()
    found: list[list[str]] = []

    @app.command()
    def command(
        context: typer.Context,
        name: str = "x",
        many: Annotated[list[str] | None, typer.Option()] = None,
        fast: Annotated[bool, typer.Option("--fast")] = False,
        shown: bool = True,
        secret: str = "",
    ) -> None:
        found.append(typed_words(context, without=("secret",)))

    assert runner.invoke(app, []).exit_code == 0
    words = ["--name", "a b", "--many", "1", "--many", "2", "--fast", "--no-shown", "--secret", "s"]
    assert runner.invoke(app, words).exit_code == 0
    assert found == [[], words[:-2]]
