"""The stateful entries: starting the bridge once, forwarding to it, tolerating misuse."""

import pytest


def test_init_unpacks_the_payload_and_forwards_to_the_bridge(bundles, host):
    code = """
library = Library(path)
state, rc = library.start("some config")
answer = [rc, state != ffi.NULL, text(library.get_last_error(state))]
library.destroy(state)
emit(answer)
"""

    assert host(code, bundles.make()) == [0, True, "no error"]

    (entry,) = host.cache.iterdir()
    assert host.calls() == [f"boot {entry}", "init fake:Fake 3.3.0 some config", "destroy"]


def test_every_stateful_entry_reaches_the_bridge(bundles, host):
    code = """
library = Library(path)
s, _ = library.start("x")
result = {}
rc = ffi.new("ss_plugin_rc *", 77)
params = ffi.new("char[]", b"here")
h = library.open(s, params, rc)
result["open"] = [h != ffi.NULL, rc[0]]
rc[0] = 77
result["list_open_params"] = [text(library.list_open_params(s, rc)), rc[0]]
number = ffi.new("uint32_t *", 77)
result["get_progress"] = [text(library.get_progress(s, h, number)), number[0]]
evts = ffi.new("ss_plugin_event ***")
result["next_batch"] = [library.next_batch(s, h, number, evts), number[0], evts[0][0].ts]
evt = ffi.new("ss_plugin_event_input *", {"evtnum": 12})
result["event_to_string"] = text(library.event_to_string(s, evt))
fields = ffi.new("ss_plugin_extract_field[2]")
request = ffi.new("ss_plugin_field_extract_input *", {"num_fields": 2, "fields": fields})
result["extract_fields"] = [library.extract_fields(s, evt, request),
                            [[f.res_len, f.res.u64[0]] for f in fields]]
result["parse_event"] = library.parse_event(s, evt, ffi.new("ss_plugin_event_parse_input *"))
calls = []
@ffi.callback("ss_plugin_rc(ss_plugin_owner_t *, const ss_plugin_event *, char *)")
def handler(owner, event, error):
    calls.append(1)
    return 3
result["set_async_event_handler"] = [library.set_async_event_handler(s, ffi.NULL, handler),
                                     library.set_async_event_handler(s, ffi.NULL, ffi.NULL)]
result["dump_state"] = [library.dump_state(s, ffi.NULL, handler), len(calls)]
config = ffi.new("char[]", b"new")
result["set_config"] = library.set_config(
    s, ffi.new("ss_plugin_set_config_input *", {"config": config}))
metrics = library.get_metrics(s, number)
result["get_metrics"] = [number[0], text(metrics[0].name), metrics[0].value.u64]
listen = ffi.new("ss_plugin_capture_listen_input *")
result["capture"] = [library.capture_open(s, listen), library.capture_close(s, listen)]
library.close(s, h)
library.destroy(s)
emit(result)
"""

    assert host(code, bundles.make()) == {
        "open": [True, 0],
        "list_open_params": ['[{"value":"here"}]', 0],
        "get_progress": ["half", 5000],
        "next_batch": [0, 1, 7],
        "event_to_string": "event 12",
        "extract_fields": [0, [[1, 12], [1, 12]]],
        "parse_event": 0,
        "set_async_event_handler": [0, 0],
        "dump_state": [3, 1],
        "set_config": 0,
        "get_metrics": [1, "fake", 3],
        "capture": [0, 0],
    }
    assert host.calls()[1:] == [
        "init fake:Fake 3.3.0 x",
        "open here",
        "parse_event 12",
        "set_async_event_handler 1",
        "set_async_event_handler 0",
        "set_config new",
        "capture_open",
        "capture_close",
        "close 1",
        "destroy",
    ]


