"""A person at a browser: signs in by the form, presses what is written on buttons, and notices every error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, Response
from playwright.sync_api import TimeoutError as TookTooLong

DESKTOP = {"viewport": {"width": 1280, "height": 900}}
PHONE = {"viewport": {"width": 360, "height": 780}, "has_touch": True, "is_mobile": True, "device_scale_factor": 2}
PASSWORD = "Qinghe-2026!"
LOOK = 700  # milliseconds: a verdict that is given sooner, after another duty lies on the desk, is ignored
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class Visitor:
    """One page of one person. `troubles` holds what the console complained about, violated policies included."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.url = url
        self.troubles: list[str] = []
        self.page: Page = context.new_page()
        self.page.set_default_timeout(15_000)
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.troubles.append(f"{self.page.url}: {error}"))
        self.page.on("response", self._answered)

    def _heard(self, message: ConsoleMessage) -> None:
        about_a_status = message.text.startswith("Failed to load resource: the server responded with a status of 4")
        if message.type in {"error", "warning"} and not about_a_status:
            self.troubles.append(f"{self.page.url}: {message.text}")

    def _answered(self, response: Response) -> None:
        """A page may refuse what was sent; whatever belongs to a page must be there."""
        refused_form = response.request.is_navigation_request() and response.status < 500
        if response.status >= 400 and not refused_form:
            self.troubles.append(f"{self.page.url}: {response.url} answered {response.status}")

    def go(self, path: str) -> Response:
        """Open a page by its address."""
        answer = self.page.goto(self.url + path if path.startswith("/") else path)
        assert answer is not None
        return answer

    def sign_in(self, account: str, password: str = PASSWORD) -> None:
        """Sign in by the form."""
        self.go("/auth/login")
        self.page.get_by_label("账号").fill(account)
        self.page.get_by_label("密码").fill(password)
        self.press("登录")

    def choose_password(self, password: str = PASSWORD) -> None:
        """Replace the one-time code, as everybody must who signs in with one."""
        self.page.get_by_label("新密码", exact=True).fill(password)
        self.page.get_by_label("再输一遍新密码").fill(password)
        self.press("保存新密码")

    def speak(self, language: str) -> None:
        """Switch to this language, if another one is shown."""
        self.go("/auth/login")
        shown = self.page.locator("html").get_attribute("lang")
        if not str(shown).startswith(language):
            self.page.get_by_role("button", name={"zh": "中文", "en": "English"}[language]).click()
        assert str(self.page.locator("html").get_attribute("lang")).startswith(language)

    def press(self, label: str, *, within: Locator | None = None) -> None:
        """Press the first button of this name."""
        (within or self.page.locator("main")).get_by_role("button", name=label).first.click()
        self._arrive()

    def follow(self, label: str) -> None:
        """Follow the first link of this name."""
        self.page.locator("main").get_by_role("link", name=label).first.click()
        self._arrive()

    def turn_to(self, part: str) -> None:
        """Follow an entry of the navigation."""
        self.page.get_by_role("navigation").get_by_role("link", name=part, exact=True).click()
        self._arrive()

    def fill(self, label: str, value: str) -> None:
        """Fill the field of this label."""
        self.page.locator("main").get_by_label(label).first.fill(value)

    def _arrive(self) -> None:
        """Wait until the page that a click led to can be read whole; a click returns when its first byte is there."""
        self.page.wait_for_load_state("domcontentloaded")

    def reads(self, *sentences: str) -> None:
        """See that the page says this, or comes to say it: a click returns before its answer is read."""
        body = self.page.locator("body")
        for sentence in sentences:
            try:
                body.filter(has_text=sentence).wait_for(state="attached")
            except TookTooLong as error:
                message = f"{self.page.url} does not say {sentence!r}:\n{body.inner_text()}"
                raise AssertionError(message) from error


@contextmanager
def visit(browser: Browser, url: str, *, device: dict[str, object] = DESKTOP, **options: object) -> Iterator[Visitor]:
    """A browser of its own for one person; errors that it noticed fail the test when it is closed."""
    context = browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", **{**device, **options})
    visitor = Visitor(context, url)
    try:
        yield visitor
    except Exception as error:
        error.add_note(f"{visitor.page.url} says:\n{visitor.page.locator('body').inner_text()}")
        raise
    finally:
        context.close()
    assert not visitor.troubles, "\n".join(visitor.troubles)
