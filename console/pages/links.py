"""What a link in a message leads to, in the console: the pages of ``runner.linkpage``."""

from starlette.responses import HTMLResponse

from console.live import Live
from runner.linkpage import LinkPages


def ask(live: Live, token: str) -> HTMLResponse:
    """What the link would do, and a button that does it."""
    return _page(live, token, pressed=False)


def take(live: Live, token: str) -> HTMLResponse:
    """Do it."""
    return _page(live, token, pressed=True)


def _page(live: Live, token: str, *, pressed: bool) -> HTMLResponse:
    def summary(incident: str) -> str:
        revisions = live.store.incident(incident)
        return revisions[-1].summary if revisions else f"incident {incident}"

    page = LinkPages(live.system.signer, summary, live.system.answer).page(token, pressed=pressed)
    return HTMLResponse(page.body, page.status)