#: Calls everything on the state `s` with garbage in every out-parameter.
MISUSE = """
def misuse(library, s, *, nulls=False):
    N = ffi.NULL
    result = {}
    rc = ffi.new("ss_plugin_rc *", 77)
    number = ffi.new("uint32_t *", 77)
    garbage = ffi.cast("void *", 0xdead)
    h = N
    result["open"] = [library.open(s, ffi.new("char[]", b"p"), N if nulls else rc) == N, rc[0]]
    rc[0] = 77
    result["list_open_params"] = [text(library.list_open_params(s, N if nulls else rc)), rc[0]]
    result["get_progress"] = [text(library.get_progress(s, h, N if nulls else number)), number[0]]
    evts = ffi.new("ss_plugin_event ***", ffi.cast("ss_plugin_event **", garbage))
    number[0] = 77
    result["next_batch"] = [
        library.next_batch(s, h, N if nulls else number, N if nulls else evts),
        number[0], evts[0] == N]
    evt = N if nulls else ffi.new("ss_plugin_event_input *", {"evtnum": 1})
    result["event_to_string"] = text(library.event_to_string(s, evt))
    fields = ffi.new("ss_plugin_extract_field[2]", [{"res_len": 77}, {"res_len": 77}])
    fields[0].res.u64 = ffi.cast("uint64_t *", garbage)
    given = ffi.new("ss_plugin_field_extract_input *", {"num_fields": 2, "fields": fields})
    result["extract_fields"] = [library.extract_fields(s, evt, N if nulls else given),
                                [[f.res_len, f.res.u64 == N] for f in fields]]
    result["parse_event"] = library.parse_event(s, evt, N)
    handler = ffi.cast("ss_plugin_async_event_handler_t", garbage)
    result["async"] = [library.set_async_event_handler(s, N, N),
                       library.set_async_event_handler(s, N, N)]
    result["dump_state"] = library.dump_state(s, N, N)
    result["set_config"] = library.set_config(s, N)
    number[0] = 77
    result["get_metrics"] = [library.get_metrics(s, N if nulls else number) == N, number[0]]
    result["capture"] = [library.capture_open(s, N), library.capture_close(s, N)]
    library.close(s, h)
    result["error"] = text(library.get_last_error(s))
    library.destroy(s)
    return result
"""

REFUSED = {
    "open": [True, 1],
    "list_open_params": ["", 1],
    "get_progress": ["", 0],
    "next_batch": [1, 0, True],
    "event_to_string": "",
    "extract_fields": [1, [[0, True], [0, True]]],
    "parse_event": 1,
    "async": [0, 0],
    "dump_state": 1,
    "set_config": 1,
    "get_metrics": [True, 0],
    "capture": [1, 0],
}


def test_without_a_state_nothing_crashes_and_every_out_parameter_is_written(bundles, host):
    seen = host(MISUSE + "emit(misuse(Library(path), ffi.NULL))", bundles.make())

    assert seen == {**REFUSED, "error": ""}
    assert host.calls() == []


def test_a_state_whose_init_failed_tells_why_and_refuses_everything_else(bundles, host):
    path = bundles.make(floor="99.0")

    seen = host(MISUSE + "library = Library(path); emit(misuse(library, library.start()[0]))", path)

    assert "needs glibc 99.0" in seen.pop("error")
    assert seen == REFUSED


def test_null_arguments_never_reach_the_bridge(bundles, host):
    code = (
        MISUSE
        + """
library = Library(path)
for s in (library.start()[0], library.start("careless")[0]):
    misuse(library, s, nulls=True)
emit("alive")
"""
    )

    assert host(code, bundles.make()) == "alive"
    assert {line.split()[0] for line in host.calls()} == {
        "boot",
        "init",
        "open",  # its out-parameters are the loader's own
        "set_async_event_handler",
        "destroy",
    }


def test_what_a_careless_bridge_leaves_unwritten_is_written(bundles, host):
    code = (
        MISUSE
        + """
library = Library(path)
s, rc = library.start("careless")
h = ffi.cast("ss_instance_t *", 1)
number = ffi.new("uint32_t *", 77)
evts = ffi.new("ss_plugin_event ***", ffi.cast("ss_plugin_event **", 0xdead))
batch = [library.next_batch(s, h, number, evts), number[0], evts[0] == ffi.NULL]
number[0] = 77
progress = [text(library.get_progress(s, h, number)), number[0]]
result = misuse(library, s)
emit([batch, progress, {name: result[name] for name in
     ("open", "list_open_params", "event_to_string", "get_metrics", "error")}])
"""
    )

    assert host(code, bundles.make()) == [
        [-1, 0, True],
        ["", 0],
        {
            "open": [True, 1],
            "list_open_params": ["", 1],
            "event_to_string": "",
            "get_metrics": [True, 0],
            "error": "",
        },
    ]


