"""The pytest plugin, as a project that has the package installed meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contract.documents import blocks

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[3]

APP = """
from lion_broker import Branch, Mail, Registry

registry = Registry()


@registry.behaviour("echo")
async def echo(branch: Branch, mail: Mail) -> None:
    branch.send(mail.sender, "message", "re " + str(mail.package.item.instruction))
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project whose pytest knows this plugin and no other."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("LION_BROKER_NAMESPACE", "of-the-developer")
    pytester.makeini(
        "[pytest]\naddopts = -p lion_broker.testing.plugin -p no:cacheprovider -W error\npythonpath = . src"
    )
    return pytester


def run(project: pytest.Pytester, test: str) -> None:
    """Insist that the tests of a file pass, warnings being errors."""
    project.makepyfile(test)
    result = project.runpytest_subprocess("-q")
    assert result.ret == 0, result.stdout.str() + result.stderr.str()


def test_nothing_starts_unless_it_is_used(project: pytest.Pytester) -> None:
    """A test that uses no fixture of the plugin runs without a server, and without the package being loaded."""
    run(
        project,
        """
        import sys

        def test_plain(request):
            loaded = [name for name in sys.modules if name.startswith("lion_broker.")]
            assert sorted(loaded) == ["lion_broker.testing", "lion_broker.testing.plugin"]
            assert not {name for name in request.fixturenames if "lion" in name or "model" in name}
        """,
    )


def test_fixtures_are_documented(project: pytest.Pytester) -> None:
    """`pytest --fixtures` says in a sentence what each of them is."""
    result = project.runpytest_subprocess("--fixtures", "-p", "lion_broker.testing.plugin")
    for name in ("lion_server", "lion_exchange", "lion_session", "lion_worker", "fake_model"):
        result.stdout.re_match_lines([rf"{name}\b.*"])
    assert "no docstring available" not in result.stdout.str().partition("lion_broker.testing.plugin")[2]


@pytest.mark.redis
def test_every_test_has_a_namespace_of_its_own(project: pytest.Pytester) -> None:
    """Sessions of one test are not seen by another; the tested program finds the test's server by the environment."""
    run(
        project,
        """
        import pytest
        from lion_broker import Session
        from lion_broker.mail.verbs import ListSessions

        @pytest.mark.parametrize("number", [1, 2])
        def test_alone(lion_session, lion_exchange, number):
            with Session(name="of the program") as other:
                assert set(lion_exchange.call(ListSessions())) == {lion_session.id, other.id}

        @pytest.mark.parametrize("lion_session", [{"delivery": "auto", "name": "trip"}], indirect=True)
        def test_arguments(lion_session):
            assert (lion_session.delivery, lion_session.name) == ("auto", "trip")
        """,
    )


@pytest.mark.redis
@pytest.mark.processes
def test_workers_import_what_the_tests_import(project: pytest.Pytester) -> None:
    """A worker finds the project's modules where pytest finds them, and ends with the test."""
    project.mkdir("src").joinpath("app.py").write_text(APP)
    run(
        project,
        """
        from lion_broker.testing import assert_mail_flow

        workers = []

        def test_echo(lion_session, lion_worker):
            workers.append(lion_worker("app:registry", pool="p"))
            echo = lion_session.new_branch(name="echo", pool="p", behaviour="echo")
            me = lion_session.new_branch(name="me")
            me.send(echo, "message", "hello")
            lion_session.collect_send_all(receive_all=True)
            lion_session.collect_send_all(receive_all=True)
            assert [message.text for message in me.messages] == ["re hello"]
            assert_mail_flow(lion_session, [("me", "echo", "message"), ("echo", "me", "message")])

        def test_it_is_over():
            assert [worker.alive for worker in workers] == [False]
        """,
    )


def test_a_model_over_http(project: pytest.Pytester) -> None:
    """The fake model serves HTTP during the test."""
    run(
        project,
        """
        import json
        import urllib.request

        def test_models(fake_model):
            with urllib.request.urlopen(f"{fake_model.url}/models") as answer:
                assert json.load(answer)["object"] == "list"
            assert len(fake_model.requests) == 1
        """,
    )


@pytest.mark.redis
@pytest.mark.processes
def test_the_example_of_the_documentation(project: pytest.Pytester) -> None:
    """The files that docs/testing.md shows are a project whose test passes."""
    files = {block.title: block.text for block in blocks(ROOT / "docs/testing.md", "python") if block.title}
    project.path.joinpath("app.py").write_text(files["app.py"])
    run(project, files["test_app.py"])
