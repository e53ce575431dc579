"""Graded tasks: an answer that is not right raises, with a word on the likely slip; nothing is recorded."""

import copy

from .exercises import BLANK, Exercise


class Task(Exercise):
    """A function to write, or a number of the student's own to work out: then there is one case, and it may be
    rounded to four digits. Parameters as for `Exercise`."""

    def require(self, answer):
        """Print what is right about a function or a number; AssertionError, with the likely slip, if it is wrong."""
        said, right = Task.verdict(self, answer)
        assert right, said
        print(said)

    def verdict(self, answer):
        """(what to say, whether it is right) of a function or a number."""
        if callable(answer):
            return super().verdict(answer)
        if len(self.cases) > 1:
            return f"Your answer is {answer!r}; it should be a function: write it with `def`.", False
        number = self.on(*self.cases)
        number.tolerance = 5e-4
        said, right = super(Task, number).verdict(lambda **case: answer)
        said = said.replace("your function returns", "your answer is").replace("return a number", "be a number")
        return ("Right." if right else said), right

    def on(self, *cases):
        """The same task on other cases: for hidden tests."""
        other = copy.copy(self)
        other.cases = list(cases)
        return other

    def hint(self, case):
        return ""  # the number is what is asked for


class Search:
    """A case that the student has to find, as a dict of numbers.

    Parameters
    ----------
    id : str
    shows : callable
        (whether it shows what was asked for, what to say of it) for the keyword arguments of a case.
    ranges : dict of (low, high)
        What may be in a case, and between which bounds.
    slips : sequence of (dict, str)
        Cases that do not do, and what is said to each.
    """

    def __init__(self, id, shows, ranges, slips=()):
        self.id, self.shows, self.ranges, self.slips = id, shows, dict(ranges), list(slips)

    def require(self, found):
        """Print what a case shows; AssertionError, with the reason, if it is not what was asked for."""
        said, right = self.verdict(found)
        assert right, said
        print(said)

    def verdict(self, found):
        """(what to say, whether it is right) of a case."""
        if found is None:
            return BLANK, False
        if not isinstance(found, dict) or found.keys() != self.ranges.keys():
            return f"Your answer is {found!r}; it should be dict({'=…, '.join(self.ranges)}=…).", False
        for name, (low, high) in self.ranges.items():
            value = found[name]
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                return f"{name} is {value!r}; it should be a number from {low:,g} to {high:,g}.", False
        right, said = self.shows(**found)
        return (f"Right. {said}" if right else said), right
