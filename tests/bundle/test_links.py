"""What bundles share with the build cache stays as it is there, whatever runs or fails."""

import dataclasses
import errno
import os
import zipfile

import pytest

from falcopy_sdk.bundle import alignment, build, bytecode, cache, interpreter, links, trees


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def kept(own_cache):
    """Fills folders from one that the cache has, or has made again: it counts how often."""

    class Kept:
        made = 0

        def fill(self, target):
            trees.fill(target, "kind", "a" * 64, self._make)

        def _make(self, folder):
            self.made += 1
            (folder / "package").mkdir()
            (folder / "package/code.py").write_text("original = True\n")
            (folder / "package/data.txt").write_text("original")

    return Kept()


def test_code_is_shared_and_data_is_not(kept, tmp_path):
    for name in ("one", "two"):
        kept.fill(tmp_path / name)
    assert kept.made == 1
    one, two = tmp_path / "one/package", tmp_path / "two/package"
    assert (one / "code.py").samefile(two / "code.py")
    assert not (one / "data.txt").samefile(two / "data.txt")
    (one / "data.txt").write_text("changed")
    assert (two / "data.txt").read_text() == "original"
    assert (one / "code.py").stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("change", ["contents", "one more", "one less"])
def test_a_changed_folder_of_the_cache_is_made_again(kept, tmp_path, change, caplog):
    kept.fill(tmp_path / "one")
    package = tmp_path / "one/package"
    (ours,) = (cache.home() / "kind").glob("*/tree/package")
    if change == "contents":  # as root may, through the link
        (package / "code.py").chmod(0o644)
        (package / "code.py").write_text("poisoned = True\n")
        assert "poisoned" in (ours / "code.py").read_text()
    elif change == "one more":
        (ours / "more.py").write_text("")
    else:
        (ours / "code.py").unlink()
    kept.fill(tmp_path / "two")
    kept.fill(tmp_path / "three")
    assert kept.made == 3  # once beside the cache, once for it
    for name in ("two", "three"):
        assert (tmp_path / name / "package/code.py").read_text() == "original = True\n"
        assert len(list((tmp_path / name / "package").iterdir())) == 2
    assert "kind of the build cache was changed" in caplog.text


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP])
def test_what_cannot_be_linked_is_copied(tmp_path, monkeypatch, number):
    def refuse(*_names):
        raise OSError(number, os.strerror(number))

    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("x")
    monkeypatch.setattr(os, "link", refuse)
    links.link(source, target)
    assert target.read_text() == "x"
    assert not target.samefile(source)


def test_a_link_replaces_what_was_there_and_leaves_its_other_names_alone(tmp_path):
    source, target, other = tmp_path / "source", tmp_path / "target", tmp_path / "other"
    source.write_text("new")
    other.write_text("old")
    os.link(other, target)
    links.link(source, target)
    assert target.samefile(source)
    assert other.read_text() == "old"
    with pytest.raises(FileNotFoundError):
        links.link(tmp_path / "missing", tmp_path / "x")


