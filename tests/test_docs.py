"""The documents say what is so: examples run, generated pages are current, links lead somewhere."""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import nbformat
import pytest
from nbclient import NotebookClient
from sybil import Document, Example
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
MODULES = sorted((ROOT / "src" / "drainwatch").rglob("*.py"))
QUICKEST = "01-"
"""Beginning of the notebook's name that runs in `make test`; `make notebooks` runs all."""
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

OUTPUT = doctest.OutputChecker()
LOOSELY = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def dotted(module: Path) -> str:
    parts = module.relative_to(ROOT / "src").with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def run_console(example: Example) -> str | None:
    """Run a console block's `$ drainwatch` lines; below each stands its output, with `...` for any."""
    for part in re.split(r"^\$ ", str(example.parsed), flags=re.MULTILINE)[1:]:
        line, _, wanted = part.replace("\\\n", " ").partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "drainwatch", (
            f"a console block is for drainwatch, was {program}: make it a `sh` block"
        )
        run = subprocess.run(
            [sys.executable, "-m", "drainwatch", *arguments],
            check=False,
            capture_output=True,
            text=True,
            env=os.environ | {"NO_COLOR": "1", "COLUMNS": "100"},
        )
        if run.returncode:
            return f"`{line}` ended with {run.returncode}:\n{run.stderr}"
        if wanted.strip() and not OUTPUT.check_output(wanted, run.stdout, LOOSELY):
            return f"`{line}` should print\n{wanted}\nbut printed\n{run.stdout}"
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=short)
def test_examples_hold(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An example that fails is the first thing that a new user meets."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.chdir(tmp_path)
    parsed = Document.parse(str(document), PythonCodeBlockParser(), CodeBlockParser("console", run_console))
    for example in parsed.examples():
        example.evaluate()


@pytest.mark.parametrize("module", MODULES, ids=dotted)
def test_docstring_examples_hold(module: Path) -> None:
    if dotted(module) != "drainwatch.__main__":
        assert doctest.testmod(importlib.import_module(dotted(module)), optionflags=LOOSELY).failed == 0


def blurred(text: str) -> str:
    """Return a text without its numbers and ids: processors round the simulator's chances differently."""
    return re.sub(r"\b[0-9a-f]{8,}\b|\d[\d.,]*", "#", text)


def test_generated_pages_are_current() -> None:
    """`make docs` was forgotten."""
    stale = []
    for page, text in load_script("reference").pages().items():
        written = page.read_text(encoding="utf-8") if page.is_file() else ""
        same = blurred(written) == blurred(text) if page.name == "README.md" else written == text
        if not same:
            stale.append(short(page))
    assert not stale


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=short)
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        if not there.exists() or (anchor and anchor not in anchors(there)):
            broken.append(target)
    assert not broken


def test_every_kind_and_source_is_explained() -> None:
    """An incident whose kind is in no document sends its reader searching while the money goes."""
    from drainwatch.fair import SOURCES
    from drainwatch.report.words import KINDS

    families = (ROOT / "docs" / "how-a-drain-works.md").read_text(encoding="utf-8")
    assert not [kind for kind in KINDS if f"| `{kind}` |" not in families]
    tables = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    assert not [source for source in SOURCES if f"`{source}`" not in tables]


def test_every_document_is_listed() -> None:
    """A page that no list names is never read."""
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    decisions = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.name == "index.md" or f"({page.name})" in index
    for page in (ROOT / "docs" / "decisions").glob("0*.md"):
        assert f"({page.name})" in decisions


def test_every_target_of_make_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, flags=re.MULTILINE)
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)
    assert sorted(phony.split()) == sorted(explained)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=short)
def test_notebook_is_stripped(notebook: Path) -> None:
    """Outputs in a notebook age, and make every change of it unreadable."""
    cells = nbformat.read(notebook, as_version=4).cells
    for cell in cells:
        if cell.cell_type == "code":
            assert not cell.outputs
            assert cell.execution_count is None


@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # the kernel's client is others' code
@pytest.mark.parametrize("notebook", [
    pytest.param(book, marks=[] if book.name.startswith(QUICKEST) else pytest.mark.slow, id=short(book))
    for book in NOTEBOOKS
])  # fmt: skip
def test_notebook_runs(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    client = NotebookClient(
        nbformat.read(notebook, as_version=4),
        timeout=None,  # the first one that runs compiles the kernels; pytest's own limit holds
        kernel_name="python3",
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    client.execute()


@pytest.fixture(scope="module")
def site() -> ModuleType:
    return load_script("site")


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.filterwarnings("default")  # Sphinx and its extensions are others' code
def test_the_site_is_built_without_a_warning(site: ModuleType, tmp_path: Path) -> None:
    """Sphinx names a page that no list names, and a link that leads nowhere."""
    assert site.build(tmp_path / "site") == 0
    built = (tmp_path / "site" / "tutorial.html").read_text(encoding="utf-8")
    assert 'href="notebooks/01-first-look.html"' in built
    loaded = re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(https?://[^"]*)"', built)
    assert not loaded


def test_every_page_is_in_the_sites_menu(site: ModuleType) -> None:
    named = [name for _, names in site.menu(site.page("docs/index.md")) for name in names]
    assert len(named) == len(set(named))
    aside = {"index.md", *(name for source, name in site.OUTSIDE.items() if source != "CONTRIBUTING.md")}
    pages = {name for name in site.places().values() if not name.startswith("decisions/0")} - aside
    assert {f"{name}.md" for name in named} == pages


def test_links_of_the_site_lead_where_the_repositorys_do(site: ModuleType) -> None:
    text = (
        "[a](../docs/tables.md#out), [b](02-anatomy-of-a-drain.ipynb), [c](https://x.example/a.md), [d](#e)"
    )
    moved = "[a](../tables.md#out), [b](02-anatomy-of-a-drain.md), [c](https://x.example/a.md), [d](#e)"
    source = "notebooks/01-first-look.ipynb"
    assert site.relinked(text, source) == moved
    code = f"```md\n{text}\n```"
    assert site.relinked(code, source) == code


def test_links_of_notebooks_lead_somewhere(site: ModuleType) -> None:
    broken = [
        f"{notebook.name}: {target}"
        for notebook in NOTEBOOKS
        for text in [site.from_notebook(notebook.read_text(encoding="utf-8"))]
        for target in re.findall(r"\]\(([^)#\s]+)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
        if not (notebook.parent / target).exists()
    ]
    assert not broken
