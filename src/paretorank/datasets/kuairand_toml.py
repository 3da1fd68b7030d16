"""What `prepare_kuairand` writes beside the tables: the configuration and the attribution."""

ATTRIBUTION = """# Attribution
"""


def configuration(*, first_day: int, valid_day: int, test_day: int) -> str:
    """Return the text of `kuairand.toml` for a log of these days."""
    return f"""[data]
log = "log.parquet"
[data.split]
by = "column"
column = "date"
valid = [{valid_day}]
test = [{test_day}]
# {first_day}
"""
