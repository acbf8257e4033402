"""The numbers that sources give their messages: what is a gap, what is late, what is a new beginning."""

from collections import Counter
from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from collectors.intake import Batch
from runner.kafka.entries import Entries, entry_of
from runner.kafka.receipts import KNOWN, ROWS, Entry, Gap, Sources, receipts_of
from schemas.receipts import Receipt

PUMP = "pump-3/telemetry"
Numbers = Iterable[tuple[int, int]]


def entry(number: int, life: str = "a") -> Entry:
    """A record of the only collector."""
    return Entry("collect/smallville/1", life, number)


def receipt(pairs: Numbers) -> Receipt:
    """Of one pump: event times and numbers."""
    return Receipt(received=0, numbers={PUMP: list(pairs)})


def followed(*receipts: Receipt) -> Sources:
    """The pump after these receipts."""
    sources = Sources()
    for number, one in enumerate(receipts, start=1):
        sources.take(one, entry(number))
    return sources


def stretches(gaps: list[Gap]) -> list[tuple[int, int, int]]:
    """First, last, and how many of them are lost."""
    return [(gap.first, gap.last, gap.lost) for gap in gaps]


def test_a_number_that_never_came_is_a_gap() -> None:
    """Seven follows three: four to six are missing, between the receipts that say so."""
    sources = followed(receipt([(10, 2), (20, 3)]), receipt([(60, 7)]))

    assert stretches(sources.gaps()) == [(4, 6, 3)]
    (gap,) = sources.gaps()
    assert (gap.source, gap.at, gap.after, gap.before) == (PUMP, 60, entry(1), entry(2))


def test_a_number_that_comes_late_fills_its_gap() -> None:
    """Five comes after seven: four and six remain."""
    sources = followed(receipt([(30, 3), (70, 7)]), receipt([(50, 5)]))

    assert stretches(sources.gaps()) == [(4, 4, 1), (6, 6, 1)]
    assert sources.counts == Counter(numbered=3, late=1)


def test_of_a_source_that_speaks_for_long_only_the_newest_numbers_are_kept() -> None:
    """Ten thousand messages without a gap, and a very old one again: nothing is lost, little is kept."""
    sources = followed(receipt([(10 * n, n) for n in range(10_000)]), receipt([(50, 5), (10, 1)]))

    assert sources.gaps() == []
    assert sources.counts == Counter(numbered=10_002, late=2)
    (run,) = sources._runs[PUMP]
    assert len(run.seen) <= 2 * KNOWN


def test_a_message_that_is_sent_again_is_no_new_beginning() -> None:
    """The same number with the same time is the same message."""
    sources = followed(receipt([(10, 1), (20, 2)]), receipt([(20, 2), (10, 1), (30, 3)]))

    assert sources.gaps() == []
    assert sources.counts == Counter(numbered=5, twice=2)


def test_a_source_that_starts_anew_counts_from_below() -> None:
    """After nine comes zero, later than nine: a restart, and no gap; a straggler of before is late."""
    sources = followed(receipt([(10, 7), (30, 9)]), receipt([(40, 0), (50, 1), (20, 8), (60, 2)]))

    assert sources.gaps() == []
    assert sources.counts == Counter(numbered=6, restarts=1, late=1)


def test_a_source_that_catches_up_numbers_old_readings_anew() -> None:
    """Readings of an hour ago that were kept and sent now have the next numbers: nothing is missing."""
    sources = followed(receipt([(100, 1), (10, 2), (20, 3), (110, 4)]))

    assert sources.gaps() == []
    assert sources.counts == Counter(numbered=4)


def test_messages_that_nobody_could_read_are_not_lost() -> None:
    """Two of three came, broken or too many: one is lost. Of the gap before them all are."""
    sources = followed(receipt([(10, 1)]), receipt([(30, 3), (35, -2)]), receipt([(70, 7)]))

    assert stretches(sources.gaps()) == [(2, 2, 1), (4, 6, 1)]
    assert sources.counts == Counter(numbered=3, unread=2)


@given(st.lists(st.integers(1, 60), unique=True, min_size=1), st.randoms(use_true_random=False))
def test_what_is_lost_is_what_never_came(lost: list[int], random: object) -> None:
    """However messages are delayed by a few places and doubled: exactly the lost numbers are told."""
    sent = [(number * 10, number) for number in range(62) if number not in lost]
    said = [pair for pair in sent for _ in range(random.choice((1, 1, 2)))]  # type: ignore[attr-defined]  # Hypothesis's
    middle = sorted(range(1, len(said) - 1), key=lambda i: i + random.choice((0, 0, 3)))  # type: ignore[attr-defined]  # Hypothesis's
    order = [said[0], *(said[i] for i in middle), said[-1]]
    sources = followed(*(receipt([pair]) for pair in order))

    told = {number for gap in sources.gaps() for number in range(gap.first, gap.last + 1)}
    assert told == set(lost)
    assert sources.counts["restarts"] == 0


def test_receipts_are_written_only_where_there_is_something_to_say() -> None:
    """Nothing for a city that numbers nothing; what the broker dropped; many numbers are parted."""
    many = [(at, at) for at in range(ROWS + 1)]

    assert list(receipts_of(Batch([], [], {}), 5, 0)) == []
    found = list(receipts_of(Batch([], [], {PUMP: many}), 5, 7))
    assert found[0] == Receipt(received=5, dropped=7)
    assert [pair for one in found[1:] for pair in one.numbers[PUMP]] == many
    assert len(found) == 3


def test_a_record_of_a_collector_that_is_gone_is_missed() -> None:
    """Numbers between the first and the last of a life; another life counts for itself."""
    entries = Entries()
    for number in (1, 2, 5, 9):
        entries.take(entry(number))
    entries.take(entry(2, "b"))

    assert [lost[1:] for lost in entries.missing()] == [("a", 3, 4), ("a", 6, 8), ("b", 1, 1)]
    assert entries.count() == 5
    assert entries.is_whole(entry(1), entry(2))
    assert not entries.is_whole(entry(2), entry(5))
    assert not entries.is_whole(entry(9), entry(2, "b"))


def test_what_a_topic_let_go_by_its_age_is_not_missed() -> None:
    """Of records before an old one some may be there, and some not."""
    entries = Entries()
    for number in (6, 9):
        entries.take(entry(number))
    for number in (2, 5):
        entries.forget_to(entry(number))
    entries.forget_to(entry(3, "long ago"))

    assert [lost[1:] for lost in entries.missing()] == [("a", 7, 8)]


def test_only_records_of_the_citys_collectors_are_counted() -> None:
    """Workers and other cities write to the same topics."""
    ours = {"ce_source": "/collect/smallville/1", "ce_id": "1f/7"}

    assert entry_of(ours, "smallville") == entry(7, "1f")
    assert entry_of(ours, "small") is None
    assert entry_of({"ce_source": "/smallville/detect/3", "ce_id": "1/7"}, "smallville") is None
    assert entry_of({}, "smallville") is None
