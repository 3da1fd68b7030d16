"""What the name of a column suggests it is; data that contradict the name win elsewhere."""

import re
from collections.abc import Iterable

FEEDBACK = frozenset(
    """click clicked clicks clk like liked dislike disliked follow followed share shared comment
    commented forward forwarded hate hated buy bought purchase purchased conversion converted
    convert conv order ordered cart atc fav favorite favorited favourite favourited finish finished
    complete completed view viewed read play played watch watched listen listened label target
    enter entered install installed download downloaded subscribe subscribed collect collected
    save saved book booked booking pay paid signup skip skipped report reported reply replied
    retweet quote open opened upvote downvote upvoted downvoted vote voted relevant response
    rent rented add2cart add_to_cart repin pin y conversions orders purchases likes
    shares""".split()
)
_AGGREGATE = frozenset(
    """cnt count counts num number rate ratio ctr cvr avg mean sum total pct percent percentage
    average frequency""".split()
)
_AGGREGATED_EVENT = FEEDBACK | frozenset(
    """show impression impressions exposure views plays clicks watches comments follows reviews
    ratings rating completion progress duration sales sold stay engagement reports downloads
    collects forwards favs""".split()
)
_ATTRIBUTE = frozenset(
    """gender sex vip rand random author member new active lowactive weekend holiday mobile adult
    premium verified live streamer promoted ad ads sponsored friend discounted status type mode
    os platform registered has source country device page position rank""".split()
)
_OUTCOME = (
    {"play", "time"},
    {"play", "seconds"},
    {"play", "duration"},
    {"play", "sec"},
    {"play", "ms"},
    {"play", "ratio"},
    {"play", "progress"},
    {"play", "rate"},
    {"watch"},
    {"watched"},
    {"watchtime"},
    {"playtime"},
    {"dwell"},
    {"stay"},
    {"listen", "time"},
    {"listened"},
    {"read", "time"},
    {"reading", "time"},
    {"view", "time"},
    {"view", "seconds"},
    {"view", "duration"},
    {"viewing", "time"},
    {"duration", "viewed"},
    {"time", "spent"},
    {"spent"},
    {"spend"},
    {"revenue"},
    {"gmv"},
    {"progress"},
    {"payment"},
    {"paid"},
    {"purchase", "amount"},
    {"order", "amount"},
    {"order", "value"},
    {"completion"},
    {"scroll", "depth"},
    {"quantity"},
    {"qty"},
)
_DURATION = (
    {"play"},
    {"watch"},
    {"watched"},
    {"watchtime"},
    {"playtime"},
    {"dwell"},
    {"listen"},
    {"listened"},
    {"read", "time"},
    {"reading"},
    {"view"},
    {"viewing"},
    {"viewed"},
    {"time", "spent"},
)
_NO_DURATION = frozenset("ratio progress rate count cnt num completion percent pct depth".split())
_RATING = frozenset("rating ratings stars star".split())
_TIME = frozenset(
    """time timestamp ts date datetime day dt created at unixtime epoch when hourmin event
    moment""".split()
)
_NOT_THE_EVENT = frozenset(
    """register registered registration upload uploaded publish published birth birthday born join
    joined release released update updated last first signup expire expiry launch listed play stay
    watch dwell read view spent listen duration""".split()
)
_CLOCK = frozenset("hour hourmin weekday dow dayofweek minute hod weekend month".split())
_NUMERIC = frozenset(
    """num cnt count number price cost amount age days years year duration length width height size
    weight score rate ratio ctr percent total avg mean quantity distance lat lon latitude longitude
    salary income rank position pos seconds sec ms minutes followers fans stock discount""".split()
)
_CODE = frozenset(
    """id code type category cat class onehot tag genre brand city country region zip zipcode
    postcode language lang os browser device segment group tab channel platform cluster status
    level feat""".split()
)
_MAGNITUDE = frozenset("duration length width height size price age weight".split())
_HISTORY = frozenset(
    """seq sequence hist history recent last past clicked viewed watched liked bought previous
    sessions session""".split()
)
_SEVERAL = frozenset("tags genres keywords topics interests categories labels ids".split())
_USERS = "user uid userid member customer client visitor viewer account reader buyer person device"
_ITEMS = """item video movie product sku asin article news song track photo note goods book recipe
listing hotel game app course job doc document post content creative ad ads adid iid mid pid itemid
movieid productid videoid anime podcast episode"""
_REQUESTS = "request req search query list slate pageview impression session"
_ID_TAILS = frozenset("id key code hash no number uuid idx index".split())


