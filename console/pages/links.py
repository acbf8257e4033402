"""What a link in a message leads to: it asks once more, then answers.

In:  the token of a link. Out: a small page without scripts.
Promises: opening a link changes nothing, for mail programs open links to look at them; only the button does.
"""

from markupsafe import Markup
from starlette.responses import HTMLResponse

from console.live import Live
from runner.answering import BadLink
from schemas.answers import Answer

PAGE = Markup(
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="referrer" content="same-origin"><title>{title} · Crosscurrent</title>'
    '<body style="font: 18px/1.5 system-ui; max-width: 34em; margin: 3em auto; padding: 0 1em">'
    "<h1>{title}</h1><p>{text}</p>{form}</body></html>"
)
FORM = Markup('<form method="post"><button style="font: inherit; padding: .6em 1.2em">{}</button></form>')


def ask(live: Live, token: str) -> HTMLResponse:
    """What the link would do, and a button that does it."""
    return _page(live, token, taken=False)


def take(live: Live, token: str) -> HTMLResponse:
    """Do it. A link that is used again changes nothing: its answer counts once."""
    return _page(live, token, taken=True)


def _page(live: Live, token: str, *, taken: bool) -> HTMLResponse:
    signer = live.system.signer
    if signer is None:
        return _said("No answers here", "This city has no links to answer by.", status=404)
    try:
        answer = signer.read(token)
    except BadLink as error:
        return _said("This link does not work", str(error), status=403)
    summary = _summary(live, answer)
    if taken:
        live.system.answer(answer)
        return _said("Thank you", f"{answer.answer.capitalize()} by {answer.by}: {summary}")
    return _said(
        f"{answer.answer.capitalize()}?",
        f"As {answer.by}: {summary}",
        FORM.format(answer.answer.capitalize()),
    )


def _summary(live: Live, answer: Answer) -> str:
    revisions = live.store.incident(answer.incident)
    return revisions[-1].summary if revisions else f"incident {answer.incident}"


def _said(title: str, text: str, form: Markup | str = "", *, status: int = 200) -> HTMLResponse:
    return HTMLResponse(PAGE.format(title=title, text=text, form=form), status_code=status)
