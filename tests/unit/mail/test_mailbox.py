"""The mailbox: first in, first out by sender; each mail once."""

from collections import defaultdict

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lion_broker import IDType, Mail, Mailbox, Package, PackageCategory
from lion_broker.mail.wire import Header, WireMail

PEOPLE = [IDType.create() for _ in range(3)]
MAILS = [
    Mail(sender=sender, recipient=PEOPLE[0], package=Package(PackageCategory.SIGNAL, number))
    for sender in PEOPLE
    for number in range(4)
]


def test_an_empty_mailbox() -> None:
    """It is false, has no senders, and knows nobody."""
    mailbox = Mailbox()
    assert not mailbox
    assert mailbox.senders == []
    assert mailbox.incoming(PEOPLE[0]) == []
    assert repr(mailbox) == "Mailbox(0 in from 0 senders, 0 out)"


def test_appending_is_idempotent() -> None:
    """A mail that is there stays at its place."""
    mailbox, (one, two) = Mailbox(), MAILS[:2]
    for letter in (one, two, one):
        mailbox.append_in(letter)
    assert mailbox.incoming(one.sender) == [one, two]
    assert len(mailbox) == 2


def test_excluding_what_is_not_there() -> None:
    """Nothing happens."""
    mailbox = Mailbox()
    mailbox.exclude(MAILS[0])
    assert MAILS[0] not in mailbox


def test_no_empty_sender_stays() -> None:
    """A sender whose last mail was taken is no sender any more."""
    mailbox = Mailbox()
    mailbox.append_in(MAILS[0])
    mailbox.exclude(MAILS[0])
    assert mailbox.pending_ins == {}


def written(letter: Mail) -> WireMail:
    """The same mail as its sender writes it."""
    return WireMail(Header("s", letter.sender, letter.recipient, "message", id=letter.id), b'{"item":"hi"}')


def test_mail_as_it_was_written() -> None:
    """Who looks sees Mail with the text; what has gone before never was any."""
    mailbox, (one, two, three) = Mailbox(), MAILS[:3]
    for letter in (one, two, three):
        mailbox.append_written(written(letter), f"to {letter.recipient}")
    assert mailbox.let_go([one.id]) == 1
    assert (len(mailbox), two.id in mailbox, one.id in mailbox) == (2, True, False)
    assert list(mailbox.pending_outs) == [two.id, three.id]
    shown = mailbox.outgoing()[0]
    assert (shown, shown.sender, shown.recipient) == (two, two.sender, two.recipient)
    assert (shown.category, shown.package.item) == ("message", f"to {two.recipient}")


class MailboxMachine(RuleBasedStateMachine):
    """A mailbox beside two plain lists."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox = Mailbox()
        self.ins: list[Mail] = []
        self.outs: list[Mail] = []

    @rule(letter=st.sampled_from(MAILS))
    def take_in(self, letter: Mail) -> None:
        """Deliver a mail."""
        self.mailbox.append_in(letter)
        if letter not in self.ins:
            self.ins.append(letter)

    @rule(letter=st.sampled_from(MAILS))
    def put_out(self, letter: Mail) -> None:
        """Put a mail into the outbox."""
        self.mailbox.append_out(letter)
        if letter not in self.outs:
            self.outs.append(letter)

    @rule(letter=st.sampled_from(MAILS))
    def exclude(self, letter: Mail) -> None:
        """Let go of a mail."""
        self.mailbox.exclude(letter)
        self.ins = [one for one in self.ins if one != letter]
        self.outs = [one for one in self.outs if one != letter]

    @invariant()
    def same(self) -> None:
        """Both hold the same, in the same order."""
        by_sender = defaultdict(list)
        for letter in self.ins:
            by_sender[letter.sender].append(letter)
        assert {sender: self.mailbox.incoming(sender) for sender in self.mailbox.senders} == by_sender
        assert self.mailbox.outgoing() == self.outs
        assert set(self.mailbox) == {*self.ins, *self.outs}
        assert len(self.mailbox) == len({*self.ins, *self.outs})
        assert bool(self.mailbox) == bool(self.ins or self.outs)


test_a_mailbox_is_a_queue_for_each_sender = MailboxMachine.TestCase