def words_of(name: str) -> tuple[str, ...]:
    """Cut a name into lower-case words at camel case, digits' borders excepted, and punctuation.

    >>> words_of("isClick_v2")
    ('is', 'click', 'v2')
    """
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return tuple(word for word in re.split(r"[^a-z0-9]+", spaced.lower()) if word)


def is_feedback(name: str) -> bool:
    """Return whether a 0/1 column of this name looks like something the user did."""
    words = set(words_of(name))
    return bool(words & FEEDBACK) and not words & _ATTRIBUTE and not is_aggregate(name)


def is_aggregate(name: str) -> bool:
    """Return whether the name looks like a count or rate of feedback, such as `like_cnt`."""
    words = words_of(name)
    if {"ctr", "cvr"} & set(words):
        return True
    event = any(word in _AGGREGATED_EVENT for word in words)
    return event and (any(word in _AGGREGATE for word in words) or _plural_feedback(words))


def is_outcome(name: str) -> bool:
    """Return whether the name looks like something known only after the impression."""
    words = set(words_of(name))
    summed = is_aggregate(name) and "ratio" not in words
    return any(pattern <= words for pattern in _OUTCOME) and not summed


def is_duration(name: str) -> bool:
    """Return whether the outcome looks like a time that the user spent."""
    words = set(words_of(name))
    return any(pattern <= words for pattern in _DURATION) and not words & _NO_DURATION


def is_rating(name: str) -> bool:
    """Return whether the name looks like a mark that the user gave."""
    words = words_of(name)
    alone = words in (("score",), ("grade",), ("user", "score"), ("review", "score"))
    averaged = bool(set(words) & {"avg", "mean", "average", "count", "num"})
    return alone or (bool(words) and words[-1] in _RATING and not averaged)


def is_target(name: str) -> bool:
    """Return whether the name says that the column is what shall be predicted."""
    return bool(set(words_of(name)) & {"label", "target", "y"})


def is_time(name: str) -> bool:
    """Return whether the name looks like the moment of the impression."""
    words = set(words_of(name))
    return bool(words & _TIME) and not words & _NOT_THE_EVENT


def is_clock(name: str) -> bool:
    """Return whether the name looks like a part of a date that repeats, such as the hour."""
    return bool(set(words_of(name)) & _CLOCK)


def is_quantity(name: str) -> bool:
    """Return whether the name says that the number measures or counts."""
    return bool(set(words_of(name)) & _NUMERIC)


def is_magnitude(name: str) -> bool:
    """Return whether the name says that zero is no possible value, such as a duration."""
    return bool(set(words_of(name)) & _MAGNITUDE) and not is_code(name)


def is_place(name: str) -> bool:
    """Return whether the name looks like the place in a list, chosen after the model has ranked."""
    return bool(set(words_of(name)) & {"position", "pos", "rank", "slot"})


def is_code(name: str) -> bool:
    """Return whether the name says that the number is only a name."""
    words = words_of(name)
    return bool(set(words) & _CODE) or any(
        re.fullmatch(r"(onehot)?feat\d+|cat\d+", w) for w in words
    )


def is_history(name: str) -> bool:
    """Return whether the name looks like what a user did before."""
    return bool(set(words_of(name)) & _HISTORY)


def is_plural(name: str) -> bool:
    """Return whether the name promises several values per row."""
    return bool(set(words_of(name)) & _SEVERAL)


def rank_as(role: str, name: str) -> int | None:
    """Return how well the name fits a role ("user", "item", "request"); lower is better.

    None where it does not fit at all.
    """
    words = words_of(name)
    allowed = {"user": _USERS, "item": _ITEMS, "request": _REQUESTS}[role].split()
    for place, word in enumerate(allowed):
        if word not in words:
            continue
        rest = [w for w in words if w != word]
        if not rest or (rest[-1] in _ID_TAILS and words[-1] != word):
            return place + 100 * max(0, len(rest) - 1)
    return None


def task_name(column: str, taken: Iterable[str] = ()) -> str:
    """Return a short name of a task for a label column: `is_click` becomes `click`."""
    words = list(words_of(column))
    while len(words) > 1 and words[0] in ("is", "label", "target", "has"):
        words = words[1:]
    while len(words) > 1 and words[-1] in ("label", "flag", "ms", "sec", "seconds", "s"):
        words = words[:-1]
    name = "_".join(words) or "task"
    name = name if name[0].isalpha() else f"task_{name}"
    taken = set(taken)
    while name in taken:
        name = f"{name}_label"
    return name


def _plural_feedback(words: tuple[str, ...]) -> bool:
    return any(word.endswith("s") and word[:-1] in FEEDBACK for word in words) and len(words) > 1
