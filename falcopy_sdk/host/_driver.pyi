def extract(
    function: int,
    state: int,
    events: int,
    count: int,
    input: int,
    calls: int,
    first: int,
    again: int,
    /,
) -> None: ...
def drain(
    next_batch: int,
    state: int,
    instance: int,
    limit: int,
    seconds: float,
    extract: int,
    inputs: int,
    count: int,
    source: int,
    /,
) -> tuple[int, int, int, int]: ...
