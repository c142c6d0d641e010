"""What a session shows: frames, pictures, files, HTML, and a live view."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import anyio
import pandas as pd
import pytest

from lion_broker import Branch, Session
from lion_broker.core.pile import Pile
from lion_broker.errors import ConfigError
from lion_broker.insight.tables import HAPPENING_COLUMNS, MAIL_COLUMNS
from lion_broker.messages import Instruction

pytestmark = pytest.mark.anyio
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert(1)</script> \x1b[31m & ‮x"


@pytest.fixture
def mailed(session: Session, ada: Branch, ben: Branch) -> Session:
    """A session with two mails that were applied and one that waits."""
    ada.send(ben, "message", "first")
    ben.send(ada, "message", HOSTILE)
    session.collect_send_all(receive_all=True)
    ada.send(ben, "signal", "later")
    return session


def test_mail_as_a_frame(mailed: Session) -> None:
    """A row a mail, in order, with types that hold when there is none; the twin gives the same."""
    frame = mailed.mails_df()
    assert list(frame.columns) == list(MAIL_COLUMNS)
    assert list(zip(frame.sender, frame.recipient, frame.category, frame.state, strict=True)) == [
        ("ada", "ben", "message", "applied"),
        ("ben", "ada", "message", "applied"),
        ("ada", "ben", "signal", "waiting"),
    ]
    assert frame.text[1] == "<script>alert(1)</script> \\x1b[31m & \\u202ex"
    with Session(exchange=mailed.exchange) as empty:
        assert (empty.mails_df().dtypes == frame.dtypes).all()
        assert (empty.events_df().dtypes == mailed.events_df().dtypes).all()


async def test_the_twins(mailed: Session) -> None:
    """Without blocking the event loop they return the same."""
    pd.testing.assert_frame_equal(await mailed.amails_df(), mailed.mails_df())
    pd.testing.assert_frame_equal(await mailed.aevents_df(), mailed.events_df())
    mail = mailed.mails_df().mail[0]
    assert await mailed.atrace(mail) == mailed.trace(mail)
    assert await mailed.aflow() == mailed.flow()
    assert (await mailed.atimeline())._repr_svg_() == mailed.timeline()._repr_svg_()


def test_happenings_as_a_frame(mailed: Session) -> None:
    """From any of them on."""
    frame = mailed.events_df()
    assert list(frame.columns) == list(HAPPENING_COLUMNS)
    assert set(frame.kind) == {"created", "sent", "applied"}
    assert len(mailed.events_df(after=frame.id[3])) == len(frame) - 4


def test_a_timeline(mailed: Session, tmp_path: Path) -> None:
    """It is SVG with a lane a branch and a bar a mail, hostile text in it is only text; it is saved as such."""
    picture = mailed.timeline()
    root = ElementTree.fromstring(picture._repr_svg_())  # noqa: S314  our own
    assert root.tag == f"{SVG}svg"
    assert len(root.findall(f".//{SVG}rect")) == 3
    assert not root.findall(f".//{SVG}script")
    assert {"ada", "ben"} <= {text.text for text in root.findall(f"{SVG}text")}
    assert picture.save(tmp_path / "mail.svg").read_text() == picture._repr_svg_()
    with pytest.raises(ConfigError, match="SVG"):
        picture.save(tmp_path / "mail.png")
    with Session(exchange=mailed.exchange) as empty:
        assert "no mail" in empty.timeline()._repr_svg_()


def test_files_for_other_tools(mailed: Session, tmp_path: Path) -> None:
    """Three Parquet files hold what the frames hold."""
    paths = mailed.to_parquet(tmp_path / "new" / "folder")
    frames = {"messages": mailed.to_df(), "mails": mailed.mails_df(), "events": mailed.events_df()}
    assert set(paths) == set(frames)
    for name, frame in frames.items():
        read = pd.read_parquet(paths[name])
        assert list(read.columns) == list(frame.columns)
        assert read.astype(object).where(read.notna(), None).equals(frame.astype(object).where(frame.notna(), None))
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == [
        "events.parquet",
        "mails.parquet",
        "messages.parquet",
    ]


def test_a_pile_goes_to_a_parquet_file_and_back(tmp_path: Path) -> None:
    """With everything that its items hold; a file that is none is named."""
    messages = [Instruction.create("one", context={"deep": [1, {"er": None}]}), Instruction.create("two")]
    pile: Pile[Instruction] = Pile(messages)
    pile.to_parquet(tmp_path / "pile.parquet")
    again: Pile[Instruction] = Pile.from_parquet(tmp_path / "pile.parquet")
    assert [one.to_dict() for one in again] == [one.to_dict() for one in pile]
    assert pile.to_arrow(["id", "role"]).column_names == ["id", "role"]
    (tmp_path / "odd.parquet").write_bytes(b"no parquet")
    with pytest.raises(ConfigError, match=r"odd\.parquet is no Parquet file"):
        Pile.from_parquet(tmp_path / "odd.parquet")
    empty: Pile[Instruction] = Pile()
    empty.to_parquet(tmp_path / "empty.parquet")
    assert len(Pile.from_parquet(tmp_path / "empty.parquet")) == 0


def test_without_the_extra(mailed: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names it, and no file is begun."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for write in (lambda: mailed.to_parquet(tmp_path), lambda: Pile().to_parquet(tmp_path / "x"), Pile().to_arrow):
        with pytest.raises(ConfigError, match=r"lion-broker\[arrow\]"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_html_for_notebooks(mailed: Session, ada: Branch) -> None:
    """Escaped, at most so many rows, with how many there are more; also of a session that is closed."""
    for number in range(30):
        mailed.new_branch(name=f"<b>{number}")
    shown = mailed._repr_html_()
    assert shown.count("<tr>") == 21
    assert "and 13 more" in shown
    assert "&lt;b&gt;" in shown
    assert "<b>" not in shown
    said = ada._repr_html_()
    assert "&lt;script&gt;" in said
    assert "<script>" not in said
    assert "\x1b" not in said
    assert "&lt;script&gt;" in ada.messages._repr_html_()
    assert Pile()._repr_html_().startswith("<div>")
    mailed.close()
    assert "closed" in mailed._repr_html_()


def test_html_says_who(session: Session, ada: Branch, ben: Branch) -> None:
    """The branch that stands for the session, why one rests, and a branch's own name instead of its id."""
    far = session.new_branch(name="far", pool="p")
    session.pause(far, "for lunch")
    shown = session._repr_html_()
    assert "<td style='text-align:left'>(default)</td>" in shown
    assert "<td style='text-align:left'>for lunch</td>" in shown
    ada.msgs.add_message(assistant_response="Well.", sender=ada.id)
    ada.msgs.add_message(assistant_response="Hm.", sender=ben.id)
    said = ada._repr_html_()
    assert "<td style='text-align:left'>ada</td>" in said
    assert str(ben.id) in said


async def test_watching_without_a_terminal(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """A line for each happening, and an end when nothing happens any more."""
    out = ""
    async with anyio.create_task_group() as group:
        group.start_soon(session.watch)
        while "created" not in out:
            # It tells of what comes after its first look, whenever that is.
            await session.anew_branch(name="\x1b[31mred")
            await anyio.sleep(0.01)
            out += capsys.readouterr().out
        group.cancel_scope.cancel()
    assert "[31mred" in out
    assert "\x1b" not in out
    await session.watch(until_idle=True)
