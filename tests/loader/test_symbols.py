"""The symbols and the static facts: what a host sees before init."""

import json

REQUIRED = [
    "get_required_api_version",
    "init",
    "destroy",
    "get_last_error",
    "get_name",
    "get_description",
    "get_contact",
    "get_version",
]


def test_a_loader_that_was_not_built_has_only_the_required_symbols(bundles, host):
    assert sorted(host("emit(Library(path).exports())", bundles.loader.path)) == sorted(REQUIRED)


def test_each_optional_symbol_is_there_exactly_if_its_bit_is_set(bundles, host):
    plugins = []
    for name in bundles.optional:
        alone = bundles.folder / f"lib{name}.so"
        bundles.make(alone, exports=[name], payload=b"")
        others = bundles.folder / f"lib_all_but_{name}.so"
        bundles.make(others, exports=[o for o in bundles.optional if o != name], payload=b"")
        plugins.append((name, alone, others))

    seen = host(
        "emit([Library(each).exports() for each in sys.argv[1:]])",
        *[path for _, *paths in plugins for path in paths],
    )

    everything = {*bundles.optional, *REQUIRED}
    assert len(everything) == 33
    for i, (name, _, _) in enumerate(plugins):
        assert set(seen[2 * i]) == {name, *REQUIRED}
        assert set(seen[2 * i + 1]) == everything - {name}


FACTS = """
def facts(library):
    kind = ffi.new("ss_plugin_schema_type *", 77)
    result = {"schema": text(library.get_init_schema(kind)), "kind": kind[0]}
    for name in ("required_api_version version name description contact event_source fields "
                 "extract_event_sources parse_event_sources async_event_sources "
                 "async_events").split():
        result[name] = text(getattr(library, "get_" + name)())
    result["id"] = library.get_id()
    result["schema_version"] = text(library.get_required_event_schema_version(ffi.NULL))
    for name in ("extract", "parse"):
        count = ffi.new("uint32_t *", 77)
        codes = getattr(library, f"get_{name}_event_types")(count, ffi.NULL)
        result[name] = [codes[i] for i in range(count[0])]
    return result
"""

STRINGS = {
    "required_api_version": "3.10.0",
    "version": "4.5.6",
    "name": "facts",
    "description": "Facts, with a \N{SNOWMAN}",
    "contact": "https://example.org",
    "event_source": "fact_source",
    "init_schema": '{"type": "object"}',
    "fields": json.dumps([{"name": f"fact.number{i}", "type": "uint64"} for i in range(2000)]),
    "extract_event_sources": '["fact_source"]',
    "parse_event_sources": '["syscall"]',
    "async_event_sources": '["other"]',
    "async_events": '["tick"]',
    "required_event_schema_version": "4.0.0",
}
EXPECTED = {
    **{name: value for name, value in STRINGS.items() if name != "init_schema"},
    "schema": '{"type": "object"}',
    "kind": 1,
    "id": 999,
    "schema_version": "4.0.0",
    "extract": [322, 402],
    "parse": [1, 2, 65535],
}
del EXPECTED["required_event_schema_version"]


def test_static_facts_are_served_from_the_image_without_the_payload(bundles, host):
    path = bundles.make(
        strings=STRINGS, id=999, types=((322, 402), (1, 2, 65535)), payload=b"no ZIP at all"
    )

    assert host(FACTS + "emit(facts(Library(path)))", path) == EXPECTED
    assert host.calls() == []


def test_eight_threads_read_the_static_facts_while_another_starts_the_plugin(bundles, host):
    path = bundles.make(strings=STRINGS, id=999, types=((322, 402), (1, 2, 65535)))

    seen = host(
        FACTS
        + """
from concurrent.futures import ThreadPoolExecutor
library = Library(path)
with ThreadPoolExecutor(9) as pool:
    start = pool.submit(library.start)
    all_facts = [pool.submit(facts, library) for _ in range(200)]
    distinct = {repr(each.result()): each.result() for each in all_facts}
    emit([list(distinct.values()), start.result()[1]])
""",
        path,
    )

    assert seen == [[EXPECTED], 0]


def test_without_facts_strings_are_empty_and_every_out_parameter_is_written(bundles, host):
    path = bundles.make(strings={"name": "", "version": "", "required_api_version": ""})

    seen = host(FACTS + "emit(facts(Library(path)))", path)

    assert seen.pop("kind") == 0
    assert seen.pop("id") == 0
    assert set(map(str, seen.values())) == {"", "[]"}


def test_null_out_parameters_are_tolerated(bundles, host):
    path = bundles.make(strings=STRINGS, types=((322,), (322,)))
    code = """
library = Library(path)
emit([text(library.get_init_schema(ffi.NULL)),
      library.get_extract_event_types(ffi.NULL, ffi.NULL)[0],
      library.get_parse_event_types(ffi.NULL, ffi.NULL)[0]])
"""

    assert host(code, path) == ['{"type": "object"}', 322, 322]


def test_an_image_with_offsets_beyond_its_end_gives_empty_facts(bundles, host):
    good = bytearray(bundles.image(exports=2**64 - 1, id=7))
    # After magic, id, reserved, exports, payload, sha256, floor: two arrays, then strings.
    arrays = 16 + 4 + 4 + 8 + 16 + 72 + 16
    size = len(good)
    blob = size - 512 * 1024
    bad_arrays = [(512 * 1024 - 2, 2), (1, 1)]
    for i, (offset, count) in enumerate(bad_arrays):
        good[arrays + 8 * i : arrays + 8 * i + 8] = offset.to_bytes(4, "little") + count.to_bytes(
            4, "little"
        )
    for i in range(32):
        place = arrays + 16 + 4 * i
        good[place : place + 4] = (2**32 - 1 - i).to_bytes(4, "little")
    # The description begins inside the image but has no end.
    good[arrays + 16 + 12 : arrays + 16 + 16] = (512 * 1024 - 3).to_bytes(4, "little")
    good[size - 3 :] = b"xyz"
    assert blob == 280

    seen = host(FACTS + "emit(facts(Library(path)))", bundles.write(bytes(good)))

    assert seen.pop("id") == 7
    assert seen.pop("kind") == 0
    assert set(map(str, seen.values())) == {"", "[]"}


def test_an_image_that_falcopy_build_writes_is_served_unchanged(bundles, host):
    from falcopy_sdk.bundle.image import Image, pack
    from falcopy_sdk.declare.facts import StaticFacts

    written = pack(
        Image(
            facts=StaticFacts(
                **STRINGS,
                id=999,
                plugin_ref="fact:Fact",
                extract_event_types=(322, 402),
                parse_event_types=(1, 2, 65535),
                exports=frozenset(bundles.optional),
            ),
            bridge_path=bundles.bridge_path,
            payload_offset=0,
            payload_size=0,
            payload_sha256="",
            glibc_floor="",
        )
    )

    assert host(FACTS + "emit(facts(Library(path)))", bundles.write(written)) == EXPECTED
