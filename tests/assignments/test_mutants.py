"""A check of a function refuses every small change of its model solution: a sign, term, name, branch or figure."""

import ast
import copy
import re
import sys

from marginlab.lesson.tasks import Task

OTHER = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}
OTHER |= {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}


def changes(node, names, figures):
    """What could stand in the place of a node, by a slip; also the student's own figure of an argument's name."""
    match node:
        case ast.BinOp(left, op, right):
            yield from (left, right)
            if type(op) in OTHER:
                yield ast.BinOp(left, OTHER[type(op)](), right)
        case ast.Compare(left, [op], right):
            yield ast.Compare(left, [OTHER[type(op)]()], right)
        case ast.IfExp(_, body, orelse):
            yield from (body, orelse)
        case ast.UnaryOp(_, operand):
            yield operand
        case ast.Name("max" | "min" as name, ctx):
            yield ast.Name({"max": "min", "min": "max"}[name], ctx)
        case ast.Name(name, ast.Load()) if name in names:
            yield from (ast.Name(other, ast.Load()) for other in sorted(names - {name}))
            if name in figures:
                yield ast.Subscript(ast.Name("mine", ast.Load()), ast.Constant(name), ast.Load())


class Swapped(ast.NodeTransformer):
    def __init__(self, old, new):
        self.old, self.new = old, new

    def visit(self, node):
        return self.new if node is self.old else self.generic_visit(node)


def mutants(source, figures):
    """The function of an answer cell, with one small change in what the student writes."""
    tree, lines = ast.parse(source), source.splitlines()
    begin, end = (next(n for n, line in enumerate(lines, 1) if f"### {word} SOL" in line) for word in ("BEGIN", "END"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    arguments = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    found = set()
    for at, node in enumerate(ast.walk(tree)):
        if begin < getattr(node, "lineno", 0) < end:
            for new in changes(node, names | arguments, arguments & figures.keys()):
                changed = copy.deepcopy(tree)
                old = list(ast.walk(changed))[at]
                found.add(ast.unparse(ast.fix_missing_locations(Swapped(old, new).visit(changed))))
    return found - {ast.unparse(tree)}


def test_every_small_change_of_a_solution_is_refused(sheet, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "checks", sheet.checks)
    known, tried = {}, 0
    for cell in sheet.notebook.cells:
        if cell.cell_type != "code":
            continue
        exec(cell.source, known)
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "").removesuffix("-answer")
        if not re.search(rf"^def {name}\(", cell.source, re.M):
            continue
        task = (known["tasks"] | known.get("desk", {}))[name]
        assert isinstance(task, Task) and task.verdict(known[name])[1]
        for text in sorted(mutants(cell.source, known["mine"])):
            exec(text, made := dict(known))
            assert not task.verdict(made[name])[1], f"{name} accepts\n{text}"
            tried += 1
    assert tried >= 20, "there is a function to write in each set"
