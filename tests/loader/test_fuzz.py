"""Damaged payloads and images, by the thousand, against the loader's code under sanitizers."""

import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LOADER_C = HERE.parents[1] / "loader_c"
ABI = HERE.parents[1] / "falcopy_sdk/abi"


@pytest.fixture
def compiled(tmp_path):
    """Compiles a program of this folder with modules of the loader."""

    def compile_with(program, *modules):
        flags = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-g", "-O1"]
        sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
        includes = [f"-I{each}" for each in (LOADER_C / "loader", LOADER_C / "include", ABI)]
        sources = [LOADER_C / "loader" / f"{module}.c" for module in modules]
        output = tmp_path / program
        subprocess.run(
            ["gcc", *flags, *sanitize, *includes, HERE / f"{program}.c", *sources, "-o", output],
            check=True,
        )
        return output

    return compile_with


def counts(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [int(each) for each in done.stdout.split()]


def test_no_damaged_zip_breaks_the_unpacker_or_leaves_its_folder(compiled, stored_zip, tmp_path):
    # What is small has most of its bytes where they matter.
    seed = tmp_path / "seed.zip"
    seed.write_bytes(
        stored_zip(
            {"a/b/c": b"content", "a/b/d": b"", "a/run": b"#!", "e/": b"", "f": b"x" * 50},
            {"a/run": 0o100755},
        )
    )
    folder = tmp_path / "unpacked"
    folder.mkdir()
    program = compiled("fuzz_unpack", "zip", "unpack", "tree", "io", "crc32", "message")

    done, _, bad = counts(program, seed, folder, 3_000, 20_240_229)

    assert done > 30
    assert bad > 300
    assert list(folder.iterdir()) == []
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "fuzz_unpack",
        "seed.zip",
        "unpacked",
    ]


def test_no_damaged_image_makes_a_static_fact_leave_the_image(compiled):
    program = compiled("fuzz_facts", "facts")

    strings, arrays = counts(program, 2_000, 20_240_229)

    assert strings > 1000
    assert arrays > 100