def test_a_kept_file_that_cannot_be_marked_as_used_is_used(own_cache, tmp_path, monkeypatch):
    store = cache.Store("small")
    store.put("b" * 64, b"kept")
    (stored,) = (cache.home() / "small").glob("*/*")
    os.utime(stored, (0, 0))

    def refuse(*_arguments):
        raise PermissionError(errno.EPERM, "not the owner")

    monkeypatch.setattr(os, "utime", refuse)
    assert store.link("b" * 64, tmp_path / "target")
    assert store.get("b" * 64) == b"kept"
    assert not store.link("c" * 64, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_bytecode_is_never_written_into_a_file_that_is_there(own_cache, tmp_path):
    shared, root = tmp_path / "shared.pyc", tmp_path / "root"
    root.mkdir()
    shared.write_bytes(b"kept")
    (root / "module.py").write_text("x = 1\n")
    os.link(shared, root / "module.pyc")
    bytecode.compile_tree(root, interpreter.running())
    assert shared.read_bytes() == b"kept"
    assert (root / "module.pyc").read_bytes() != b"kept"


def test_sources_that_are_no_python_of_this_version_stay_shared(tmp_path):
    root, shared = tmp_path / "root", tmp_path / "shared.py"
    root.mkdir()
    shared.write_text("def {{ name }}(): ...\n")
    shared.chmod(0o444)
    os.link(shared, root / "template.py")
    (root / "good.py").write_text("x = 1\n")
    before = shared.stat().st_mtime_ns
    sources = {path.name: path.read_bytes() for path in root.glob("*.py")}
    bytecode.compile_tree(root, interpreter.running())
    bytecode.put_back(root, sources, interpreter.running())
    assert (root / "template.py").samefile(shared)
    assert shared.stat().st_mtime_ns == before
    assert (root / "good.py").read_text() == "x = 1\n"
    assert len(list((root / "__pycache__").iterdir())) == 1


def test_what_a_package_writes_at_import_is_in_its_own_bundle_only(project, tmp_path):
    module = project / "src/tiny/plugin.py"
    text = module.read_text()
    writes = (
        "import orjson, pathlib\n"
        "_place = pathlib.Path(orjson.__file__).parent\n"
        "_place.joinpath('made.txt').write_text('made')\n"
        "_place.joinpath('__init__.pyi').write_text('made')\n"
    )
    module.write_text(text.replace("import orjson\n", writes))
    first = build(project, tmp_path / "x.so")
    with zipfile.ZipFile(first.path) as archive:
        assert archive.read("site-packages/orjson/made.txt") == b"made"
    module.write_text(text)
    second = build(project, tmp_path / "x.so")
    with zipfile.ZipFile(second.path) as archive:
        assert "site-packages/orjson/made.txt" not in archive.namelist()


def test_the_signature_of_a_python_changes_with_its_files(tmp_path):
    stdlib = tmp_path / "lib"
    (stdlib / "package").mkdir(parents=True)
    (stdlib / "package/module.py").write_text("x = 1\n")
    # Debian's, unpacked elsewhere.
    (stdlib / "sitecustomize.py").symlink_to("/nonexistent/sitecustomize.py")
    python = dataclasses.replace(
        interpreter.here(), stdlib=stdlib, dynload=stdlib / "lib-dynload", config={}
    )
    seen = {python.signature()}
    (stdlib / "package/module.py").write_text("x = 10\n")
    seen.add(python.signature())
    (stdlib / "more.py").write_text("")
    seen.add(python.signature())
    seen.add(dataclasses.replace(python, config={"SOABI": "x"}).signature())
    seen.add(dataclasses.replace(python, version="3.11.99").signature())
    assert len(seen) == 5


def test_segments_are_aligned_to_pages_unless_their_contents_ask_for_more(tmp_path, compile_c):
    source = tmp_path / "lib.c"
    host = tmp_path / "main.c"
    source.write_text(
        "#include <stdint.h>\nint value = 41;\nint answer(void) { return value + 1; }"
    )
    host.write_text("int answer(void);\nint main(void) { return answer(); }\n")
    huge = ("-shared", "-fPIC", "-Wl,-z,max-page-size=0x200000")
    library = compile_c("libhuge.so", [source], *huge)
    program = compile_c("huge", [host], str(library), f"-Wl,-rpath,{library.parent}")
    before = library.read_bytes()
    assert _largest(library) == 0x200000
    library.write_bytes(alignment.to_pages(before, 4096))
    assert _largest(library) == 4096
    assert library.stat().st_size == len(before)
    assert os.waitstatus_to_exitcode(os.system(str(program))) == 42
    assert alignment.to_pages(library.read_bytes(), 65536) == library.read_bytes()
    source.write_text("int value __attribute__((aligned(65536))) = 41;\n")
    asking = compile_c("libasking.so", [source], *huge)
    assert alignment.to_pages(asking.read_bytes(), 4096) == asking.read_bytes()


def _largest(library):
    from elftools.elf.elffile import ELFFile

    with library.open("rb") as stream:
        segments = ELFFile(stream).iter_segments()
        return max(each["p_align"] for each in segments if each["p_type"] == "PT_LOAD")
