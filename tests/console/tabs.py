"""What the console's tests share: a tab that remembers its complaints, a city with other assets."""

from playwright.sync_api import BrowserContext, Page

from schemas.city import Asset, City

HOSTILE = "<img src=x onerror=document.title='taken'>"
"""A name that an asset register should not hold, and that must do nothing but look odd."""


NAMELESS = """() => [...document.querySelectorAll('button, a[href], [role=button], [role=img]')]
  .filter((e) => e.checkVisibility() && !(e.getAttribute('aria-label') || e.textContent.trim()))
  .map((e) => e.outerHTML.slice(0, 120))"""
"""Tells the controls that have no name."""
CONTRASTS = """([ground, inks]) => {
  const luminance = (css) => {
    const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d');
    canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = (selector) => getComputedStyle(document.querySelector(selector));
  const behind = luminance(style(ground).backgroundColor);
  return inks.map(([selector, property]) => {
    const ink = luminance(style(selector)[property]);
    return (Math.max(ink, behind) + 0.05) / (Math.min(ink, behind) + 0.05);
  });
}"""


class Tab:
    """A page with a record of what it said and asked for."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.address = address
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page.on("console", lambda said: self._note(said.type, said.text))
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("request", lambda request: self._ask(request.url))

    def open(self, path: str = "/") -> Page:
        """Open a path and wait until it is alive."""
        self.page.goto(self.address.rstrip("/") + path)
        self.page.wait_for_selector("main h1, main .incident .summary")
        return self.page

    def _note(self, kind: str, text: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def _ask(self, url: str) -> None:
        if not url.startswith((self.address, "data:", "blob:")):
            self.foreign.append(url)


def contrasts(page: Page, ground: str, *inks: tuple[str, str]) -> list[float]:
    """Contrast, as WCAG reckons it, of properties of elements (selector, property) with what lies behind."""
    found: list[float] = page.evaluate(CONTRASTS, [ground, list(inks)])
    return found


def with_assets(city: City, assets: tuple[Asset, ...]) -> City:
    """The same city with other assets."""
    return City(city=city.city, timezone=city.timezone, assets=assets, links=city.links, sensors=city.sensors)
