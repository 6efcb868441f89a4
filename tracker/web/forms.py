"""What all forms share: a refusal by a rule is shown beside the field it belongs to, with everything typed kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import flash, render_template
from flask.typing import ResponseReturnValue
from flask_wtf import FlaskForm
from wtforms import Field

from tracker.domain.errors import RuleError
from tracker.web.errors import sentence_of, status_of


class Form(FlaskForm):  # type: ignore[misc]  # Flask-WTF carries no types
    """A form that can take a refusal: `with form.refusals(), transaction() as session: …`, then look at `errors`."""

    refused_with: int = 0

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Put a `RuleError` raised inside beside its field (or at the top of the form) and go on."""
        try:
            yield
        except RuleError as error:
            field = self._fields.get(error.field or "")
            sentence = sentence_of(error)
            if field is None:
                self.form_errors.append(sentence)
            else:
                field.errors = [*field.errors, sentence]
            self.refused_with = status_of(error)

    @property
    def status(self) -> int:
        """200 while nothing is wrong; otherwise the status of the refusal, 400 for a field that is not filled right."""
        return (self.refused_with or 400) if self.errors else 200


class Confirmation(Form):
    """A lone button: nothing but the token that shows where the click came from."""

    def tell(self) -> None:
        """Have the page that is shown next say why nothing was done."""
        for sentence in self.form_errors:
            flash(sentence, "alert")


def entered(field: Field) -> Any:  # noqa: ANN401  what kind of value depends on the field
    """The value of a required field, once its validators have let it through."""
    return field.data


def page(template: str, form: Form, **values: Any) -> ResponseReturnValue:  # noqa: ANN401  template values
    """Return the page with the form as it was filled in, under the status that fits."""
    return render_template(template, form=form, **values), form.status
