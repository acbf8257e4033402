"""What a link in a message leads to: a page that asks once more, then answers.

In:  the token of a link.
Out: small pages without scripts; the answer, kept.
Promises: opening a link changes nothing, for mail programs open links to look at them; only the button does.
A link that is used again changes nothing either: its answer counts once.
"""

from collections.abc import Callable

from markupsafe import Markup

from runner.answering import BadLink, Signer
from runner.webserver import Page, WebServer
from schemas.answers import Answer
from schemas.errors import CrosscurrentError

KIND = "text/html; charset=utf-8"
PATH = "/answer/"
PAGE = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="referrer" content="same-origin"><title>{title} · Crosscurrent</title>'
    '<body style="font: 18px/1.5 system-ui; max-width: 34em; margin: 3em auto; padding: 0 1em">'
    "<h1>{title}</h1><p>{text}</p>{form}</body></html>"
)
FORM = Markup('<form method="post"><button style="font: inherit; padding: .6em 1.2em">{}</button></form>')


class LinkPages:
    """``summary``: what is known of an incident; ``keep``: where an answer goes, with CrosscurrentError where
    it can't go there now. ``signer``: None where there are no links.
    """

    def __init__(
        self, signer: Signer | None, summary: Callable[[str], str], keep: Callable[[Answer], None]
    ) -> None:
        self._signer, self._summary, self._keep = signer, summary, keep

    def page(self, token: str, *, pressed: bool) -> Page:
        """What the link would do, and a button that does it; or that it is done."""
        if self._signer is None:
            return _said("No answers here", "This city has no links to answer by.", status=404)
        try:
            answer = self._signer.read(token)
        except BadLink as error:
            return _said("This link does not work", str(error), status=403)
        what, summary = answer.answer.capitalize(), self._summary(answer.incident)
        if not pressed:
            return _said(f"{what}?", f"As {answer.by}: {summary}", FORM.format(what))
        try:
            self._keep(answer)
        except CrosscurrentError:
            text = "Your answer could not be kept just now. Press again, or answer in another way."
            return _said("Not taken", text, FORM.format(what), status=503)
        return _said("Thank you", f"{what} by {answer.by}: {summary}")


class LinkDoor(WebServer):
    """Serves them at ``[HOST:]PORT``, where no console does."""

    def __init__(self, place: str, pages: LinkPages) -> None:
        def answer(method: str, path: str) -> Page:
            head, found, token = path.partition(PATH)
            if head or not found:
                return _said("Nothing here", "Links in messages lead to answers.", status=404)
            return pages.page(token, pressed=method == "POST")

        super().__init__(place, "links", answer)


def _said(title: str, text: str, form: Markup | str = "", *, status: int = 200) -> Page:
    return Page(status, PAGE.format(title=title, text=text, form=form), KIND)
