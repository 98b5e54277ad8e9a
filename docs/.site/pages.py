"""Hook of MkDocs: the reference plugin's pages are part of the site, from where they are.

Links between ``docs/`` and ``plugins/`` are written as the repository's folders are, so they work
there too; here they become links of the site, which MkDocs checks.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "plugins" / "k8saudit_aks"
#: What those pages link to, and the pages.
SHOWN = ("*.md", "deploy/*.yaml", "rules/*.yaml")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the plugin's files below ``plugins/``."""
    for path in sorted(path for pattern in SHOWN for path in PLUGIN.glob(pattern)):
        uri = path.relative_to(ROOT).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Has links from ``docs/`` to ``plugins/`` and back lead to the site's pages."""
    if page.file.src_uri.startswith("plugins/"):
        return markdown.replace("](../../docs/", "](../../")
    return re.sub(r"\]\(\.\./((?:\.\./)*plugins/)", r"](\1", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Shows docstrings without reStructuredText: roles as in ``:class:`Event```, and ``::``."""
    html = html.replace("<p>::</p>", "").replace("::</p>", ":</p>")
    return re.sub(r":(?:attr|class|data|exc|func|meth|mod|obj):(?=<code>)", "", html)