def test_a_failed_init_of_the_plugin_itself_is_told_by_the_bridge(bundles, host):
    assert host('emit(Library(path).start_text("bad"))', bundles.make()) == [1, "the config is bad"]


def test_a_bridge_without_a_state_is_a_failure_with_a_text(bundles, host):
    rc, error = host('emit(Library(path).start_text("none"))', bundles.make())

    assert (rc, error) == (1, "the plugin's Python runtime gave no state")


def test_init_without_input_or_return_code_is_tolerated(bundles, host):
    code = """
library = Library(path)
emit([text(library.get_last_error(library.init(ffi.NULL, ffi.NULL)))])
"""

    assert host(code, bundles.make()) == ["the host called plugin_init without an input"]


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("boot-fails", "cannot start the plugin's Python in {}: the standard library is missing"),
        ("boot-silent", "cannot start the plugin's Python in {}: the bridge gives no reason"),
        ("old-version", "has version 2 ("),
    ],
)
def test_a_bridge_that_does_not_start_gives_a_sentence(bundles, host, mode, sentence):
    rc, error = host("emit(Library(path).start_text())", bundles.make(), FAKE_BRIDGE=mode)

    (entry,) = host.cache.iterdir()
    assert rc == 1
    assert sentence.format(entry) in error


def test_a_bridge_that_cannot_be_loaded_gives_the_linkers_reason(bundles, host):
    bundles.files[bundles.bridge_path] = b"not a library"

    rc, error = host("emit(Library(path).start_text())", bundles.make())

    assert rc == 1
    assert error.startswith("cannot load the plugin's Python runtime: ")
    assert "_bridge.so" in error


def test_a_second_init_after_a_failure_succeeds(bundles, host):
    code = """
os.environ["FAKE_BRIDGE"] = "boot-fails"
library = Library(path)
first = library.start_text()[0]
del os.environ["FAKE_BRIDGE"]
emit([first, library.start_text()])
"""

    assert host(code, bundles.make()) == [1, [0, "no error"]]


def test_concurrent_inits_boot_once_and_give_distinct_states(bundles, host):
    code = """
import threading
library = Library(path)
barrier = threading.Barrier(8)
states = []
def start():
    barrier.wait()
    states.append(library.start())
threads = [threading.Thread(target=start) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
distinct = {int(ffi.cast("uintptr_t", state)) for state, _ in states}
emit([len(distinct), sorted({rc for _, rc in states})])
for state, _ in states: library.destroy(state)
"""

    assert host(code, bundles.make()) == [8, [0]]
    calls = host.calls()
    assert sum(line.startswith("boot ") for line in calls) == 1
    assert sum(line.startswith("init ") for line in calls) == 8
    assert calls.count("destroy") == 8


def test_two_plugins_in_one_process_have_their_own_payload_and_facts(bundles, host):
    one = bundles.make(bundles.folder / "libone.so", strings={"name": "one"})
    bundles.files["extra"] = b"makes another payload"
    two = bundles.make(bundles.folder / "libtwo.so", strings={"name": "two"})
    code = """
both = [Library(each) for each in sys.argv[1:]]
emit([[text(each.get_name()), each.start()[1]] for each in both])
"""

    assert host(code, one, two) == [["one", 0], ["two", 0]]
    assert [line for line in host.calls() if line.startswith("boot")] == [
        f"boot {entry}" for entry in sorted(host.cache.iterdir())
    ]


def test_the_library_stays_loaded_and_started_after_dlclose(bundles, host):
    code = """
library = Library(path)
s, rc = library.start()
address = library.symbol("plugin_init")
library.destroy(s)
for _ in range(100):
    ffi.dlopen(None).dlclose(library.handle)
    library = Library(path)
emit([rc, library.symbol("plugin_init") == address, library.start()[1]])
"""

    assert host(code, bundles.make()) == [0, True, 0]
    assert sum(line.startswith("boot ") for line in host.calls()) == 1
