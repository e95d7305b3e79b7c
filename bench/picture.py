"""The medians as bars: how many files a second, beside what the machine can do."""

from html import escape
from typing import Any

LEFT, WIDTH, BAR, STEP = 170, 760, 18, 28
STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1c2733 } .head { font-weight: 600 } .value { fill: #52606d }
.limit { fill: #9aa5b1 } .first { fill: #0b7285 } .again { fill: #66a3b0 }
@media (prefers-color-scheme: dark) {
text { fill: #e4e9ee } .value { fill: #9fb0c0 } .limit { fill: #5f6c7b }
.first { fill: #3bc9db } .again { fill: #22748a }
}"""


def drawn(summary: list[dict[str, Any]]) -> str:
    """SVG that follows the reader's light or dark. The list limit is left out: its bar would leave no other visible."""
    rows = [row for row in summary if row["what"] != "list limit"]
    parts: list[str] = []
    y = 8
    for tree in dict.fromkeys(row["tree"] for row in rows):
        parts.append(f'<text class="head" x="0" y="{y + 14}">{escape(tree)}, files a second</text>')
        y += STEP
        of = [row for row in rows if row["tree"] == tree]
        fastest = max(row["files_per_second"] for row in of)
        for row in of:
            parts.append(_bar(row, y, fastest))
            y += STEP
        y += STEP // 2
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size}>',
            "<title>Files a second that an import reaches, beside the limit of the machine</title>",
            f"<style>{STYLE}\n</style>",
            *parts,
            "</svg>\n",
        ]
    )


def _bar(row: dict[str, Any], y: int, fastest: float) -> str:
    length = (WIDTH - LEFT - 210) * row["files_per_second"] / fastest
    kind = {"limit": "limit", "import": "first"}.get(row["what"].partition(",")[0], "again")
    said = (
        f"{row['files_per_second']:,.0f}  ({row['mb_per_second']:,.0f} MB/s, {row['seconds_ratio']:.1f} x limit's time)"
    )
    if kind == "limit":
        said = f"{row['files_per_second']:,.0f}  ({row['mb_per_second']:,.0f} MB/s)"
    return (
        f'<text x="0" y="{y + 14}">{escape(row["what"])}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2"/>'
        f'<text class="value" x="{LEFT + length + 8:.1f}" y="{y + 14}">{escape(said)}</text>'
    )
