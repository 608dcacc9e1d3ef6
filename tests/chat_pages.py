"""Pictures of what owners see: the golden messages, drawn about as each service draws them.

`python tests/chat_pages.py FILE.html` writes one page of all; it is drawn from the bodies themselves, so
what is ugly there is ugly in the chat. Nothing of it is part of the package.
"""

from __future__ import annotations

import json
import re
import sys
from html import escape
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "alerts"
STYLE = """
body { font: 15px/1.46 system-ui, 'Noto Sans', sans-serif; margin: 0; padding: 12px; background: #ddd; }
figure { margin: 0 0 18px; max-width: 720px; }
figcaption { font: 12px monospace; color: #555; }
.slack { background: #fff; color: #1d1c1d; padding: 10px 14px; border-radius: 6px; }
.slack h3 { font-size: 18px; line-height: 1.33; margin: 0 0 6px; }
.slack section { margin: 6px 0; white-space: pre-wrap; overflow-wrap: anywhere; }
.slack ol, .slack ul { margin: 2px 0; padding-left: 26px; }
.slack code { color: #c01343; background: #f6f6f6; border: 1px solid #ddd; padding: 1px 3px; }
.slack a { color: #1264a3; }
.discord { background: #313338; color: #dbdee1; padding: 10px 14px; border-radius: 6px; }
.discord .embed { border-left: 4px solid; background: #2b2d31; border-radius: 4px; padding: 8px 12px;
  margin-top: 6px; max-width: 520px; font-size: 14px; overflow-wrap: anywhere; }
.discord .embed div { white-space: pre-wrap; margin-bottom: 6px; }
.discord code { background: #1e1f22; padding: 1px 3px; border-radius: 3px; }
.discord a { color: #00a8fc; }
.discord footer { font-size: 12px; color: #b5bac1; }
.telegram { background: #e7f0da; padding: 10px; border-radius: 6px; }
.telegram div { background: #fff; border-radius: 12px; padding: 8px 12px; max-width: 480px;
  white-space: pre-wrap; overflow-wrap: anywhere; }
.telegram blockquote { border-left: 3px solid #3390ec; background: #eef6fd; margin: 0; padding: 4px 8px; }
.telegram a { color: #3390ec; }
"""


def slack(body: dict[str, Any]) -> str:
    """Draw blocks."""
    drawn = []
    for block in body["blocks"]:
        if block["type"] == "header":
            drawn.append(f"<h3>{escape(block['text']['text'])}</h3>")
        else:
            drawn.append(f"<section>{''.join(map(_rich, block['elements']))}</section>")
    return "".join(drawn)


def _rich(element: dict[str, Any]) -> str:
    kind = element["type"]
    if kind == "rich_text_section":
        return "".join(map(_rich, element["elements"]))
    if kind == "rich_text_list":
        tag = "ol" if element["style"] == "ordered" else "ul"
        return f"<{tag}>{''.join(f'<li>{_rich(item)}</li>' for item in element['elements'])}</{tag}>"
    if kind == "link":
        return f"<a>{escape(element['text'])}</a>"
    style = element.get("style", {})
    text = escape(element["text"])
    text = f"<b>{text}</b>" if style.get("bold") else text
    return f"<code>{text}</code>" if style.get("code") else text


def discord(body: dict[str, Any]) -> str:
    """Draw content and embeds."""
    drawn = [_markdown(body["content"])]
    for embed in body["embeds"]:
        inner = [f"<div>{_markdown(embed['description'])}</div>"]
        inner += [
            f"<b>{escape(field['name'])}</b><div>{_markdown(field['value'])}</div>"
            for field in embed.get("fields", ())
        ]
        if "footer" in embed:
            inner.append(f"<footer>{escape(embed['footer']['text'])}</footer>")
        drawn.append(f"<div class=embed style='border-color:#{embed['color']:06x}'>{''.join(inner)}</div>")
    return "".join(drawn)


def _markdown(text: str) -> str:
    """Read Discord's markup: escapes first, so that nothing they protect is read."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(found[1])
        return f"\x00{len(kept) - 1}\x00"

    drawn = escape(re.sub(r"\\([\\*_~`|<>\[\]#])", keep, text), quote=False)
    drawn = re.sub(r"\[([^\]]*)\]\((https://[^)]*)\)", r"<a>\1</a>", drawn)
    drawn = re.sub(r"\*\*(.+?)\*\*", r"<b>\1</b>", drawn)
    drawn = re.sub(r"`(.+?)`", r"<code>\1</code>", drawn)
    drawn = re.sub(r"(?m)^- ", "• ", drawn)
    return re.sub(r"\x00(\d+)\x00", lambda found: escape(kept[int(found[1])]), drawn)


def telegram(body: dict[str, Any]) -> str:
    """Draw a text: its few tags are HTML's."""
    return f"<div>{body['text']}</div>"


def page() -> str:
    """Draw all golden messages of chats."""
    figures = []
    for path in sorted(GOLDEN.glob("*.json")):
        name = path.stem
        service = name.split("-")[0]
        draw = {"slack": slack, "discord": discord, "telegram": telegram}.get(service)
        if draw is None:
            continue
        body = json.loads(path.read_text(encoding="utf-8"))["body"]
        figures.append(
            f"<figure><figcaption>{escape(name)}</figcaption><div class={service}>{draw(body)}</div></figure>"
        )
    head = "<!doctype html><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    return f"{head}<title>Alerts</title><style>{STYLE}</style>{''.join(figures)}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
