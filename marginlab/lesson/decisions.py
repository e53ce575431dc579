"""What a learner decides before the results are seen: a choice with its reason, votes on claims."""

from html import escape

import ipywidgets as widgets

from .course import VERDICTS, table
from .exercises import WHOLE, WIDE, head, keep, nothing, remembered
from .questions import asked
from .shown import Note, Shown, twin


class Decision(Shown):
    """One of several choices and the reason for it, recorded.

    `id` is the key in the learner's record and in the questions beside the notebook; `about` may
    say the question and its choices instead.
    """

    def __init__(self, id, about=None):
        about = about or asked(id)
        self.id = id
        self.question = about["question"]
        made = self.made() or {}
        there = made.get("choice") in about["choices"]
        self.choice = widgets.ToggleButtons(
            options=about["choices"],
            value=made["choice"] if there else None,
            description="Your choice",
            style=WIDE | {"button_width": "auto"},
        )
        room = widgets.Layout(width="auto", max_width="40rem")
        self.reason = widgets.Textarea(
            made.get("reason", ""), placeholder="Because ...", **WHOLE, layout=room
        )
        self.button = widgets.Button(
            description="Decide", tooltip="Write choice and reason into your record"
        )
        self.button.on_click(lambda _: self.commit())
        self.note = widgets.HTML("Recorded." if made else nothing())
        parts = (self.choice, self.reason, self.button, self.note)
        self.widget = widgets.VBox([head(self.question), *parts])

    def made(self):
        """What was decided, as a dict, or None."""
        return remembered(self.id, choice=str, reason=str)

    def commit(self):
        """Record the choice and its reason, or say what is missing."""
        if self.choice.value is None or not self.reason.value.strip():
            missing = "choose" if self.choice.value is None else "write a reason, in a few words"
            self.note.value = f"Not recorded yet: {missing}."
            return
        made = {"choice": self.choice.value, "reason": self.reason.value}
        self.note.value = keep(self.id, made) or "Recorded."

    def twin_html(self):
        return twin(self.question, choices=self.choice.options)

    def recall(self):
        """The choice and its reason, to stand beside the results: a widget."""
        made = self.made()
        said = "Nothing is decided yet: go up, choose, and run this cell again."
        if made:
            said = f"You chose <b>{escape(made['choice'])}</b>: “{escape(made['reason'])}” Would "
            said += "you keep it?"
        return Note(self.id, said, twin("Would you keep your choice?"))


WRAPPED = widgets.Layout(flex_flow="row wrap", align_items="center")


class Votes(Shown):
    """Votes on the claims of a lesson, each a verdict; recorded together.

    `id` and `about` as for `Decision`: the question and the claims.
    """

    def __init__(self, id, about=None):
        about = about or asked(id)
        self.id = id
        self.question = about["question"]
        made = self.made()
        self.votes = {}
        rows = []
        for claim in about["claims"]:
            there = made.get(claim)
            self.votes[claim] = widgets.ToggleButtons(
                options=VERDICTS,
                value=there if there in VERDICTS else None,
                tooltips=[claim] * len(VERDICTS),
                style={"button_width": "auto"},
            )
            words = widgets.HTML(escape(claim), layout=widgets.Layout(flex="1 1 20rem"))
            rows.append(widgets.HBox([words, self.votes[claim]], layout=WRAPPED))
        self.button = widgets.Button(description="Vote", tooltip="Write the votes into your record")
        self.button.on_click(lambda _: self.commit())
        self.note = widgets.HTML("Recorded." if made else nothing())
        self.widget = widgets.VBox([head(self.question), *rows, self.button, self.note])

    def made(self):
        """{claim: verdict} of what was voted on."""
        return (remembered(self.id, votes=dict) or {}).get("votes", {})

    def commit(self):
        """Record the votes that were given."""
        given = {claim: one.value for claim, one in self.votes.items() if one.value}
        if not given:
            self.note.value = "Not recorded yet: vote on at least one."
            return
        said = f"Recorded: {len(given)} of {len(self.votes)}."
        self.note.value = keep(self.id, {"votes": given}) or said

    def twin_html(self):
        return twin(self.question, choices=self.votes)

    def compare(self, claims):
        """The votes beside the verdicts of `Claims`, as a table: a widget."""
        made = self.made()
        verdicts = {claim: claims.verdict(claim) for claim in claims.rows}
        rows = [[escape(c), escape(str(made.get(c, "–"))), v] for c, v in verdicts.items()]
        same = sum(made.get(claim) == verdict for claim, verdict in verdicts.items())
        said = f"<p>{same} of {len(verdicts)} votes are as the cases have it.</p>"
        said = said if made else "<p>You have not voted: go up, vote, and run this cell again.</p>"
        html = twin("Your votes, beside what the cases say.")
        shown = table(["claim", "your vote", "the cases say"], rows)
        return Note(self.id, f'<div class="marginlab-reading">{shown}{said}</div>', html)
