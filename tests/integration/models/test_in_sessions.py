"""Models in sessions: where they live, where they travel, and where they do not."""

from __future__ import annotations

import logging

import pytest

from lion_broker import Branch, Mail, NotPortable, Registry, Session, iModel
from lion_broker.mail.exchange import Exchange
from lion_broker.testing import FakeModelServer, ScriptedModel
from tests.conftest import RunningWorker
from tests.integration.models.asking import KEY

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("exchange", ["memory", "embedded"], indirect=True)
async def test_an_object_is_a_model_of_its_process(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    """Local branches use it, split with it and mail it; it cannot leave, and is missed when another takes over."""
    model = ScriptedModel("one", "two", "three", name="my/model").imodel
    async with Session(exchange=exchange, delivery="auto") as session:
        ada = await session.anew_branch(name="ada", chat_model=model)
        ben = await session.anew_branch(name="ben")
        ada.send(ben, "imodel", model)
        ben.receive_all()
        clone = await session.asplit(ada)
        assert [await branch.communicate("?") for branch in (ada, ben, clone)] == ["one", "two", "three"]
        with pytest.raises(NotPortable, match=r"registry\.model"):
            session.new_branch(name="far", pool="p", chat_model=model)
    with Session.open(session.id, exchange=exchange, host=True) as again:
        found = again.branches["ada"]
        assert (found.chat_model, len(found.messages)) == (None, 2)
    assert "the model chat was an object of another process" in caplog.text


async def ask_as_told(branch: Branch, mail: Mail) -> None:
    """Ask the branch's model, or say that there is none."""
    said = await branch.communicate(mail.package.item.instruction) if branch.chat_model else "no model"
    branch.send(mail.sender, "message", said)


@pytest.mark.parametrize("exchange", ["memory", "embedded"], indirect=True)
@pytest.mark.parametrize("is_allowed", [True, False])
async def test_a_worker_asks_only_where_it_is_allowed(
    exchange: Exchange,
    running_worker: RunningWorker,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    is_allowed: bool,
) -> None:
    """A model that travels by its settings is asked with the worker's own key, at a server that the worker allows."""
    caplog.set_level(logging.WARNING)
    registry = Registry()
    registry.behaviour("ask")(ask_as_told)
    with FakeModelServer() as server:
        server.says("Hello.")
        monkeypatch.setenv("DESK_KEY", KEY)
        monkeypatch.setenv("LION_BROKER_MODEL_KEYS", "DESK_KEY")
        monkeypatch.setenv(
            "LION_BROKER_MODEL_HOSTS", server.root.removeprefix("http://") if is_allowed else "x.example"
        )
        model = iModel("mine", "m", base_url=server.url, api_key_env="DESK_KEY")
        async with (
            Session(exchange=exchange, delivery="auto") as session,
            running_worker(registry, exchange, pool="desk"),
        ):
            me = session.default_branch
            desk = await session.anew_branch(name="desk", pool="desk", behaviour="ask", imodel=model)
            await me.asend(desk, "message", "Hi.")
            await session.await_idle()
            await me.areceive_all()
            assert [message.text for message in me.messages] == ["Hello." if is_allowed else "no model"]
        assert [request.key for request in server.requests] == ([KEY] if is_allowed else [])
    assert ("LION_BROKER_MODEL_HOSTS" in caplog.text) is not is_allowed
    assert KEY not in caplog.text
