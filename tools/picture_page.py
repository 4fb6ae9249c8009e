"""Takes docs/pictures/page.png and page-narrow.png: the server's page for chat, in Chromium.

python tools/picture_page.py
"""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from convergio_mlx.providers.mlx import MlxProvider
from convergio_mlx.server import ServerSettings, serving

PICTURES = Path(__file__).resolve().parents[1] / "docs" / "pictures"
QUESTIONS = ("What are you?", "How do I install a model?")
CHOICE: dict[str, dict[str, Any]] = {
    "page": {"viewport": {"width": 820, "height": 640}, "color_scheme": "light"},
    "page-narrow": {"viewport": {"width": 320, "height": 500}, "color_scheme": "dark"},
}
COLORS = 24


def picture(browser: Browser, url: str, options: dict[str, Any]) -> Image.Image:
    page = browser.new_page(base_url=url, **options)
    page.goto("/")
    page.wait_for_selector("#model option", state="attached")
    page.locator("#temperature").evaluate("box => { box.value = 0; }")
    page.locator("#temperature").dispatch_event("change")
    for question in QUESTIONS:
        page.locator("#question").fill(question)
        page.keyboard.press("Enter")
        page.wait_for_selector("article:last-child.assistant .again:not(:disabled)")
    taken = Image.open(io.BytesIO(page.screenshot()))
    page.close()
    return taken.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE)


def main() -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with (
        MlxProvider() as provider,
        serving(provider, ServerSettings(port=0)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, options in CHOICE.items():
            picture(browser, server.url, options).save(PICTURES / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main()
