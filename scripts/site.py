"""Build the documents as a site: `make site`, to out/site.

The pages are those that are read in the repository, unchanged; the menu is docs/index.md, which names every
page under one of its kinds. What they link to outside of docs/ (the README, the notebooks, the samples)
becomes pages, too. Any warning is an error: a page that no list names, a link that leads nowhere.

    python scripts/site.py [FOLDER]
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "about.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "LICENSE": "license.md",
    "data/README.md": "samples.md",
}
"""Files beside docs/ that are pages of the site, by where they stand there."""
SETTINGS = {
    "project": "drainwatch",
    "html_title": "drainwatch",
    "html_theme": "furo",
    "html_css_files": ["site.css"],
    "html_static_path": ["looks"],
    "html_copy_source": False,
    "html_show_sphinx": False,
    "html_show_copyright": False,
    "extensions": ["myst_parser"],
    "myst_heading_anchors": 4,
    "myst_links_external_new_tab": False,
    "highlight_language": "none",
    "suppress_warnings": ["misc.highlighting_failure"],  # `...` in outputs and examples
}


def places() -> dict[str, str]:
    """Return where each page of the site comes from: its path in the repository to that in the site."""
    pages = {
        f"docs/{path}": path
        for path in sorted(
            file.relative_to(ROOT / "docs").as_posix() for file in (ROOT / "docs").rglob("*.md")
        )
    }
    books = sorted((ROOT / "notebooks").glob("*.ipynb"))
    return pages | OUTSIDE | {f"notebooks/{book.name}": f"notebooks/{book.stem}.md" for book in books}


def page(source: str) -> str:
    """Return a page's text in Markdown, its links as they lead in the site."""
    file = ROOT / source
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".ipynb":
        text = from_notebook(text)
    elif file.suffix != ".md":
        text = f"# {file.name.capitalize()}\n\n```text\n{text}\n```\n"
    return relinked(text, source)


def from_notebook(text: str) -> str:
    """Return a notebook's cells as Markdown."""
    parts = []
    for cell in json.loads(text)["cells"]:
        body = "".join(cell["source"])
        parts.append(body if cell["cell_type"] == "markdown" else f"```python\n{body}\n```")
    return "\n\n".join(parts) + "\n"


def relinked(text: str, source: str) -> str:
    """Return a text whose links to files of the repository lead to the site's pages; code is left alone."""
    to = places()
    here = PurePosixPath(to[source]).parent

    def changed(link: re.Match[str]) -> str:
        target, sharp, anchor = link[1].partition("#")
        if not target or "://" in target or target.startswith("mailto:"):
            return link[0]
        there = os.path.normpath(PurePosixPath(source).parent / target)
        if there not in to:
            return link[0]
        return f"]({os.path.relpath(to[there], here)}{sharp}{anchor})"

    parts = re.split(r"(^ *```.*?^ *```)", text, flags=re.DOTALL | re.MULTILINE)
    parts[::2] = [re.sub(r"\]\(([^)\s]+)\)", changed, part) for part in parts[::2]]
    return "".join(parts)


def menu(index: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each kind of page that the site's index names, and its pages in order."""
    for block in re.split(r"^(?=\*\*)", index, flags=re.MULTILINE)[1:]:
        kind = block.partition("**")[2].partition("**")[0]
        links = re.findall(r"^- \[[^\]]*\]\(([^)#\s]+\.md)", block, flags=re.MULTILINE)
        yield kind, list(dict.fromkeys(link.removesuffix(".md") for link in links))


def with_menu(index: str) -> str:
    """Return the index with what the site's menu is made of; it isn't shown on the page itself."""
    out = [index]
    for kind, names in menu(index):
        out += ["", "```{toctree}", ":hidden:", f":caption: {kind}", "", *names, "```"]
    return "\n".join([*out, ""])


def sources(folder: Path) -> None:
    """Write the pages to a folder, as Sphinx takes them, and beside them the pictures and the looks."""
    for source, name in places().items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        text = page(source)
        if name == "index.md":
            text = with_menu(text)
        elif name == "decisions/README.md":
            listed = sorted(f.stem for f in (ROOT / "docs" / "decisions").glob("0*.md"))
            text = "\n".join([text, "```{toctree}", ":hidden:", "", *listed, "```", ""])
        elif name in {"changelog.md", "license.md", "about.md", "samples.md"}:
            text = f"---\norphan: true\n---\n{text}"
        file.write_text(text, encoding="utf-8")
    (folder / "looks").mkdir()
    shutil.copyfile(ROOT / "scripts" / "site.css", folder / "looks" / "site.css")
    for other in (ROOT / "docs").rglob("*.*"):
        to = folder / other.relative_to(ROOT / "docs")
        if other.suffix != ".md":
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(other, to)


def build(out: Path) -> int:
    """Build the site; return 0, or 1 where Sphinx warned."""
    from sphinx.application import Sphinx

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "pages"
        sources(folder)
        app = Sphinx(
            srcdir=folder,
            confdir=None,
            outdir=out,
            doctreedir=Path(scratch) / "trees",
            buildername="html",
            confoverrides=SETTINGS,
            status=None,
            warningiserror=True,
            freshenv=True,
        )
        app.build()
        return int(app.statuscode)


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "out" / "site").resolve()))
