"""The image that a build fills in, against the loader's own header."""

import dataclasses
from pathlib import Path

import pytest

from falcopy_sdk.bundle import image
from falcopy_sdk.declare.facts import StaticFacts
from falcopy_sdk.exceptions import BuildError, BundleFormatError

FACTS = StaticFacts(
    required_api_version="3.6.0",
    version="0.1.0",
    name="tiny",
    description="ünïcode",
    contact="",
    id=999,
    event_source="tiny",
    init_schema="",
    fields="[]",
    extract_event_sources='["tiny"]',
    parse_event_sources="",
    async_event_sources="",
    async_events="",
    required_event_schema_version="",
    extract_event_types=(322, 402),
    parse_event_types=(),
    exports=frozenset({"open", "close", "get_required_event_schema_version"}),
    plugin_ref="tiny.plugin:Tiny",
)
IMAGE = image.Image(FACTS, "site-packages/x.so", 4096, 123, "ab" * 32, "2.36")

PROGRAM = r"""
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "falcopy_image.h"
static struct falcopy_image image;
int main(int argc, char **argv)
{
    FILE *file = fopen(argv[1], "rb");
    if (argc != 2 || file == NULL || fread(&image, 1, sizeof(image), file) != sizeof(image) ||
        fgetc(file) != EOF)
        return 1;
    printf("%s %u %u %llx %llu %llu %s %s\n", image.magic, image.id, image.reserved,
           (unsigned long long)image.exports, (unsigned long long)image.payload_offset,
           (unsigned long long)image.payload_size, image.payload_sha256, image.glibc_floor);
    for (int i = 0; i < FALCOPY_STRING_COUNT; i++)
        printf("%s\n", image.blob + image.strings[i]);
    const unsigned short *types =
        (const unsigned short *)(const void *)(image.blob + image.extract_event_types.offset);
    for (unsigned i = 0; i < image.extract_event_types.count; i++)
        printf("%u ", types[i]);
    printf("%u\n%d %d\n", image.parse_event_types.count, FALCOPY_EXPORT_COUNT,
           FALCOPY_EXPORT_GET_REQUIRED_EVENT_SCHEMA_VERSION);
    return 0;
}
"""


def test_c_code_reads_what_was_packed(tmp_path, compile_c):
    import subprocess

    source = tmp_path / "read.c"
    source.write_text(PROGRAM)
    packed = tmp_path / "image"
    packed.write_bytes(image.pack(IMAGE))
    program = compile_c("read", [source])
    shown = subprocess.run([program, packed], capture_output=True, text=True, check=True).stdout
    exports = 1 << 3 | 1 << 4 | 1 << 24
    assert shown.splitlines() == [
        f"falcopy-image-1 999 0 {exports:x} 4096 123 {'ab' * 32} 2.36",
        "3.6.0",
        "0.1.0",
        "tiny",
        "ünïcode",
        "",
        "tiny",
        "",
        "[]",
        '["tiny"]',
        "",
        "",
        "",
        "",
        "tiny.plugin:Tiny",
        "site-packages/x.so",
        "322 402 0",
        f"{len(image.EXPORTS)} {image.EXPORTS.index('get_required_event_schema_version')}",
    ]


def test_the_names_of_exports_and_strings_are_those_of_the_header():
    header = (Path(__file__).parents[2] / "loader_c/include/falcopy_image.h").read_text()
    exports = [f"    FALCOPY_EXPORT_{name.upper()}" for name in image.EXPORTS]
    strings = [f"    FALCOPY_STRING_{name.upper()}" for name in image.STRINGS]
    lines = [line.split(" =")[0].split(",")[0] for line in header.splitlines()]
    assert [line for line in lines if line.startswith("    FALCOPY_EXPORT_")][:-1] == exports
    assert [line for line in lines if line.startswith("    FALCOPY_STRING_")][:-1] == strings


def test_reading_gives_back_what_was_packed(built):
    read = image.read_image(built.result.path)
    again = image._unpack(image.pack(read))
    assert again == read
    assert image._unpack(image.pack(IMAGE)) == IMAGE


def test_facts_that_do_not_fit_are_told_with_the_largest():
    facts = dataclasses.replace(FACTS, fields="x" * image.BLOB_SIZE)
    with pytest.raises(BuildError, match=r"fields \(524288 characters\)"):
        image.pack(dataclasses.replace(IMAGE, facts=facts))


def test_a_text_with_a_nul_is_refused():
    facts = dataclasses.replace(FACTS, description="cut\0off")
    with pytest.raises(BuildError, match="description: has a NUL"):
        image.pack(dataclasses.replace(IMAGE, facts=facts))


def test_an_export_that_the_api_does_not_have_is_refused():
    facts = dataclasses.replace(FACTS, exports=frozenset({"get_weather"}))
    with pytest.raises(BuildError, match="no optional entry named get_weather"):
        image.pack(dataclasses.replace(IMAGE, facts=facts))


def test_a_library_of_somebody_else_is_no_bundle(tmp_path, compile_c):
    source = tmp_path / "other.c"
    source.write_text("int other(void) { return 0; }\n")
    library = compile_c("other.so", [source], "-shared", "-fPIC")
    with pytest.raises(BundleFormatError, match="not one that falcopy build made"):
        image.read_image(library)


def test_a_text_file_is_no_bundle(tmp_path):
    path = tmp_path / "notes.so"
    path.write_text("hello, this is no library")
    with pytest.raises(BundleFormatError, match="not a shared library"):
        image.read_image(path)


def test_a_file_that_is_cut_off_is_told_how_much_is_missing(built, tmp_path):
    path = tmp_path / "cut.so"
    path.write_bytes(built.result.path.read_bytes()[:-1000])
    with pytest.raises(BundleFormatError, match=f"cut off: {built.result.size - 1000} bytes"):
        image.read_image(path)
