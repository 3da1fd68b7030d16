"""What `prepare_kuairand` writes beside the tables: the configuration and the attribution."""

ATTRIBUTION = """# Attribution

The tables in this folder were made from KuaiRand, a data set of the short-video app Kuaishou:

Chongming Gao, Shijun Li, Yuan Zhang, Jiawei Chen, Biao Li, Wenqiang Lei, Peng Jiang, Xiangnan He:
KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos.
CIKM 2022, doi 10.1145/3511808.3557624, <https://kuairand.com>.

Licence of the data: Creative Commons Attribution-ShareAlike 4.0 International (CC BY-SA 4.0,
<https://creativecommons.org/licenses/by-sa/4.0/>). Whoever passes the tables on names the source
and keeps the licence.

Changed: rows sorted by time, identifiers stored as 64-bit integers, codes as integers, the column
`hour` added, and, where the folder was made from the CSV files, impressions before 25 April 2022
gathered into one history per user.
"""


_DATA = """\
# KuaiRand: short videos shown in the standard feed. Attribution and licence: ATTRIBUTION.md.

[data]
log = "log.parquet"  # one row per impression, as published, oldest first
joins = [  # what is known about users and videos apart from the log
  { table = "users.parquet", on = "user_id" },  # activity, age of the account, coded traits
  { table = "videos.parquet", on = "video_id" },  # author, tags, kind of upload
  { table = "history.parquet", on = "user_id" },  # shown, liked, watched long before the log
]
# video_statistics.parquet is not joined: it averages the counts of each video over the whole
# period, the test day included, and so tells the model what it is asked to predict.
drop_duplicates = true  # about one row in forty repeats another in every column

[data.keys]
user = "user_id"  # for metrics by user and intervals
item = "video_id"  # for statistics and histories
time = "time_ms"  # statistics of a training row use only what happened earlier
"""

_SPLIT = """\
[data.split]
by = "column"  # by day, as a model would be used: trained on the past, used on the next day
column = "date"  # YYYYMMDD
valid = [{valid_day}]  # the day before the test, for early stopping
test = [{test_day}]  # the last day
"""

_FINE_TRAITS = {2, 3, 7, 8}
_ONEHOT = "\n".join(
    f'onehot_feat{i} = {{ kind = "categorical", missing = [-124] }}  # a trait, coded by the source'
    for i in range(18)
    if i not in _FINE_TRAITS
)

_FEATURES = f"""\
# No feature: outcomes (is_*, long_view, play_time_ms, profile_stay_time, comment_stay_time), as
# they are known only afterwards; is_rand, is_lowactive_period and visible_status, as they are
# constant; date and upload_dt, as a new day has a value never trained on; follower counts, days
# since the registration and the coded traits 2, 3, 7, 8 in full, as they tell single users apart
# and are learnt by heart: leaving them out helped gradient boosting.

[features]
user_id = {{ kind = "categorical" }}  # who: taste that nothing else tells
video_id = {{ kind = "categorical" }}  # what: appeal of the video itself
author_id = {{ kind = "categorical" }}  # joins the few videos of one author
tag = {{ kind = "categorical", multi = true }}  # topics, written "39,68"
tab = {{ kind = "categorical" }}  # page of the app; click rates from .08 to .60
hour = {{ kind = "categorical" }}  # time of day; not a number, since 23 is close to 0
upload_type = {{ kind = "categorical" }}  # how the video was made
video_type = {{ kind = "categorical" }}  # advertisement or not
music_type = {{ kind = "categorical" }}  # own or chosen sound
server_width = {{ kind = "numeric", encoding = "piecewise_linear" }}  # with the height: the shape
server_height = {{ kind = "numeric", encoding = "piecewise_linear" }}  # with the width: the shape

user_active_degree = {{ kind = "categorical" }}  # how often the user comes
is_live_streamer = {{ kind = "categorical", missing = [-124] }}  # -124 is the code for unknown
is_video_author = {{ kind = "categorical" }}  # makers look at videos differently
follow_user_num_range = {{ kind = "categorical" }}  # how many the user follows
fans_user_num_range = {{ kind = "categorical" }}  # how many follow the user
friend_user_num_range = {{ kind = "categorical" }}  # how many do both
register_days_range = {{ kind = "categorical" }}  # age of the account
{_ONEHOT}

# A long view depends on the length, in a curve with many bends.
[features.duration]
kind = "numeric"  # one number per video
column = "duration_ms"  # of the log; video_duration of the video table is the same
encoding = "piecewise_linear"  # lets a linear layer bend at every quantile
missing = [0]  # a video of length 0 is one of unknown length

# What the user did before the log begins: known at every impression, so nothing leaks.
[features.shown]
kind = "history"  # how much was shown, and how much of it was like this video
column = "watch_seq"  # every video that was shown
item = "video_id"  # the row's own video
match = ["author_id", "tag"]  # same author, same topics

[features.liked]
kind = "history"  # how easily the user likes: no other feature gives as much for like
column = "like_seq"  # the videos that were liked
item = "video_id"  # the row's own video
relative_to = "history_len"  # among all that was shown, also beyond the fifty that are listed
match = ["author_id", "tag"]  # same author, same topics

[features.watched_long]
kind = "history"  # how long the user stays: gives most for click and long view
column = "long_watch_seq"  # the videos that were watched long
item = "video_id"  # the row's own video
relative_to = "history_len"  # among all that was shown, also beyond the fifty that are listed
match = ["author_id", "tag"]  # same author, same topics

[features.watched_long_videos]
kind = "sequence"  # which videos held the user
column = "long_watch_seq"  # the newest last
table = "video_id"  # the embeddings of the videos themselves, as most lists are short
"""

_STATISTICS = """\
# Rates and counts of every task, from earlier rows only.
[statistics]
user = { of = ["user_id"] }  # how easily this user clicks, likes, stays: the strongest of all
video = { of = ["video_id"] }  # how well this video does with everybody
user_tab = { of = ["user_id", "tab"] }  # the same user behaves otherwise on another page
author = { of = ["author_id"] }  # fills in for videos seen seldom; helps profile visits
tag = { of = ["tag"] }  # the level of the topics, taken together
tab = { of = ["tab"] }  # the level of the page
"""

_TASKS = """\
[tasks.click]
kind = "binary"  # 0 or 1
label = "is_click"  # the first step; nearly all else follows it

[tasks.long_view]
kind = "binary"  # 0 or 1
label = "long_view"  # watched to the end or for long; all rows, as it is 0 without a click

[tasks.like]
kind = "binary"  # 0 or 1
label = "is_like"  # no observed_when: likes happen without a click, too

[tasks.profile_enter]
kind = "binary"  # 0 or 1
label = "is_profile_enter"  # no observed_when: visits happen without a click, too

[tasks.play_time]
kind = "duration"  # a number >= 0 with many zeros and a long tail
label = "play_time_ms"  # milliseconds watched
scale = 0.001  # seconds
clip = 600  # one row in 20,000 plays longer, on repeat or left running
"""

_BALANCER = """\
[balancer]
kind = "uncertainty"  # seconds and probabilities on one scale; rare tasks are not drowned
"""


def configuration(*, valid_day: int, test_day: int) -> str:
    """Return the text of `kuairand.toml`; days earlier than both are for training."""
    split = _SPLIT.format(valid_day=valid_day, test_day=test_day)
    return f"{_DATA}\n{split}\n{_FEATURES}\n{_STATISTICS}\n{_TASKS}\n{_BALANCER}"
