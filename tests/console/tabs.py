"""What the console's tests share: a tab that remembers its complaints, a city with other assets."""

from playwright.sync_api import BrowserContext, Page

from schemas.city import Asset, City

HOSTILE = "<img src=x onerror=document.title='taken'>"
"""A name that an asset register should not hold, and that must do nothing but look odd."""


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


def with_assets(city: City, assets: tuple[Asset, ...]) -> City:
    """The same city with other assets."""
    return City(city=city.city, timezone=city.timezone, assets=assets, links=city.links, sensors=city.sensors)
