"""The critic's verdicts: what is wrong goes back, and the order in which readers answer changes nothing."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from lion_broker.demo.findings import Finding, Quote, SubQuestion
from lion_broker.demo.review import Review, Verdict


def quote(text: str, passage: str = "p#1", start: int = 0) -> Quote:
    """A quote of some passage."""
    return Quote(passage, "Title", "source", text, start, start + len(text), 1.0)


def offer(number: int, *quotes: Quote) -> Finding:
    """An offer for a sub-question."""
    return Finding(SubQuestion(number, f"Question {number}?", "answer", "query", (("a",),), {"a": 1.0}), quotes)


def review(false: Iterable[Quote] = ()) -> Review:
    """A review to which some quotes are not verbatim."""
    wrong = list(false)
    return Review(lambda one: one not in wrong)


GOOD, OTHER = quote("good", "p#1"), quote("other", "p#2")


def test_a_good_offer_may_be_printed() -> None:
    """What stands in the corpus and is new passes as it is."""
    assert review().take("reader", offer(1, GOOD)) == [Verdict("reader", offer(1, GOOD))]


def test_no_quotes_are_an_answer_too() -> None:
    """A reader who finds nothing is not asked again."""
    assert review().take("reader", offer(1)) == [Verdict("reader", offer(1))]


def test_a_quote_that_is_not_verbatim_goes_back() -> None:
    """The reader learns which quote and why, and the next offer is judged anew."""
    critic = review(false=[GOOD])
    (verdict,) = critic.take("reader", offer(1, GOOD, OTHER))
    assert [(one.quote, one.reason) for one in verdict.rejected] == [(GOOD, "it does not stand in p#1 word for word")]
    assert critic.take("reader", offer(1, OTHER)) == [Verdict("reader", offer(1, OTHER))]


def test_a_quote_that_is_printed_already_goes_back() -> None:
    """Two sub-questions do not say the same; the earlier one has it."""
    critic = review()
    critic.take("first", offer(1, GOOD))
    (verdict,) = critic.take("second", offer(2, quote("goo", "p#1")))
    assert [one.reason for one in verdict.rejected] == ["sub-question 1 quotes it already"]


def test_the_code_after_a_printed_sentence_may_be_printed() -> None:
    """Only what is said already is left out; what is left of the quote still stands in the corpus."""
    text = "Buy it. For example:\n\n```python\nbuy(it)\n```"
    critic = review()
    critic.take("first", offer(1, quote("Buy it.")))
    (verdict,) = critic.take("second", offer(2, quote(text)))
    assert verdict.rejected == ()
    assert [(one.text, one.start, one.end) for one in verdict.finding.quotes] == [(text[8:], 8, len(text))]


def test_a_reader_who_insists_is_left_out() -> None:
    """A quote that was rejected and comes again is dropped, so that the desk comes to an end."""
    critic = review(false=[GOOD])
    critic.take("reader", offer(1, GOOD, OTHER))
    assert critic.take("reader", offer(1, GOOD, OTHER)) == [Verdict("reader", offer(1, OTHER))]


def test_offers_wait_for_the_earlier_sub_questions() -> None:
    """Nothing is said about the second sub-question before the first is done."""
    critic = review()
    assert critic.take("second", offer(2, OTHER)) == []
    assert [one.reader for one in critic.take("first", offer(1, GOOD))] == ["first", "second"]


pieces = st.builds(quote, st.sampled_from(["a", "ab", "abc", "x"]), st.sampled_from(["p#1", "p#2"]), st.integers(0, 3))


@given(st.lists(st.lists(pieces, unique=True, max_size=4), min_size=1, max_size=5), st.lists(pieces), st.data())
def test_the_order_of_arrival_changes_nothing(
    picks: list[list[Quote]], false: list[Quote], data: st.DataObject
) -> None:
    """Whichever reader is quicker, the same quotes are printed, each verbatim, and every reader comes to an end."""

    def printed(order: list[int]) -> list[Finding]:
        critic = review(false)
        offers = [offer(number, *picks[number - 1]) for number in order]
        done: list[Finding] = []
        while offers:
            for verdict in critic.take("reader", offers.pop(0)):
                if verdict.rejected:
                    wrong = [one.quote for one in verdict.rejected]
                    rest = [one for one in verdict.finding.quotes if one not in wrong]
                    offers.append(offer(verdict.finding.sub_question.number, *rest))
                else:
                    done.append(verdict.finding)
        return done

    numbers = list(range(1, len(picks) + 1))
    expected = printed(numbers)
    assert [one.sub_question.number for one in expected] == numbers
    assert not any(one in false for finding in expected for one in finding.quotes)
    assert printed(data.draw(st.permutations(numbers))) == expected
